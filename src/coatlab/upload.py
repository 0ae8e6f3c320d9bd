"""The command: `python -m coatlab.upload layouts` brings W&B to the state of the run folders, and sends reports.

Whatever happened, record.json and metrics.jsonl are the truth: what W&B has of each tracked run is compared with them,
what is missing is sent, and what is wrong is replaced (tracking/repair.py). Runs that are still running are left alone.

Reports that were tracked offline (analysis/report/wandb.py) are in folders wandb/offline-run-*, called parts here,
which `wandb sync` sends and marks; marked parts are skipped.
"""

import argparse
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from coatlab.cli import one_sentence_errors
from coatlab.config.files import choices
from coatlab.config.places import add_folder_option, require_chosen
from coatlab.errors import Held, InputError, RunError, not_one_of
from coatlab.output.text import line, printable
from coatlab.runs.lock import take_lock
from coatlab.runs.record import read_record, rows_damage, run_folders, write_record
from coatlab.runs.state import state_of
from coatlab.tracking.content import content_of
from coatlab.tracking.session import drop_service, has_key, set_segments_aside, shown_as

LONGEST = 200  # letters of an error of W&B's
PROBE_SECONDS, SYNC_SECONDS = 10, 600  # `wandb sync` itself waits forever for a server that does not answer


def main(words: list[str] | None = None) -> None:
    """Read the arguments, upload what W&B does not have yet, and print what was done.

    Raises:
        InputError: a folder or a study that does not exist, or W&B settings that are not valid.
        RunError: the server does not answer, or a run could not be uploaded; its files are unchanged.
    """
    parser = argparse.ArgumentParser(
        prog="python -m coatlab.upload", description="Bring W&B to the state of the run folders; send offline reports."
    )
    parser.add_argument("study", nargs="?", help="upload only the runs and the report of this study")
    add_folder_option(parser, "runs", "folder of run folders")
    add_folder_option(parser, "reports", "folder of reports")
    chosen = parser.parse_args(words)
    require_chosen("runs", chosen.runs)
    require_chosen("reports", chosen.reports)
    runs, running = tracked(chosen.runs, chosen.study)
    if chosen.study is not None and chosen.study not in choices("sweep") and not runs and not running:
        raise not_one_of("study", chosen.study, choices("sweep"))  # one from --config-dir has runs
    reports = offline_reports(chosen.reports, chosen.study)
    done: dict[str, str | None] = {}
    failed: dict[str, str] = {}
    if runs or any(reports.values()):
        _require_server()
        for folder in [*runs, *reports]:
            try:
                done[folder.name] = _upload_run(folder) if folder in runs else upload_parts(reports[folder])
            except Held:
                running += 1
                continue
            except Exception as error:  # whatever W&B raises: the others are tried
                failed[folder.name] = line(error)[:LONGEST]
                drop_service(kill=True)  # it may still have the id
            if said := failed.get(folder.name) or done.get(folder.name):
                print(f"{printable(folder.name)}: {said}", flush=True)
    new = sum(said is not None for said in done.values())
    print(f"{new} uploaded, {len(done) - new} uploaded before, {running} still running and left alone")
    if failed:
        reasons = "; ".join(dict.fromkeys(failed.values()))
        raise RunError(
            f"{len(failed)} of {new + len(failed)} could not be uploaded ({reasons}); "
            "their files are unchanged; run the same command again to retry"
        )


def tracked(runs: Path, study: str | None) -> tuple[list[Path], int]:
    """Find the runs that W&B should have.

    Args:
        runs: folder of run folders.
        study: whose runs; None: all.

    Returns:
        Their folders, and the number of those that are still running.
    """
    found, running = [], 0
    for folder in run_folders(runs):
        state = state_of(folder)
        if state.record is None or (study and study not in state.record["studies"]):
            continue
        wanted = state.record["config"].get("tracker", {}).get("name") == "wandb"
        if wanted and state.record.get("tracker", {}).get("mode") != "disabled":
            running += state.name == "running"
            found += [folder] if state.name != "running" else []
    return found, running


