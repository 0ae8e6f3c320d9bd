"""Statistics against scipy, statsmodels, rliable's definition and simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import ttest_power
from statsmodels.stats.weightstats import DescrStatsW

from analysis import stats

SAMPLES = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=12).map(np.array)
VARIED = SAMPLES.filter(lambda values: np.ptp(values) > 0.01)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@settings(max_examples=50, deadline=None)
@given(VARIED, st.floats(0.01, 0.5))
def test_tests_equal_those_of_the_libraries(differences: np.ndarray, margin: float) -> None:
    oracle = DescrStatsW(differences)
    assert stats.exceeds(differences, margin) == pytest.approx(oracle.ttest_mean(margin, alternative="larger")[1])
    assert stats.falls_short(differences, margin) == pytest.approx(oracle.ttest_mean(margin, alternative="smaller")[1])
    assert stats.equivalent(differences, margin) == pytest.approx(oracle.ttost_mean(-margin, margin)[0])
    assert stats.bounds(differences) == pytest.approx(oracle.tconfint_mean(alpha=0.1))


@settings(max_examples=50, deadline=None)
@given(VARIED, st.floats(0.01, 0.5))
def test_tests_and_bounds_say_the_same(differences: np.ndarray, margin: float) -> None:
    low, high = stats.bounds(differences, level=0.05)
    assert (stats.exceeds(differences, margin) < 0.05) == (low > margin)
    assert (stats.falls_short(differences, margin) < 0.05) == (high < margin)
    assert (stats.equivalent(differences, margin) < 0.05) == (-margin < low and high < margin)
    low, high = stats.bounds(differences, level=0.025)
    assert (stats.different(differences, margin) < 0.05) == (low > margin or high < -margin)


@settings(max_examples=15, deadline=None)
@given(SAMPLES, SAMPLES)
def test_improvement_is_mann_and_whitneys_u_and_a_count_of_pairs(left: np.ndarray, right: np.ndarray) -> None:
    found, low, high = stats.improvement(left, right, generator())
    counted = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(left, right)]
    assert found == pytest.approx(sum(counted) / len(counted))
    assert found == pytest.approx(scipy_stats.mannwhitneyu(left, right).statistic / len(counted))
    assert 0 <= low <= high <= 1
    back = stats.improvement(right, left, generator())
    assert back[0] == pytest.approx(1 - found)


def test_the_bootstrap_interval_is_that_of_resampling_by_hand() -> None:
    values = generator().normal(0.8, 0.01, 6)
    summary = stats.summarize(values, generator())
    drawn = np.random.default_rng(1).choice(values, size=(100_000, 6)).mean(axis=1)
    assert (summary.low, summary.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=3e-4)
    assert summary == stats.summarize(values, generator())
    assert summary != stats.summarize(values, np.random.default_rng(1))
    assert (summary.n, summary.mean, summary.sd) == (6, pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)))


def test_one_seed_gives_no_interval_and_none_no_mean() -> None:
    one, none = stats.summarize(np.array([0.8, np.nan]), generator()), stats.summarize(np.array([]), generator())
    assert (one.n, one.mean) == (1, 0.8)
    assert np.isnan([one.sd, one.low, one.high]).all()
    assert none.n == 0
    assert np.isnan([none.mean, none.sd, none.low, none.high]).all()
    assert stats.improvement(np.array([0.8]), np.array([0.7]), generator())[0] == 1.0
    assert np.isnan(stats.improvement(np.array([0.8]), np.array([]), generator())).all()


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, 0.1, 0.1]])
def test_without_noise_to_measure_nothing_is_told(differences: list[float]) -> None:
    values = np.array(differences)
    found = [stats.exceeds(values, 0), stats.equivalent(values, 1), stats.different(values, 1), *stats.bounds(values)]
    assert np.isnan(found).all()
    assert stats.seeds_needed(values, low=0) is None


def test_seeds_are_paired_and_missing_ones_left_out() -> None:
    left, right = np.array([0.8, np.nan, 0.7, 0.9]), np.array([0.7, 0.5, np.nan, 0.6])
    assert stats.paired(left, right) == pytest.approx([0.1, 0.3])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    assert stats.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_a_test_that_could_not_be_made_counts_for_holm() -> None:
    assert stats.holm([0.01, float("nan"), 0.04])[:1] == [pytest.approx(0.03)]
    assert np.isnan(stats.holm([0.01, float("nan")])[1])
    assert stats.holm([]) == []


def test_the_power_is_that_of_simulated_studies() -> None:
    noise = np.random.default_rng(3).normal(size=(20_000, 8))
    for effect, level in ((0.5, 0.05), (1.0, 0.05), (1.5, 0.0125)):
        t = scipy_stats.ttest_1samp(noise + effect, 0, axis=1, alternative="greater")
        assert stats._power(effect, 8, level) == pytest.approx((t.pvalue <= level).mean(), abs=0.012)


@settings(max_examples=50, deadline=None)
@given(VARIED, st.floats(0.01, 0.5))
def test_more_seeds_are_needed_for_less_distance_and_for_two_bounds(differences: np.ndarray, distance: float) -> None:
    mean = differences.mean()
    far, near = (stats.seeds_needed(differences, low=mean - d) for d in (2 * distance, distance))
    both = stats.seeds_needed(differences, low=mean - distance, high=mean + distance)
    many = stats.MOST_SEEDS + 1
    assert len(differences) <= (far or many) <= (near or many) <= (both or many)
    assert stats.seeds_needed(differences, low=mean + distance) is None
    assert stats.seeds_needed(-differences, high=-mean + distance) == near


def test_the_seeds_needed_are_those_of_the_power_at_the_upper_limit_of_the_noise() -> None:
    differences = np.array([0.6, 1.0, 1.4, 0.8, 1.2])
    n = stats.seeds_needed(differences, low=0.5)
    assert n is not None
    sd = differences.std(ddof=1) * np.sqrt(4 / scipy_stats.chi2.ppf(0.2, 4))
    powers = [ttest_power(0.5 / sd, seeds, 0.05, alternative="larger") for seeds in (n - 1, n)]
    assert powers[0] < 0.8 <= powers[1]


def test_the_limit_of_the_noise_is_above_it_four_times_in_five_and_nearer_with_more_samples() -> None:
    samples = np.random.default_rng(5).normal(0, 2, (4000, 4, 3))
    alone = np.array([stats.noise_limit([one[0]]) for one in samples])
    together = np.array([stats.noise_limit(list(one)) for one in samples])
    assert (alone > 2).mean() == pytest.approx(0.8, abs=0.03)
    assert (together > 2).mean() == pytest.approx(0.8, abs=0.03)
    assert np.median(together) < 0.8 * np.median(alone)
    one = samples[0, 0]
    assert stats.noise_limit([one, np.array([0.1])]) == stats.noise_limit([one])
    assert np.isnan(stats.noise_limit([np.array([0.1])]))


def test_noise_that_is_known_better_is_planned_with_unless_the_sample_has_more() -> None:
    differences = np.array([0.6, 1.0, 1.4])
    same = stats.seeds_needed(differences, low=0.8, noise=differences.std(ddof=1))
    assert same == stats.seeds_needed(differences, low=0.8, noise=0.01)
    assert same < stats.seeds_needed(differences, low=0.8)  # type: ignore[operator]
