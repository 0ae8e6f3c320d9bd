"""What would settle a test, against statsmodels' power and simulated studies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats
from statsmodels.stats.power import ttest_power

from analysis.stats.looks import PLANNED, SHARES, tail
from analysis.stats.planning import Noise, Plan, _at_least, chance, plan


@pytest.mark.parametrize(("distance", "seeds", "level"), [(0.5, 8, 0.05), (1.0, 8, 0.01), (2.0, 5, 0.002)])
def test_the_chance_is_the_power_of_a_t_test(distance: float, seeds: int, level: float) -> None:
    expected = ttest_power(distance / 0.7, seeds, level, alternative="larger")
    assert chance(distance, seeds, Noise(0.7, 4), level) == pytest.approx(expected)


def test_with_images_the_chance_is_that_of_simulated_studies() -> None:
    generator, studies, seeds = np.random.default_rng(3), 40_000, 10
    noise = Noise(1.0, 9, of_images=0.1)
    of_seeds = generator.chisquare(9, studies) / 9 / seeds
    for distance, level in ((1.0, 0.05), (1.5, 0.01)):
        seen = generator.normal(distance, noise.error(seeds), studies)
        found = (tail(seen, of_seeds, np.full(studies, 0.1), 9) <= level).mean()
        assert chance(distance, seeds, noise, level) == pytest.approx(found, abs=0.03)


def test_the_bound_is_below_the_truth_four_times_in_five() -> None:
    samples = np.random.default_rng(7).normal(0.7, 1, (1500, 5))
    noises = [Noise(sample.std(ddof=1), 4) for sample in samples]
    bounds = [_at_least(sample.mean(), 5, noise) / noise.sd for sample, noise in zip(samples, noises, strict=True)]
    assert np.mean(
        np.array(bounds) < 0.7
    )  # in standard deviations, which is what power depends on == pytest.approx(0.8, abs=0.04)


def test_the_look_is_the_first_with_the_wanted_power_at_the_lower_bound_of_the_distance() -> None:
    found = plan([1.2], 5, 5, Noise(0.5, 4), level=0.01, power=0.8)
    t = 1.2 / (0.5 / np.sqrt(5))
    # the bound is the distance at which so large a t would be seen one time in five
    bound = optimize.brentq(lambda nc: scipy_stats.nct.sf(t, 4, nc) - 0.2, 0, t) / np.sqrt(5)
    powers = [
        ttest_power(bound, seeds, 0.01 * share, alternative="larger")
        for seeds, share in zip(PLANNED, SHARES, strict=True)
    ]
    assert found.sure
    assert found.seeds == next(n for n, power in zip(PLANNED, powers, strict=True) if n > 5 and power >= 0.8)


def test_where_the_bound_asks_for_too_many_the_plan_is_not_sure_or_there_is_none() -> None:
    assert plan([0.6], 3, 3, Noise(1.0, 2), 0.01, 0.8) == Plan(80, sure=False)
    assert plan([0.1], 3, 3, Noise(1.0, 2), 0.01, 0.8) == Plan(None)
    assert plan([9.0], 80, 80, Noise(1.0, 79), 0.01, 0.8) == Plan(None)
    assert plan([-1.0], 5, 5, Noise(1.0, 4), 0.01, 0.8) == Plan(None)


def test_where_images_are_the_limit_the_plan_says_so() -> None:
    assert plan([0.5], 10, 10, Noise(0.5, 9, of_images=0.05), 0.01, 0.8) == Plan(None, images=True)
    assert plan([0.5], 10, 10, Noise(0.5, 9, of_images=0.0), 0.01, 0.8).seeds in PLANNED


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 5), st.floats(0.1, 2), st.floats(0, 0.05))
def test_less_distance_two_thresholds_and_images_never_need_fewer_seeds(
    distance: float, sd: float, of_images: float
) -> None:
    def seeds(distances: list[float], images: float = 0.0) -> int:
        found = plan(distances, 5, 5, Noise(sd, 8, images), 0.01, 0.8)
        return (found.seeds or 1000) + (0 if found.sure else 10_000)

    assert seeds([2 * distance]) <= seeds([distance]) <= seeds([distance, distance])
    assert seeds([distance]) <= seeds([distance], of_images)
