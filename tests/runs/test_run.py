"""The life of a run folder: new, held, resumed, finished, unusable."""

import errno
import fcntl
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from coatlab.errors import InputError, RunError, Stopped
from coatlab.runs.lock import holder, take_lock
from coatlab.runs.record import SCHEMA, read_record
from coatlab.runs.run import drop_left_over, open_run
from coatlab.runs.spec import Spec
from coatlab.runs.summary import show_result
from tests.support.commandline import REPOSITORY
from tests.support.disk import SmallDisk
from tests.support.made_runs import make_run
from tests.support.specs import spec_of


def spec(folder: Path, *words: str) -> Spec:
    return spec_of(f"paths.runs={folder}", *words)


def test_a_new_run_has_a_record_that_says_what_it_is(tmp_path: Path) -> None:
    with open_run(spec(tmp_path, "study=layouts", "seed=0")) as run:
        record = read_record(run.folder)
    assert record is not None
    assert record["schema"] == SCHEMA
    assert record["status"] == "running"
    assert run.folder.name.endswith(record["fingerprint"][:8])
    assert record["studies"] == ["layouts"]
    assert record["config"]["layout"]["name"] == "CCTT"
    assert record["environment"]["packages"]["torch"]
    assert record["hardware"]["cores"] >= 1
    attempt = record["attempts"][-1]  # a later attempt may be of another commit, on another machine
    assert (attempt["commit"], attempt["dirty"]) == (record["code"]["commit"], record["code"]["dirty"])
    assert attempt["cpu"] == record["hardware"]["cpu"]
    assert "seed=0" in (run.folder / ".hydra" / "overrides.yaml").read_text()


def test_a_finished_run_is_not_begun_again(tmp_path: Path) -> None:
    with open_run(spec(tmp_path)) as run:
        run.complete({"eval/accuracy": 0.9})
    with open_run(spec(tmp_path, "study=later")) as again:
        assert again.finished
        assert again.score == 0.9
    record = read_record(run.folder)
    assert record is not None
    assert len(record["attempts"]) == 1
    assert record["studies"] == ["later"]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (Stopped(15), "interrupted", "signal 15"),
        (KeyboardInterrupt(), "interrupted", "Ctrl-C"),
        (ZeroDivisionError("oh"), "failed", "ZeroDivisionError: oh"),
    ],
)
def test_an_ending_is_written_and_the_run_goes_on_when_asked_again(
    tmp_path: Path, error: BaseException, status: str, told: str
) -> None:
    with pytest.raises(type(error)), open_run(spec(tmp_path)) as run:
        raise error
    record = read_record(run.folder)
    assert record is not None
    assert record["status"] == record["attempts"][0]["status"] == status
    assert told in record["error"]
    with open_run(spec(tmp_path)) as again:
        assert not again.finished
        assert len(again.record["attempts"]) == 2
        assert again.record["error"] is None


def test_a_diverged_run_is_finished_without_a_score(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_run(spec(tmp_path)) as run:
        run.diverge("not finite at step 3", {"train/loss": float("nan")})
        raise ZeroDivisionError
    with open_run(spec(tmp_path)) as again:
        assert again.finished
        assert again.score is None
        assert again.record["error"] == "not finite at step 3"


@pytest.mark.slow
def test_a_run_held_by_a_live_process_is_refused_naming_it(tmp_path: Path) -> None:
    code = (
        "import sys; from coatlab.runs.run import open_run; from tests.support.specs import spec_of\n"
        f"with open_run(spec_of('paths.runs={tmp_path}')): print('held', flush=True); sys.stdin.read()"
    )
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, **pipes)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"is being run by process {holder.pid} on .* since"):
        open_run(spec(tmp_path))
    holder.kill()
    holder.communicate()
    with open_run(spec(tmp_path)) as run:  # the kernel has let go of it
        assert len(run.record["attempts"]) == 2


def test_a_record_of_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    with open_run(spec(tmp_path)) as run:
        pass
    path = run.folder / "record.json"
    path.write_text(json.dumps({"schema": SCHEMA + 1, "precious": True}))
    before = path.read_bytes()
    with pytest.raises(RunError, match="update coatlab"):
        open_run(spec(tmp_path))
    assert path.read_bytes() == before


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"paths.runs=.*file cannot be used: (Not a directory|File exists)"):
        open_run(spec(tmp_path / "file"))


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lockf(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))  # as NFS and Lustre answer where they are set up without

    monkeypatch.setattr(fcntl, "lockf", lockf)
    with pytest.raises(RunError, match=rf"cannot be used: No locks available \({tmp_path}/CCTT-"):
        open_run(spec(tmp_path))


def test_a_read_only_disk_is_said_and_nothing_changes(small_disk: SmallDisk) -> None:
    with open_run(spec(small_disk.path)) as run:
        pass
    before = (run.folder / "record.json").read_bytes()
    with pytest.raises(RunError, match="Read-only file system"):
        open_run(spec(small_disk.read_only))
    assert (run.folder / "record.json").read_bytes() == before


