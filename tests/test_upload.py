"""What was tracked goes to W&B, each run and report once; an unreachable server loses nothing.

How a run is brought to the state of its folder: tracking/test_repair.py.
"""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import wandb

from coatlab.errors import InputError, RunError
from coatlab.upload import main
from tests.runs.test_state import held, make  # noqa: F401 (a fixture)

pytestmark = pytest.mark.slow

STAND_IN = """#!/bin/sh
# what `wandb sync` does for us: a mark beside what was sent
echo "$@" >> {log}
shift
for part in "$@"; do
    case "$part" in *{refused}*) echo "wandb: hello"; echo "Error: refused"; exit 1;; esac
    touch "$part/run-x.wandb.synced"
done
"""


@pytest.mark.parametrize("option", ["runs", "reports"])
def test_a_folder_that_was_typed_has_to_be_there(option: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^--{option}=/nope is not valid: there is no such folder$"):
        main([f"--{option}", "/nope"])
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=f"^--{option}={tmp_path}/file is not valid: it is not a folder$"):
        main([f"--{option}", f"{tmp_path}/file"])


def test_a_folder_without_runs_has_nothing_to_upload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").mkdir()
    main(["--runs", str(tmp_path / "runs")])
    assert capsys.readouterr().out == "0 uploaded, 0 uploaded before, 0 still running and left alone\n"


class Server(BaseHTTPRequestHandler):
    """A W&B server as far as being there."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COATLAB_REPORTS", str(tmp_path / "reports"))
    return tmp_path / "reports"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    http = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    ask(monkeypatch, f"http://127.0.0.1:{http.server_port}")
    yield
    http.shutdown()
    http.server_close()


def ask(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let W&B's settings name a server."""
    monkeypatch.setattr(wandb, "setup", lambda: type("Setup", (), {"settings": wandb.Settings(base_url=url)})())


@pytest.fixture
def wandb_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    (folder / "wandb").write_text(STAND_IN.format(log=log, refused="data_size"))
    (folder / "wandb").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    log.touch()
    return log


def test_reports_are_sent_as_runs_are(
    tmp_path: Path, reports: Path, wandb_program: Path, server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [reports / study / "wandb" / "offline-run-1-report" for study in ("layouts", "smoke")]
    for folder in (*parts, reports / "data_size"):  # of the last nothing was tracked
        folder.mkdir(parents=True)
    for study in ("layouts", "smoke", "data_size"):
        (reports / study / "report.json").write_text("{}")
    (tmp_path / "runs").mkdir(exist_ok=True)
    runs = ["--runs", str(tmp_path / "runs")]
    main(["smoke", *runs])
    assert wandb_program.read_text().splitlines() == [f"sync {parts[1]}"]
    main(runs)
    assert wandb_program.read_text().splitlines() == [f"sync {part}" for part in reversed(parts)]
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 uploaded, 1 uploaded before")


def offline_report(reports: Path, study: str) -> Path:
    part = reports / study / "wandb" / "offline-run-1-report"
    part.mkdir(parents=True)
    (reports / study / "report.json").write_text("{}")
    return part


def test_a_report_that_is_refused_is_named_the_others_are_sent_and_it_is_tried_again(
    tmp_path: Path, reports: Path, wandb_program: Path, server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir(exist_ok=True)
    for study in ("layouts", "data_size", "smoke"):
        offline_report(reports, study)
    for number in (3, 4):
        with pytest.raises(RunError, match=r"1 of . could not be uploaded \(Error: refused\); their files are unch"):
            main(["--runs", str(tmp_path / "runs")])
        assert "data_size: Error: refused" in capsys.readouterr().out
        assert len(wandb_program.read_text().splitlines()) == number


def test_without_a_key_runs_cannot_be_uploaded(tmp_path: Path, server: None) -> None:
    make(tmp_path / "runs", "complete")
    with pytest.raises(RunError, match=r"1 of 1 could not .*W&B has no API key here: set WANDB_API_KEY, or run"):
        main(["--runs", str(tmp_path / "runs")])


def test_runs_that_are_not_tracked_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path / "runs", "complete", "tracker=none")
    disabled = make(tmp_path / "runs", "complete", "seed=1") / "record.json"
    disabled.write_text(
        disabled.read_text().replace('"tracker": {}', '"tracker": {"name": "none", "mode": "disabled"}')
    )
    main(["--runs", str(tmp_path / "runs")])
    assert capsys.readouterr().out.startswith("0 uploaded, 0 uploaded before, 0 still running")


def test_a_server_that_is_not_there_is_one_sentence_and_nothing_is_tried(
    tmp_path: Path, wandb_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "runs", "complete")
    ask(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(
        RunError, match=r"W&B's server http://127.0.0.1:9 does not answer \(.*refused\); nothing is lost"
    ):
        main(["--runs", str(tmp_path / "runs")])
    assert wandb_program.read_text() == ""


def test_a_server_that_is_none_is_one_sentence(
    tmp_path: Path, wandb_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(Server):
        def do_GET(self) -> None:
            self.wfile.write(b"SSH-2.0-other\r\n")

    make(tmp_path / "runs", "complete")
    http = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    ask(monkeypatch, f"http://127.0.0.1:{http.server_port}")
    with pytest.raises(RunError, match=r"does not answer \(SSH-2.0-other\); nothing is lost"):
        main(["--runs", str(tmp_path / "runs")])
    http.shutdown()
    http.server_close()
    monkeypatch.setattr("wandb.setup", lambda: wandb.Settings(base_url="nowhere"))
    with pytest.raises(InputError, match=r"(?s)W&B's settings are not valid: .*base_url"):
        main(["--runs", str(tmp_path / "runs")])
    assert wandb_program.read_text() == ""


def test_a_run_that_is_going_on_is_left_alone(
    held: tuple[Path, int],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = held
    main(["--runs", str(folder.parent)])
    assert "0 uploaded, 0 uploaded before, 1 still running and left alone" in capsys.readouterr().out


def test_a_study_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="study=smok does not exist"):
        main(["smok", "--runs", str(tmp_path)])
