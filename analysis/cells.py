"""Complete runs to tables: a row a cell, averaged over its seeds, after a check that the rows may be compared.

A design says what a study compares. Its panels are tables of their own, which nothing compares: two data sets, two
resolutions. Within a panel rows differ in the factors and the seed alone, or the table is refused.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.confounds import Donors, require_comparable, warnings, within
from analysis.render import Cell, Column, Interval, Table
from coatlab.configs import groups
from coatlab.identity import experiment

LAYOUTS = ("ViT_REL", "ViT", "CCCC", "CCCT", "CCTT", "CTTT")  # the paper's order of presentation
ATTENTIONS = ("relative", "post", "absolute", "window", "neighborhood", "linear", "none")  # global, local, linear
PANELS = ("data.name", "data.image_size", "size.name")
COSTS = {"parameters": Column("parameters (M)", ".3f"), "macs": Column("MACs (M)", ".2f")}  # in millions
MEASURES = {
    "train_eval/loss": Column("train loss", ".3f", best="low"),
    "train_eval/accuracy": Column("train acc.", ".1%", best="high"),
    "eval/accuracy": Column("eval acc.", ".1%", best="high"),
    "test/accuracy": Column("test acc.", ".1%", best="high"),
    "gap": Column("gap", "+.1%"),
    "images_per_second": Column("images/s", ".0f", best="high"),
}
Summarize = Callable[[Any], Interval]  # the numbers of a cell, one a seed


@dataclass(frozen=True)
class Design:
    """What a study compares, by groups and keys of the config: rows in the factors, one table a value of the panels."""

    factors: tuple[str, ...]
    panels: tuple[str, ...] = PANELS
    lead: str = "layout"  # the first column, by which rows are in order: layout or attention
    crossed: bool = False  # every combination of the factors is expected
    figures: tuple[str, ...] = ("curves", "cost")  # of analysis/figures, in the order of the report


@dataclass(frozen=True)
class Mean:
    """The mean of n numbers, without an interval."""

    n: int
    mean: float
    low: float = float("nan")
    high: float = float("nan")


def mean(values: Any) -> Mean:
    """Average the numbers of a cell; NaN are left out."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    return Mean(len(known), float(known.mean()) if len(known) else float("nan"))


def tables(
    runs: pd.DataFrame,
    design: Design,
    donors: Donors | None = None,
    allow: Sequence[str] = (),
    summarize: Summarize = mean,
) -> list[Table]:
    """Make the tables of a study's complete runs.

    Args:
        runs: complete runs, as `analysis.load` has them.
        design: what is compared.
        donors: configs of runs that others start from, by fingerprint.
        allow: keys that may differ all the same; runs that do are rows of their own, with a footnote.
        summarize: what becomes of a cell's numbers.

    Raises:
        InputError: the runs of a panel differ in more than the factors and the seed.
    """
    counted = [experiment(config) for config in runs["config"]]
    panels: dict[str, list[int]] = {}
    for place, keys in enumerate(counted):
        panels.setdefault(json.dumps([keys.get(panel) for panel in design.panels]), []).append(place)
    titles = _titles(panels, design.panels)
    every = {panel: _cells([counted[place] for place in places], design, allow) for panel, places in panels.items()}
    names = {panel: {_name(cell, design) for cell in cells} for panel, cells in every.items()}
    firsts = {first for found in names.values() for first, _ in found}
    made = []
    for panel, places in panels.items():
        rows = runs.iloc[places]
        notes = require_comparable(rows, design.factors, donors, allow)
        notes += warnings(rows)
        notes += _covering(rows)
        missing = sorted(firsts - {first for first, _ in names[panel]})
        if design.crossed:
            others = {rest for _, rest in names[panel]}
            missing += [f"{a} {b}" for a in sorted(firsts) for b in sorted(others) if (a, b) not in names[panel]]
        if missing:
            notes.append(f"Missing, no complete run here: {', '.join(missing)}.")
        cells = [rows.iloc[inside] for inside in every[panel].values()]
        notes += _unequal(cells)
        made.append(_table(titles[panel], cells, list(every[panel]), design.lead, notes, summarize))
    return made


def listing(runs: pd.DataFrame, summarize: Summarize = mean) -> Table:
    """List experiments of any kind, a row each, averaged over seeds; nothing is compared, so nothing is marked best."""
    counted = [
        {key: value for key, value in experiment(config).items() if key not in ("seed", "init.donor")}
        for config in runs["config"]
    ]
    places: dict[str, list[int]] = {}
    for place, keys in enumerate(counted):
        places.setdefault(json.dumps(keys, sort_keys=True), []).append(place)
    cells = [runs.iloc[inside] for inside in places.values()]
    notes = ["The rows are not compared: they may differ in more than is shown.", *_covering(runs), *_unequal(cells)]
    table = _table("all", cells, list(places), "layout", notes, summarize)
    return Table(table.title, [Column(one.title, one.form) for one in table.columns], table.rows, notes=table.notes)


def names(runs: pd.DataFrame, design: Design, allow: Sequence[str] = ()) -> pd.Series:
    """Name each run by what figures tell apart in it: the first factor, the other keys, what is allowed to differ.

    How a run starts is none of it: starts are panels of their own.
    """
    counted = [experiment(config) for config in runs["config"]]
    shown = [factor for factor in design.factors if factor not in groups()]
    shown += [key for key in allow if len({json.dumps(one.get(key)) for one in counted}) > 1]
    named = []
    for one, layout, attention in zip(counted, runs["layout.name"], runs["attention"], strict=True):
        chosen = {"layout": layout_name(layout, attention), "attention": attention}.get(design.factors[0])
        words = [f"{_short(key, shown)}={_word(one.get(key))}" for key in shown]
        named.append(", ".join([chosen, *words] if chosen else words))
    return pd.Series(named, index=runs.index, dtype=object)


