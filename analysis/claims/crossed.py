"""Seeds crossed with training subsets: several runs of a name with one seed, each on another subset (data.split_seed).

Usually a seed draws its own subset, and a verdict counts seeds. If a study runs each seed on each subset, its runs are
not independent of each other: those of one subset share it, those of one seed share their initial weights. A verdict
then uses only runs that share neither with another, the first seed on the first subset, the second on the second, and
so on; the others serve to say where the noise comes from, seed or subset, which tells what a study has to vary.
"""

import numpy as np
import pandas as pd

from analysis.claims.claim import Claim
from analysis.compare.finished import BUDGET, MEASURES, measured
from analysis.stats.variance import components

SUBSET = "data.split_seed"


def diagonal(about: pd.DataFrame) -> pd.DataFrame:
    """Return all runs, or, if seeds are crossed with training subsets, runs of which no two cells share either.

    Args:
        about: runs with columns `name`, `seed`, and `data.split_seed`, if that is known.
    """
    if SUBSET not in about or not _is_crossed(about):
        return about
    chosen: dict[float, float] = {}
    for seed, subset in sorted(set(zip(about["seed"], about[SUBSET], strict=True))):
        if seed not in chosen and subset not in chosen.values():
            chosen[seed] = subset
    return about[about["seed"].map(chosen) == about[SUBSET]]


def sources(claim: Claim, about: pd.DataFrame) -> list[str]:
    """Say for each written relation how much of the noise of a difference is the seed's, and the subset's.

    Args:
        claim: its metric is a final one, so that a name has one run per seed and subset; or it is made of a name's
            budgets (`analysis.compare.finished`), so that a name has one number per seed and subset.
        about: complete runs, as `diagonal` takes them.
    """
    if SUBSET not in about or not _is_crossed(about):
        return []
    numbers, notes = _numbers(claim, about), []
    for relation in (one for one in claim.relations if not one.implied):
        if not {relation.left, relation.right} <= set(numbers["name"]):
            continue
        left, right = (
            numbers[numbers["name"] == name].pivot_table("number", SUBSET, "seed", aggfunc="first")
            for name in (relation.left, relation.right)
        )
        table = (left - right).dropna(axis="columns").to_numpy(float)
        found = components(table) if min(table.shape, default=0) > 1 else None
        if found:
            parts = np.sqrt([found.column, found.row, found.rest])
            kinds = ("seed", "training subset", "both together")
            words = ", ".join(f"{part:.2g} {kind}" for part, kind in zip(parts, kinds, strict=True))
            notes.append(
                f"{relation.left} - {relation.right} varies with (standard deviation in {table.shape[1]} seeds on "
                f"{table.shape[0]} subsets): {words}"
            )
    return notes


def _numbers(claim: Claim, about: pd.DataFrame) -> pd.DataFrame:
    """Return the claim's metric of each name, seed and subset, in a column `number`."""
    if claim.metric in about:
        return about.assign(number=about[claim.metric])
    if claim.metric not in MEASURES or BUDGET not in about:
        return pd.DataFrame(columns=["name", "seed", SUBSET, "number"])
    parts = [
        measured(claim.metric, own, claim.losses).values.rename("number").reset_index().assign(**{SUBSET: subset})
        for subset, own in about.groupby(SUBSET)
    ]
    return pd.concat(parts).dropna(subset=["number"])


def _is_crossed(about: pd.DataFrame) -> bool:
    """Tell whether a name has runs with one seed on several subsets."""
    return bool((about.groupby(["name", "seed"])[SUBSET].nunique() > 1).any())
