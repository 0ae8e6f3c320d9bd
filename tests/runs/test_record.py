"""A reader sees the old file or the new one, whatever happens to the writer."""

import hashlib
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatlab.errors import RunError
from coatlab.output.files import write_atomic
from coatlab.runs.record import SCHEMA, read_metrics, read_record, read_records, rows_damage, write_record

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CONFIG: dict[str, Any] = {  # the least that is one
    "layout": {"name": "CCTT", "stages": "CCTT"}, "attention": {"name": "relative"},
    "size": {"name": "nano", "plans": {}}, "data": {"name": "fashion_mnist", "image_size": 32},
    "plan": {"blocks": [2], "widths": [8], "strides": [2]},
    "network": {}, "trainer": {"max_epochs": 2}, "paths": {}, "budget": "reference", "seed": 0,
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "schema": SCHEMA, "status": "running", "fingerprint": "0", "studies": [], "config": CONFIG, "final": {},
    "attempts": [],
}  # fmt: skip


@pytest.mark.slow
@settings(max_examples=40)
@given(st.dictionaries(st.text(), JSON))
def test_a_record_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, content: dict) -> None:
    folder = tmp_path_factory.mktemp("run")
    record = {"content": content, **WHOLE}
    write_record(folder, record)
    assert read_record(folder) == record


def test_nan_becomes_null(tmp_path: Path) -> None:
    write_record(tmp_path, WHOLE | {"final": {"loss": float("nan")}, "list": [float("inf")]})
    assert read_record(tmp_path) == WHOLE | {"final": {"loss": None}, "list": [None]}


def write_for_ever(path: Path) -> None:
    content = 0
    while True:
        content += 1
        write_atomic(path, lambda file, n=content: file.write(json.dumps([n] * 20_000).encode()))


@pytest.mark.slow
def test_kill_9_never_leaves_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for attempt in range(15):
        process = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(path,))
        process.start()
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.01 + 0.007 * attempt)
        process.kill()
        process.join()
        assert len(set(json.loads(path.read_text()))) == 1
        path.unlink()


def test_an_error_while_writing_keeps_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, lambda file: file.write(b"old"))

    def full(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_atomic(path, full)
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == b"old"


def test_the_file_before_is_kept_where_asked(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        write_atomic(tmp_path / "last", lambda file, c=content: file.write(c), keep=tmp_path / "previous")
    assert (tmp_path / "last").read_bytes() == b"3"
    assert (tmp_path / "previous").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (json.dumps({"schema": SCHEMA + 1}), f"schema {SCHEMA + 1}, newer than {SCHEMA}"),
        ('{"schema": 1, "st', "is not a record"),
        ("[]", "is not a record"),
        ("{}", "is not a record"),
        (json.dumps({"schema": SCHEMA}), "is not a record .KeyError: 'status'"),
        (json.dumps(WHOLE | {"status": "done"}), "is not a record .ValueError: status is 'done'"),
        *[
            (json.dumps(WHOLE | {key: 5}), f"is not a record .TypeError: {key} is 5")
            for key in WHOLE
            if key != "schema"
        ],
    ],
)
def test_a_record_that_cannot_be_read_is_said(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(RunError, match=sentence):
        read_record(tmp_path)


def test_a_last_row_cut_short_is_dropped(tmp_path: Path) -> None:
    for rest in ('{"ste', "\0\0", "5\n"):
        (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n' + rest)
        assert read_metrics(tmp_path) == [{"step": 1}, {"step": 2}]
    assert read_metrics(tmp_path / "none") == []


def test_records_are_found_by_name_and_those_that_cannot_be_read_do_no_harm(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_record(tmp_path / name, WHOLE)
    write_record(tmp_path / "newer", {"schema": SCHEMA + 1})
    (tmp_path / "folder" / "record.json").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    assert [folder.name for folder, _ in read_records(tmp_path)] == ["a", "b"]


ROWS = b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n'
FIRST = {"metrics_bytes": 25, "metrics_sha256": hashlib.sha256(ROWS[:25]).hexdigest()}


@pytest.mark.parametrize(
    ("content", "stated", "whole", "reason"),
    [
        (ROWS, FIRST, False, None),  # what follows was written after the checkpoint
        (ROWS[:25], FIRST, True, None),
        (ROWS, FIRST, True, "more than the 25 bytes"),
        (ROWS[:24], FIRST, False, "only 24 of the 25 bytes"),
        (None, FIRST, False, "only 0 of the 25 bytes"),
        (ROWS.replace(b"0.5", b"0.7"), FIRST, False, "have changed"),
        (b"", {"metrics_bytes": 0}, False, None),
        (None, {"metrics_bytes": 0}, False, None),
        (ROWS, {"metrics_bytes": 25}, False, None),  # of an older version, without a checksum
        (ROWS[:10] + b"\0" * 15, {"metrics_bytes": 25}, False, "have changed"),
        (ROWS[:10] + b"\0" * 15, FIRST, False, "have changed"),
    ],
)
def test_rows_are_what_is_stated_of_them(
    content: bytes | None, stated: dict, whole: bool, reason: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "metrics.jsonl").write_bytes(content)
    said = rows_damage(tmp_path, stated, whole)
    assert (said is None) if reason is None else (said is not None and reason in said)
