"""The packing benchmark: both sides take the same steps, and bad words are refused."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatlab.benchmark import packing
from coatlab.benchmark.__main__ import main
from coatlab.errors import InputError
from coatlab.process.machine import cores
from tests.support.commandline import TINY

WORDS = [word for word in TINY if not word.startswith("trainer.threads")]


@given(st.integers(1, 100))
def test_every_run_is_done_once_and_the_cores_have_equal_shares(runs: int) -> None:
    shares = packing.shares(runs)
    assert sorted(seed for share in shares for seed in share) == list(range(runs))
    assert len(shares) == min(cores(), runs)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_bare_loops_take_the_steps_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(packing, "training_step", lambda *_: lambda images, labels: taken.append(len(labels)))
    packing.train_bare(WORDS, [0, 1])
    assert taken == [64] * (640 // 64) * 3 * 2


@pytest.mark.slow
def test_the_command_writes_a_row_per_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packing", *WORDS, "--runs", "2", "--turns", "1", "--reports", str(tmp_path)]) == 0
    text = (tmp_path / "benchmark-packing" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "Median ratio:" in text
    (row,) = [line for line in text.splitlines() if line.startswith("|")][2:]
    sweep, bare, ratio = (float(cell) for cell in row.strip("|").split("|"))
    assert ratio == pytest.approx(sweep / bare, abs=0.01)
    assert len(pd.read_csv(tmp_path / "benchmark-packing" / "measured.csv")) == 1


def test_bad_words_are_refused() -> None:
    with pytest.raises(InputError, match=r"data\.batch_size=0 is not valid"):
        main(["packing", "data.batch_size=0"])
