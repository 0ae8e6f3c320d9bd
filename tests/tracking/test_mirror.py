"""The W&B mirror is offline without a key, complete after a resume, and never stops a training when it fails."""

import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import wandb
from wandb.proto import wandb_internal_pb2

from coatlab.errors import Stopped
from coatlab.tracking import mirror, session
from coatlab.tracking.mirror import WandbMirror, open_mirror
from coatlab.tracking.session import has_key, wandb_settings
from tests.support.commandline import wait_for
from tests.tracking.live_server import live

pytestmark = pytest.mark.slow

SETTINGS = {"mode": "auto", "project": "coatlab-test", "entity": None}


def open_offline(folder: Path, rows: list[dict[str, Any]]) -> WandbMirror:
    mirror = open_mirror(SETTINGS, folder=folder, fingerprint="0123456789abcdef", config={"study": "s"}, rows=rows)
    assert mirror is not None
    return mirror


def transaction_log(content: bytes) -> Iterator[bytes]:
    """Read W&B's file format: after 7 bytes, LevelDB's log format, in which records are split at blocks of 32 kB.

    Ends before a part that is not complete: W&B's service may still be writing.
    """
    block, header, place, whole = 32_768, 7, 7, b""
    while place + header <= len(content):
        if block - place % block < header:
            place += block - place % block
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + header])
        if place + header + length > len(content):
            return
        whole += content[place + header : place + header + length]
        place += header + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def records(file: Path) -> list[Any]:
    """Read W&B's file when its service has written all of it, which may be shortly after finish() has returned."""

    def written() -> list[Any]:
        found = []
        for data in transaction_log(file.read_bytes()):
            found.append(wandb_internal_pb2.Record())
            found[-1].ParseFromString(data)
        return found if any(record.HasField("exit") for record in found) else []

    return list(wait_for(written))


def history(folder: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read W&B's own files: the run ids, and (step, values) of every row that `wandb sync` would send."""
    ids, rows = [], []
    for path in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        for record in records(path):
            if record.HasField("run"):
                ids.append(record.run.run_id)
            if record.HasField("history"):
                values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                rows.append((record.history.step.num, {k: v for k, v in values.items() if not k.startswith("_")}))
    return ids, rows


def test_without_a_key_it_is_offline_and_a_resume_replays_all_rows(tmp_path: Path) -> None:
    first = open_offline(tmp_path, [])
    for step in (1, 2, 3):
        first.log_metrics({"loss": 1 / step}, step=step)
    first.finish({}, exit_code=1)
    rows = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]  # the checkpoint was made at step 2
    second = open_offline(tmp_path, rows)
    second.log_metrics({"loss": 0.25}, step=3)
    second.finish({"eval/accuracy": 0.5}, exit_code=0)
    ids, written = history(tmp_path)
    assert set(ids) == {"0123456789abcdef"}
    assert [(step, float(values["loss"])) for step, values in written] == [(1, 1.0), (2, 0.5), (3, 0.25)]
    assert len(list((tmp_path / "wandb" / "superseded").iterdir())) == 1
    assert second.entry()["mode"] == "offline"


def test_where_w_and_b_is_disabled_there_is_no_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert open_mirror(SETTINGS, folder=tmp_path, fingerprint="f" * 16, config={}, rows=[]) is None


def test_variables_of_w_and_b_that_would_change_an_id_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in session.NOT_USED:
        monkeypatch.setenv(name, "report")
    opened = open_offline(tmp_path, [])
    assert opened.entry()["id"] == "0123456789abcdef"
    opened.finish({}, 0)
    assert "WANDB_RUN_ID and WANDB_RESUME and WANDB_JOB_TYPE not used" in capsys.readouterr().err


def test_runs_that_share_a_folder_for_files_leave_one_anothers_alone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    for mark in ("a" * 16, "b" * 16, "a" * 16):
        settings = SETTINGS | {"dir": str(shared)}
        opened = open_mirror(settings, folder=tmp_path / mark, fingerprint=mark, config={}, rows=[{"step": 1, "x": 1}])
        assert opened is not None
        opened.finish({}, 0)
    assert sorted(history(shared)[0]) == ["a" * 16, "b" * 16]
    assert [path.name[-16:] for path in (shared / "wandb" / "superseded").iterdir()] == ["a" * 16]
    assert not (tmp_path / ("a" * 16) / "wandb").exists()


@pytest.mark.parametrize(("group", "expected"), [(None, "layouts"), ("mine", "mine")])
def test_the_runs_of_a_study_are_a_group(group: str | None, expected: str, tmp_path: Path) -> None:
    mirror = open_mirror(
        SETTINGS | {"group": group}, folder=tmp_path, fingerprint="f" * 16, config={"study": "layouts"}, rows=[]
    )
    assert mirror is not None
    settings = mirror.experiment.settings
    assert (settings.run_group, settings.run_job_type) == (expected, "train")
    mirror.finish({}, 0)


def test_a_dead_mirror_is_reported_once_and_never_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Dying:
        project, dir = "p", str(tmp_path)

        def log(self, *args: Any, **kwargs: Any) -> None:
            raise BrokenPipeError("gone")

        def finish(self, exit_code: int) -> None:
            raise BrokenPipeError("gone")

    mirror = WandbMirror(Dying())
    for step in range(3):
        mirror.log_metrics({"loss": 1.0}, step=step)
    mirror.finish({}, exit_code=0)
    assert capsys.readouterr().err.count("W&B has stopped") == 1


