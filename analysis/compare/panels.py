"""Complete runs to panels: a row a cell, with the runs of its seeds, after a check that the rows may be compared.

A design says what a study compares. Its panels are tables of their own, which nothing compares: two data sets, two
resolutions. Within a panel rows differ in the factors and the seed alone, or it is refused.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.compare.confounds import Donors, is_below, require_comparable, setup_warnings, start_of
from analysis.compare.design import ATTENTIONS, LAYOUTS, Design, Panel, Row
from analysis.tabular import Column
from coatlab.runs.identity import experiment

PRECISION, DONOR = "trainer.precision", "init.donor"


def make_panels(
    runs: pd.DataFrame, design: Design, donors: Donors | None = None, allow: Sequence[str] = ()
) -> list[Panel]:
    """Sort a study's complete runs into panels of comparable rows.

    Args:
        runs: complete runs, as `analysis.read.folders` has them.
        design: what is compared.
        donors: configs of runs that others start from, by fingerprint.
        allow: keys that may differ all the same; runs that do are rows of their own, with a footnote.

    Raises:
        InputError: the runs of a panel differ in more than the factors and the seed.
    """
    counted = counted_settings(runs, donors)
    apart = keys_kept_apart(counted, allow)
    places: dict[str, list[int]] = {}
    for place, keys in enumerate(counted):
        places.setdefault(json.dumps([keys.get(panel) for panel in design.panels]), []).append(place)
    titles = _titles(places, design.panels)
    every = {panel: _cells([counted[place] for place in inside], design, apart) for panel, inside in places.items()}
    names = {panel: {_cell_name(cell, design) for cell in cells} for panel, cells in every.items()}
    made = []
    for panel in sorted(places, key=lambda panel: [_rank(value) for value in json.loads(panel)]):
        values = dict(zip(design.panels, json.loads(panel), strict=True))
        own = runs.iloc[places[panel]]
        notes = require_comparable(own, design.factors, donors, allow)
        notes += setup_warnings(own)
        firsts = {first for other in names if _alike(panel, other, design) for first, _ in names[other]}
        missing = sorted(firsts - {first for first, _ in names[panel]})
        if design.crossed:
            others = {rest for _, rest in names[panel]}
            missing += [f"{a} {b}" for a in sorted(firsts) for b in sorted(others) if (a, b) not in names[panel]]
        one = _panel(titles[panel], values, own, every[panel], design.lead, donors)
        if missing:
            notes.append(f"Missing, no complete run here: {', '.join(missing)}.")
        made.append(replace(one, notes=[*notes, *one.notes]))
    return made


def _alike(panel: str, other: str, design: Design) -> bool:
    """Tell whether what one panel has is expected of the other: a plan is of one size, a layout or attention of any."""
    size = design.panels.index("size.name")
    return not is_below(design.factors[0], ["plan"]) or json.loads(panel)[size] == json.loads(other)[size]


def uncompared_panel(runs: pd.DataFrame, donors: Donors | None = None) -> Panel:
    """Sort experiments of any kind into one panel, a row each; nothing is compared."""
    places: dict[str, list[int]] = {}
    for place, counted in enumerate(counted_settings(runs, donors)):
        keys = {key: value for key, value in counted.items() if key != "seed"}
        places.setdefault(json.dumps(keys, sort_keys=True), []).append(place)
    one = _panel("all", {}, runs, places, "layout")
    return replace(one, notes=["The rows are not compared: they may differ in more than is shown.", *one.notes])


def layout_name(layout: str, attention: str) -> str:
    """Name a layout plainly: ViT_REL says "relative", so with another attention it is a ViT."""
    return "ViT" if layout == "ViT_REL" and attention != "relative" else layout


def covering_notes(runs: pd.DataFrame) -> list[str]:
    """Say where local attention is global, because its field covers the grid."""
    local = runs[runs["covering"].astype(bool)]
    return [
        f"* {attention} in {layout_name(layout, attention)} is global in {stages}: its field covers the grid there."
        for layout, attention, stages in dict.fromkeys(
            zip(local["layout.name"], local["attention"], local["covering"], strict=True)
        )
    ]


def counted_settings(runs: pd.DataFrame, donors: Donors | None) -> list[dict[str, Any]]:
    """Return what counts of each run; the run that it started from is told by all that counts of it but the seed."""
    return [experiment(config) | {DONOR: start_of(config, donors or {})} for config in runs["config"]]


def keys_kept_apart(counted: Sequence[Mapping[str, Any]], allow: Sequence[str]) -> list[str]:
    """Return keys in which runs may differ, but are then never averaged: what is allowed, and precision."""
    return [*allow, *([PRECISION] if len({one.get(PRECISION) for one in counted}) > 1 else [])]


def settings_below(one: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return what counts of a run below some keys."""
    return {key: value for key, value in one.items() if is_below(key, keys)}


