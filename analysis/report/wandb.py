"""Sends a report to W&B if it is configured: one run of job type `report` per study, which each new report continues.

tables/<title>, verdicts/<claim>, runs   wandb.Table, numbers as numbers; an interval is four columns, as in table.csv
figures/<name>                           the PNG, with its caption
report                                   report.html, where there is one
verdict/<claim>                          in the summary: supported, contradicted, undecided or out of reach

W&B is configured if the study's runs were tracked (`tracker=wandb`, from which project, entity and mode are taken) and
either a key for W&B is set, or the runs' mode or WANDB_MODE says which mode to use. If W&B fails, the report is written
anyway, and a line says what happened.
"""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.read.wandb import REPORT_ID
from analysis.report.contents import Report
from analysis.tabular import Table, machine_readable
from coatlab.config import places
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.output.text import shown
from coatlab.tracking.session import has_key, is_offline, open_session, say, worded


def upload(report: Report, folder: Path, runs: pd.DataFrame, tracker: str, project: str | None = None) -> str | None:
    """Send a report that was written to W&B; never raise.

    Args:
        report: what is sent.
        folder: where its files are, and where W&B writes its own.
        runs: those of the study, as `analysis.read.folders` returns them; their configs name the W&B project.
        tracker: one of `analysis.words.TRACKERS`.
        project: entity/name of the W&B project that the runs were read from.

    Returns:
        A line that says where the report is in W&B; None if nothing was sent. A failure is printed.
    """
    try:
        settings = _settings(runs, tracker, project)
        if settings is None:
            return None
        config = {"study": report.study, "commands": list(report.commands)}
        group, id = report.study, REPORT_ID + report.study
        run = open_session(settings, folder=folder, id=id, job_type="report", group=group, config=config)
        if run is None:
            return None
        run.log(_content(report, folder))
        run.summary.update({f"verdict/{judged.claim.key}": judged.verdict for judged in report.judgements})
        run.finish(exit_code=0)
        if is_offline(run):
            return f"W&B: offline; to send it: {_upload_command(report.study, folder)}"
        return None if run.disabled else f"W&B: {run.url}"
    except Exception as error:  # whatever W&B raises: the report is written
        say(f"the report was not sent to W&B ({worded(error)}); its files are complete")
        return None


def _upload_command(study: str, folder: Path) -> str:
    """Return the command that sends offline reports, and brings W&B to the state of the runs."""
    named = [study] if study in choices("sweep") else []
    elsewhere = (
        [] if folder.parent.absolute() == places.folder("reports").absolute() else ["--reports", shown(folder.parent)]
    )
    return shlex.join(["python", "-m", "coatlab.upload", *named, *elsewhere])


def _settings(runs: pd.DataFrame, tracker: str, project: str | None) -> Mapping[str, Any] | None:
    """Return the settings of conf/tracker/wandb.yaml that most runs have; None if nothing is to be sent."""
    if tracker == "none":
        return None
    configs = runs["config"] if "config" in runs else pd.Series(dtype=object)
    tracked = [config["tracker"] for config in configs if (config or {}).get("tracker", {}).get("name") == "wandb"]
    settings = dict(max(tracked, key=tracked.count) if tracked else compose(["tracker=wandb"])["tracker"])
    if project:
        settings["entity"], _, settings["project"] = project.partition("/")
    settings |= {"run_name": None, "notes": None, "dir": None}  # those of runs
    asked = settings["mode"] != "auto" or os.environ.get("WANDB_MODE") or has_key()
    return settings if tracker == "wandb" or (tracked and asked) else None


def _content(report: Report, folder: Path) -> dict[str, Any]:
    """Return what is logged, by the keys that it has in W&B."""
    import wandb

    tables = {
        "runs": report.runs,
        **_keyed("tables", [(table.title, table) for table in report.tables]),
        **_keyed("verdicts", zip([judged.claim.key for judged in report.judgements], report.verdicts, strict=True)),
    }
    content: dict[str, Any] = {}
    for key, table in tables.items():
        titles, rows = machine_readable(table)
        content[key] = wandb.Table([*titles], rows, allow_mixed_types=True)
    for picture in report.pictures:
        file = folder / "figures" / f"{picture.name}.png"
        content[f"figures/{picture.name}"] = wandb.Image(str(file), caption=picture.caption)
    if (folder / "report.html").is_file():
        content["report"] = wandb.Html(str(folder / "report.html"), inject=False)
    return content


def _keyed(group: str, tables: Iterable[tuple[str, Table]]) -> dict[str, Table]:
    """Key tables by their titles, from which W&B makes file names; titles that become the same are numbered."""
    keyed: dict[str, Table] = {}
    for title, table in tables:
        key = f"{group}/{re.sub(r'[^A-Za-z0-9_=]+', '-', title).strip('-')}"
        keyed[key if key not in keyed else f"{key}-{len(keyed)}"] = table
    return keyed
