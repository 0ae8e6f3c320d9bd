"""What is in a report, whatever its format: tables, verdicts on claims, figures, the runs used, and the commands."""

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.claims.by_panel import by_panel
from analysis.claims.claim import load_claims
from analysis.claims.judge import Judgement, judge
from analysis.claims.ordering import names_of
from analysis.compare.audit import ALIASES, audited, require_derivable
from analysis.compare.confounds import require_keys
from analysis.compare.design import Design, Panel
from analysis.compare.labels import run_names
from analysis.compare.order import in_order, layout_rank
from analysis.compare.panels import images_text, make_panels, uncompared_panel
from analysis.figures.style import REGIME_KEYS
from analysis.read.folders import Loaded
from analysis.stats import Floats, Summary, summarize
from analysis.tables.cost import cost_tables
from analysis.tables.dots import Dots, dots_of
from analysis.tables.family import family_tables
from analysis.tables.protocol import protocol_table
from analysis.tables.scores import listing_table, score_tables
from analysis.tables.verdicts import HOW_TO_READ, verdict_table
from analysis.tabular import Column, Table
from analysis.words import EVERY_RUN, FAMILY
from coatlab.errors import InputError
from coatlab.output.figure import encoded
from coatlab.output.text import line

ABOUT_COMMANDS = (
    "The sweeps of the study as they were typed, or, where that is not known, the one that runs it; and the command "
    "that made this report."
)
URGENT = ("Warning", "Compared although", "Missing", "Unequal seeds")  # begin notes that are printed in any case
MOST_DATA = 4  # data sets that the head of a page names
MOST_COMMANDS = 10  # sweeps that are listed
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

    @cached_property
    def svg(self) -> bytes:
        """Return the content of its SVG file."""
        return encoded(self.figure, self.name, "svg")

    @cached_property
    def png(self) -> bytes:
        """Return the content of its PNG file."""
        return encoded(self.figure, self.name, "png")


@dataclass(frozen=True)
class Report:
    """The contents of a report, for all formats.

    Attributes:
        study: its name.
        runs: one row per run, whatever its status, by fingerprint.
        tables: tables of the complete runs, the main one first.
        protocol: how the complete runs were trained, on what and where; None where there are none.
        judgements: one per claim about the study and panel, in the order of claims.yaml.
        verdicts: the judgements as tables.
        dots: what each row reaches, in one number; a plot per panel.
        compared: what was compared, in a line.
        pictures: figures of the complete runs.
        absent: why there are no other figures.
        notes: what a reader has to know about the runs, and what is missing here and why.
        commands: those that `ABOUT_COMMANDS` describes.
        counts: the number of runs by status.
        made: the day on which it was made.
    """

    study: str
    runs: Table
    tables: Sequence[Table] = ()
    protocol: Table | None = None
    judgements: Sequence[Judgement] = ()
    verdicts: Sequence[Table] = ()
    dots: Sequence[Dots] = ()
    compared: str = ""
    pictures: Sequence[Picture] = ()
    absent: Sequence[str] = ()
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    made: str = ""

    @property
    def short_notes(self) -> list[str]:
        """Return what must be read even in short: how many runs there are, and what tables warn of."""
        warned = [note for table in self.tables for note in table.notes if note.startswith(URGENT)]
        return list(dict.fromkeys([*self.notes[:1], *warned, *self.absent]))


def make_report(study: str, loaded: Loaded, design: Design, commands: Sequence[str], allow: Sequence[str]) -> Report:
    """Make the report of a study's runs.

    Args:
        study: its name, or `all`.
        loaded: its runs, whatever their status.
        design: what it compares.
        commands: those that `ABOUT_COMMANDS` describes.
        allow: keys in which runs may differ nevertheless, with a footnote.

    Raises:
        InputError: runs must not be compared, or their numbers cannot be derived again, and the message names the keys
            and values; or no run has an allowed key.
    """
    require_keys([key for key in allow if key not in ALIASES], loaded.runs.get("config", ()))
    require_derivable(loaded)
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
    cells = [audited(panel, design, allow) for panel in make_panels(complete, design, loaded.donors, allow)]
    made = [*score_tables(cells, design, _interval), *cost_tables(cells, _interval)]
    cases = list(by_panel(load_claims(study), loaded.runs, design.panels))
    judgements = judge(cases, loaded.history, np.random.default_rng(SEED), loaded.donors, allow)
    verdicts = [verdict_table(judgement) for judgement in judgements]
    named = complete.assign(name=run_names(complete, design, loaded.donors, allow))
    pictures, absent = _draw_figures(design.figures, _for_matplotlib(named), loaded.history)
    dots = dots_of(cells, _interval, _expected(judgements, design))
    return replace(
        report,
        tables=made,
        judgements=judgements,
        verdicts=verdicts,
        dots=dots,
        compared=_compared(complete, cells),
        pictures=pictures,
        absent=absent,
        notes=[*notes, *([HOW_TO_READ] if verdicts else [])],
    )


def _expected(judgements: Sequence[Judgement], design: Design) -> list[str]:
    """Return the names that the study's claims are about, if claims name them as its tables do."""
    name = f"{design.factors[0]}.name" if design.factors[0] != "attention" else "attention"
    own = [one.claim for one in judgements if one.claim.names == name and not one.claim.called]
    return list(dict.fromkeys(name for claim in own for name in names_of(claim.relations)))


def _compared(runs: pd.DataFrame, panels: Sequence[Panel]) -> str:
    """Say in a line what complete runs are of: layouts, data, images, seeds of a row and size."""
    sets = runs[["data.name", "data.train_size"]].drop_duplicates().sort_values(["data.name", "data.train_size"])
    data = [f"{name} ({images_text(size)})" for name, size in sets.itertuples(index=False)]
    parts = [f"{', '.join(data[:MOST_DATA])}{', ...' * (len(data) > MOST_DATA)}"]
    seeds = [row.runs["seed"].nunique() for panel in panels for row in (panel.over_budgets or panel).rows]
    least, most = min(seeds), max(seeds)
    parts.append(f"{least if least == most else f'{least} to {most}'} seed{'s' * (most > 1)}")
    sizes = in_order(map(str, runs["size.name"].unique())) if "size.name" in runs else []
    parts += [f"size {', '.join(sizes)}"] if sizes else []
    for key, unit, form in (("parameters", "M parameters", 1e6), ("macs", "M multiply-adds", 1e6)):
        if key in runs and runs[key].notna().any():
            low, high = (f"{number / form:.3g}" for number in (runs[key].min(), runs[key].max()))
            parts.append(f"{low if low == high else f'{low} to {high}'} {unit}")
    return "; ".join(parts)


def _runs_table(runs: pd.DataFrame) -> Table:
    """List all runs, in the order of tables; what a run does not have is None or NaN."""
    if {"layout.name", "data.name"} <= set(runs):
        ranks = runs.apply(lambda run: (str(run["data.name"]), layout_rank(str(run["layout.name"]))), axis=1)
        runs = runs.iloc[sorted(range(len(runs)), key=ranks.tolist().__getitem__)]
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
            caption = line(module.__doc__).replace("`", "")  # a page is no Markdown
            pictures.append(Picture(name, caption, draw(runs, history)))
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