def _cells(counted: Sequence[Mapping[str, Any]], design: Design, apart: Sequence[str]) -> dict[str, list[int]]:
    """Return the cells of a panel: places of its runs by what they have of the factors and of what is kept apart."""
    cells: dict[str, list[int]] = {}
    for place, one in enumerate(counted):
        factors = {key: value for key, value in settings_below(one, design.factors).items() if key != DONOR}
        cells.setdefault(json.dumps(factors | settings_below(one, apart)), []).append(place)
    return cells


def _panel(
    title: str,
    values: Mapping[str, Any],
    every: pd.DataFrame,
    places: Mapping[str, Sequence[int]],
    lead: str,
    donors: Donors | None = None,
) -> Panel:
    """Put cells in order and name them by layout, attention, and the keys in which those of one such pair differ."""
    settings = {cell: json.loads(cell) for cell in places}
    cells = {cell: every.iloc[inside] for cell, inside in places.items()}
    pairs = {
        cell: {"layout": layout_name(run["layout.name"], run["attention"]), "attention": run["attention"]}
        for cell, run in ((cell, runs.iloc[0]) for cell, runs in cells.items())
    }
    details = list(keys_that_differ(list(settings.values()), list(pairs.values())))
    orders = {"layout": LAYOUTS, "attention": ATTENTIONS}
    keys = (lead, *(key for key in orders if key != lead))
    sorted_rows = []
    for cell, runs in cells.items():
        pair, more = pairs[cell], [value_text(settings[cell].get(key)) for key in details]
        place = [orders[key].index(pair[key]) if pair[key] in orders[key] else len(orders[key]) for key in keys]
        shown = pair | {"attention": pair["attention"] + "*" * bool(runs["covering"].any())}
        facts = experiment(runs["config"].iloc[0])
        start = (donors or {}).get(facts.get("init.donor") or "", {}).get("data", {})
        row = Row((*(shown[key] for key in keys), *more), runs, facts | {"init.data": start.get("name")})
        sorted_rows.append(((place, more), row))
    rows = [row for _, row in sorted(sorted_rows, key=lambda one: one[0])]
    notes = [*covering_notes(every), *_unequal(list(cells.values()))]
    columns = [*keys, *(short_key(key, details) for key in details)]
    return Panel(title, values, tuple(map(Column, columns)), rows, every, notes)


def keys_that_differ(settings: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, str]]) -> Iterator[str]:
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
        panel: ", ".join(f"{keys[i]}={value_text(one[i])}" for i in shown) if keys else "all"
        for panel, one in values.items()
    }


def _unequal(cells: Sequence[pd.DataFrame]) -> list[str]:
    """Say if rows are of different seeds."""
    seeds = [tuple(sorted(cell["seed"])) for cell in cells]
    if len(set(seeds)) < 2:
        return []
    every = sorted({seed for cell in seeds for seed in cell})
    short = sum(set(every) != set(cell) for cell in seeds)
    return [f"Unequal seeds: {short} of {len(seeds)} rows lack some of the seeds {', '.join(map(str, every))}."]


def _cell_name(cell: str, design: Design) -> tuple[str, str]:
    """Name a cell by what it has of the first factor, and of the others: choices by their names."""
    keys = json.loads(cell)
    chosen = {key.rpartition(".")[0] for key in keys if key.endswith(".name")}
    first: list[str] = []
    rest: list[str] = []
    for key, value in keys.items():
        words = first if is_below(key, design.factors[:1]) else rest
        if key.endswith(".name"):
            words.append(str(value))
        elif key.partition(".")[0] not in chosen:
            words.append(f"{key}={value_text(value)}")
    return " ".join(first), " ".join(rest)


def short_key(key: str, others: Sequence[str]) -> str:
    """Name a key by its last part, and a choice by its group, where that is enough."""
    last = [other.removesuffix(".name").rpartition(".")[2] for other in others]
    mine = key.removesuffix(".name").rpartition(".")[2]
    return mine if last.count(mine) == 1 else key


def _rank(value: Any) -> tuple[bool, bool, float, str]:
    """Order numbers by size, then text, then None, which is everything there is."""
    number = isinstance(value, int | float)
    return value is None, not number, value if number else 0.0, str(value)


def value_text(value: Any) -> str:
    """Write a value of the config as tables do: a list as the paper writes blocks, 2-2-6-14-2."""
    if isinstance(value, list):
        return "-".join("+".join(map(str, entry)) if isinstance(entry, list) else str(entry) for entry in value)
    return "–" if value is None else str(value)
