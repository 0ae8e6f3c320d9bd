"""Looks to come, against looks at seeds that were really drawn."""

import numpy as np
import pytest

from analysis.stats.looks import above, take_looks
from analysis.stats.planning import future


def test_looks_to_come_are_spread_as_those_at_new_seeds_from_what_the_first_leave_open() -> None:
    generator = np.random.default_rng(1)
    first = np.array([0.2, 0.9, 0.4, 0.7, 0.5])
    found = future(first, (first.std(ddof=1), 4), 0.0, 10)
    sigma = first.std(ddof=1) * np.sqrt(4 / generator.chisquare(4, 20_000))
    truth = first.mean() + sigma / np.sqrt(5) * generator.normal(size=20_000)
    new = truth[:, None] + sigma[:, None] * generator.normal(size=(20_000, 5))
    expected = take_looks(np.concatenate([np.tile(first, (20_000, 1)), new], axis=1))
    for quantile in (0.1, 0.5, 0.9):
        assert np.quantile(found.mean[:, -1], quantile) == pytest.approx(
            np.quantile(expected.mean[:, -1], quantile), abs=0.03
        )
        assert np.quantile(found.of_seeds[:, -1], quantile) == pytest.approx(
            np.quantile(expected.of_seeds[:, -1], quantile), rel=0.15
        )


def test_looks_before_it_are_empty_and_images_are_the_same() -> None:
    found = future(np.array([0.2, 0.9, 0.4, 0.7]), (0.3, 12), 0.01, 5)
    assert found.seeds == (3, 5)
    assert np.isnan(found.mean[:, 0]).all()
    assert (found.of_images == 0.01).all()
    assert (above(found, -100.0) < 1e-3).all()


def test_the_same_seeds_give_the_same_draws() -> None:
    differences = np.array([0.2, 0.9, 0.4])
    one, other = (future(differences, (0.3, 2), 0.0, 20) for _ in range(2))
    assert np.array_equal(one.mean, other.mean, equal_nan=True)
