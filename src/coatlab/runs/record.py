"""What a run leaves on disk: the schema of its record, and reading and writing it.

    runs/<layout>-<attention>-<size>-<data>-s<seed>-<fingerprint8>/
        record.json      the run in one file: status, config, fingerprint, environment, cost, what attention sees,
                         final metrics
        metrics.jsonl    one row per logged step and per epoch, append-only; a checkpoint, and the record of a complete
                         run, hold its length in bytes and its checksum
        test_correct.npy  which test images the finished run got right (correct.py)
        checkpoints/     last.ckpt and previous.ckpt while running; weights.pt when complete
        .hydra/          config.yaml and overrides.yaml, as Hydra users expect
        wandb/           W&B's files

Every file is written to a temporary name beside it, synced and renamed, so that a reader sees either the old
file or the new one, whatever happens to the writer.
"""

import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coatlab.errors import Outdated, RunError
from coatlab.output.files import write_atomic
from coatlab.output.text import line, shown
from coatlab.runs.shape import LARGEST, check_shape, check_values

METRICS = "metrics.jsonl"
SCHEMA = 2  # 1: fingerprints counted the Python paths of classes
# running: in progress, or its process died; interrupted: stopped by a signal; the same command resumes both.
# failed: ended by an error, tried again by the same command. diverged and complete are final.
STATUSES = ("running", "interrupted", "failed", "diverged", "complete")
FINAL = ("diverged", "complete")


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write record.json; NaN and infinity become null, as JSON has neither."""
    text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False)
    # a lone half of a character, of a name that is not UTF-8, becomes "?": no name keeps a run's end from its record,
    # and none makes a record that cannot be read
    content = text.encode("utf-8", "replace")
    write_atomic(folder / "record.json", lambda file: file.write(content + b"\n"))


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read record.json; None where there is none.

    Raises:
        Outdated: an older version made it.
        RunError: it is no record, or of a newer schema than this version reads.
    """
    path = folder / "record.json"
    try:
        record = json.loads(_content(path))
        check_values(record)
        schema = int(record["schema"])
        if schema == SCHEMA:
            check_shape(record)
            if record["status"] not in STATUSES:
                raise ValueError(f"status is {record['status']!r}")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RunError(
            f"{shown(path)} is not a record ({type(error).__name__}: {line(error)}); "
            "move the folder away to start again"
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
    for folder in run_folders(runs):
        try:
            record = read_record(folder)
        except (RunError, OSError):
            continue
        if record is not None:
            yield folder, record


def run_folders(runs: Path) -> list[Path]:
    """List the folders in `runs` that have a record, or that may not be looked into, by name."""
    try:
        names = sorted(os.listdir(runs))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [runs / name for name in names if _may_have_record(runs / name)]


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read metrics.jsonl up to the first line that is no row: a process that dies leaves its last line unfinished."""
    path = folder / METRICS
    if not path.is_file():
        return []
    rows = []
    for text in path.read_bytes().split(b"\n"):
        try:
            rows.append(dict(json.loads(text)))
        except (ValueError, TypeError, RecursionError):
            break
    return rows


def rows_damage(folder: Path, stated: Mapping[str, Any], whole: bool = False) -> str | None:
    """Say how rows of metrics.jsonl differ from what a checkpoint, or the record of a complete run, states of them.

    Args:
        folder: the run folder.
        stated: `metrics_bytes`, the length of the beginning of the file that belongs to it, and its `metrics_sha256`,
            which checkpoints of older versions do not have: then every row must be JSON.
        whole: whether nothing may follow.

    Returns:
        None if the rows are as they were written.
    """
    length = int(stated["metrics_bytes"])
    try:
        with open(folder / METRICS, "rb") as file:
            content, more = file.read(length), file.read(1)
    except FileNotFoundError:
        content, more = b"", b""
    if len(content) < length:
        return f"{METRICS} has only {len(content)} of the {length} bytes that belong to it"
    if whole and more:
        return f"{METRICS} has more than the {length} bytes that belong to it"
    if "metrics_sha256" in stated:
        same = hashlib.sha256(content).hexdigest() == stated["metrics_sha256"]
    else:
        same = all(_is_row(text) for text in content.splitlines())
    return None if same else f"the rows of {METRICS} that belong to it have changed"


def _is_row(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _may_have_record(folder: Path) -> bool:
    try:
        (folder / "record.json").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a folder that is closed to this user, or a record.json that links to itself
        pass
    return True


def _content(path: Path) -> bytes:
    """Read a record.json that is a file of a plausible size; a pipe of that name would wait for its writer for ever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a file")
    if found.st_size > LARGEST:
        raise ValueError(f"it has {found.st_size} bytes, more than the {LARGEST} of the longest record")
    return path.read_bytes()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
