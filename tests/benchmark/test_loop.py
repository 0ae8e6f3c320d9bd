"""The loop benchmark: a run and its bare steps, and the parts of a start."""

from pathlib import Path

import pandas as pd
import pytest

from coatlab.benchmark import loop
from coatlab.benchmark.__main__ import main
from coatlab.errors import InputError
from tests.support.commandline import TINY

WORDS = [word for word in TINY if not word.startswith(("trainer.threads", "trainer.accelerator"))]


@pytest.mark.slow
def test_the_command_writes_speeds_and_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loop", *WORDS, "--turns", "2", "--reports", str(tmp_path)]) == 0
    text = (tmp_path / "benchmark-loop" / "table.md").read_text()
    assert text in capsys.readouterr().out
    for part in ("| run", "| bare", "import torch", "config", "images and network", "first step"):
        assert part in text
    measured = pd.read_csv(tmp_path / "benchmark-loop" / "measured.csv")
    assert (measured[["run", "bare"]] > 0).all(axis=None)


def test_bare_loops_take_the_steps_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(loop, "training_step", lambda *_: lambda images, labels: taken.append(len(labels)))
    assert loop._bare([*WORDS, *loop.ALWAYS]) > 0
    assert taken == [64] * (640 // 64) * 3


def test_bad_words_are_refused() -> None:
    with pytest.raises(InputError, match=r"data\.batch_size=0 is not valid"):
        main(["loop", "data.batch_size=0"])
