"""Names of runs in figures, which tell apart what the rows of a table tell apart (`analysis.compare.panels`)."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.compare.confounds import Donors
from analysis.compare.design import Design
from analysis.compare.order import UNCHANGED, layout_name
from analysis.compare.panels import (
    counted_settings,
    keys_kept_apart,
    keys_that_differ,
    settings_below,
    short_key,
    value_text,
)
from coatlab.config.files import groups


def run_names(runs: pd.DataFrame, design: Design, donors: Donors | None = None, allow: Sequence[str] = ()) -> pd.Series:
    """Name each run by its value of the first factor, and by other keys where these are needed to tell runs apart.

    Those are the other factors, settings that a layout or an attention has in several values, and keys that are allowed
    to differ. Where there are several such keys, a run is not named by those in which it is like most cells of its
    panel. Its start (`init`) is never among them, since starts are drawn in panels of their own.
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
        named.append(", ".join([chosen, *words] if chosen else words or [UNCHANGED]))
    return pd.Series(named, index=runs.index, dtype=object)


def _usual(
    counted: Sequence[Mapping[str, Any]], panels: Sequence[str], keys: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return for each panel the most frequent value of each key among its cells, where one value is that."""
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
