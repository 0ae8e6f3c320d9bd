"""What a study's runs say, put together: tables, verdicts on its claims, figures, the runs used, and how to make it."""

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
from analysis.tables.scores import listing_table, score_tables
from analysis.tables.verdicts import HOW_TO_READ, verdict_table
from analysis.tabular import Column, Table
from coatlab.errors import InputError
from coatlab.output.text import line, one_line

EVERY_RUN = "all"  # in the place of a study: a listing of all runs, which compares none
ABOUT_COMMANDS = (
    "What runs the study, less the words behind it that narrow or widen it, as seed=0,1,2 (.hydra/overrides.yaml of a "
    "run's folder has those that made it); and what made this report."
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
    """A figure with the sentences that say what it shows."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Report:
    """What a report has, in any format.

    Attributes:
        study: its name.
        runs: a row a run whatever its status, by fingerprint.
        tables: of the complete runs, the one that the study is about first.
        judgements: one a claim about the study, in the order of claims.yaml.
        verdicts: the same as tables.
        pictures: figures of the complete runs.
        notes: what a reader has to know of the runs, and of what is missing here and why.
        commands: as `COMMANDS` says.
        counts: the number of runs by status.
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


def make_report(study: str, loaded: Loaded, design: Design, commands: Sequence[str], allow: Sequence[str]) -> Report:
    """Make the report of a study's runs.

    Args:
        study: its name, or `all`.
        loaded: its runs, whatever their status.
        design: what it compares.
        commands: as `COMMANDS` says.
        allow: keys in which runs may differ all the same, with a footnote.

    Raises:
        InputError: runs that must not be compared; the sentence names the keys and values. Or a key that no run has.
    """
    require_keys(allow, loaded.runs.get("config", ()))
    notes = [
        *loaded.note(),
        "eval: images held out of the training files; test: the official test files, looked at once.",
    ]
    complete, runs = loaded.complete, _runs_table(loaded.runs.reset_index())
    counts = Counter(sorted(loaded.runs["status"]))
    report = Report(study, runs, notes=notes, commands=commands, counts=counts)
    if study == FAMILY:
        return replace(report, tables=family_tables(complete, loaded.donors, _interval))
    if complete.empty:
        return report
    if study == EVERY_RUN:
        return replace(report, tables=[listing_table(uncompared_panel(complete, loaded.donors), _interval)])
    cells = make_panels(complete, design, loaded.donors, allow)
    made = [*score_tables(cells, design, loaded.history, _interval), *cost_tables(cells, _interval)]
    judgements = [
        judge(claim, loaded.runs, loaded.history, np.random.default_rng(SEED), loaded.donors, allow)
        for claim in load_claims(study)
    ]
    verdicts = [verdict_table(judgement) for judgement in judgements]
    named = complete.assign(name=run_names(complete, design, loaded.donors, allow))
    pictures, absent = _draw_figures(design.figures, _for_matplotlib(named), loaded.history)
    notes += [*([HOW_TO_READ] if verdicts else []), *absent]
    return replace(report, tables=made, judgements=judgements, verdicts=verdicts, pictures=pictures, notes=notes)


def _runs_table(runs: pd.DataFrame) -> Table:
    """List all runs; None and NaN are what a run does not have."""
    shown = {key: column for key, column in RUN_COLUMNS.items() if key in runs}
    whole = {key: runs[key].astype("Int64") if column.form == "d" else runs[key] for key, column in shown.items()}
    rows = [[None if pd.isna(value) else value for value in row] for row in pd.DataFrame(whole).itertuples(index=False)]
    return Table("Runs", [*shown.values()], rows)


def _draw_figures(figures: Sequence[str], runs: pd.DataFrame, history: pd.DataFrame) -> tuple[list[Picture], list[str]]:
    """Draw figures; what the runs do not give is said instead."""
    pictures, absent = [], []
    for name in figures:
        module = importlib.import_module(f"analysis.figures.{name}")
        draw: Callable[[pd.DataFrame, pd.DataFrame], Figure] = module.draw
        try:
            pictures.append(Picture(name, one_line(module.__doc__), draw(runs, history)))
        except InputError as error:
            absent.append(f"No figure {name}: {error}.")
    return pictures, absent


def _for_matplotlib(runs: pd.DataFrame) -> pd.DataFrame:
    """Write what figures show of runs so that matplotlib shows it as it is: no formula, no control character."""
    shown = runs[[column for column in ("name", "layout.name", *REGIME_KEYS) if column in runs]]
    return runs.assign(**shown.map(lambda value: line(value).replace("$", r"\$") if isinstance(value, str) else value))


def _interval(values_S: Floats) -> Summary:
    """Summarize a cell's numbers, with the same interval every time."""
    return summarize(values_S, np.random.default_rng(SEED))
