"""A report in W&B: what was written offline equals the report, one run per study; trouble never fails the command."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.claims.claim import load_claims
from analysis.report import wandb as upload
from analysis.report.contents import Report
from analysis.tabular import Column, Table
from tests.support.commandline import REPOSITORY
from tests.support.made_runs import make_run
from tests.tracking.test_mirror import records

CELLS = [("CCTT", 0, 0.8), ("CCTT", 1, 0.9), ("CTTT", 0, 0.7), ("CTTT", 1, 0.72), ("ViT_REL", 0, 0.6)]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for layout, seed, accuracy in CELLS:
        make_run(tmp_path / "runs", f"layout={layout}", seed=seed, accuracy=accuracy)
    return tmp_path / "runs"


def report(runs: Path, *words: str, study: str = "layouts") -> Path:
    main([study, "--runs", str(runs), "--reports", str(runs.parent / "reports"), *words])
    return runs.parent / "reports" / study


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "wandb").glob("offline-run-*"))


def read(segment: Path) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Read an offline part as `wandb sync` does: the run, its last row, and its summary."""
    (file,) = segment.glob("*.wandb")
    run, row, summary = None, {}, {}
    for record in records(file):
        if record.HasField("run"):
            run = record.run
        if record.HasField("history"):
            row = _values(record.history.item)
        if record.HasField("summary"):
            summary |= _values(record.summary.update)
    return run, row, summary


def _values(items: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for item in items:
        *above, last = [item.key] if item.key else item.nested_key
        inner = values
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(item.value_json)
    return values


def how_to_send(folder: Path) -> str:
    """Return the line that says how to send the report of a folder: by the command that also repairs W&B's runs."""
    return f"W&B: offline; to send it: python -m coatlab.upload layouts --reports {folder.parent}"


def frame(segment: Path, entry: Mapping[str, Any]) -> pd.DataFrame:
    content = json.loads((segment / "files" / entry["path"]).read_text())
    return pd.DataFrame(content["data"], columns=content["columns"])


@pytest.mark.slow
def test_an_offline_run_holds_the_tables_figures_and_verdicts(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = report(runs, "--tracker", "wandb")
    (segment,) = segments(folder)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2:] == [how_to_send(folder), str(folder / "report.html")]
    run, row, summary = read(segment)
    assert (run.run_id, run.job_type, run.run_group, run.project) == ("report-layouts", "report", "layouts", "coatlab")
    kinds = defaultdict(set)
    for key, value in row.items():
        if isinstance(value, dict) and "_type" in value:
            kinds[value["_type"]].add(key.split("/")[0])
    assert kinds == {"table-file": {"tables", "verdicts", "runs"}, "image-file": {"figures"}, "html-file": {"report"}}

    written = pd.read_csv(folder / "table.csv")
    cost, main_table = sorted(key for key in row if key.startswith("tables/"))
    assert cost.startswith("tables/Cost")
    sent = frame(segment, row[main_table]).infer_objects().replace({None: np.nan})
    written = written[written["table"] == "fashion_mnist"].reset_index(drop=True)
    pd.testing.assert_frame_equal(sent, written[sent.columns], check_dtype=False)
    assert written.drop(columns=["table", *sent.columns]).isna().all(axis=None)  # columns of the other table
    means = dict(zip(sent["layout"], sent["eval acc."], strict=True))
    assert means == pytest.approx({"ViT_REL": 0.6, "CCTT": 0.85, "CTTT": 0.71})
    assert dict(zip(sent["layout"], sent["eval acc. n"], strict=True)) == {"ViT_REL": 1, "CCTT": 2, "CTTT": 2}
    low, high = (sent.set_index("layout")[f"eval acc. {end}"] for end in ("low", "high"))
    assert low["CCTT"] < 0.85 < high["CCTT"]
    assert np.isnan(low["ViT_REL"])

    used = frame(segment, row["runs"])
    assert set(used["fingerprint"]) == {_mark(path) for path in runs.glob("*/record.json")}
    judged = pd.read_csv(folder / "verdicts.csv")
    verdicts = {key.removeprefix("verdict/"): value for key, value in summary.items() if key.startswith("verdict/")}
    for claim, verdict in verdicts.items():
        about = judged[judged["table"].str.startswith(f"Claim {claim}: ")]
        order = ["contradicted", "undecided", "supported"]
        assert verdict == min(about["verdict"], key=order.index)
    assert verdicts.keys() == {claim.key for claim in load_claims("layouts")}
    for key in [key for key in row if key.startswith("figures/")]:
        image = (segment / "files" / row[key]["path"]).read_bytes()
        assert image == (folder / f"{key}.png").read_bytes()


def _mark(record: Path) -> str:
    return str(json.loads(record.read_text())["fingerprint"])


@pytest.mark.slow
def test_a_new_report_continues_the_run_of_its_study(runs: Path) -> None:
    for _ in range(2):
        folder = report(runs, "--tracker", "wandb")
    (left,) = segments(folder)
    (aside,) = (folder / "wandb" / "superseded").iterdir()
    (other,) = segments(report(runs, "--tracker", "wandb", study="all"))
    ids = [read(segment)[0].run_id for segment in (aside, left, other)]
    assert ids == ["report-layouts", "report-layouts", "report-all"]


@pytest.mark.slow
def test_the_page_is_sent_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "report.html").write_text("<p>a page</p>")
    tables = [Table(title, [Column("a", "d")], [[1]]) for title in ("../../a <b>", "a b", "same", "same")]
    given = Report("layouts", Table("Runs", [Column("run")], [["<script>"]]), tables)
    said = upload.upload(given, tmp_path, tracked(), "auto")
    (segment,) = segments(tmp_path)
    assert said == how_to_send(tmp_path)
    run, row, _ = read(segment)
    assert (run.project, run.entity) == ("mine", "someone")
    assert (segment / "files" / row["report"]["path"]).read_text() == "<p>a page</p>"
    assert {key for key in row if not key.startswith("_")} == {
        "report", "runs", "tables/a-b", "tables/a-b-1", "tables/same", "tables/same-3",
    }  # fmt: skip
    media = (segment / "files" / "media").rglob("*")
    assert all(path.resolve().is_relative_to(segment / "files" / "media") for path in media)


