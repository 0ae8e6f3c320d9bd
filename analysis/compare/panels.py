"""Complete runs to panels: one row per cell, with the runs of its seeds, once they may be compared.

A design says what a study compares. Each of its panels becomes a table, and panels are not compared with each other:
two data sets, two resolutions. Within a panel, rows differ only in the design's factors and the seed; otherwise the
panel is refused.

A run's "settings that count" are those in its fingerprint (`coatlab.runs.identity`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.compare.confounds import Donors, require_comparable, setup_warnings, starts_of
from analysis.compare.design import Design, Panel, Row
from analysis.compare.order import (
    COVERING,
    NO_ATTENTION,
    attention_rank,
    in_order,
    layout_name,
    layout_rank,
    value_rank,
)
from analysis.paper.data_sets import ABUNDANT
from analysis.tabular import Column
from coatlab.config.words import is_below
from coatlab.runs.identity import PER_SEED, experiment, per_seed

PRECISION, DONOR = "trainer.precision", "init.donor"


def make_panels(
    runs: pd.DataFrame, design: Design, donors: Donors | None = None, allow: Sequence[str] = ()
) -> list[Panel]:
    """Sort a study's complete runs into panels of comparable rows.

    Args:
        runs: complete runs, as `analysis.read.folders` returns them.
        design: what is compared.
        donors: configs of runs that others start from, by fingerprint.
        allow: keys that may differ nevertheless; runs that differ in them get rows of their own and a footnote.

    Raises:
        InputError: the runs of a panel differ in more than the factors and the seed.
    """
    counted = counted_settings(runs, donors)
    apart = keys_kept_apart(counted, allow)
    places: dict[str, list[int]] = {}
    for place, keys in enumerate(counted):
        places.setdefault(json.dumps([keys.get(panel) for panel in design.panels]), []).append(place)
    titles = _titles(places, design.panels)
    budgets = {panel: _budgets([counted[place] for place in inside], design) for panel, inside in places.items()}
    every = {
        panel: _cells([counted[place] for place in inside], design.factors, apart) for panel, inside in places.items()
    }
    names = {panel: {_cell_name(cell, design) for cell in cells} for panel, cells in every.items()}
    made = []
    valued = {panel: dict(zip(design.panels, json.loads(panel), strict=True)) for panel in places}
    for panel in sorted(places, key=lambda panel: [value_rank(*one) for one in valued[panel].items()]):
        own = runs.iloc[places[panel]]
        notes = require_comparable(own, [*design.factors, *budgets[panel]], donors, allow)
        notes += setup_warnings(own)
        firsts = {first for other in names if _alike(panel, other, design) for first, _ in names[other]}
        missing = in_order(firsts - {first for first, _ in names[panel]})
        if design.crossed:
            others = in_order(rest for _, rest in names[panel])
            missing += [f"{a} {b}" for a in in_order(firsts) for b in others if (a, b) not in names[panel]]
        one = _panel(titles[panel], valued[panel], own, every[panel], design.lead, donors)
        if missing:
            notes.append(f"Missing, because no run of it is complete here: {', '.join(missing)}.")
        one = replace(one, notes=[*notes, *one.notes])
        if budgets[panel]:
            cells = _cells([counted[place] for place in places[panel]], [*design.factors, *budgets[panel]], apart)
            apiece = _panel(titles[panel], valued[panel], own, cells, design.lead, donors)
            one = replace(apiece, over_budgets=one)
        made.append(one)
    return made


def _budgets(counted: Sequence[Mapping[str, Any]], design: Design) -> list[str]:
    """Return the key of the budgets of a panel if it has several budgets, and no abundant images."""
    if not design.budgets or counted[0].get("data.name") in ABUNDANT:
        return []
    return [design.budgets] if len({one.get(design.budgets) for one in counted}) > 1 else []


def _alike(panel: str, other: str, design: Design) -> bool:
    """Tell whether one panel is expected to have what the other has: plans belong to one size, all else to any."""
    if "size.name" not in design.panels or not is_below(design.factors[0], ["plan"]):
        return True
    size = design.panels.index("size.name")
    return bool(json.loads(panel)[size] == json.loads(other)[size])


def uncompared_panel(runs: pd.DataFrame, donors: Donors | None = None) -> Panel:
    """Put experiments of any kind into one panel, one row per experiment; nothing is compared."""
    places: dict[str, list[int]] = {}
    for place, settings in enumerate(counted_settings(runs, donors)):
        keys = {key: value for key, value in settings.items() if key != "seed"}
        places.setdefault(json.dumps(keys, sort_keys=True), []).append(place)
    one = _panel("all", {}, runs, places, "layout")
    return replace(one, notes=["Rows are not compared: they may differ in more than is shown.", *one.notes])


def covering_notes(runs: pd.DataFrame) -> list[str]:
    """Say where local attention is in fact global, because its field covers the whole grid of positions."""
    local = runs[runs["covering"].astype(bool)]
    found = sorted(
        set(zip(local["layout.name"], local["attention"], local["covering"], strict=True)),
        key=lambda one: (layout_rank(one[0]), attention_rank(one[1])),
    )
    return [
        f"{COVERING} {attention} in {layout_name(layout, attention)} is global in {stages}: "
        "its field covers the grid there."
        for layout, attention, stages in found
    ]


def counted_settings(runs: pd.DataFrame, donors: Donors | None) -> list[dict[str, Any]]:
    """Return the settings of each run that count, but not what follows the seed.

    A run that it started from is known by its settings except the seed.
    """
    configs = list(runs["config"])
    following = set(per_seed(configs)).difference(PER_SEED)
    return [
        {key: value for key, value in experiment(config).items() if key not in following} | {DONOR: start}
        for config, start in zip(configs, starts_of(configs, donors or {}), strict=True)
    ]


def keys_kept_apart(counted: Sequence[Mapping[str, Any]], allow: Sequence[str]) -> list[str]:
    """Return keys in which runs may differ but are then never averaged: those that are allowed, and precision."""
    return [*allow, *([PRECISION] if len({one.get(PRECISION) for one in counted}) > 1 else [])]


def settings_below(settings: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the settings whose key is one of some keys, or below one."""
    return {key: value for key, value in settings.items() if is_below(key, keys)}


