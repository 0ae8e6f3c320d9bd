"""Seeds crossed with subsets: runs that share neither are judged, and all say where the noise comes from."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.crossed import diagonal, sources
from tests.analysis.claims.planted import G

CLAIM = replace(G, metric="test/accuracy", relations=G.relations[:1])


def crossed(of_seed: float, of_subset: float, size: int = 30) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    seeds, subsets = generator.normal(0, of_seed, size), generator.normal(0, of_subset, size)
    rows = [
        {"name": name, "seed": i, "data.split_seed": j, "budget": budget,
         "test/accuracy": 0.8 + (seeds[i] + subsets[j]) * (name == "CCCC") + generator.normal(0, 1e-4)}
        for name in ("CCCC", "CCCT") for i in range(size) for j in range(size) for budget in (1,)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_runs_that_share_a_seed_or_a_subset_are_not_counted_twice() -> None:
    runs = crossed(0.01, 0.01, 3)
    found = diagonal(runs)
    assert [(run["name"], run["seed"], run["data.split_seed"]) for _, run in found.iterrows()] == [
        (name, place, place) for name in ("CCCC", "CCCT") for place in range(3)
    ]
    both_budgets = pd.concat([runs, runs.assign(budget=2)])
    assert len(diagonal(both_budgets)) == 2 * len(found)


def test_where_each_seed_has_its_own_subset_all_runs_count() -> None:
    runs = crossed(0.01, 0.01, 3)
    own = runs[runs["seed"] == runs["data.split_seed"]]
    one = runs[runs["data.split_seed"] == 0]
    for some in (own, one, runs.drop(columns="data.split_seed")):
        assert diagonal(some) is some
        assert sources(CLAIM, some) == []


@pytest.mark.parametrize(("of_seed", "of_subset"), [(0.01, 0.03), (0.02, 0.005)])
def test_the_noise_is_that_which_was_planted(of_seed: float, of_subset: float) -> None:
    (note,) = sources(CLAIM, crossed(of_seed, of_subset))
    seed, subset = (float(number) for number in re.findall(r"([0-9.]+) (?:seed,|training subset)", note))
    assert (seed, subset) == (pytest.approx(of_seed, rel=0.3), pytest.approx(of_subset, rel=0.3))
    assert "CCCC - CCCT varies with (standard deviation in 30 seeds on 30 subsets)" in note


def test_a_number_that_is_made_of_budgets_has_its_sources_too() -> None:
    runs = crossed(0.01, 0.03)
    budgets = pd.concat(
        [
            runs.assign(
                **{"trainer.max_epochs": epochs, "train_eval/loss": loss, "eval/accuracy": runs["test/accuracy"]}
            )
            for epochs, loss in ((2, 0.3), (8, 0.01))
        ]
    )
    (of_one,) = sources(CLAIM, runs)
    (of_both,) = sources(replace(CLAIM, metric="finished/accuracy", losses=(0.03, 0.2)), budgets.reset_index(drop=True))
    assert of_both == of_one  # both budgets of a run have the same accuracy
    assert sources(replace(CLAIM, metric="finished/accuracy", losses=(0.03, 0.2)), runs) == []
