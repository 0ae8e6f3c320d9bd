"""The command: `python -m coatlab.upload layouts` sends to W&B what was written offline and is not there yet.

A run has one offline part that counts: whoever goes on with a run replays it whole and sets the older parts aside
(tracking/mirror.py), and all parts carry the fingerprint as id, so one experiment is one W&B run however often it is
sent. `wandb sync` marks what it has sent, and what is marked is skipped. Runs that a live process is at are left alone.
Reports that were tracked offline (analysis/report/wandb.py) are sent in the same way.
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
from coatlab.errors import InputError, RunError, not_one_of
from coatlab.runs.state import state_of

PROBE_SECONDS, SYNC_SECONDS = 10, 600  # `wandb sync` itself waits for ever for a server that is not there


def main(words: list[str] | None = None) -> None:
    """Read the arguments, send what is not there yet, and say what was done.

    Raises:
        InputError: a study that does not exist, or settings that W&B does not take.
        RunError: the server does not answer, or a run could not be sent; its files are as they were.
    """
    parser = argparse.ArgumentParser(
        prog="python -m coatlab.upload", description="Send offline runs and reports to W&B."
    )
    parser.add_argument("study", nargs="?", help="send the runs and the report of this study only")
    parser.add_argument(
        "--runs", type=Path, default=Path(os.environ.get("COATLAB_RUNS", "runs")), help="folder of run folders"
    )
    parser.add_argument(
        "--reports", type=Path, default=Path(os.environ.get("COATLAB_REPORTS", "reports")), help="folder of reports"
    )
    chosen = parser.parse_args(words)
    if chosen.study is not None and chosen.study not in choices("sweep"):
        raise not_one_of("study", chosen.study, choices("sweep"))
    waiting, sent, running = to_send(chosen.runs, chosen.study, chosen.reports)
    if waiting:
        _ask_server()
    failed: dict[Path, str] = {}
    for folder, parts in waiting.items():
        reason = send(parts)
        if reason:
            failed[folder] = reason
        print(f"{folder.name}: {reason or 'uploaded'}")
    print(f"{len(waiting) - len(failed)} uploaded, {sent} were there already, {running} still running and left alone")
    if failed:
        reasons = "; ".join(dict.fromkeys(failed.values()))
        raise RunError(
            f"{len(failed)} of {len(waiting)} could not be uploaded ({reasons}); "
            "their files are as they were, and the same command tries again"
        )


def to_send(runs: Path, study: str | None, reports: Path) -> tuple[dict[Path, list[Path]], int, int]:
    """Return the offline parts that are not sent, by folder, and how many runs and reports are sent and are running.

    Args:
        runs: folder of run folders.
        study: of which runs and report; None for all.
        reports: folder of reports, one a study.
    """
    waiting, sent, running = {}, 0, 0
    found: list[tuple[Path, bool]] = []
    for path in sorted(runs.glob("*/record.json")):
        state = state_of(path.parent)
        if not study or study in (state.record or {"studies": []})["studies"]:
            found.append((path.parent, state.name == "running"))
    found += [(path.parent, False) for path in sorted(reports.glob(f"{study or '*'}/report.json"))]
    for folder, busy in found:
        parts = [part for part in sorted((folder / "wandb").glob("offline-run-*")) if part.is_dir()]
        if parts and busy:
            running += 1
        elif unsent := [part for part in parts if not is_sent(part)]:
            waiting[folder] = unsent
        elif parts:
            sent += 1
    return waiting, sent, running


def is_sent(part: Path) -> bool:
    """Tell whether `wandb sync` has marked an offline part as sent."""
    return any(part.glob("*.wandb.synced"))


def send(parts: list[Path]) -> str | None:
    """Send the parts of one run by `wandb sync`; return why that failed, in a line, or None."""
    # beside the interpreter where the environment is not activated
    program = shutil.which("wandb", path=f"{os.environ.get('PATH', '')}{os.pathsep}{Path(sys.executable).parent}")
    if program is None:
        return "the program wandb is not there"
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
        return f"wandb sync was not done after {SYNC_SECONDS} seconds"
    if done.returncode == 0 and all(is_sent(part) for part in parts):
        return None
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else f"wandb sync ended with exit code {done.returncode}"


def _ask_server() -> None:
    import wandb

    try:
        url = wandb.setup().settings.base_url
    except ValueError as error:
        raise InputError(f"W&B's settings are not valid: {error}") from error
    try:
        urlopen(url, timeout=PROBE_SECONDS).close()
    except HTTPError:
        return  # it answers
    except (OSError, HTTPException) as error:  # nobody, or what is no web server
        reason = str(getattr(error, "reason", error)).strip()
        raise RunError(
            f"W&B's server {url} does not answer ({reason}); nothing is lost, and the same command uploads later"
        ) from error


if __name__ == "__main__":
    with one_sentence_errors():
        main()
