"""Statistics against scipy, statsmodels, rliable's definition and simulation."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import ttest_power
from statsmodels.stats.weightstats import DescrStatsW

from analysis import stats
from analysis.tabular import BOOTSTRAP

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


def test_the_resamples_of_many_seeds_fit_into_memory() -> None:
    left, right = generator().normal(size=(2, 100))
    tracemalloc.start()
    try:
        stats.improvement(left, right, generator())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * stats.RESAMPLES * (len(left) + len(right))  # bytes: not one for each pair


def test_the_bootstrap_interval_is_that_of_resampling_by_hand() -> None:
    values = generator().normal(0.8, 0.01, 6)
    summary = stats.summarize(values, generator())
    drawn = np.random.default_rng(1).choice(values, size=(100_000, 6)).mean(axis=1)
    assert (summary.low, summary.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=3e-4)
    assert summary == stats.summarize(values, generator())
    assert summary != stats.summarize(values, np.random.default_rng(1))
    assert (summary.n, summary.mean, summary.sd) == (6, pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)))


@pytest.mark.slow
def test_intervals_of_few_seeds_cover_as_rarely_as_the_tables_say() -> None:
    assert "with 2, 3, 5 and 10 seeds it covers the true mean in about 50, 75, 83 and 90 % of cases" in BOOTSTRAP
    numbers = generator()
    for n in (2, 3):  # from the least to the greatest: they miss where all are on one side, in 2 of 2**n cases
        values = numbers.normal(size=n)
        summary = stats.summarize(values, numbers)
        assert (summary.low, summary.high) == pytest.approx((values.min(), values.max()))
        assert 100 * (1 - 2 / 2**n) == {2: 50, 3: 75}[n]
    for n, share in ((5, 0.83), (10, 0.90)):
        found = [stats.summarize(values, numbers) for values in numbers.normal(size=(400, n))]
        assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(share, abs=0.05)


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


def test_differences_that_are_equal_but_for_rounding_tell_nothing() -> None:
    # accuracies of 2000 images, as they are recorded: every difference is one of 20 images
    correct_S = np.array([1603, 1591])
    left_S, right_S = ((number_S / 2000).astype("float32").astype(float) for number_S in (correct_S, correct_S - 20))
    differences_S = stats.paired(left_S, right_S)
    assert np.ptp(differences_S) > 0
    assert np.isnan([stats.exceeds(differences_S, 0), *stats.bounds(differences_S)]).all()
    assert stats.seeds_needed(differences_S, low=0) is None


def test_seeds_are_paired_and_missing_ones_left_out() -> None:
    left, right = np.array([0.8, np.nan, 0.7, 0.9]), np.array([0.7, 0.5, np.nan, 0.6])
    assert stats.paired(left, right) == pytest.approx([0.1, 0.3])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@pytest.mark.slow
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
def test_more_seeds_are_needed_for_less_distance_two_bounds_and_more_caution(
    differences: np.ndarray, distance: float
) -> None:
    mean = differences.mean()
    far, near = (stats.seeds_needed(differences, low=mean - d) for d in (2 * distance, distance))
    both = stats.seeds_needed(differences, low=mean - distance, high=mean + distance)
    many = stats.MOST_SEEDS + 1
    assert len(differences) <= (far or many) <= (near or many) <= (both or many)
    assert stats.seeds_needed(differences, low=mean + distance) is None
    assert stats.seeds_needed(-differences, high=-mean + distance) == near
    counts = [stats.seeds_needed(differences, low=mean - distance, confidence=sure) for sure in (0.5, 0.8, 0.95)]
    assert counts == sorted(counts, key=lambda count: count or many)
    assert len({count is None for count in counts}) == 1


DIFFERENCES = np.array([0.6, 1.0, 1.4, 0.8, 1.2])


def test_the_seeds_needed_are_those_of_the_power_at_the_lower_bound_of_the_distance() -> None:
    n = stats.seeds_needed(DIFFERENCES, low=0.5)
    assert n is not None
    t = scipy_stats.ttest_1samp(DIFFERENCES, 0.5).statistic
    # the bound is the distance at which so large a t would be seen one time in five
    bound = optimize.brentq(lambda nc: scipy_stats.nct.sf(t, 4, nc) - 0.2, 0, t) / np.sqrt(5)
    powers = [ttest_power(bound, seeds, 0.05, alternative="larger") for seeds in (n - 1, n)]
    assert powers[0] < 0.8 <= powers[1]


def test_the_bound_is_the_quantile_of_the_posterior_and_below_the_truth_four_times_in_five() -> None:
    numbers = np.random.default_rng(7)
    noise, z = np.sqrt(numbers.chisquare(4, 100_000) / 4), numbers.normal(size=100_000)
    t = np.array([0.4, 2.0, 6.0])
    found = [stats._lower_bound(one / np.sqrt(5), 5, 4, 0.8) * np.sqrt(5) for one in t]
    assert found == pytest.approx([np.quantile(one * noise + z, 0.2) for one in t], abs=0.03)
    samples = numbers.normal(0.7, 1, (4000, 5))
    effects = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    below = np.mean([stats._lower_bound(effect, 5, 4, 0.8) < 0.7 for effect in effects])
    assert below == pytest.approx(0.8, abs=0.03)


def test_where_the_bound_asks_for_too_many_the_most_are_advised_if_they_do_at_what_is_seen() -> None:
    assert stats.seeds_needed(DIFFERENCES, low=0.95) == stats.MOST_SEEDS
    assert (stats.seeds_needed(DIFFERENCES, low=0.95, confidence=0.5) or 0) > 100
    assert stats.seeds_needed(DIFFERENCES, low=0.99) is None
    assert stats.seeds_needed(np.tile([0.5, 1.5], 500), low=0.99) is None  # 1000 have not settled it


def test_differences_almost_without_noise_need_no_more_than_two() -> None:
    assert stats.seeds_needed(np.array([1, 1 + 1e-5]), low=0) == 2
    assert stats.seeds_needed(np.array([1, 1 + 1e-5]), low=0, high=2, level=0.001) == 2


def test_the_common_noise_is_the_root_of_the_mean_square_over_degrees_of_freedom() -> None:
    one, other = np.array([0.1, 0.3]), np.array([1.0, 2.0, 6.0])
    sd, freedom = stats.pooled([one, other, np.array([5.0]), np.array([2.0, 2.0])])
    assert freedom == 3
    assert sd == pytest.approx(np.sqrt((one.var(ddof=1) + 2 * other.var(ddof=1)) / 3))
    assert np.isnan(stats.pooled([np.array([0.1])])[0])


def test_noise_that_is_known_better_is_planned_with_unless_the_sample_has_more() -> None:
    differences = np.array([0.6, 1.0, 1.4])
    sd = float(differences.std(ddof=1))
    alone, known, less, more = (
        stats.seeds_needed(differences, low=0.5, noise=noise) for noise in (None, (sd, 20), (0.01, 20), (2 * sd, 20))
    )
    assert known == less
    assert (known or 0) < (alone or 0) < (more or 0)
