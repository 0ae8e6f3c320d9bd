"""The histories of runs: the metrics.jsonl of each folder to one DataFrame, with a cache beside the run folders.

The cache is a parquet file. It knows the size and modification time of each metrics.jsonl; only files that changed are
read again. A cache that is damaged or of another version is written anew; where it cannot be written, there is none.
Rows of the same step become one row, as in W&B: the last step of an epoch may also be a logged step.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from coatlab.output.files import write_atomic
from coatlab.runs.record import read_metrics
from coatlab.runs.shape import INTEGERS

FILE = "metrics.jsonl"
CACHE, CHECKSUM = ".history.parquet", ".sum"
VERSION = 1  # of the cache; one of another version is not read
AT_ONCE = 200  # files that are parsed together: some tens of megabytes
FileState = list[int]  # size and modification time of a metrics.jsonl
CLOSED: FileState = [-1, -1]  # of one without a row: it is always read again


def read_histories(folders: Mapping[str, Path], runs: Path) -> pd.DataFrame:
    """Read the histories of runs.

    Args:
        folders: of the runs, by fingerprint.
        runs: the folder that they are in, where the cache is kept.
    """
    names = [folder.name for folder in folders.values()]
    states = {folder.name: _state(folder) for folder in folders.values()}
    kept, rows, counts = _read_cache(runs / CACHE)
    stale = [folder for folder in folders.values() if kept.get(folder.name) != states[folder.name]]
    if stale:
        known = [name for name in kept if (runs / name).is_dir() and name not in {folder.name for folder in stale}]
        parts, counted = [_select(rows, counts, known)], {name: counts[name] for name in known}
        del rows
        for first in range(0, len(stale), AT_ONCE):
            some = stale[first : first + AT_ONCE]
            part, lengths = merge_steps(*_read(some))
            parts.append(part)
            counted |= dict(zip((folder.name for folder in some), lengths, strict=True))
        rows, counts = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True), counted
        del parts
        kept = {name: states.get(name) or kept[name] for name in counts}
        # a file that is closed to this user now is read once it is open, so it is not taken for an empty one
        kept |= {name: CLOSED for name, number in counts.items() if not number and kept[name][0]}
        with suppress(OSError):  # the folder may be read-only
            _write_cache(runs / CACHE, rows, kept, counts)
    return with_fingerprints(
        _select(rows, counts, names), {mark: counts[folder.name] for mark, folder in folders.items()}
    )


def with_fingerprints(rows: pd.DataFrame, lengths: Mapping[str, int]) -> pd.DataFrame:
    """Insert a column with the fingerprints: `lengths` says how many rows each run has, in order."""
    codes = np.repeat(np.arange(len(lengths)), list(lengths.values()))
    marks = pd.Categorical.from_codes(codes, categories=list(lengths))
    rows.insert(0, "fingerprint", marks)
    return rows


def merge_steps(rows: pd.DataFrame, lengths: Sequence[int]) -> tuple[pd.DataFrame, list[int]]:
    """Make one row of each step of a run, from the values written last, with all columns numeric.

    Args:
        rows: those of several runs, one run after the other, with a column `step`.
        lengths: how many rows each run has.

    Returns:
        The remaining rows, and how many each run has.
    """
    run = np.repeat(np.arange(len(lengths)), lengths)
    step = pd.to_numeric(rows["step"], errors="coerce").astype("int64").to_numpy()
    same = np.append(False, (run[1:] == run[:-1]) & (step[1:] == step[:-1]))[: len(rows)]
    places = np.arange(len(rows))
    depth = places - np.maximum.accumulate(np.where(same, 0, places))  # 0: the first row of its step
    measures = [column for column in rows.columns if column != "step"]
    values = rows[measures].apply(pd.to_numeric, errors="coerce").to_numpy("float64", copy=True)
    for deep in range(1, int(depth.max(initial=0)) + 1):  # three rows of one step become one as well
        later = np.flatnonzero(depth == deep)
        values[later] = np.where(np.isnan(values[later]), values[later - 1], values[later])
    left = np.flatnonzero(~np.append(same[1:], False)[: len(rows)])
    result = pd.DataFrame(values[left], columns=measures)
    result.insert(0, "step", step[left])
    return result, np.bincount(run[left], minlength=len(lengths)).tolist()


def _state(folder: Path) -> FileState:
    try:
        found = (folder / FILE).stat()
    except OSError:
        return [0, 0]
    return [found.st_size, found.st_mtime_ns]


def _read(folders: Sequence[Path]) -> tuple[pd.DataFrame, list[int]]:
    """Read the metrics.jsonl of several folders: all rows, and how many each folder has."""
    texts = [_whole_lines(folder / FILE) for folder in folders]
    lengths = [text.count(b"\n") for text in texts]
    with suppress(pa.ArrowInvalid):
        if not any(lengths):
            return pd.DataFrame({"step": []}), lengths
        if all(map(_is_flat, texts)):
            table = pyarrow.json.read_json(io.BytesIO(b"".join(texts)))
            if len(table) == sum(lengths) and _numbered(table):
                return table.to_pandas(), lengths
    # slower, and stops where a file is damaged
    lists = [list(takewhile(_is_row, _rows(folder))) for folder in folders]
    return pd.DataFrame([row for rows in lists for row in rows], columns=_columns(lists)), [len(rows) for rows in lists]


def _is_flat(text: bytes) -> bool:
    """Tell whether every line is an object of plain values: pyarrow 26 crashes at a line `null`, and at odd letters."""
    lines = text.count(b"\n")
    return (
        text.isascii() and b"[" not in text and text.count(b"{") == lines == text.count(b"\n{") + text.startswith(b"{")
    )


def _numbered(table: pa.Table) -> bool:
    """Tell whether every row has a step, and nothing but numbers."""
    if "step" not in table.column_names or "fingerprint" in table.column_names:
        return False
    steps, kinds = table.column("step"), {column.type for column in table.columns}
    plain = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind) for kind in kinds)
    return plain and pa.types.is_integer(steps.type) and steps.null_count == 0


def _rows(folder: Path) -> list[dict[str, Any]]:
    try:
        return read_metrics(folder)
    except OSError:
        return []


def _is_row(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has a step, and numbers by names that a table can have."""
    whole = all(_is_number(value) for value in row.values()) and all(key.isprintable() for key in row)
    return whole and isinstance(row.get("step"), int) and "fingerprint" not in row


