"""How attention grows: known exponents are found, memory is what is allocated, and it grows as it should."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from coatlab.benchmark import scaling
from coatlab.benchmark.__main__ import main
from coatlab.benchmark.scaling import Setup, exponents, measure, variant
from coatlab.config.files import choices
from coatlab.errors import InputError

SETUP = Setup((8, 16), 2, 16, torch.device("cpu"), torch.float32, turns=1, threads=1)


def test_known_exponents_are_found() -> None:
    tokens = np.array([196, 784, 3136])
    rows = pd.DataFrame({"pass": "training", "variant": "a", "tokens": tokens, "seconds": 1e-6 * tokens**1.5})
    assert exponents(rows, "seconds")[("training", "a")] == pytest.approx(1.5)
    rows.loc[1:, "seconds"] = float("nan")
    assert np.isnan(exponents(rows, "seconds")[("training", "a")])


def line_of(seconds: list[float]) -> pd.DataFrame:
    tokens = [196, 784, 3136][: len(seconds)]
    return pd.DataFrame({"pass": "training", "variant": "a", "tokens": tokens, "seconds": seconds})


@pytest.mark.parametrize(
    ("seconds", "sentences"),
    [
        ([1.0, 8.0, 64.0], []),  # tokens^1.5
        ([1.1, 7.0, 64.0], []),
        ([1.0, 8.0], ["a in training (2 of 3 grids)"]),
        ([1.0, 1.0, 64.0], ["a in training (a grid is 300% off the line)"]),
        ([1.0, 0.5, 0.25], ["a in training (no attention grows so)"]),
        ([1.0, 100.0, 10_000.0], ["a in training (no attention grows so)"]),
    ],
)
def test_what_is_no_line_is_said(seconds: list[float], sentences: list[str]) -> None:
    assert scaling.doubts(line_of(seconds), "seconds") == sentences


def test_memory_is_the_peak_of_what_is_allocated() -> None:
    def step() -> None:
        first = torch.empty(1_000_000, dtype=torch.uint8)
        del first
        second, third = (torch.empty(n, dtype=torch.uint8) for n in (2_000_000, 500_000))
        del second, third

    assert scaling.peak_bytes(step, torch.device("cpu")) == pytest.approx(2_500_000, rel=0.01)


@pytest.mark.slow
def test_memory_grows_linearly_except_for_global_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, unlike time, is the same on every machine."""
    monkeypatch.setattr(scaling, "SECONDS", 0.0)
    names = ["relative", "post", "window", "neighborhood", "linear", "linear/feature_map=favor"]
    setup = Setup((28, 42, 63), 1, 16, torch.device("cpu"), torch.float32, turns=1, threads=1)
    rows = measure(names, setup)
    assert len(rows) == len(names) * 3 * 2
    assert (rows["seconds"] > 0).all()
    found = exponents(rows, "bytes")
    for kind in scaling.PASSES:
        for name in names[2:]:
            assert 0.85 < found[(kind, name)] < 1.15, (kind, name)
        for name in names[:2]:
            assert found[(kind, name)] > 1.8, (kind, name)


def test_a_grid_that_would_not_fit_is_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SECONDS", 0.0)
    monkeypatch.setattr(scaling, "_free", lambda device: 100_000.0)
    rows = measure(["relative"], SETUP).set_index(["pass", "side"])
    assert rows.loc[("training", 8), "note"] == ""
    assert rows.loc[("training", 16), "note"].startswith("needs about")
    assert np.isnan(rows.loc[("training", 16), "seconds"])


@pytest.mark.slow
def test_the_command_writes_table_numbers_and_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attention", "--sides", "8,12", "--turns", "1", "--attention", "window,linear/feature_map=softmax"]
    assert main([*words, "--reports", str(tmp_path)]) == 0
    folder = tmp_path / "benchmark-attention"
    assert {path.name for path in folder.iterdir()} == {"table.md", "measured.csv", "growth.svg", "growth.png"}
    text = (folder / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "Exponents of time not to be trusted: window in inference (2 of 3 grids)" in text
    assert len(pd.read_csv(folder / "measured.csv")) == 2 * 2 * 2
    assert "linear/feature_map=softmax" in (folder / "growth.svg").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--attention", "widow"], r"attention=widow does not exist \(did you mean window\?\)"),
        (["--attention", "linear/map=elu"], "linear has no setting map; valid: .*feature_map"),
        (["--attention", "linear/feature_map=relu"], r"attention\.feature_map=relu does not exist"),
        (["--sides", "14,x"], "--sides=14,x is not valid"),
        (["--device", "tpu"], r"--device=tpu does not exist.*valid: cpu"),
    ],
)
def test_bad_words_are_refused_before_anything_is_measured(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        main(["attention", *words])


@pytest.mark.slow
def test_every_variant_is_measured_by_default() -> None:
    names = scaling.all_variants()
    assert {name.partition("/")[0] for name in names} == set(choices("attention"))
    assert {"linear/feature_map=softmax", "linear/feature_map=favor"} < set(names)
    for name in names:
        variant(name, SETUP, side=2)


def test_variants_have_the_papers_windows() -> None:
    assert variant("window", SETUP, 28).field == (7, 7)
    assert variant("neighborhood/kernel_size=3", SETUP, 28).field == (3, 3)
