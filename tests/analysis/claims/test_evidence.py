"""Numbers of two names become pairs by seed."""

import numpy as np
import pytest

from analysis.claims.evidence import Evidence, pair
from analysis.claims.ordering import Relation
from analysis.stats.looks import MOST_SEEDS
from tests.analysis.claims.planted import G

NAN = float("nan")
CELLS = {"a": np.array([0.9, NAN, 0.8, 0.7, 0.9, NAN]), "b": np.array([0.8, 0.7, 0.75, NAN, 0.8, 0.7])}
RELATION = Relation("a", ">", "b")


def test_seeds_are_paired_in_order_and_gaps_within_the_look_are_counted() -> None:
    found = pair(RELATION, Evidence(G, CELLS, gaps={("a", 1): "diverged", ("b", 3): "failed"}))
    assert found.differences == pytest.approx([0.1, 0.05, 0.1])
    assert (found.used, found.complete, found.left_fine, found.right_fine) == (3, 1, 1, MOST_SEEDS)
    assert list(found.gaps) == ["seed 1 of a is diverged", "seed 3 of b is failed"]


def test_a_gap_without_a_run_is_missing_and_seeds_have_their_numbers() -> None:
    found = pair(RELATION, Evidence(G, CELLS, seeds=[3, 5, 8, 9, 11, 12]))
    assert list(found.gaps) == ["seed 5 of a is without a number", "seed 9 of b is without a number"]


def test_scores_are_paired_with_their_seeds() -> None:
    scores = {name: np.repeat(values[:, None], 4, axis=1) for name, values in CELLS.items()}
    scores["a"][:, 0] += 0.3
    scores["a"][:, 1] -= 0.3
    found = pair(RELATION, Evidence(G, CELLS, scores=scores))
    assert found.images == 4
    assert found.looks.of_images[0] == pytest.approx(np.var([0.3, -0.3, 0, 0], ddof=1) / 4)
    assert pair(RELATION, Evidence(G, CELLS, scores={"a": scores["a"]})).images == 0
