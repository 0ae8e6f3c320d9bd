"""Claims are judged panel by panel: what a study does not compare in its tables, no claim compares either."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.claims.claim import Claim
from analysis.claims.judge import names_in
from analysis.claims.ordering import names_of
from analysis.compare.order import value_rank
from analysis.compare.panels import short_key, value_text


def by_panel(
    claims: Sequence[Claim], runs: pd.DataFrame, panels: Sequence[str]
) -> Iterator[tuple[Claim, pd.DataFrame]]:
    """Yield each claim with the runs to judge it by: once, or once per panel that has complete runs of its names.

    The key of a claim names the panel, as in `G at size tiny`, where it or another that stands beside the same claim is
    judged in several: its verdict is compared with that of the same panel.

    Args:
        claims: about the study.
        runs: of the study, whatever their status.
        panels: keys of the config that tell the study's panels apart (`Design.panels`).
    """
    panels_of = {claim.key: _panels(claim, runs, panels) for claim in claims}
    for claim in claims:
        keys, found = panels_of[claim.key]
        group = [one.key for one in claims if (one.beside or one.key) == (claim.beside or claim.key)]
        differing = [key for key in keys if found and any(_differ(panels_of[one][1], key) for one in group)]
        if not differing:  # what its runs share still belongs to the command that makes more of them
            shared = {key: [value] for key, value in found[0].items()} if found else {}
            yield replace(claim, rows={**claim.rows, **shared}), runs
            continue
        for values in sorted(found, key=lambda one: [value_rank(key, one[key]) for key in keys]):
            inside = pd.Series(True, index=runs.index)
            for key in keys:
                inside &= runs[key] == values[key]
            words = ", ".join(f"{short_key(key, differing)} {value_text(values[key])}" for key in differing)
            beside = claim.beside and f"{claim.beside} at {words}"
            rows = {**claim.rows, **{key: [values[key]] for key in keys}}
            key = f"{claim.key} at {words}"
            yield replace(claim, key=key, beside=beside, rows=rows, panel=words), runs[inside]


def _panels(claim: Claim, runs: pd.DataFrame, panels: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the keys that tell a claim's panels apart, and their values in each panel that has complete runs."""
    keys = [key for key in panels if key in runs and key != claim.names]
    about = _complete_about(claim, runs)
    found: list[dict[str, Any]] = about[keys].drop_duplicates().to_dict("records") if keys and len(about) else []
    return keys, found


def _differ(found: Sequence[dict[str, Any]], key: str) -> bool:
    return len({json.dumps(one.get(key)) for one in found}) > 1


def _complete_about(claim: Claim, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the complete runs that a claim is about; none if a column that it names is missing."""
    if not {"status", claim.names, *claim.rows} <= set(runs):
        return runs.head(0)
    named = names_in(claim, runs).isin(names_of(claim.relations))
    return runs[(runs["status"] == "complete") & claim.rows_of(runs) & named]