def layout_name(layout: str, attention: str) -> str:
    """Name a layout plainly: ViT_REL says "relative", so with another attention it is a ViT."""
    return "ViT" if layout == "ViT_REL" and attention != "relative" else layout


def _cells(counted: Sequence[Mapping[str, Any]], design: Design, allow: Sequence[str]) -> dict[str, list[int]]:
    """Return the cells of a panel: places of its runs by what they have of the factors and of what is allowed."""
    keys = (*design.factors, *allow)
    cells: dict[str, list[int]] = {}
    for place, one in enumerate(counted):
        cell = {key: value for key, value in one.items() if within(key, keys) and key != "init.donor"}
        cells.setdefault(json.dumps(cell), []).append(place)
    return cells


def _table(
    title: str,
    cells: Sequence[pd.DataFrame],
    keys: Sequence[str],
    lead: str,
    notes: Sequence[str],
    summarize: Summarize,
) -> Table:
    settings = [json.loads(key) for key in keys]
    pairs = [
        {"layout": layout_name(run["layout.name"], run["attention"]), "attention": run["attention"]}
        for run in (cell.iloc[0] for cell in cells)
    ]
    details = list(_details(settings, pairs))
    rows: list[tuple[tuple[tuple[int, ...], list[str]], list[Cell]]] = []
    for cell, setting, pair in zip(cells, settings, pairs, strict=True):
        place = tuple(
            order.index(pair[name]) if pair[name] in order else len(order)
            for name, order in (("layout", LAYOUTS), ("attention", ATTENTIONS))
        )
        pair = pair | {"attention": pair["attention"] + "*" * bool(cell["covering"].any())}
        first = (lead, *(name for name in pair if name != lead))
        rows.append(
            (
                (place if lead == "layout" else place[::-1], [_word(setting.get(key)) for key in details]),
                [
                    *(pair[name] for name in first),
                    *(_word(setting.get(key)) for key in details),
                    len(cell),
                    *(float(cell[key].mean()) / 1e6 if key in cell else None for key in COSTS),
                    *(summarize(cell[key].to_numpy(dtype=float)) if key in cell else None for key in MEASURES),
                ],
            )
        )
    rows.sort(key=lambda row: row[0])
    columns = [Column(lead), Column("attention" if lead == "layout" else "layout")]
    columns += [Column(_short(key, details)) for key in details]
    columns += [Column("seeds", "d"), *COSTS.values(), *MEASURES.values()]
    return Table(title, columns, [row for _, row in rows], notes=notes)


def _details(settings: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield the keys in which rows of one layout and attention differ, so that they have to be shown."""
    for key in dict.fromkeys(key for setting in settings for key in setting):
        values: dict[tuple[str, ...], set[str]] = {}
        for setting, pair in zip(settings, pairs, strict=True):
            values.setdefault(tuple(pair.values()), set()).add(json.dumps(setting.get(key)))
        if any(len(found) > 1 for found in values.values()):
            yield key


def _titles(panels: Mapping[str, Sequence[int]], keys: Sequence[str]) -> dict[str, str]:
    """Name each panel by the first of its keys, and by those in which panels differ."""
    values = {panel: json.loads(panel) for panel in panels}
    shown = [i for i in range(len(keys)) if i == 0 or len({json.dumps(one[i]) for one in values.values()}) > 1]
    return {
        panel: ", ".join(f"{keys[i]}={_word(one[i])}" for i in shown) if keys else "all"
        for panel, one in values.items()
    }


def _covering(runs: pd.DataFrame) -> list[str]:
    """Say where local attention is global, because its field covers the grid."""
    local = runs[runs["covering"].astype(bool)]
    return [
        f"* {attention} in {layout_name(layout, attention)} is global in {stages}: its field covers the grid there."
        for layout, attention, stages in dict.fromkeys(
            zip(local["layout.name"], local["attention"], local["covering"], strict=True)
        )
    ]


def _unequal(cells: Sequence[pd.DataFrame]) -> list[str]:
    """Say if rows are of different seeds."""
    seeds = [tuple(sorted(cell["seed"])) for cell in cells]
    if len(set(seeds)) < 2:
        return []
    every = sorted({seed for cell in seeds for seed in cell})
    short = sum(set(every) != set(cell) for cell in seeds)
    return [f"Unequal seeds: {short} of {len(seeds)} rows lack some of the seeds {', '.join(map(str, every))}."]


def _name(cell: str, design: Design) -> tuple[str, str]:
    """Name a cell by what it has of the first factor, and of the others: choices by their names."""
    keys = json.loads(cell)
    chosen = {key.rpartition(".")[0] for key in keys if key.endswith(".name")}
    first: list[str] = []
    rest: list[str] = []
    for key, value in keys.items():
        words = first if within(key, design.factors[:1]) else rest
        if key.endswith(".name"):
            words.append(str(value))
        elif key.partition(".")[0] not in chosen:
            words.append(f"{key}={_word(value)}")
    return " ".join(first), " ".join(rest)


def _short(key: str, others: Sequence[str]) -> str:
    """Name a key by its last part, and a choice by its group, where that is enough."""
    last = [other.removesuffix(".name").rpartition(".")[2] for other in others]
    mine = key.removesuffix(".name").rpartition(".")[2]
    return mine if last.count(mine) == 1 else key


def _word(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(str(entry) for entry in value)
    return "–" if value is None else str(value)
