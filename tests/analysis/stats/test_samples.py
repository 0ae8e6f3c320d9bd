"""Numbers of one cell against scipy, rliable's definition and simulation."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from analysis import stats
from analysis.stats.samples import RESAMPLES
from analysis.tabular import BOOTSTRAP

SAMPLES = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=12).map(np.array)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


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
    assert peak < 100 * RESAMPLES * (len(left) + len(right))  # bytes: not one for each pair


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


def test_seeds_are_paired_and_missing_ones_left_out() -> None:
    left, right = np.array([0.8, np.nan, 0.7, 0.9]), np.array([0.7, 0.5, np.nan, 0.6])
    assert stats.paired(left, right) == pytest.approx([0.1, 0.3])


def test_the_common_noise_is_the_root_of_the_mean_square_over_degrees_of_freedom() -> None:
    one, other = np.array([0.1, 0.3]), np.array([1.0, 2.0, 6.0])
    sd, freedom = stats.pooled([one, other, np.array([5.0]), np.array([2.0, 2.0])])
    assert freedom == 3
    assert sd == pytest.approx(np.sqrt((one.var(ddof=1) + 2 * other.var(ddof=1)) / 3))
    assert np.isnan(stats.pooled([np.array([0.1])])[0])
