"""Published results: the complete runs of a study as data that can be committed, and back to the same two DataFrames.

analysis/results/<study>/
    runs.csv            a row per run: what its record says, a column per entry by its dotted path, values as in JSON
    sizes.json          the plans of all layouts of each size, from which those in use were taken
    histories.parquet   a row per evaluation of a run
    correct.parquet     which official test images each run got right, packed bits

A report of these files is the report of the run folders that they were made of, but for runs that are not complete,
which are not published. Rows are sorted by run, so the same runs give the same files. Publishing adds to what is there:
runs of another machine join those that were published before.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.read.folders import Loaded, load, runs_frame
from analysis.read.whole import NAMED, without_damaged
from coatlab.errors import InputError
from coatlab.output.files import write_atomic
from coatlab.output.text import shown
from coatlab.runs.record import read_records
from coatlab.runs.weights import PARTS, PRIVATE

RUNS, SIZES, HISTORIES, CORRECT = "runs.csv", "sizes.json", "histories.parquet", "correct.parquet"
PLANS = ("plans", "matched")  # of a size
# in their place: they count for nothing, but other values are derived from them
PATHS = {"runs": "runs", "data": "data"}
REPAIR = "publish the study again, with python -m analysis STUDY --publish"
Record = dict[str, Any]


def write_results(runs: Path, study: str, results: Path) -> Path:
    """Add a study's complete runs to its published results; return their folder.

    Args:
        runs: folder of run folders.
        study: its name.
        results: where the folder of each study is.

    Raises:
        InputError: there is no complete run of the study.
    """
    loaded = load(runs, study)
    marks = set(loaded.complete.index)
    if not marks:
        raise InputError(f"--runs={shown(runs)} holds no complete run of study {study} to publish")
    records = {
        record["fingerprint"]: (name, record) for name, record in _records(runs) if record["fingerprint"] in marks
    }
    history = loaded.history[loaded.history["fingerprint"].isin(marks)].dropna(subset=["epoch"])
    correct = {mark: answers for mark, answers in loaded.complete["correct"].items() if answers is not None}
    folder = results / study
    if (folder / RUNS).exists():
        before = _read_records(folder)
        known, answers = pd.read_parquet(folder / HISTORIES), _read_correct(folder / CORRECT)
        kept = {record["fingerprint"]: (name, record) for name, record in before.items()}
        records = {mark: one for mark, one in kept.items() if mark not in marks} | records
        history = pd.concat([known[~known["fingerprint"].isin(marks)], history.astype({"fingerprint": str})])
        correct = {mark: one for mark, one in answers.items() if mark not in marks} | correct
    for mark, (_, record) in records.items():
        if mark in marks:
            record["weights"] = loaded.runs.at[mark, "weights"]
    _write_records(folder, dict(sorted(records.values(), key=lambda one: one[0])))
    _write_history(folder / HISTORIES, history.astype({"fingerprint": str}))
    _write_correct(folder / CORRECT, correct)
    return folder


def load_results(results: Path, study: str) -> Loaded:
    """Read the published runs of a study.

    Raises:
        InputError: there are none, or a file cannot be read.
    """
    folder = results / study
    if not (folder / RUNS).is_file():
        raise InputError(f"{shown(results)} holds no results of study {study}; it has {', '.join(published(results))}")
    try:
        records = _read_records(folder)
        history, correct = pd.read_parquet(folder / HISTORIES), _read_correct(folder / CORRECT)
        lacking = (set(history["fingerprint"]) | set(correct)) - {record["fingerprint"] for record in records.values()}
        if lacking:
            raise ValueError(f"{RUNS} lacks {', '.join(sorted(lacking)[:NAMED])}, which other files have")
        attempts: dict[str, list[Record]] = {
            name: [{}] * (one["attempts"] - 1) + [{"ended": one["ended"]}] for name, one in records.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the results in {shown(folder)} cannot be read ({error!r}); {REPAIR}") from error
    for name, record in records.items():
        record["attempts"] = attempts[name]
        record["correct"] = correct.get(record["fingerprint"])
    donors = {record["fingerprint"]: record["config"] for record in records.values()}
    runs = runs_frame(records.items())
    history["fingerprint"] = pd.Categorical(history["fingerprint"], categories=list(runs.index))
    return Loaded(without_damaged(runs, history, REPAIR, ()), history, donors)


def published(results: Path) -> list[str]:
    """List the studies that have published results, by name."""
    return sorted(path.parent.name for path in results.glob(f"*/{RUNS}"))


def _records(runs: Path) -> Iterator[tuple[str, Record]]:
    """Yield the complete runs of a folder by name, each with the parts of its record that are published."""
    for folder, record in read_records(runs):
        if record["status"] == "complete":
            own = {part: record[part] for part in PARTS if part in record}
            attempts = record.get("attempts") or [{}]
            ended = {"ended": attempts[-1].get("ended"), "attempts": len(attempts)}
            own |= {"fingerprint": record["fingerprint"], **ended}
            yield folder.name, own


def _split_sizes(records: Iterable[Record]) -> dict[str, Any]:
    """Take the plans out of the configs of some records, and return them by the name of the size.

    Raises:
        InputError: two runs of one size have different ones.
    """
    sizes: dict[str, Any] = {}
    for record in records:
        size = dict(record["config"]["size"])
        plans = {key: size.pop(key) for key in PLANS if key in size}
        record["config"] = {**record["config"], "size": size}
        if sizes.setdefault(size["name"], plans) != plans:
            raise InputError(f"runs of size={size['name']} have different plans, so they cannot be published together")
    return sizes


def _write_records(folder: Path, records: Mapping[str, Record]) -> None:
    sizes = _split_sizes(records.values())
    rows = [{"run": name} | dict(_entries(record)) for name, record in records.items()]
    columns = ["run", *sorted({key for row in rows for key in row} - {"run"})]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_atomic(folder / SIZES, lambda file: file.write(json.dumps(sizes, indent=1).encode() + b"\n"))
    write_atomic(folder / RUNS, lambda file: file.write(text.getvalue().encode()))


def _read_records(folder: Path) -> dict[str, Record]:
    """Read runs.csv and sizes.json to records by the name of the run."""
    sizes, records = json.loads((folder / SIZES).read_text()), {}
    with open(folder / RUNS, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            record: Record = {"status": "complete"}
            for key, text in row.items():
                if text and key != "run":
                    *nodes, last = key.split(".")
                    place = record
                    for node in nodes:
                        place = place.setdefault(node, {})
                    place[last] = _value(text)
            record["config"]["paths"] = dict(PATHS)
            record["config"]["size"] |= sizes[record["config"]["size"]["name"]]
            records[row["run"]] = record
    return records


def _entries(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the entries of a record by dotted path; a mapping without entries, or with dots in its keys, is one."""
    for key, value in node.items():
        path = f"{prefix}{key}"
        if path in (*PRIVATE, "status"):
            continue
        if isinstance(value, Mapping) and value and not any("." in str(inner) for inner in value):
            yield from _entries(value, f"{path}.")
        else:
            yield path, _text(value)


def _text(value: Any) -> str:
    """Write a value as in JSON, but a text that nothing else is written like without its quotes."""
    if isinstance(value, str) and value:
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _write_history(path: Path, history: pd.DataFrame) -> None:
    rows = history.sort_values(["fingerprint", "step"], ignore_index=True).dropna(axis="columns", how="all")
    _write_parquet(path, rows[["fingerprint", *sorted(set(rows) - {"fingerprint"})]])


def _write_correct(path: Path, correct: Mapping[str, np.ndarray]) -> None:
    marks = sorted(correct)
    rows = {
        "fingerprint": marks,
        "images": [len(correct[mark]) for mark in marks],
        "packed": [np.packbits(correct[mark]).tobytes() for mark in marks],
    }
    _write_parquet(path, pd.DataFrame(rows))


def _read_correct(path: Path) -> dict[str, np.ndarray]:
    return {
        row.fingerprint: np.unpackbits(np.frombuffer(row.packed, np.uint8), count=row.images).astype(bool)
        for row in pd.read_parquet(path).itertuples()
    }


def _write_parquet(path: Path, rows: pd.DataFrame) -> None:
    write_atomic(path, lambda file: rows.to_parquet(file, compression="zstd", index=False))
