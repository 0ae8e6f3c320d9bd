"""Planned looks against libraries, by hand, and against simulated studies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import DescrStatsW

from analysis.stats.looks import PLANNED, SHARES, above, below, bounds, p_of_looks, tail, take_looks
from analysis.stats.samples import paired

VARIED = (
    st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=3, max_size=12)
    .map(np.array)
    .filter(lambda values: np.ptp(values[:3]) > 0.01)
)


def test_the_error_is_spent_once() -> None:
    assert sum(SHARES) == pytest.approx(1.0)
    assert len(SHARES) == len(PLANNED)


@settings(max_examples=50, deadline=None)
@given(VARIED, st.floats(-0.5, 0.5))
def test_a_look_is_the_librarys_t_test_of_the_first_seeds_divided_by_its_share(
    differences: np.ndarray, threshold: float
) -> None:
    looks = take_looks(differences)
    for p, low, seeds, share in zip(
        p_of_looks(looks, threshold), p_of_looks(looks, threshold, upwards=False), looks.seeds, SHARES, strict=False
    ):
        oracle = DescrStatsW(differences[:seeds])
        assert p == pytest.approx(min(1.0, oracle.ttest_mean(threshold, alternative="larger")[1] / share))
        assert low == pytest.approx(min(1.0, oracle.ttest_mean(threshold, alternative="smaller")[1] / share))
    assert bounds(looks) == pytest.approx(DescrStatsW(differences[: looks.seeds[-1]]).tconfint_mean(alpha=0.1))


@given(st.integers(0, 30))
def test_which_looks_there_are_depends_on_the_number_of_seeds_alone(seeds: int) -> None:
    looks = take_looks(np.linspace(0, 1, seeds))
    assert looks.seeds == tuple(number for number in (3, 5, 10, 20) if number <= seeds)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100), st.floats(-1, 1))
def test_seeds_between_looks_change_nothing_and_p_never_rises(draw: int, threshold: float) -> None:
    differences = np.random.default_rng(draw).normal(size=22)
    ps = [(float(above(take_looks(differences[:n]), threshold)), float(below(take_looks(differences[:n]), threshold)))
          for n in range(23)]  # fmt: skip
    assert ps[:3] == [(1.0, 1.0)] * 3
    for n in range(1, 23):
        assert ps[n][0] <= ps[n - 1][0]
        assert n in PLANNED or ps[n] == ps[n - 1]


def test_looks_behind_a_limit_do_not_count() -> None:
    looks = take_looks(np.array([0.5, -0.4, 0.1, 1.0, 1.01, 1.02, 1.0, 1.01, 1.0, 1.0]))
    p = p_of_looks(looks, 0.0)
    assert [float(above(looks, 0.0, within)) for within in (2, 3, 9, 10)] == [1.0, p[0], p[:2].min(), p.min()]


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, 0.2], [0.1, 0.1, 0.1]])
def test_without_noise_to_measure_nothing_is_told(differences: list[float]) -> None:
    looks = take_looks(np.array(differences))
    assert (above(looks, 0.0), below(looks, 0.0)) == (1.0, 1.0)


def test_differences_that_are_equal_but_for_rounding_tell_nothing() -> None:
    # accuracies of 2000 images, as they are recorded: every difference is one of 20 images
    correct_S = np.array([1603, 1591, 1540])
    left_S, right_S = ((number_S / 2000).astype("float32").astype(float) for number_S in (correct_S, correct_S - 20))
    differences_S = paired(left_S, right_S)
    assert np.ptp(differences_S) > 0
    looks = take_looks(differences_S)
    assert above(looks, 0.0) == 1.0
    assert np.isnan(bounds(looks)).all()


def test_many_studies_are_looked_at_as_one_by_one() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, (4, 3, 10))
    every = above(take_looks(differences), 0.1)
    assert every.shape == (4, 3)
    assert every[2, 1] == pytest.approx(float(above(take_looks(differences[2, 1]), 0.1)))


def test_the_images_part_is_averaged_over_what_the_variance_of_seeds_can_be() -> None:
    drawn = np.random.default_rng(0).chisquare(2, 400_000)
    for distance, of_seeds, of_images in ((2.0, 0.5, 0.5), (3.0, 1.0, 0.1), (1.0, 0.01, 1.0)):
        expected = scipy_stats.norm.sf(distance / np.sqrt(of_seeds * 2 / drawn + of_images)).mean()
        found = tail(np.array(distance), np.array(of_seeds), np.array(of_images), 2)
        assert float(found) == pytest.approx(expected, rel=0.02)
    almost_none = tail(np.array(4.0), np.array(1.0), np.array(1e-9), 2)
    assert float(almost_none) == pytest.approx(scipy_stats.t.sf(4.0, 2), rel=1e-4)


def test_with_images_a_look_is_wrong_no_more_often_than_it_says() -> None:
    generator, studies = np.random.default_rng(1), 6_000
    for seeds in (3, 10):
        of_seeds = generator.chisquare(seeds - 1, studies) / (seeds - 1) / seeds
        for of_images in (0.1 / seeds, 1 / seeds):
            distance = generator.normal(0, np.sqrt(1 / seeds + of_images), studies)
            p = tail(distance, of_seeds, np.full(studies, of_images), seeds - 1)
            for level in (0.025, 0.005):
                assert (p <= level).sum() <= scipy_stats.binom.ppf(0.999, studies, level)


def test_images_widen_the_interval_and_its_ends_are_where_the_test_turns() -> None:
    generator = np.random.default_rng(2)
    of_image, of_seed = generator.normal(0, 1, 500), generator.normal(0, 0.1, (5, 1))
    scores = 0.3 + of_seed + of_image + generator.normal(0, 0.2, (5, 500))
    alone, together = take_looks(scores.mean(axis=1)), take_looks(scores.mean(axis=1), scores)
    (low, high), narrow = bounds(together), bounds(alone)
    assert low < narrow[0] < narrow[1] < high
    assert together.of_images[-1] == pytest.approx(1 / 500, rel=0.2)
    for end, upwards in ((low, True), (high, False)):
        assert p_of_looks(together, end, upwards)[-1] * SHARES[1] == pytest.approx(0.05, rel=1e-3)
