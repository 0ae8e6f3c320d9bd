"""The command: `python -m coatlab.upload layouts` uploads to W&B the runs and reports that were tracked offline.

W&B writes an offline run to a folder wandb/offline-run-*, called a part here. Only the newest part of a run counts:
a process that resumes a run replays all of it into a new part and moves the older ones away (tracking/mirror.py). The
W&B id of every part is the run's fingerprint, so that one experiment is one W&B run, however often it is uploaded.
`wandb sync` marks each part that it has uploaded, and marked parts are skipped. Runs that are still running are left
alone. Reports that were tracked offline (analysis/report/wandb.py) are uploaded in the same way.
"""

import argparse
import os
import shutil
import subprocess
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from coatlab.cli import one_sentence_errors
from coatlab.config.files import choices
from coatlab.config.places import add_folder_option
from coatlab.errors import InputError, RunError, not_one_of
from coatlab.output.text import printable
from coatlab.runs.record import run_folders
from coatlab.runs.state import state_of

PROBE_SECONDS, SYNC_SECONDS = 10, 600  # `wandb sync` itself waits forever for a server that does not answer


def main(words: list[str] | None = None) -> None:
    """Read the arguments, upload what W&B does not have yet, and print what was done.

    Raises:
        InputError: a study that does not exist, or W&B settings that are not valid.
        RunError: the server does not answer, or a run could not be uploaded; its files are unchanged.
    """
    parser = argparse.ArgumentParser(
        prog="python -m coatlab.upload", description="Upload offline runs and reports to W&B."
    )
    parser.add_argument("study", nargs="?", help="upload only the runs and the report of this study")
    add_folder_option(parser, "runs", "folder of run folders")
    add_folder_option(parser, "reports", "folder of reports")
    chosen = parser.parse_args(words)
    if chosen.study is not None and chosen.study not in choices("sweep"):
        raise not_one_of("study", chosen.study, choices("sweep"))
    waiting, uploaded_before, running = to_upload(chosen.runs, chosen.study, chosen.reports)
    if waiting:
        _require_server()
    failed: dict[Path, str] = {}
    for folder, parts in waiting.items():
        reason = upload_parts(parts)
        if reason:
            failed[folder] = reason
        print(f"{printable(folder.name)}: {reason or 'uploaded'}")
    print(
        f"{len(waiting) - len(failed)} uploaded, {uploaded_before} uploaded before, "
        f"{running} still running and left alone"
    )
    if failed:
        reasons = "; ".join(dict.fromkeys(failed.values()))
        raise RunError(
            f"{len(failed)} of {len(waiting)} could not be uploaded ({reasons}); "
            "their files are unchanged; run the same command again to retry"
        )


def to_upload(runs: Path, study: str | None, reports: Path) -> tuple[dict[Path, list[Path]], int, int]:
    """Find the offline parts of runs and reports.

    Args:
        runs: folder of run folders.
        study: whose runs and report; None: all.
        reports: folder of reports, with one folder per study.

    Returns:
        The parts to upload, by folder of their run or report; the number of runs and reports that were uploaded
        before; the number of runs that are still running.
    """
    waiting, uploaded_before, running = {}, 0, 0
    found: list[tuple[Path, bool]] = []
    for folder in run_folders(runs):
        state = state_of(folder)
        if not study or study in (state.record or {"studies": []})["studies"]:
            found.append((folder, state.name == "running"))
    found += [(path.parent, False) for path in sorted(reports.glob(f"{study or '*'}/report.json"))]
    for folder, busy in found:
        parts = [part for part in sorted((folder / "wandb").glob("offline-run-*")) if part.is_dir()]
        if parts and busy:
            running += 1
        elif unmarked := [part for part in parts if not is_uploaded(part)]:
            waiting[folder] = unmarked
        elif parts:
            uploaded_before += 1
    return waiting, uploaded_before, running


def is_uploaded(part: Path) -> bool:
    """Tell whether `wandb sync` has marked an offline part as uploaded."""
    return any(part.glob("*.wandb.synced"))


def upload_parts(parts: list[Path]) -> str | None:
    """Upload the parts of one run with `wandb sync`; return why that failed, as one line, or None if it worked."""
    # if the environment is not activated, the program is beside the interpreter
    program = shutil.which("wandb", path=f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}")
    if program is None:
        return "the program wandb is not installed"
    try:
        done = subprocess.run(
            [program, "sync", *map(str, parts)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SYNC_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"wandb sync did not finish within {SYNC_SECONDS} seconds"
    if done.returncode == 0 and all(is_uploaded(part) for part in parts):
        return None
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else f"wandb sync ended with exit code {done.returncode}"


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
