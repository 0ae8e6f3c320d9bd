"""A record of any form is either used or told by name: it never ends a command, and never touches other runs."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatlab.errors import RunError
from coatlab.runs.record import read_record, read_records, run_folders
from coatlab.runs.shape import LARGEST, check_shape, check_values
from coatlab.runs.state import STATES, state_of
from coatlab.sweep.estimate import expectation
from coatlab.sweep.standing import cell_statuses
from coatlab.upload import offline_reports, tracked
from tests.runs.test_record import CONFIG, JSON, WHOLE
from tests.support.made_runs import make_run

COMPLETE = WHOLE | {
    "status": "complete",
    "studies": ["layouts"],
    "final": {"epoch": 2, "eval/accuracy": 0.5},
    "cost": {"parameters": 1, "macs": 2},
    "timings": {"seconds": 1.5},
    "attention": {"S4": {"grid": [2, 2], "field": [2, 2], "reach": "global"}},
    "attempts": [{"host": "here", "status": "complete"}],
    "hardware": {"cpu": "one", "threads": 2},
    "recipe": {"steps": 10},
    "code": {"commit": "a" * 40, "dirty": False},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where every value of a record stands."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def changed(record: Any, path: tuple[Any, ...], value: Any, away: bool = False) -> Any:
    """Return a copy of a record with another value at a place, or with nothing there."""
    if not path:
        return value
    result = inner = copy.deepcopy(record)
    for key in path[:-1]:
        inner = inner[key]
    if away:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return result


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"studies": [{}]}, r"studies\[0\] is {}"),
        ({"final": "0.8"}, "final is '0.8'"),
        ({"final": {"eval/accuracy": "0.8"}}, "final.eval/accuracy is '0.8'"),
        ({"final": {"eval/accuracy": True}}, "final.eval/accuracy is True"),
        ({"attempts": [1]}, r"attempts\[0\] is 1"),
        ({"config": {"data": 3}}, "config.layout"),
        ({"config": CONFIG | {"data": 3}}, "config.data is 3"),
        ({"config": CONFIG | {"seed": "0"}}, "config.seed is '0'"),
        ({"config": CONFIG | {"init": {"donor": []}}}, r"config.init.donor is \[\]"),
        ({"cost": []}, r"cost is \[\]"),
        ({"attention": {"S3": {}}}, "attention.S3.reach"),
        ({"code": {"commit": 5}}, "code.commit is 5"),
        ({"error": ["long"] * 99}, r"error is \['long', .{80,95}\.\.\.$"),
    ],
)
def test_an_entry_of_another_type_is_named(entry: dict[str, Any], why: str) -> None:
    check_shape(COMPLETE)
    with pytest.raises((KeyError, TypeError), match=why):
        check_shape(COMPLETE | entry)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"error": "\ud800"}, "surrogates not allowed"),
        ({"other": [{"\udfff": 1}]}, "surrogates not allowed"),
        ({"final": {"epoch": 10**30}}, "more than 64 bits"),
        ({"config": CONFIG | {"study": "${seed}"}}, "not resolved"),
        ({"config": CONFIG | {"rate": float("inf")}}, "config has inf"),
        ({"config": CONFIG | {"rate": [float("nan")]}}, "config has nan"),
        ({"other": json.loads(deep(40))}, "nested too deeply"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(entry: dict[str, Any], why: str) -> None:
    check_values(COMPLETE | {"error": "${seed}"})
    with pytest.raises(ValueError, match=why):
        check_values(COMPLETE | entry)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a run that is as it should be."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder, "layout=CCCC")
    return folder


def look(runs: Path) -> list[tuple[str, str, str | None]]:
    """Look at a folder with every command that reads all records; return the state and the reason of every run."""
    told = [(Path(status.folder).name, status.state, status.error) for status in cell_statuses(runs)]
    expectation([record for _, record in read_records(runs)])
    tracked(runs, "layouts")
    offline_reports(runs / "reports", "layouts")
    return told


@pytest.mark.parametrize(
    "content",
    [
        deep(100_000).encode(),
        deep(900).encode(),
        b'{"schema": 2, "a": ' + deep(500).encode() + b"}",
        b"\xff\xfe",
        b"\0" * 100,
        b"9" * 5000,
        b'{"schema": 1e999}',
        b'{"schema": NaN}',
        b"",
        None,
    ],
    ids=["deepest", "deep", "deep in a record", "no UTF-8", "zeros", "digits", "infinite", "nan", "empty", "folder"],
)
def test_a_bad_record_is_named_and_disturbs_no_other_run(runs: Path, content: bytes | None) -> None:
    (folder := runs / "bad").mkdir()
    try:
        if content is None:
            (folder / "record.json").mkdir()
        else:
            (folder / "record.json").write_bytes(content)
        assert state_of(folder).name == "unreadable"
        (good, bad) = look(runs)
        assert good[1] == "complete"
        assert bad[:2] == ("bad", "unreadable")
        assert "bad/record.json is not a record" in str(bad[2])
    finally:
        path = folder / "record.json"
        path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


def test_a_pipe_and_a_file_that_is_far_too_long_are_not_read(tmp_path: Path) -> None:
    for name in ("pipe", "long"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / "record.json")
    with open(tmp_path / "long" / "record.json", "wb") as file:
        file.truncate(LARGEST + 1)
    for name, why in (("pipe", "it is not a file"), ("long", f"it has {LARGEST + 1} bytes")):
        with pytest.raises(RunError, match=why):
            read_record(tmp_path / name)


def test_a_folder_that_is_closed_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    def closed(path: Path, **options: Any) -> os.stat_result:
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    (runs / "closed").mkdir()
    monkeypatch.setattr(Path, "stat", closed)
    (good, bad) = look(runs)
    monkeypatch.undo()
    (runs / "closed").rmdir()
    assert good[1] == "complete"
    assert bad[:2] == ("closed", "unreadable")
    assert "Permission denied" in str(bad[2])


def test_what_is_no_run_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert run_folders(tmp_path) == run_folders(tmp_path / "file") == run_folders(tmp_path / "nowhere") == []


@settings(max_examples=150)
@given(data=st.data())
@pytest.mark.slow
def test_any_change_of_a_record_is_read_or_named(runs: Path, data: st.DataObject) -> None:
    """Also by the commands: only the changed run may differ in what they say."""
    (first,) = [folder for folder in run_folders(runs) if folder.name != "changed"]
    record = json.loads((first / "record.json").read_text())
    path = data.draw(st.sampled_from(list(places(record))))
    away = bool(path) and data.draw(st.booleans())
    value = None if away else data.draw(JSON)
    (runs / "changed").mkdir(exist_ok=True)
    (runs / "changed" / "record.json").write_text(json.dumps(changed(record, path, value, away)))
    told = {name: (state, error) for name, state, error in look(runs)}
    assert told[first.name] == ("complete", None)
    state, error = told["changed"]
    assert state in STATES
    assert state != "unreadable" or "changed/record.json" in str(error)
