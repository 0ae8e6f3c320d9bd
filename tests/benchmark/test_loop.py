"""The loop benchmark: a run and its bare steps, and the parts of a start."""

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
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
    for part in ("run / bare loop", "CPU time", "import torch", "config", "images and network", "first step"):
        assert part in text
    measured = pd.read_csv(tmp_path / "benchmark-loop" / "measured.csv")
    assert (measured[["run", "bare", "run, wall", "bare, wall"]] > 0).all(axis=None)
    starts = pd.read_csv(tmp_path / "benchmark-loop" / "start.csv", index_col="part")
    assert starts.index[0] == "python"
    assert (starts[["seconds", "CPU seconds"]] >= 0).all(axis=None)


def test_bare_loops_take_the_steps_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(loop, "training_step", lambda *_: lambda images, labels: taken.append(len(labels)))
    assert (loop._bare([*WORDS, *loop.ALWAYS]) > 0).all()
    assert taken == [64] * (640 // 64) * 3


def test_evaluations_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.array([at, at]) for at in (1.0, 4.0, 10.0, 12.0))
    monkeypatch.setattr(loop, "_now", lambda: next(clock))
    watch, nothing = loop.Stopwatch(), (cast(Any, None), cast(Any, None))
    watch.on_train_start(*nothing)
    watch.on_validation_start(*nothing)
    watch.on_validation_end(*nothing)
    watch.on_train_end(*nothing)
    assert watch.seconds.tolist() == [3 + 2] * 2


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("data.batch_size=0", "data.batch_size=0 is not valid"),
        ("seed=7", "seed=7 has no effect in this benchmark: it gives every run its own; leave it out"),
        ("tracker=csv", "tracker=csv has no effect in this benchmark: it always has tracker=none; leave it out"),
    ],
)
def test_bad_words_are_refused(word: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        main(["loop", word])
