"""A run's folder tells the state of the run, and reading it disturbs no process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coatlab.errors import Held
from coatlab.runs.lock import holder
from coatlab.runs.run import open_run
from coatlab.runs.state import state_of
from tests.support.commandline import REPOSITORY
from tests.support.specs import spec_of


def make(folder: Path, status: str, *overrides: str) -> Path:
    """Leave a run folder in a state, by the ways a run gets there."""
    error = {"interrupted": KeyboardInterrupt(), "failed": ZeroDivisionError("oh"), "diverged": ZeroDivisionError()}
    try:
        with open_run(spec_of(f"paths.runs={folder}", *overrides)) as run:
            if status == "complete":
                run.complete({"eval/accuracy": 0.5, "epoch": 1}, timings={"seconds": 3.0, "attempts": 1})
            if status == "diverged":
                run.diverge("the loss is not finite", {})
            if status in error:
                raise error[status]
    except (KeyboardInterrupt, ZeroDivisionError):
        pass
    return run.folder


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    code = (
        "import sys; from coatlab.runs.run import open_run; from tests.support.specs import spec_of\n"
        f"with open_run(spec_of('paths.runs={tmp_path}', 'seed=77')) as run:\n"
        "    print(run.folder, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    yield Path(process.stdout.readline().strip()), process.pid
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("complete", None),
        ("interrupted", "stopped by Ctrl-C"),
        ("failed", "ZeroDivisionError: oh"),
        ("diverged", "the loss is not finite"),
    ],
)
def test_an_ended_run_is_what_its_record_says(status: str, reason: str | None, tmp_path: Path) -> None:
    state = state_of(make(tmp_path, status))
    assert (state.name, state.reason) == (status, reason)


def test_a_run_whose_process_is_gone_is_interrupted(tmp_path: Path) -> None:
    folder = make(tmp_path, "complete")
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"status": "running"}))
    assert (state_of(folder).name, state_of(folder).reason) == ("interrupted", "its process is gone")


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert state_of(tmp_path / "nothing").name == "missing"
    assert holder(tmp_path / "nothing") is None


def test_a_held_run_is_running_and_looking_at_it_takes_nothing(held: tuple[Path, int]) -> None:
    folder, pid = held
    for _ in range(3):
        state = state_of(folder)
        assert state.name == "running"
        assert str(state.reason).startswith(f"process {pid} on ")
    with pytest.raises(Held, match=f"is being run by process {pid}"):
        open_run(spec_of(f"paths.runs={folder.parent}", "seed=77"))


@pytest.mark.parametrize("content", ["{", '{"schema": 99}', '{"other": 1}'])
def test_a_record_that_cannot_be_read_is_named_and_stays(content: str, tmp_path: Path) -> None:
    folder = make(tmp_path, "complete")
    (folder / "record.json").write_text(content)
    state = state_of(folder)
    assert state.name == "unreadable"
    assert str(folder / "record.json") in str(state.reason)
    assert (folder / "record.json").read_text() == content


def test_a_folder_that_cannot_be_looked_into_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = state_of(tmp_path / "file" / "run")  # the folder of runs is a file
    assert state.name == "unreadable"
    assert "Not a directory" in str(state.reason)


def test_a_run_of_an_older_version_is_named_as_such(tmp_path: Path) -> None:
    folder = make(tmp_path, "complete")
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"schema": 1}))
    state = state_of(folder)
    assert state.name == "outdated"
    assert str(state.reason).startswith(
        f"{folder} was made by an older coatlab (record schema 1; this version reads 2)"
    )
