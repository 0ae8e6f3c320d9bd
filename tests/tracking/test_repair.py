"""Whatever W&B has of a run, one command brings it to what its folder says, and a second one finds nothing to do."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from coatlab.errors import RunError
from coatlab.runs.record import read_metrics, read_record, write_record
from coatlab.tracking.content import content_of, values_of
from coatlab.tracking.mirror import open_mirror
from coatlab.tracking.session import drop_service
from coatlab.upload import main
from tests.support.made_runs import make_run
from tests.tracking.live_server import Kept, LiveServer, live
from tests.tracking.wandb_server import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running() -> Iterator[LiveServer]:
    with live() as server:
        yield server


@pytest.fixture
def server(running: LiveServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LiveServer]:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", running.url)
    monkeypatch.setenv("COATLAB_REPORTS", str(tmp_path / "reports"))
    drop_service(kill=True)  # it knows another server from tests before, and may wait for it for ever
    running.runs.clear()
    running.deleted.clear()
    yield running
    drop_service(kill=True)  # its process remembers ids


def tracked_run(runs: Path, **entries: Any) -> tuple[Path, str]:
    """Make a complete run that was tracked; return its folder and fingerprint."""
    folder = make_run(runs, **{"epochs": 3, **entries})
    record = read_record(folder)
    assert record is not None
    return folder, record["fingerprint"]


def kept(folder: Path, id: str) -> Kept:
    """Return a run of the server that has all of a run folder."""
    made, run = Run(folder), Kept(id)
    run.rows = made.rows
    run.node |= {key: made.node[key] for key in ("config", "displayName", "state", "group")}
    record = read_record(folder)
    assert record is not None
    run.node["summaryMetrics"] = json.dumps(content_of(folder, record).summary)
    return run


def upload(runs: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    main(["--runs", str(runs)])
    return capsys.readouterr().out.splitlines()


def assert_as_in(folder: Path, run: Kept) -> None:
    """Compare a run of the server with its folder, without the code under test."""
    record, made = read_record(folder), Run(folder)
    assert record is not None
    assert [without_clock(row) for row in run.rows] == [without_clock(row) for row in made.rows]
    summary = json.loads(run.node["summaryMetrics"])
    assert summary["record"] == json.loads(made.node["summaryMetrics"])["record"]
    assert all(summary[key] == value for key, value in record["final"].items())
    config = {key: entry["value"] for key, entry in json.loads(run.node["config"]).items() if key != "_wandb"}
    assert config == record["config"]
    assert run.node["state"] == "finished"
    assert run.node["displayName"] == folder.name


def without_clock(row: str) -> dict[str, Any]:
    return {key: value for key, value in json.loads(row).items() if key not in ("_runtime", "_timestamp")}


def shift(run: Kept, by: int) -> None:
    run.rows = [json.dumps(json.loads(row) | {"_step": json.loads(row)["_step"] + by}) for row in run.rows]


def stale(run: Kept) -> None:
    """Append the rows of an old segment, as `wandb sync` does."""
    older = copy.deepcopy(run)
    shift(older, 100)
    run.rows += older.rows


def another_loss(run: Kept) -> None:
    run.rows[1] = json.dumps(json.loads(run.rows[1]) | {"eval/loss": 0.123})


def of_last_attempt(run: Kept) -> None:
    summary = json.loads(run.node["summaryMetrics"])
    summary["record"]["status"] = "running"
    run.node["summaryMetrics"] = json.dumps(summary)


def other_config(run: Kept) -> None:
    run.node["config"] = json.dumps(json.loads(run.node["config"]) | {"study": {"value": "another"}})


HAS: dict[str, tuple[Callable[[Kept], object], str]] = {
    "killed before the tracker's end": (lambda run: run.rows.pop(), "completed (1 of 3 rows were missing)"),
    "lost after the first epoch": (lambda run: run.rows.__delitem__(slice(1, None)), "completed (2 of 3 rows"),
    "opened and nothing else": (lambda run: run.rows.clear(), "completed (3 of 3 rows"),
    "never ended": (lambda run: run.node.update(state="crashed"), "completed (it was crashed)"),
    "the record of an earlier attempt": (of_last_attempt, "completed (its summary was another one)"),
    "another config": (other_config, "completed (its config was another one)"),
    "shifted": (lambda run: shift(run, 6), "replaced (its rows were others than the folder's"),
    "stale rows appended": (stale, "replaced (its rows were others"),
    "another value": (another_loss, "replaced (its rows were others"),
}


@pytest.mark.parametrize("what", HAS)
def test_what_the_server_has_is_mended(
    what: str, server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tracked_run(tmp_path)
    run = server.runs[mark] = kept(folder, mark)
    change, said = HAS[what]
    change(run)
    first, last = upload(tmp_path, capsys)
    assert f"{folder.name}: {said}" in first
    assert last.startswith("1 uploaded, 0 uploaded before")
    ((id, now),) = server.runs.items()
    assert_as_in(folder, now)
    assert (id == mark) == ("replaced" not in said)
    record = read_record(folder)
    assert record is not None
    assert (record["tracker"]["id"], record["tracker"]["mode"]) == (id, "online")
    assert id in record["tracker"]["url"]
    before = copy.deepcopy(now.__dict__)
    assert upload(tmp_path, capsys) == ["0 uploaded, 1 uploaded before, 0 still running and left alone"]
    assert server.runs[id].__dict__ == before


@pytest.mark.parametrize("number", range(8))
def test_several_troubles_at_once_are_mended(
    number: int, server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tracked_run(tmp_path)
    run = server.runs[mark] = kept(folder, mark)
    for what in random.Random(number).sample(list(HAS), 3):
        with suppress(IndexError):  # a row that another one took away
            HAS[what][0](run)
    upload(tmp_path, capsys)
    (now,) = server.runs.values()
    assert_as_in(folder, now)
    assert upload(tmp_path, capsys) == ["0 uploaded, 1 uploaded before, 0 still running and left alone"]


def test_what_was_tracked_offline_is_sent_and_its_segments_set_aside(
    server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tracked_run(tmp_path)
    (folder / "wandb" / f"offline-run-1-{mark}").mkdir(parents=True)
    assert f"{folder.name}: sent (3 rows)" in upload(tmp_path, capsys)
    assert_as_in(folder, server.runs[mark])
    assert [path.name for path in (folder / "wandb").iterdir()] == ["superseded"]


def test_what_the_user_calls_a_run_arrives_and_may_be_changed_there(
    server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tracked_run(tmp_path / "runs")
    record, elsewhere = read_record(folder), tmp_path / "elsewhere"
    assert record is not None
    own = {"project": "theirs", "run_name": "the baseline", "tags": ["few", "images"], "notes": "a text"}
    record["config"]["tracker"] |= own | {"dir": str(elsewhere)}
    ours, others = (elsewhere / "wandb" / f"offline-run-1-{id}" for id in (mark, "f" * 16))
    for segment in (ours, others):
        segment.mkdir(parents=True)
    write_record(folder, record | {"tracker": {"folder": str(ours)}})
    upload(tmp_path / "runs", capsys)
    node = server.runs[mark].node
    assert [server.runs[mark].project, *(node[key] for key in ("displayName", "tags", "notes"))] == [*own.values()]
    assert not ours.exists()
    assert others.exists()
    node |= {"displayName": "renamed", "tags": [], "notes": None}
    assert upload(tmp_path / "runs", capsys) == ["0 uploaded, 1 uploaded before, 0 still running and left alone"]


def test_a_damaged_history_is_not_sent(server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracked_run(tmp_path, rows={"metrics_bytes": 10**6})
    with pytest.raises(RunError, match=r"1 of 1 could not be uploaded \(its history is not sent: metrics.jsonl has"):
        main(["--runs", str(tmp_path)])
    assert not server.runs


def test_a_later_study_of_the_same_run_arrives(
    server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tracked_run(tmp_path)
    server.runs[mark] = kept(folder, mark)
    record = read_record(folder)
    assert record is not None
    write_record(folder, record | {"studies": [*record["studies"], "details"]})
    assert "completed (its summary was another one)" in upload(tmp_path, capsys)[0]
    assert_as_in(folder, server.runs[mark])


@pytest.mark.parametrize("modes", [("offline", "online"), ("online", "offline"), ("online", "offline", "online")])
def test_attempts_in_several_modes_become_one_run(
    modes: tuple[str, ...], server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tracked_run(tmp_path, epochs=9)
    record, rows = read_record(folder), read_metrics(folder)
    assert record is not None
    begun = record | {"status": "running", "final": {}}
    for number, mode in enumerate(modes, start=1):
        settings = {"mode": mode, "project": "coatlab", "entity": None}
        before = [row for row in rows if row["step"] < 30 * number - 30]
        now = [row for row in rows[len(before) :] if number == len(modes) or row["step"] <= 30 * number]
        mirror = open_mirror(settings, folder=folder, fingerprint=mark, config=record["config"], rows=before)
        assert mirror is not None
        for row in now[: None if number == len(modes) else -1]:  # stopped in the middle of what is logged at a step
            mirror.log_metrics(values_of(row), step=row["step"])
        last = record if number == len(modes) else begun
        assert mirror.finish(last["final"], int(last is begun), last)
        drop_service()  # the next attempt is another process
    assert not any("replaced" in said for said in upload(tmp_path, capsys))
    assert_as_in(folder, server.runs[mark])
    assert not list((folder / "wandb").glob("offline-run-*"))
    assert upload(tmp_path, capsys) == ["0 uploaded, 1 uploaded before, 0 still running and left alone"]


def test_a_server_that_goes_away_is_caught_up_with(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coatlab.tracking.mirror.END_SECONDS", 2)
    folder, mark = tracked_run(tmp_path)
    record, rows = read_record(folder), read_metrics(folder)
    assert record is not None
    settings = {"mode": "online", "project": "coatlab", "entity": None}
    mirror = open_mirror(settings, folder=folder, fingerprint=mark, config=record["config"], rows=rows[:1])
    assert mirror is not None
    server.away = True
    for row in rows[1:]:
        mirror.log_metrics(values_of(row), step=row["step"])
    assert not mirror.finish(record["final"], 0, record)
    assert "`python -m coatlab.upload` sends what W&B does not have" in capsys.readouterr().err
    server.away = False
    upload(tmp_path, capsys)
    assert_as_in(folder, server.runs[mark])
