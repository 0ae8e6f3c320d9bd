"""The data benchmark: it counts images per second, and refuses bad words."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from coatlab.benchmark import throughput
from coatlab.benchmark.__main__ import main
from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError

SMALL = ["data.train_size=128", "data.eval_size=100", "plan.blocks=[1,1,1,1,1]", "plan.widths=[8,8,16,16,32]"]


def test_a_rate_is_jobs_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: clock[0])

    def job() -> None:
        clock[0] += 0.25

    assert throughput._rate(job, torch.device("cpu"), seconds=1.0) == 4.0
    assert throughput._rate(job, torch.device("cpu"), seconds=0.0) == 4.0


def test_batches_continue_after_an_epoch_and_every_rate_is_measured() -> None:
    config = resolve(compose([*SMALL, "data.batch_size=64"]))
    rates = throughput.measure(config, torch.device("cpu"), seconds=0.0, turns=3)
    assert list(rates) == ["pipeline", "model", "both"]
    assert len(rates) == 3
    assert (rates > 0).all(axis=None)


@pytest.mark.slow
def test_the_command_writes_a_row_per_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "fashion_mnist,fractals", *SMALL, "--turns", "1", "--seconds", "0.01", "--reports", str(tmp_path)]
    assert main(words) == 0
    text = (tmp_path / "benchmark-data" / "table.md").read_text()
    assert text in capsys.readouterr().out
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")][2:]
    assert rows == ["fashion_mnist", "fractals"]
    assert pd.read_csv(tmp_path / "benchmark-data" / "measured.csv")["data"].tolist() == rows


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["mnist"], "data=mnist does not exist"), (["fractals", "data.batch_size=0"], r"data\.batch_size=0 is not valid")],
)
def test_bad_words_are_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        main(["data", *words])