def offline_reports(reports: Path, study: str | None) -> dict[Path, list[Path]]:
    """Return the folders of the reports that were tracked offline, with the parts that are to be sent."""
    found = {}
    for path in sorted(reports.glob(f"{study or '*'}/report.json")):
        if parts := [part for part in sorted((path.parent / "wandb").glob("offline-run-*")) if part.is_dir()]:
            found[path.parent] = [part for part in parts if not is_uploaded(part)]
    return found


def _upload_run(folder: Path) -> str | None:
    """Bring the W&B run of a run folder to its state, and say what was done; None: nothing.

    Raises:
        Held: another process has the run by now.
        RunError: the record or the rows are damaged, or the server does not show what was sent.
        Exception: of W&B's.
    """
    with suppress(PermissionError), take_lock(folder, wait=False):
        return _repair(folder)
    return _repair(folder)  # of somebody else


def _repair(folder: Path) -> str | None:
    from coatlab.tracking.repair import Place, repair

    record = read_record(folder)
    assert record is not None
    if (stated := record.get("rows")) and (reason := rows_damage(folder, stated, whole=True)):
        raise RunError(f"its history is not sent: {reason}")
    api, settings, tracker = _api(), record["config"]["tracker"], record["tracker"]
    place = Place(
        entity=tracker.get("entity") or settings["entity"] or api.default_entity,
        project=tracker.get("project") or settings["project"],
        group=settings.get("group") or record["config"].get("study"),
        shown=shown_as(settings, folder),
    )
    ids = list(dict.fromkeys(filter(None, (tracker.get("id"), record["fingerprint"]))))
    run, said = repair(api, place, ids, content_of(folder, record))
    with suppress(PermissionError):
        written = Path(tracker["folder"]).parents[1] if tracker.get("folder") else folder  # with tracker.dir elsewhere
        for home in {folder, written}:
            set_segments_aside(home, record["fingerprint"])  # `wandb sync` would add them to what is there
        now = tracker | {"name": "wandb", "mode": "online", "id": run.id, "url": run.url, "ended": True}
        now |= {"project": place.project, "entity": place.entity}
        if now != tracker:
            write_record(folder, record | {"tracker": now})
    return said and (said if run.id in ids else f"{said}; its id is {run.id} now")


def _api() -> Any:
    """Return W&B's client for reading.

    Raises:
        InputError: there is no API key.
    """
    import wandb

    if not has_key():
        raise InputError("W&B has no API key here: set WANDB_API_KEY, or run `wandb login`")
    return wandb.Api()


def is_uploaded(part: Path) -> bool:
    """Tell whether `wandb sync` has marked an offline part as uploaded."""
    return any(part.glob("*.wandb.synced"))


def upload_parts(parts: list[Path]) -> str | None:
    """Upload the parts of one report with `wandb sync`, and say what was done; None: nothing.

    Raises:
        RunError: that failed.
    """
    if not parts:
        return None
    # if the environment is not activated, the program is beside the interpreter
    program = shutil.which("wandb", path=f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}")
    if program is None:
        raise RunError("the program wandb is not installed")
    try:
        done = subprocess.run(
            [program, "sync", *map(str, parts)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SYNC_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"wandb sync did not finish within {SYNC_SECONDS} seconds") from error
    if done.returncode == 0 and all(is_uploaded(part) for part in parts):
        return "uploaded"
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    raise RunError(lines[-1] if lines else f"wandb sync ended with exit code {done.returncode}")


def _require_server() -> None:
    """Check that the W&B server answers.

    Raises:
        InputError: W&B's settings are not valid.
        RunError: it does not answer.
    """
    import wandb

    try:
        url = wandb.setup().settings.base_url
    except ValueError as error:
        raise InputError(f"W&B's settings are not valid: {error}") from error
    try:
        urlopen(url, timeout=PROBE_SECONDS).close()
    except HTTPError:
        return  # an HTTP error is an answer
    except (OSError, HTTPException) as error:  # no server, or one that does not speak HTTP
        reason = str(getattr(error, "reason", error)).strip()
        raise RunError(
            f"W&B's server {url} does not answer ({reason}); nothing is lost: run the same command again later"
        ) from error


if __name__ == "__main__":
    with one_sentence_errors():
        main()