def test_the_summary_has_the_entries_of_the_record_that_tables_need(tmp_path: Path) -> None:
    class Finished:
        project, dir = "p", str(tmp_path)

        def __init__(self) -> None:
            self.summary: dict[str, Any] = {}

        def finish(self, exit_code: int) -> None:
            pass

    run = Finished()
    record = {"status": "complete", "cost": {"macs": 1}, "config": {"seed": 0}, "final": {"eval/accuracy": 0.5}}
    WandbMirror(run).finish({"eval/accuracy": 0.5}, exit_code=0, record=record)
    facts = {"status": "complete", "cost": {"macs": 1}, "final": {"eval/accuracy": 0.5}}  # W&B has the config already
    assert run.summary == {"eval/accuracy": 0.5, "record": facts}


def test_wandb_knows_our_settings() -> None:
    """Fails if a release of wandb drops one of the experimental names."""
    assert {name for name in wandb_settings().model_fields_set if name.startswith("x_")} == {
        "x_disable_stats",
        "x_transaction_log_flush_interval",
    }


def test_an_id_that_was_deleted_gets_a_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = wandb.init

    def init(id: str, **arguments: Any) -> Any:
        asked.append(id)
        if len(asked) == 1:
            raise wandb.errors.CommError(f"run {id} was previously created and deleted; try a new run name")
        return real(id=id, **arguments)

    monkeypatch.setattr(wandb, "init", init)
    mirror = open_offline(tmp_path, [])
    mirror.finish({}, 0)
    assert asked[0] == "0123456789abcdef"
    assert asked[1].startswith("0123456789abcdef-")


DEAD_SERVER = """
import sys, time
from pathlib import Path
from coatlab.tracking.mirror import open_mirror
mirror = open_mirror({"mode": "auto", "project": "p", "entity": None}, folder=Path(sys.argv[1]),
                     fingerprint="0123456789abcdef", config={}, rows=[])
mirror.log_metrics({"loss": 1.0}, step=0)
mirror.finish({}, 0)
print(mirror.entry()["mode"])
"""


def test_a_missing_server_costs_seconds_and_the_run_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-c", DEAD_SERVER, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "offline"
    assert "W&B online is not available" in done.stderr


SLOW_SERVER = """
import sys, time, urllib.request, wandb
from pathlib import Path
import coatlab.tracking.mirror as mirror, coatlab.tracking.session as session
session.INIT_SECONDS, session.OPEN_SECONDS, session.FINISH_SECONDS, mirror.END_SECONDS = 6, 10, 4, 8
slow = lambda: urllib.request.urlopen(sys.argv[2] + "/slow").close()
if sys.argv[3] == "opening": slow()
print(time.time())
opened = mirror.open_mirror({"mode": "online", "project": "coatlab", "entity": None}, folder=Path(sys.argv[1]),
                            fingerprint="0123456789abcdef", config={}, rows=[])
if sys.argv[3] == "ending": slow()
for step in range(5): opened.log_metrics({"loss": 1.0}, step=step)
opened.finish({}, 0)
print(opened.entry()["mode"])
"""


@pytest.mark.parametrize(("when", "mode"), [("opening", "offline"), ("ending", "online")])
def test_a_server_that_sends_a_byte_a_second_costs_seconds(
    when: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # of this process, where another test may have the same run open
    with live() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        done = subprocess.run(
            [sys.executable, "-c", SLOW_SERVER, str(tmp_path), server.url, when],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, done.stderr
    began, said = done.stdout.split()
    assert said == mode, done.stderr
    assert time.time() - float(began) < 45  # 10 + 5 + 8 + 5, and Python's own end
    assert "Traceback" not in done.stderr


def test_w_and_b_adds_at_most_a_minute_to_a_run() -> None:
    opening = session.OPEN_SECONDS + session.TEARDOWN_SECONDS
    assert session.INIT_SECONDS < session.OPEN_SECONDS
    assert session.FINISH_SECONDS < mirror.END_SECONDS
    assert opening + mirror.END_SECONDS + session.TEARDOWN_SECONDS < 60
    assert mirror.STOP_SECONDS + session.TEARDOWN_SECONDS < 10  # the grace of a cluster is 30 seconds


def test_a_stop_is_heard_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> None:
        raise Stopped(15)

    monkeypatch.setattr(wandb, "init", lambda **named: time.sleep(60))
    with pytest.raises(Stopped):
        open_mirror(SETTINGS, folder=tmp_path, fingerprint="f" * 16, config={}, rows=[], look=look)


@pytest.mark.parametrize("where", ["default", "environment"])
def test_a_key_from_wandb_login_is_found(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    if where == "environment":
        monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    host = urlparse(wandb.Settings().base_url).hostname
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert not has_key()
    (tmp_path / "netrc").write_text("machine elsewhere login user password k\n")
    assert not has_key()
    (tmp_path / "netrc").write_text(f"machine {host} login user password {'k' * 40}\n")
    assert has_key()
