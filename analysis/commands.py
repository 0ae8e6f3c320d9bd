"""What the command `python -m analysis` does: loads runs, makes their report, prints what was found, and a path."""

import argparse
import importlib
import importlib.util
import shlex
import shutil
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from analysis.compare.design import Design
from analysis.read.folders import Loaded, load
from analysis.read.results import load_results, published, write_results
from analysis.report.contents import MOST_COMMANDS, Report, make_report
from analysis.report.files import publish
from analysis.report.findings import findings
from analysis.report.published import PAGE, publish_beside, write_pages
from analysis.report.text import sentence, terminal
from analysis.report.wandb import upload
from analysis.tables.dots import summary_table
from analysis.tables.family import family_runs
from analysis.words import EVERY_RUN, FAMILY, NO_SWEEP, RESULTS
from coatlab.config.files import choices
from coatlab.config.places import require_chosen, train_command
from coatlab.errors import InputError, not_one_of
from coatlab.output.text import line, shown
from coatlab.sweep.commands import read_commands

DEFAULT_STUDY = "layouts"
OWN_WORDS = {EVERY_RUN: [], FAMILY: ["size=coatnet_0", "data=imagenet", "recipe=in1k"]}  # make runs for it
README = RESULTS.parents[1] / "README.md"  # has a section of them
WIDE = 240  # letters per line if the output is a file or a pipe


def run(chosen: argparse.Namespace, words: list[str] | None) -> None:
    """Load the study's runs, print what was found, and write its report.

    Args:
        chosen: the arguments.
        words: those of the command line; None: they are in sys.argv.

    Raises:
        InputError: there is no such study, no run of it, or its runs must not be compared.
    """
    studies = [*choices("sweep"), *NO_SWEEP]
    if chosen.publish or (chosen.source == "folders" and not chosen.results):
        require_chosen("runs", chosen.runs)
    if chosen.results or chosen.publish:
        _show_published(chosen)
        return
    if chosen.study is None:
        print("studies:", ", ".join(studies))
        return
    if chosen.study not in studies:
        raise not_one_of("study", chosen.study, studies)
    loaded = _load(chosen, None if chosen.study in NO_SWEEP else chosen.study)
    if chosen.study == FAMILY:
        loaded = replace(loaded, runs=loaded.runs[family_runs(loaded.runs)])
    sweep = train_command(OWN_WORDS.get(chosen.study, [f"sweep={chosen.study}"]))
    if loaded.runs.empty and chosen.study != FAMILY:
        place = f"--project={chosen.project}" if chosen.source == "wandb" else f"--runs={shown(chosen.runs)}"
        raise InputError(f"{place} holds no run of study {chosen.study}; to make some: {sweep}")
    typed = [train_command(one) for one in read_commands(chosen.runs, chosen.study)[-MOST_COMMANDS:]]
    own = shlex.join(["python", "-m", "analysis", *(sys.argv[1:] if words is None else words)])
    commands = [*(typed if typed and chosen.source == "folders" else [sweep]), own]
    report = make_report(chosen.study, loaded, _design(chosen.study), commands, chosen.allow)
    report = replace(report, made=date.today().isoformat())
    folder = publish(report, chosen.reports)
    _show(report, chosen.verbose)
    if sent := upload(report, folder, loaded.runs, chosen.tracker, chosen.project):
        print(sent)
    print(shown(folder / "report.html"))


def _show_published(chosen: argparse.Namespace) -> None:
    """Publish a study's runs if that was asked for; write the reports of published results anew, and print them.

    Raises:
        InputError: there is no study to publish, or nothing is published.
    """
    of_new = _add_to_results(chosen) if chosen.publish else None
    reports = []
    for study in [chosen.study] if chosen.study else published(RESULTS):
        report = of_new or _report_of_results(chosen, study, RESULTS)
        publish_beside(report, RESULTS / study)
        print(f"{study}: {report.compared}" if report.compared else study)
        _show(report, chosen.verbose)
        print(shown(RESULTS / study / PAGE))
        reports.append(report)
    if not chosen.study:
        write_pages(README, RESULTS / README.name, reports)


def _add_to_results(chosen: argparse.Namespace) -> Report:
    """Add a study's runs to the published results, and return the report of all that are published of it then."""
    if chosen.study not in choices("sweep"):
        raise not_one_of("study", chosen.study, choices("sweep"))
    with TemporaryDirectory() as draft:  # what cannot be reported is refused before anything is written
        if (RESULTS / chosen.study).is_dir():
            shutil.copytree(RESULTS / chosen.study, Path(draft, chosen.study))
        write_results(chosen.runs, chosen.study, Path(draft))
        report = _report_of_results(chosen, chosen.study, Path(draft))
    write_results(chosen.runs, chosen.study, RESULTS)
    return report


def _report_of_results(chosen: argparse.Namespace, study: str, results: Path) -> Report:
    commands = [f"python src/train.py sweep={study}", f"python -m analysis --results {study}"]
    return make_report(study, load_results(results, study), _design(study), commands, chosen.allow)


def _show(report: Report, verbose: bool) -> None:
    """Print a report: in short, or all of it."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = WIDE
    tables = [*report.tables, *report.verdicts, *filter(None, [report.protocol])]
    if verbose or not report.dots:
        for table in tables if verbose else report.tables:
            terminal(table, console)
    if report.dots:
        terminal(summary_table(report.dots), console)
    for note in (*report.notes, *report.absent) if verbose else report.short_notes:
        sentence(line(note), console)
    for text in findings(report.judgements):
        sentence(text, console)


def _load(chosen: argparse.Namespace, study: str | None) -> Loaded:
    if chosen.source == "folders":
        return load(chosen.runs, study)
    from analysis.read.wandb import load_project

    return load_project(chosen.project, study)


def _design(study: str) -> Design:
    """Find the design of a study by its name; a study without a design compares layouts, of any cost."""
    own = study not in NO_SWEEP and importlib.util.find_spec(f"analysis.studies.{study}") is not None
    design = importlib.import_module(f"analysis.studies.{study if own else DEFAULT_STUDY}").DESIGN
    assert isinstance(design, Design)
    return design if own else replace(design, matched_cost=False)
