"""The step benchmark: both sides do the same work, and bad words are refused."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from coatlab.benchmark import step
from coatlab.benchmark.__main__ import main
from coatlab.benchmark.peak import Peak
from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError
from coatlab.model import eager

SMALL = ["size=nano", "layout=CCCC", "data=fashion_mnist", "data.image_size=32", "data.batch_size=4"]
CPU = torch.device("cpu")


def test_layers_are_the_same_network_called_one_by_one() -> None:
    ours, layers = step.rivals(resolve(compose(SMALL)), step.LAYERS)
    for mine, theirs in zip(ours.network.state_dict().values(), layers.network.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    for one, plain in ((ours, True), (layers, False)):
        with one.context():
            assert eager.is_plain(torch.zeros(1)) == plain


@pytest.mark.slow
def test_a_row_per_round_and_a_share_of_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve(compose(SMALL))
    pair = step.rivals(config, step.LAYERS)
    sizes = step.sizes(config, pair, CPU)
    measured = step.measure(config, pair, CPU, rounds=2)
    assert list(measured["pass"]) == ["training"] * 2 + ["inference"] * 2
    measured[["ours", "layer by layer"]] = [[0.1, 0.2]] * 4
    table = step.table(config, sizes, measured, Peak(macs=1e9, bytes=1e9)).set_index(["pass", "network"])
    assert table.loc[("inference", "layer by layer"), "ours / it"] == "2.000"
    assert table.loc[("training", "ours"), "images/s"] == "40"
    macs = step.cost_of(pair[0].network, torch.empty(4, 1, 32, 32)).macs
    assert table.loc[("training", "ours"), "of matrix peak"] == f"{3 * 4 * macs / 1e9 / 0.1:.0%}"


@pytest.mark.slow
def test_the_command_writes_table_and_rounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["step", *SMALL, "--beside", "layers", "--turns", "2", "--threads", "1", "--reports", str(tmp_path)]
    assert main(words) == 0
    text = (tmp_path / "benchmark-step" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert len([line for line in text.splitlines() if line.startswith("|")][2:]) == 4
    assert len(pd.read_csv(tmp_path / "benchmark-step" / "measured.csv")) == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--beside", "coatnet_9"],
            "--beside=coatnet_9 does not exist; valid: layers, or a model of timm",
        ),
        (["data.batch_size=0"], r"data\.batch_size=0 is not valid"),
        (["--turns", "0"], "--turns=0 is not valid; it must be a whole number of at least 1"),
        (["--threads", "-2"], "--threads=-2 is not valid; it must be a whole number of at least 1"),
    ],
)
def test_bad_words_are_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        main(["step", *words])