def _cells(counted: Sequence[Mapping[str, Any]], factors: Sequence[str], apart: Sequence[str]) -> dict[str, list[int]]:
    """Return the cells of a panel: the places of its runs, by their values of the factors and of keys kept apart."""
    cells: dict[str, list[int]] = {}
    for place, one in enumerate(counted):
        compared = {key: value for key, value in settings_below(one, factors).items() if key != DONOR}
        cells.setdefault(json.dumps(compared | settings_below(one, apart)), []).append(place)
    return cells


def _panel(
    title: str,
    values: Mapping[str, Any],
    every: pd.DataFrame,
    places: Mapping[str, Sequence[int]],
    lead: str,
    donors: Donors | None = None,
) -> Panel:
    """Sort cells and name them by layout, attention, and the keys in which cells with the same two differ."""
    settings = {cell: json.loads(cell) for cell in places}
    cells = {cell: every.iloc[inside] for cell, inside in places.items()}
    pairs = {
        cell: {"layout": layout_name(run["layout.name"], run["attention"]), "attention": run["attention"]}
        for cell, run in ((cell, runs.iloc[0]) for cell, runs in cells.items())
    }
    details = list(keys_that_differ(list(settings.values()), list(pairs.values())))
    ranks = {"layout": layout_rank, "attention": attention_rank}
    keys = (lead, *(key for key in ranks if key != lead))
    rows = []
    for cell, runs in cells.items():
        pair, more = pairs[cell], {key: settings[cell].get(key) for key in details}
        rank = (*(ranks[key](pair[key]) for key in keys), *(value_rank(*one) for one in more.items()))
        shown = pair | {"attention": pair["attention"] + COVERING * bool(runs["covering"].any())}
        words = (*(shown[key] for key in keys), *map(value_text, more.values()))
        facts = experiment(runs["config"].iloc[0])
        start = (donors or {}).get(facts.get(DONOR) or "", {}).get("data", {})
        rows.append(Row(words, rank, runs, facts | {"init.data": start.get("name")}))
    rows.sort(key=lambda row: row.rank)
    notes = [*covering_notes(every), *_unequal(list(cells.values()))]
    columns = [
        *(Column(key, within=0, but=NO_ATTENTION if key == "attention" else "") for key in keys),
        *(Column(short_key(key, details), within=0) for key in details),
    ]
    return Panel(title, values, tuple(columns), rows, every, notes)


def keys_that_differ(settings: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield the keys in which rows with the same layout and attention differ, and which must therefore be shown."""
    for key in dict.fromkeys(key for setting in settings for key in setting):
        values: dict[tuple[str, ...], set[str]] = {}
        for setting, pair in zip(settings, pairs, strict=True):
            values.setdefault(tuple(pair.values()), set()).add(json.dumps(setting.get(key)))
        if any(len(found) > 1 for found in values.values()):
            yield key


def _titles(panels: Mapping[str, Sequence[int]], keys: Sequence[str]) -> dict[str, str]:
    """Title each panel by the first of its keys and by the keys in which panels differ."""
    values = {panel: json.loads(panel) for panel in panels}
    shown = [i for i in range(len(keys)) if i == 0 or len({json.dumps(one[i]) for one in values.values()}) > 1]
    return {
        panel: ", ".join(_said(keys[i], one[i], keys) for i in shown) if keys else "all"
        for panel, one in values.items()
    }


def _said(key: str, value: Any, keys: Sequence[str]) -> str:
    """Write a value that a panel has; the name of a data set says itself what it is, and so does a number of images."""
    if key == "data.train_size":
        return images_text(value)
    return value_text(value) if key == "data.name" else f"{short_key(key, keys)} {value_text(value)}"


def _unequal(cells: Sequence[pd.DataFrame]) -> list[str]:
    """Say it if rows have different seeds."""
    seeds = [tuple(sorted(set(cell["seed"]))) for cell in cells]
    if len(set(seeds)) < 2:
        return []
    every = sorted({seed for cell in seeds for seed in cell})
    lacking = sum(set(every) != set(cell) for cell in seeds)
    return [f"Unequal seeds: {lacking} of {len(seeds)} rows lack some of the seeds {', '.join(map(str, every))}."]


def _cell_name(cell: str, design: Design) -> tuple[str, str]:
    """Name a cell by its values of the first factor, and of the others; the choice of a group goes by its name."""
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
    """Shorten a key to its last part, and the name of a group's choice to the group, where no other key is alike."""
    last = [other.removesuffix(".name").rpartition(".")[2] for other in others]
    mine = key.removesuffix(".name").rpartition(".")[2]
    return mine if last.count(mine) == 1 else key


def value_text(value: Any) -> str:
    """Write a value of the config as tables show it: a list as the paper writes blocks, 2-2-6-14-2."""
    if isinstance(value, list):
        return "-".join("+".join(map(str, entry)) if isinstance(entry, list) else str(entry) for entry in value)
    return "–" if value is None else str(value)


def images_text(size: float | None) -> str:
    """Write a number of training images; None or NaN is all that a data set has."""
    return "all images" if pd.isna(size) else f"{size:,.0f} images"
