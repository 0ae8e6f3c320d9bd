"""A process that trains a run which another one leads: it computes its share of every batch, and writes no file.

`python -m coatlab.follow <run folder>` is how rank 0 starts one; a cluster starts src/train.py itself (ranks.py).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coatlab.cli import one_sentence_errors
from coatlab.identity import folder_name
from coatlab.parent import die_with_parent
from coatlab.ranks import await_leader
from coatlab.records import read_record
from coatlab.run import Run


class Follower(Run):
    """A run as a follower sees it: what the leader writes, it only remembers."""

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        super().__init__(folder, record["config"], record, lock=None)

    leads = False

    def update(self, **entries: Any) -> None:
        """Remember entries of the record."""
        self.record.update(entries)


def follow(config: Mapping[str, Any], launch: str) -> None:
    """Train a run with the process that leads it, once that has begun; return at once if nothing is left to do."""
    folder = Path(config["paths"]["runs"]) / folder_name(config)
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
    from coatlab.fit import fit  # torch is imported only where there is something to train

    fit(Follower(folder, record))


if __name__ == "__main__":
    with one_sentence_errors():
        main(Path(sys.argv[1]))
