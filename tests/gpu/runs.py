"""Runs on the GPU, of a small network and few images."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L

from coatlab.runs.record import read_record
from coatlab.runs.run import open_run
from coatlab.training.fit import fit
from tests.support.commandline import REPOSITORY, last_of_each_key, tiny_words
from tests.support.specs import spec_of

OWN = ["trainer.accelerator=gpu", "trainer.progress=false", "tracker=none"]


def words(folder: Path, *others: str) -> list[str]:
    """Return the words of a run in a folder."""
    return last_of_each_key([*tiny_words(*others), *OWN, f"paths.runs={folder}", *others])


def train(folder: Path, *others: str, callbacks: Sequence[L.Callback] = ()) -> dict[str, Any]:
    """Train a run in this process and return its record."""
    with open_run(spec_of(*words(folder, *others))) as run:
        fit(run, callbacks)
        return read_record(run.folder)


def command(folder: Path, *others: str) -> "subprocess.Popen[str]":
    """Start `python src/train.py` from nothing: W&B, which `CommandLine` has at hand, may be missing."""
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *words(folder, *others)],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
