"""What is in a report, whatever its format: tables, verdicts on claims, figures, the runs used, and the commands."""

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.claims.claim import load_claims
from analysis.claims.judge import Judgement, judge
from analysis.compare.confounds import require_keys
from analysis.compare.design import Design
from analysis.compare.labels import run_names
from analysis.compare.panels import make_panels, uncompared_panel
from analysis.figures.style import REGIME_KEYS
from analysis.read.folders import Loaded
from analysis.stats import Floats, Summary, summarize
from analysis.tables.cost import cost_tables
from analysis.tables.family import FAMILY, family_tables
from analysis.tables.protocol import protocol_table
from analysis.tables.scores import listing_table, score_tables
from analysis.tables.verdicts import HOW_TO_READ, verdict_table
from analysis.tabular import Column, Table
from coatlab.errors import InputError
from coatlab.output.text import line

EVERY_RUN = "all"  # instead of a study: lists all runs and compares none
ABOUT_COMMANDS = (
    "The command that runs the study, without words that may have been added to choose or change cells, such as "
    "seed=0,1,2 (those that made a run are in .hydra/overrides.yaml of its folder); and the command that made this "
    "report."
)
SEED = 0  # of every bootstrap: the same runs give the same report
RUN_COLUMNS = {
    "run": Column("run"),
    "fingerprint": Column("fingerprint"),
    "status": Column("status"),
    "seed": Column("seed", "d"),
    "seconds": Column("seconds", ".0f"),
    "device": Column("device"),
    "code": Column("code"),
    "error": Column("error"),
}


@dataclass(frozen=True)
class Picture:
    """A figure with a caption that says what it shows."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Report:
    """The contents of a report, for all formats.

    Attributes:
        study: its name.
        runs: one row per run, whatever its status, by fingerprint.
        tables: tables of the complete runs, the main one first.
        judgements: one per claim about the study, in the order of claims.yaml.
        verdicts: the judgements as tables.
        pictures: figures of the complete runs.
        notes: what a reader has to know about the runs, and what is missing here and why.
        commands: those that `ABOUT_COMMANDS` describes.
        counts: the number of runs by status.
        protocol: how the complete runs were trained, on what and where; None where there are none.
    """

    study: str
    runs: Table
    tables: Sequence[Table] = ()
    judgements: Sequence[Judgement] = ()
    verdicts: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    protocol: Table | None = None


def make_report(study: str, loaded: Loaded, design: Design, commands: Sequence[str], allow: Sequence[str]) -> Report:
    """Make the report of a study's runs.

    Args:
        study: its name, or `all`.
        loaded: its runs, whatever their status.
        design: what it compares.
        commands: those that `ABOUT_COMMANDS` describes.
        allow: keys in which runs may differ nevertheless, with a footnote.

    Raises:
        InputError: runs must not be compared, and the message names the keys and values; or no run has an allowed key.
    """
    require_keys(allow, loaded.runs.get("config", ()))
    notes = [
        *loaded.note(),
        "eval: measured on images held out of the training files; test: on the official test files, once, at the end.",
    ]
    complete, runs = loaded.complete, _runs_table(loaded.runs.reset_index())
    counts = Counter(sorted(loaded.runs["status"]))
    report = Report(study, runs, notes=notes, commands=commands, counts=counts)
    if study == FAMILY:
        return replace(report, tables=family_tables(complete, loaded.donors, _interval))
    if complete.empty:
        return report
    report = replace(report, protocol=protocol_table(complete))
    if study == EVERY_RUN:
        return replace(report, tables=[listing_table(uncompared_panel(complete, loaded.donors), _interval)])
    cells = make_panels(complete, design, loaded.donors, allow)
    made = [*score_tables(cells, design, _interval), *cost_tables(cells, _interval)]
    cases = [(claim, loaded.runs) for claim in load_claims(study)]
    judgements = judge(cases, loaded.history, np.random.default_rng(SEED), loaded.donors, allow)
    verdicts = [verdict_table(judgement) for judgement in judgements]
    named = complete.assign(name=run_names(complete, design, loaded.donors, allow))
    pictures, absent = _draw_figures(design.figures, _for_matplotlib(named), loaded.history)
    notes += [*([HOW_TO_READ] if verdicts else []), *absent]
    return replace(report, tables=made, judgements=judgements, verdicts=verdicts, pictures=pictures, notes=notes)


def _runs_table(runs: pd.DataFrame) -> Table:
    """List all runs; what a run does not have is None or NaN."""
    shown = {key: column for key, column in RUN_COLUMNS.items() if key in runs}
    whole = {key: runs[key].astype("Int64") if column.form == "d" else runs[key] for key, column in shown.items()}
    rows = [[None if pd.isna(value) else value for value in row] for row in pd.DataFrame(whole).itertuples(index=False)]
    return Table("Runs", [*shown.values()], rows)


def _draw_figures(figures: Sequence[str], runs: pd.DataFrame, history: pd.DataFrame) -> tuple[list[Picture], list[str]]:
    """Draw figures; for one that the runs do not allow, a note says why."""
    pictures, absent = [], []
    for name in figures:
        module = importlib.import_module(f"analysis.figures.{name}")
        draw: Callable[[pd.DataFrame, pd.DataFrame], Figure] = module.draw
        try:
            pictures.append(Picture(name, line(module.__doc__), draw(runs, history)))
        except InputError as error:
            absent.append(f"No figure {name}: {error}.")
    return pictures, absent


def _for_matplotlib(runs: pd.DataFrame) -> pd.DataFrame:
    """Write the texts that figures show so that matplotlib shows them as they are: no formula, no control character."""
    shown = runs[[column for column in ("name", "layout.name", *REGIME_KEYS) if column in runs]]
    return runs.assign(**shown.map(lambda value: line(value).replace("$", r"\$") if isinstance(value, str) else value))


def _interval(values_S: Floats) -> Summary:
    """Summarize the numbers of a cell; the same numbers give the same interval every time."""
    return summarize(values_S, np.random.default_rng(SEED))
