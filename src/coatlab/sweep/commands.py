"""The sweeps of a study as they were typed, kept beside its runs for reports: a line of JSON each.

The file is a help for readers and no record: a line that cannot be read is left out, and without the file nothing else
changes.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from coatlab.runs.lock import now

FILE = Path(".multirun") / "commands.jsonl"  # below the folder of runs


def note_command(runs: Path, study: str, words: Sequence[str]) -> None:
    """Add the words of a sweep's command line.

    Raises:
        OSError: the file cannot be written.
    """
    path = runs / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:  # one short write, which other sweeps cannot come between
        file.write(json.dumps({"time": now(), "study": study, "words": list(words)}) + "\n")


def read_commands(runs: Path, study: str) -> list[list[str]]:
    """Return the words of a study's sweeps, each command once, in the order of their last use."""
    try:
        lines = (runs / FILE).read_text(errors="replace").splitlines()
    except OSError:
        return []
    found: dict[tuple[str, ...], None] = {}
    for line in lines:
        try:
            row = json.loads(line)
            words = tuple(map(str, row["words"])) if row["study"] == study else None
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if words is not None:
            found.pop(words, None)
            found[words] = None
    return [list(words) for words in found]