def test_a_full_disk_is_said_and_nothing_is_lost(small_disk: SmallDisk) -> None:
    with open_run(spec(small_disk.path)) as run:
        pass
    before = (run.folder / "record.json").read_bytes()
    small_disk.leave(0)
    with pytest.raises(RunError, match="No space left on device"):
        open_run(spec(small_disk.path))
    assert (run.folder / "record.json").read_bytes() == before
    assert not list(run.folder.rglob("*.tmp"))


def test_what_is_shown_of_a_run_can_be_given_to_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offline = {"name": "wandb", "mode": "offline", "folder": str(tmp_path / "my runs" / "wandb")}
    folder = make_run(tmp_path / "my runs", tracker=offline)
    record = read_record(folder)
    assert record is not None
    show_result(record, folder, title="complete")
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:])
    assert shlex.split(lines["compare"])[-2:] == ["--runs", str(tmp_path / "my runs")]
    assert shlex.split(lines["upload"])[1:] == ["-m", "coatlab.upload", "--runs", str(tmp_path / "my runs")]


def test_the_record_has_the_settings_of_the_latest_attempt(tmp_path: Path) -> None:
    """They are what the other processes of the run read."""
    shared = [f"paths.runs={tmp_path}", "trainer.sync_batchnorm=false"]
    for places in ({"devices": 1, "nodes": 2}, {"devices": 2, "nodes": 1}):
        words = [f"trainer.{key}={number}" for key, number in places.items()]
        with pytest.raises(KeyboardInterrupt), open_run(spec_of(*shared, *words)) as run:
            raise KeyboardInterrupt
        (folder,) = tmp_path.iterdir()
        record = read_record(folder)
        assert record is not None
        assert {key: record["config"]["trainer"][key] for key in places} == places
        assert record["fingerprint"] == run.record["fingerprint"]


@pytest.mark.parametrize("status", ["complete", "interrupted"])
def test_checkpoints_that_the_end_of_a_run_left_are_deleted_by_whoever_opens_it(tmp_path: Path, status: str) -> None:
    try:
        with open_run(spec(tmp_path)) as run:
            for name in ("last.ckpt", "previous.ckpt", "weights.pt"):
                (run.folder / "checkpoints").mkdir(exist_ok=True)
                (run.folder / "checkpoints" / name).touch()
            if status == "interrupted":
                raise KeyboardInterrupt
            run.complete({"eval/accuracy": 0.9})
    except KeyboardInterrupt:
        pass
    with open_run(spec(tmp_path)):
        left = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert left == (["weights.pt"] if status == "complete" else ["last.ckpt", "previous.ckpt", "weights.pt"])


def test_checkpoints_stay_where_the_weights_are_gone_or_nothing_may_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    drop_left_over(tmp_path, {"status": "complete"})
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()
    (tmp_path / "checkpoints" / "weights.pt").touch()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        drop_left_over(tmp_path, {"status": "complete"})  # in the folder of another user
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()
    drop_left_over(tmp_path, {"status": "complete"})
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("error", [InputError("data.root=/nowhere does not exist"), ValueError("a defect")])
def test_what_the_user_can_mend_leaves_no_failed_run(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)), open_run(spec(tmp_path)) as run:
        raise error
    assert run.folder.exists() == (not isinstance(error, InputError))


def test_a_run_that_had_begun_before_is_kept_with_its_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_run(spec(tmp_path)):
        raise KeyboardInterrupt
    with pytest.raises(InputError), open_run(spec(tmp_path)) as run:
        raise InputError("data.root=/nowhere does not exist")
    record = read_record(run.folder)
    assert record is not None
    assert record["status"] == "failed"


def test_what_is_not_ours_stays_in_a_folder_that_is_removed(tmp_path: Path) -> None:
    with pytest.raises(InputError), open_run(spec(tmp_path)) as run:
        (run.folder / "notes.txt").write_text("mine")
        raise InputError("no")
    assert [path.name for path in run.folder.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_whoever_waited_for_a_folder_that_was_removed_has_its_lock(tmp_path: Path) -> None:
    code = """
import sys; from coatlab.runs.lock import take_lock; from pathlib import Path
lock = take_lock(Path(sys.argv[1]), wait=True); print("locked", flush=True); sys.stdin.read()
"""
    folder = tmp_path / "run"
    folder.mkdir()
    lock = take_lock(folder, wait=False)
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stderr is not None
    assert "waiting" in other.stderr.readline()
    (folder / ".lock").unlink()
    folder.rmdir()
    lock.close()
    assert other.stdout.readline() == "locked\n"
    assert str(other.pid) in str(holder(folder))
    other.communicate("")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_complete_run_of_another_user_can_be_read() -> None:
    """By root, too, who may write everywhere: so another user asks."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        runs = Path(place) / "runs"
        asked = spec(runs, "study=later")
        with open_run(spec(runs)) as run:
            run.complete({"eval/accuracy": 0.9})
        before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
        reader = os.fork()
        if not reader:  # pragma: no cover
            code = 1
            try:
                os.setgid(65534)
                os.setuid(65534)
                with open_run(asked) as again:
                    code = 0 if again.score == 0.9 else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) == 0
        assert before == {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
