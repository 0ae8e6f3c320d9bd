"""What a run leaves on disk: the schema of its record, and reading and writing it.

    runs/<layout>-<attention>-<size>-<data>-s<seed>-<fingerprint8>/
        record.json      the run in one file: status, config, fingerprint, environment, cost, what attention sees,
                         final metrics
        metrics.jsonl    one row per logged step and per epoch, append-only; a checkpoint holds its length in bytes
        test_correct.npy  which test images the finished run got right (correct.py)
        checkpoints/     last.ckpt and previous.ckpt while running; weights.pt when complete
        .hydra/          config.yaml and overrides.yaml, as Hydra users expect
        wandb/           W&B's files

Every file is written to a temporary name beside it, synced and renamed, so that a reader sees either the old
file or the new one, whatever happens to the writer.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coatlab.errors import Outdated, RunError
from coatlab.output.files import write_atomic
from coatlab.output.text import shown

SCHEMA = 2  # 1: fingerprints counted the Python paths of classes
# running: in progress, or its process died; interrupted: stopped by a signal; the same command resumes both.
# failed: ended by an error, tried again by the same command. diverged and complete are final.
STATUSES = ("running", "interrupted", "failed", "diverged", "complete")
FINAL = ("diverged", "complete")
# what every record has from its beginning
SHAPE = {"status": str, "fingerprint": str, "studies": list, "config": dict, "final": dict, "attempts": list}


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write record.json; NaN and infinity become null, as JSON has neither."""
    text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / "record.json", lambda file: file.write(text.encode() + b"\n"))


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read record.json; None where there is none.

    Raises:
        Outdated: an older version made it.
        RunError: it is no record, or of a newer schema than this version reads.
    """
    path = folder / "record.json"
    try:
        record = json.loads(path.read_bytes())
        schema = int(record["schema"])
        if schema == SCHEMA:
            _check(record)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{shown(path)} is not a record ({type(error).__name__}: {error}); move the folder away to start again"
        ) from error
    if schema < SCHEMA:
        raise Outdated(
            f"{shown(folder)} was made by an older coatlab (record schema {schema}; this version reads {SCHEMA}), "
            "so it is neither continued nor compared; run its command again, or read it with the version that made it"
        )
    if schema > SCHEMA:
        raise RunError(
            f"{shown(path)} has schema {schema}, newer than {SCHEMA}, the newest that this version reads; "
            "update coatlab"
        )
    return dict(record)


def read_records(runs: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Read the records below `runs`, in the order of their folder names; unreadable ones are left out."""
    for path in sorted(runs.glob("*/record.json")):
        try:
            record = read_record(path.parent)
        except (RunError, OSError):
            continue
        if record is not None:
            yield path.parent, record


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read metrics.jsonl up to the first line that is no row: a process that dies leaves its last line unfinished."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(dict(json.loads(line)))
        except (ValueError, TypeError):
            break
    return rows


def _check(record: Mapping[str, Any]) -> None:
    for key, kind in SHAPE.items():
        if not isinstance(record[key], kind):
            raise TypeError(f"{key} is {record[key]!r}")
    if record["status"] not in STATUSES:
        raise ValueError(f"status is {record['status']!r}")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
