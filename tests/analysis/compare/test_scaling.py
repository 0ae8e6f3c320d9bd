"""Fits and crossings of planted curves: the planted numbers come back, and so does that there is no crossing."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analysis.compare.scaling import (
    POWER_LAW,
    REACH,
    SEEN,
    TAKE_OFF,
    crossings,
    fit,
    fits,
    interval,
    on_new_images,
)

IMAGES = np.array([3200.0, 10_000.0, 32_000.0, 100_000.0, 320_000.0])
CHANCE = 0.001
Curve = Callable[[np.ndarray], np.ndarray]


def power(a: float, b: float, c: float) -> Curve:
    return lambda images: a + b * images**-c


def take_off(a: float, n: float, c: float) -> Curve:
    return lambda images: a + (1 - CHANCE - a) / (1 + (images / n) ** c)


def planted(noise: float = 0.004, seeds: int = 4, **curves: Curve) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        {"name": name, "seed": seed, SEEN: images, "test/accuracy": 1 - error, "data.num_classes": 1000}
        for name, curve in curves.items()
        for seed in range(seeds)
        for images, error in zip(IMAGES, curve(IMAGES) + generator.normal(0, noise, len(IMAGES)), strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("form", "curve", "floor", "exponent"),
    [
        (POWER_LAW, power(0.1, 8.0, 0.3), 0.1, 0.3),
        (POWER_LAW, power(0.3, 30.0, 0.5), 0.3, 0.5),
        (TAKE_OFF, take_off(0.2, 50_000, 1.0), 0.2, 1.0),
        (TAKE_OFF, take_off(0.05, 200_000, 1.5), 0.05, 1.5),
    ],
)
def test_a_planted_form_and_its_numbers_come_back(form: object, curve: Curve, floor: float, exponent: float) -> None:
    exact = fit(IMAGES, curve(IMAGES), CHANCE)
    assert exact
    assert exact.form is form
    assert (exact.floor, exact.exponent) == pytest.approx((floor, exponent), rel=1e-3)
    assert exact.error(IMAGES) == pytest.approx(curve(IMAGES), abs=1e-5)
    noisy, again = fits(planted(one=curve), np.random.default_rng(1))["one"]
    assert len(again) > 100
    for number, true in ((lambda one: one.floor, floor), (lambda one: one.exponent, exponent)):
        low, high = interval(again, number)
        assert low <= number(noisy) <= high
        assert low - 0.1 <= true <= high + 0.1


def test_three_lengths_are_too_few() -> None:
    assert fit(IMAGES[:3], power(0.1, 8.0, 0.3)(IMAGES[:3]), CHANCE) is None
    assert fits(planted(one=power(0.1, 8.0, 0.3)).query(f"`{SEEN}` < 50000"), np.random.default_rng(0)) == {}


def test_a_planted_crossing_is_found_with_an_interval_and_none_where_there_is_none() -> None:
    early, late, worse = take_off(0.2, 50_000, 1.0), take_off(0.05, 120_000, 1.5), take_off(0.3, 60_000, 1.0)
    images = np.geomspace(IMAGES[0], REACH * IMAGES[-1], 100_000)
    ahead = early(images) < late(images)
    (true,) = images[1:][ahead[1:] != ahead[:-1]]
    runs = planted(early=early, late=late, worse=worse)
    found = {(one.one, one.other): one for one in crossings(fits(runs, np.random.default_rng(0)), 3200, 320_000)}
    crossing = found["early", "late"]
    assert crossing.images == pytest.approx(true, rel=0.1)
    assert crossing.low <= crossing.images <= crossing.high
    assert crossing.low == pytest.approx(true, rel=0.2)
    never = found["early", "worse"]
    assert (never.images, never.low, never.ahead) == (np.inf, np.inf, "early")
    assert never.reach == REACH * 320_000


def test_curves_that_both_still_guess_do_not_cross() -> None:
    early, late = take_off(0.2, 90_000, 3.0), take_off(0.2, 120_000, 2.5)  # late is ahead at first, by less than 0.2 %
    images = np.geomspace(IMAGES[0], IMAGES[-1] * REACH, 1000)
    assert early(images[:1]) > late(images[:1])
    found = fits(planted(noise=0.0005, early=early, late=late), np.random.default_rng(0))
    (crossing,) = crossings(found, 3200, 320_000)
    assert (crossing.images, crossing.low, crossing.ahead) == (np.inf, np.inf, "early")


def test_one_seed_has_a_fit_and_no_interval() -> None:
    found = fits(planted(seeds=1, one=power(0.1, 8.0, 0.3), two=power(0.2, 8.0, 0.3)), np.random.default_rng(0))
    assert found["one"][1] == []
    assert np.isnan(interval([], lambda one: one.floor)).all()
    (crossing,) = crossings(found, 3200, 320_000)
    assert np.isnan(crossing.low)


def test_images_count_once_per_epoch_and_only_those_that_never_recur() -> None:
    runs = pd.DataFrame(
        {
            "data.name": ["fractals", "fractals", "fashion_mnist", "webdataset"],
            "data.train_size": [1000, 2000, 1000, np.nan],
            "trainer.max_epochs": [1, 3, 5, 1],
        }
    )
    assert on_new_images(runs)[SEEN].tolist() == [1000.0, 6000.0]