def tracked(name: str = "wandb", mode: str = "auto", number: int = 1) -> pd.DataFrame:
    tracker = {"name": name, "mode": mode, "project": "mine", "entity": "someone", "group": None}
    return pd.DataFrame({"config": [{"tracker": tracker}] * number})


@pytest.mark.parametrize(
    ("runs", "tracker", "environment", "sent"),
    [
        (tracked(), "auto", {}, False),
        (tracked(), "auto", {"WANDB_API_KEY": "0" * 40}, True),
        (tracked(), "auto", {"WANDB_MODE": "offline"}, True),
        (tracked(mode="offline"), "auto", {}, True),
        (tracked("none"), "auto", {"WANDB_API_KEY": "0" * 40}, False),
        (tracked("none"), "wandb", {}, True),
        (tracked(), "none", {"WANDB_API_KEY": "0" * 40}, False),
        (pd.DataFrame({"run": ["unreadable"]}), "auto", {"WANDB_API_KEY": "0" * 40}, False),
    ],
)
def test_where_a_tracker_is_configured(
    runs: pd.DataFrame, tracker: str, environment: dict[str, str], sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert (upload._settings(runs, tracker, None) is not None) == sent


def test_the_project_is_that_of_most_runs_unless_one_was_read() -> None:
    other = tracked(number=2).map(lambda config: {"tracker": config["tracker"] | {"project": "theirs"}})
    runs = pd.concat([tracked(), other, tracked("none", number=9)])
    asked = [upload._settings(runs, "wandb", project) or {} for project in (None, "them/that")]
    assert [(one["entity"], one["project"]) for one in asked] == [("someone", "theirs"), ("them", "that")]


def test_trouble_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise BrokenPipeError("gone\naway")

    monkeypatch.setattr(upload, "open_session", broken)
    given = Report("layouts", Table("Runs", [Column("run")], []))
    assert upload.upload(given, tmp_path, tracked(), "wandb") is None
    said = "the report was not sent to W&B (BrokenPipeError: gone away); its files are complete\n"
    assert capsys.readouterr().err == said


@pytest.mark.slow
def test_a_server_that_is_not_there_leaves_the_report_whole_and_an_offline_run(runs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "layouts", "--runs", runs, "--reports", runs.parent / "reports"],
        cwd=REPOSITORY,
        env=os.environ | {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    folder = runs.parent / "reports" / "layouts"
    (segment,) = segments(folder)
    assert done.returncode == 0, done.stderr
    (ours,) = [text for text in done.stderr.splitlines() if not text.startswith("wandb: ")]
    assert ours.startswith("W&B online is not available (")
    last = [how_to_send(folder), str(folder / "report.html")]
    assert done.stdout.splitlines()[-2:] == last
    assert read(segment)[0].run_id == "report-layouts"
