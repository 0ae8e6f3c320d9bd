"""Runs named by what figures tell apart in them, which is what the rows of a table do (`analysis.compare.panels`)."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.compare.confounds import Donors
from analysis.compare.design import Design
from analysis.compare.panels import (
    counted_settings,
    keys_kept_apart,
    keys_that_differ,
    layout_name,
    settings_below,
    short_key,
    value_text,
)
from coatlab.config.files import groups


def run_names(runs: pd.DataFrame, design: Design, donors: Donors | None = None, allow: Sequence[str] = ()) -> pd.Series:
    """Name each run by what figures tell apart in it, which is what rows do: the first factor, and other keys.

    These are the other factors, settings of a layout or an attention of which there are several, and what is allowed to
    differ. Of several, those are left out in which a run is as most cells of its panel. How a run starts is none of it:
    starts are panels of their own.
    """
    counted = counted_settings(runs, donors)
    apart = keys_kept_apart(counted, allow)
    panels = [{"panel": json.dumps([one.get(key) for key in design.panels])} for one in counted]
    pairs = [
        panel | {"layout": layout, "attention": attention}
        for panel, layout, attention in zip(panels, runs["layout.name"], runs["attention"], strict=True)
    ]
    brought = [settings_below(one, [factor for factor in design.factors if factor != "init"]) for one in counted]
    given = [factor for factor in design.factors if factor not in groups()]
    allowed = keys_that_differ([settings_below(one, apart) for one in counted], panels)
    shown = list(dict.fromkeys([*given, *keys_that_differ(brought, pairs), *allowed]))
    usual = _usual(counted, [one["panel"] for one in panels], shown) if len(shown) > 1 else {}
    named = []
    for one, pair in zip(counted, pairs, strict=True):
        told = {"layout": layout_name(pair["layout"], pair["attention"]), "attention": pair["attention"]}
        chosen, common = told.get(design.factors[0]), usual.get(pair["panel"], {})
        words = [
            f"{short_key(key, shown)}={value_text(one[key])}"
            for key in shown
            if key in one and value_text(one[key]) != common.get(key)
        ]
        named.append(", ".join([chosen, *words] if chosen else words or ["unchanged"]))
    return pd.Series(named, index=runs.index, dtype=object)


def _usual(
    counted: Sequence[Mapping[str, Any]], panels: Sequence[str], keys: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return by panel what more of its cells have of a key than anything else, for keys where there is such a value."""
    cells: dict[str, set[tuple[str, ...]]] = {}
    for one, panel in zip(counted, panels, strict=True):
        cells.setdefault(panel, set()).add(tuple(value_text(one.get(key)) for key in keys))
    found: dict[str, dict[str, str]] = {}
    for panel, own in cells.items():
        for place, key in enumerate(keys):
            first, *others = Counter(cell[place] for cell in own).most_common(2)
            if len(own) > 1 and (not others or first[1] > others[0][1]):
                found.setdefault(panel, {})[key] = first[0]
    return found
