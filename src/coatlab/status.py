"""The command: `python -m coatlab.status layouts` shows the state of a study, read from its run folders alone.

    python -m coatlab.status                       every study that has runs, one line per study
    python -m coatlab.status layouts seed=0,1,2    the cells of `python src/train.py sweep=layouts seed=0,1,2`
    python -m coatlab.status layouts --json        the same for programs
    python -m coatlab.status --clean               remove the folders of failed runs and empty ones, after asking

Runs of the study that these overrides do not ask for are listed too. The keys of the JSON:

    runs      the folder that holds the run folders
    study     the study that was named, or null
    commands  a list: the commands that finish the study; empty if nothing is left to do
    counts    number of cells by state (coatlab.runs.state says what the states mean)
    cells     a list with one entry per run:
                name         what tells it apart from other cells, without the seed
                studies      all studies that have asked for it
                seed         its seed
                state        its state
                asked        whether these overrides ask for it
                folder       its run folder
                fingerprint  its identity; null before it has begun
                error        why it failed or stopped, or which process is running it; else null
                age          seconds since its last logged row or record; null before it has begun
                epoch        the last epoch that was finished; null if there is none
                epochs       the number of epochs of the whole run
"""

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from yaml import YAMLError  # type: ignore[import-untyped]

from coatlab.cli import one_sentence_errors
from coatlab.config import places
from coatlab.config.compose import compose
from coatlab.config.composer import loader_of
from coatlab.config.files import choices, conf_dir
from coatlab.config.typed.reading import at_home
from coatlab.config.words import as_typed, word
from coatlab.errors import InputError, not_one_of
from coatlab.output.text import duration, shown
from coatlab.runs.clean import clean
from coatlab.runs.spec import Spec, make_specs
from coatlab.runs.state import STATES
from coatlab.sweep.expand import expand
from coatlab.sweep.standing import CellStatus, cell_statuses

NO_STUDY = "none"
COLORS = {"complete": "green", "running": "cyan", "missing": "dim", "outdated": "dim", "interrupted": "yellow"}
PIPED_COLUMNS = 300  # width of the tables in a pipe or a file


def main(words: list[str] | None = None) -> None:
    """Read the arguments and the run folders, and print the state of a study or of all studies.

    Raises:
        InputError: a study that does not exist, or overrides that make no valid cells.
    """
    studies = choices("sweep")
    parser = argparse.ArgumentParser(prog="python -m coatlab.status", description="Show the state of a study's runs.")
    parser.add_argument("study", nargs="?", help=f"one of: {', '.join(studies)}; without one, each gets one line")
    parser.add_argument("override", nargs="*", help="overrides of the sweep's command line, such as seed=0,1,2")
    places.add_folder_option(parser, "runs", "folder of run folders")
    parser.add_argument("--all", action="store_true", help="list every run, whatever its study")
    parser.add_argument("--json", action="store_true", help="print JSON; the module's docstring explains the keys")
    parser.add_argument("--clean", action="store_true", help="remove folders of failed runs, and empty ones")
    parser.add_argument("--yes", action="store_true", help="with --clean: do not ask")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="folder of your own choices, as for train.py")
    chosen = parser.parse_intermixed_args(words)
    own = chosen.config_dir and Path(os.path.expanduser(chosen.config_dir))
    if own is not None:
        places.require_folder("--config-dir", own)
        studies = sorted({*studies, *(path.stem for path in (own / "sweep").glob("*.yaml"))})
    if chosen.study is not None and chosen.study not in studies:
        raise not_one_of("study", chosen.study, studies)
    places.require_chosen("runs", chosen.runs)
    if chosen.clean:
        if other := "--json" if chosen.json else " ".join(chosen.override):
            raise InputError(f"{other} is not valid with --clean; give a study or none, --runs and --yes")
        clean(chosen.runs, chosen.study, ask=not chosen.yes)
        return
    typed = chosen.runs != places.folder("runs")
    runs_override = [word("paths.runs", str(chosen.runs))] if typed else []
    overrides = [f"sweep={chosen.study}", *map(at_home, chosen.override), *runs_override] if chosen.study else []
    cells = _cells_of(chosen.study, overrides, own) if chosen.study else []
    runs = cells[0].folder.parent if cells else chosen.runs
    statuses = cell_statuses(runs, chosen.study, cells)
    commands = _finishing_commands(statuses, chosen.study, overrides, runs_override, own)
    if chosen.json:
        counts = {state: sum(status.state == state for status in statuses) for state in STATES}
        found = {"runs": str(runs), "study": chosen.study, "commands": commands, "counts": counts}
        print(json.dumps(found | {"cells": [asdict(status) for status in statuses]}))
    elif chosen.study or chosen.all:
        _print_cells(statuses, commands)
    else:
        _print_studies(statuses)
    if not chosen.json:
        print(f"runs: {shown(runs)}" + ("" if runs.is_dir() else ", which does not exist yet"))