def _is_number(value: Any) -> bool:
    if value is None or isinstance(value, float):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < INTEGERS


def _columns(lists: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(["step", *(key for rows in lists for row in rows for key in row)]))


def _whole_lines(path: Path) -> bytes:
    """Read a file without a last row that a killed process left unfinished."""
    try:
        text = path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""
    end = text.rfind(b"\n") + 1
    with suppress(ValueError, RecursionError):
        json.loads(text[end:])
        return text + b"\n"
    return text[:end]


def _read_cache(path: Path) -> tuple[dict[str, FileState], pd.DataFrame, dict[str, int]]:
    """Return the states of the cached files, their rows, and how many each has; nothing if the cache is unusable."""
    try:
        if _digest(path) != path.with_suffix(CHECKSUM).read_text():
            raise ValueError("damaged")
        table = pyarrow.parquet.read_table(path)
        facts = json.loads(table.schema.metadata[b"coatlab"])
        if facts["version"] == VERSION and sum(facts["counts"].values()) == len(table):
            return facts["states"], table.to_pandas(self_destruct=True), facts["counts"]
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        pass
    return {}, pd.DataFrame({"step": pd.Series(dtype="int64")}), {}


def _write_cache(path: Path, rows: pd.DataFrame, states: Mapping[str, FileState], counts: Mapping[str, int]) -> None:
    facts = {"version": VERSION, "states": states, "counts": counts}
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({b"coatlab": json.dumps(facts).encode()})
    write_atomic(path, lambda file: pyarrow.parquet.write_table(table, file))
    digest = _digest(path)
    write_atomic(path.with_suffix(CHECKSUM), lambda file: file.write(digest.encode()))


def _digest(path: Path) -> str:
    """Hash a file, since parquet's own checksums do not include its schema."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _select(rows: pd.DataFrame, counts: Mapping[str, int], names: Sequence[str]) -> pd.DataFrame:
    """Return the rows of the named files, in the order of the names."""
    if list(counts) == list(names):
        return rows
    starts = dict(zip(counts, np.cumsum([0, *counts.values()]), strict=False))
    places = [np.arange(starts[name], starts[name] + counts[name]) for name in names]
    return rows.iloc[np.concatenate([np.empty(0, "int64"), *places])].reset_index(drop=True)
