"""A process that trains a run led by another process: it computes its share of every batch and writes no files.

Rank 0 starts one by `python -m coatlab.training.distributed.follower <run folder>` (leader.py); a cluster starts
src/train.py.
"""

import sys
import time
from pathlib import Path
from typing import Any

from coatlab.cli import one_sentence_errors
from coatlab.errors import RunError
from coatlab.output.text import shown
from coatlab.process.imports import large_imports
from coatlab.process.parent import die_with_parent
from coatlab.runs.record import FINAL, read_record
from coatlab.runs.run import Run


class Follower(Run):
    """A run as a follower has it: changes of the record stay in memory, the leader writes them."""

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        super().__init__(folder, record["config"], record, lock=None)

    leads = False

    def update(self, **entries: Any) -> None:
        """Put entries into the record in memory."""
        self.record.update(entries)


def follow(folder: Path, launch: str) -> None:
    """Train the run of a folder with the process that leads it, once that has begun, unless nothing is left to do."""
    record = await_leader(folder, launch)
    if record is not None:
        _train(folder, record)


def main(folder: Path) -> None:
    """Train the run of a folder with the parent of this process."""
    die_with_parent()
    record = read_record(folder)
    assert record is not None
    _train(folder, record)


def _train(folder: Path, record: dict[str, Any]) -> None:
    with large_imports():
        from coatlab.training.fit import fit  # torch is imported only where there is something to train

    fit(Follower(folder, record))


if __name__ == "__main__":
    with one_sentence_errors():
        main(Path(sys.argv[1]))


PATIENCE = 600  # seconds that a follower waits for rank 0 to begin


def await_leader(folder: Path, launch: str, patience: float = PATIENCE) -> dict[str, Any] | None:
    """Wait until rank 0 has opened the run, and return its record; None if nothing is left to do.

    Raises:
        RunError: rank 0 does not begin.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        record = read_record(folder)
        if record is not None:
            attempt = record["attempts"][-1]
            if attempt.get("launch") == launch and attempt["status"] == "running":
                return record
            if record["status"] in FINAL:
                return None
        time.sleep(0.2)
    raise RunError(f"the process that leads has not begun {shown(folder)} within {patience:g} seconds")