def _cells_of(study: str, overrides: Sequence[str], own: Path | None) -> list[Spec]:
    """Compose the cells that a study's command line asks for."""
    of_hydra = [each for each in overrides if each.lstrip("+~").startswith("hydra")]
    others = [each for each in overrides if each not in of_hydra]
    with loader_of(conf_dir(), own) as loader:
        sweeper = compose([f"sweep={study}", *of_hydra], hydra_too=True).hydra.sweeper
        cells = expand(sweeper, others, OverridesParser.create(config_loader=loader))
        return list(make_specs(cells))


def _finishing_commands(
    statuses: Sequence[CellStatus], study: str | None, overrides: Sequence[str], runs_override: Sequence[str],
    own: Path | None,
) -> list[str]:  # fmt: skip
    """Return the commands that finish a study: its sweep, and the runs of the study that other overrides asked for.

    Args:
        statuses: of all its runs.
        study: its name; without one there is no such command.
        overrides: of its sweep.
        runs_override: the one that names the folder of runs, if that is not the default; it goes into every command.
        own: the folder of the user's own choices, if there is one; it goes into every command as well.
    """
    if study is None:
        return []
    unfinished = [status for status in statuses if status.state in ("missing", "interrupted", "failed")]
    commands = [overrides] if any(status.asked for status in unfinished) else []
    for status in unfinished:
        if not status.asked and (recorded := _recorded_words(Path(status.folder))):
            others = [entry for entry in recorded if not entry.startswith("paths.runs=")]
            if f"sweep={study}" in others:
                # its own word for the folder may have been relative to another working directory
                here = [] if others == recorded else [word("paths.runs", shown(Path(status.folder).parent))]
                commands.append([*others, *(runs_override or here)])
    flags = [f"--config-dir={shown(own)}"] if own is not None else []
    return [places.train_command([*flags, *words]) for words in commands]


def _recorded_words(folder: Path) -> list[str]:
    """Return the overrides that made a run, as its folder has them; none where they cannot be read."""
    try:
        words = OmegaConf.load(folder / ".hydra" / "overrides.yaml")
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return []
    return as_typed(words) if isinstance(words, ListConfig) else []


def _print_cells(statuses: Sequence[CellStatus], commands: Sequence[str]) -> None:
    """Print one line for the runs that differ only in the seed, the number of runs by state, and the commands."""
    table = Table("cell", "state", "seeds", "epoch", "last row", "why", box=box.SIMPLE)
    together: dict[tuple[str, str, str | None], list[CellStatus]] = defaultdict(list)
    for status in statuses:
        together[status.name, status.state, status.error if status.state != "running" else None].append(status)
    some_asked = any(status.asked for status in statuses)
    for (name, state, _), same in together.items():
        seeds = ",".join(str(run.seed) for run in same if run.seed is not None)
        epochs = ",".join(f"{run.epoch or 0}/{run.epochs}" for run in same if run.state in ("running", "interrupted"))
        ages = ",".join(duration(run.age) for run in same if run.age is not None and run.state != "complete")
        why = "; ".join(dict.fromkeys(run.error for run in same if run.error))
        note = " (asked for by other overrides)" if some_asked and not all(run.asked for run in same) else ""
        cells = [escape(name) + note, f"[{COLORS.get(state, 'red')}]{state}[/]", seeds, epochs, ages, escape(why)]
        table.add_row(*cells)
    console = _console()
    if statuses:
        console.print(table)
    count = Counter(status.state for status in statuses)
    console.print(", ".join(f"{count[state]} {state}" for state in STATES if count[state]) or "no run")
    for command in commands:
        console.print(f"finish it: {escape(command)}", soft_wrap=True)


def _console() -> Console:
    """Return the console for the tables; in a pipe or a file it is wide, so that no reason is wrapped."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_COLUMNS)


def _print_studies(statuses: Sequence[CellStatus]) -> None:
    """Print one line per study: its number of runs by state, except `missing`, which only its sweep can tell."""
    table = Table("study", *STATES[:-1], box=box.SIMPLE)
    for study in sorted({study for status in statuses for study in status.studies or [NO_STUDY]}):
        count = Counter(status.state for status in statuses if study in (status.studies or [NO_STUDY]))
        table.add_row(study, *(str(count[state] or "") for state in STATES[:-1]))
    console = _console()
    console.print(table if statuses else "no run")
    console.print("python -m coatlab.status STUDY lists its cells; studies: " + ", ".join(choices("sweep")))


if __name__ == "__main__":
    with one_sentence_errors():
        main()
