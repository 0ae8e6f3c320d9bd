"""How test error falls with the images seen, N, on images that never recur; and where the curves of two names cross.

Two forms, each with three free numbers, are fitted by least squares to the errors of single runs, one training per run:

    power law    error = a + b N^-c                            as in Hestness et al. 2017
    take-off     error = a + (e0 - a) / (1 + (N / n)^c)        e0: the error of guessing, 1 - 1 / classes

The first has no beginning: it fits a layout that already learns at the smallest N. The second begins at guessing, takes
off around n images, and ends as a power law with the same meaning of a and c. For each name the one with the lower AICc
is taken (Hurvich and Tsai 1989); with equally many numbers this is the one with the smaller residuals.

Intervals are percentiles of a bootstrap over seeds; all names are resampled together, since a seed's runs are paired.
Few seeds give intervals that are too narrow, and none includes that the form itself may be wrong. So a crossing beyond
the largest N is an extrapolation, and one beyond ten times that is said to be out of reach.
"""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit, logit

from analysis.compare.finished import BUDGET, TEST
from analysis.paper.data_sets import ABUNDANT

Floats = NDArray[np.float64]
Points = tuple[Floats, Floats]  # images seen and errors of the runs of a seed
SEEN = "images seen"  # the column that `on_new_images` adds
FEWEST_LENGTHS = 4  # to tell three numbers from noise
RESAMPLES = 200
REACH = 10  # times the largest N: what a fit may say
APART = 0.01  # of the accuracy, on both sides of a crossing: below it, curves that both still guess would cross
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Form:
    """A form of the curve: its name, its formula in `(N, chance, *numbers)`, and numbers to begin a fit from."""

    name: str
    error: Callable[..., Floats]
    starts: Callable[[Floats, Floats], Sequence[Sequence[float]]]


@dataclass(frozen=True)
class Fit:
    """A form with its numbers.

    Attributes:
        form: which.
        numbers: as they are fitted: all of them unbounded.
        chance: accuracy of guessing.
        aicc: of this fit, and of the other form; inf where a form could not be fitted.
    """

    form: Form
    numbers: tuple[float, ...]
    chance: float
    aicc: tuple[float, float] = (np.inf, np.inf)

    def error(self, images: Floats) -> Floats:
        """Return the test error after some numbers of images."""
        return self.form.error(images, self.chance, *self.numbers)

    @property
    def floor(self) -> float:
        """Return a, the error that is left after endless images."""
        return float(expit(self.numbers[0]))

    @property
    def exponent(self) -> float:
        """Return c, the power of N with which the rest of the error falls."""
        return float(np.exp(self.numbers[2]))


@dataclass(frozen=True)
class Crossing:
    """Where the curve of `one` comes out above that of `other`, or below it, for good.

    Attributes:
        one, other: the names.
        ahead: which has the lower fitted error after the largest N that was measured.
        images: the last N at which the curves cross, being at least `APART` from each other somewhere before and
            behind; inf if there is none within reach.
        low, high: 95 % bootstrap interval; inf where it ends beyond what is within reach.
        reach: the largest N that is looked at.
    """

    one: str
    other: str
    ahead: str
    images: float
    low: float
    high: float
    reach: float


def _power_law(images: Floats, chance: float, a: float, b: float, c: float) -> Floats:
    return expit(a) + np.exp(b - np.exp(c) * np.log(images))


def _take_off(images: Floats, chance: float, a: float, n: float, c: float) -> Floats:
    floor = expit(a)
    return floor + (1 - chance - floor) * expit(-np.exp(c) * (np.log(images) - n))


POWER_LAW = Form(
    "power law",
    _power_law,
    lambda x, y: [(logit(max(share * y.min(), 1e-3)), np.log(y.max()) + c * x.min(), np.log(c))
                  for share in (0.1, 0.8) for c in (0.2, 0.6)],
)  # fmt: skip
TAKE_OFF = Form(
    "take-off",
    _take_off,
    lambda x, y: [(logit(max(share * y.min(), 1e-3)), float(np.quantile(x, place)), 0.0)
                  for share in (0.1, 0.8) for place in (0.3, 0.9)],
)  # fmt: skip
FORMS = (POWER_LAW, TAKE_OFF)


def on_new_images(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs on abundant images whose number is known, with a column of the images that they saw."""
    known = runs[runs["data.name"].isin(ABUNDANT)].dropna(subset=["data.train_size"])
    return known.assign(**{SEEN: (known["data.train_size"] * known[BUDGET]).astype(float)})


def with_images_seen(histories: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of some runs' histories with the images seen until then, in a column `images`.

    Evaluations within an epoch state them; any other row is after the batches of its steps.

    Args:
        histories: columns `fingerprint`, `step`, and perhaps `images`.
        runs: index `fingerprint`, column `data.batch_size`.
    """
    rows = histories[histories["fingerprint"].isin(runs.index)]
    stated = rows.get("images", pd.Series(np.nan, rows.index)).astype(float)
    batches = runs.get("data.batch_size", pd.Series(np.nan, runs.index)).astype(float)
    return rows.assign(images=stated.fillna(rows["step"] * rows["fingerprint"].astype(object).map(batches)))


def fit(images: Floats, errors: Floats, chance: float, like: Fit | None = None) -> Fit | None:
    """Fit the better of the two forms, or again the form of another fit; None without enough lengths.

    Args:
        images: N of each run.
        errors: test error of each run, in the same order.
        chance: accuracy of guessing.
        like: a fit to begin from, whose form is kept.
    """
    if len(np.unique(images)) < FEWEST_LENGTHS:
        return None
    found = []
    for form in FORMS if like is None else [like.form]:
        starts = form.starts(np.log(images), errors) if like is None else [like.numbers]
        tried = [one for start in starts if (one := _fitted(form, images, errors, chance, start)) is not None]
        if tried:
            found.append(min(tried, key=lambda one: one.aicc[0]))
    if not found:
        return None
    best, *others = sorted(found, key=lambda one: one.aicc[0])
    return Fit(best.form, best.numbers, chance, (best.aicc[0], others[0].aicc[0] if others else np.inf))


def fits(runs: pd.DataFrame, generator: np.random.Generator) -> dict[str, tuple[Fit, list[Fit]]]:
    """Fit every name, and again in resamples of the seeds that all names have in common.

    Args:
        runs: of `on_new_images`, with columns `name`, `seed`, `data.num_classes` and `test/accuracy`.
        generator: resamples.
    """
    points: dict[str, dict[Any, Points]] = {}
    for (name, seed), own in runs.dropna(subset=[TEST]).groupby(["name", "seed"], sort=False):
        points.setdefault(str(name), {})[seed] = own[SEEN].to_numpy(float), 1 - own[TEST].to_numpy(float)
    chance = 1 / runs.groupby("name")["data.num_classes"].first().astype(float)
    first = {name: one for name, own in points.items() if (one := _fit_seeds(own, list(own), chance[name]))}
    seeds = sorted(set.intersection(*(set(points[name]) for name in first))) if first else []
    again: dict[str, list[Fit]] = {name: [] for name in first}
    for _ in range(RESAMPLES if len(seeds) > 1 else 0):
        drawn = generator.choice(seeds, len(seeds)).tolist()
        redone = {name: _fit_seeds(points[name], drawn, chance[name], fitted) for name, fitted in first.items()}
        whole = {name: fitted for name, fitted in redone.items() if fitted}
        if len(whole) == len(first):  # so that those of one place are of the same seeds
            for name, fitted in whole.items():
                again[name].append(fitted)
    return {name: (first[name], again[name]) for name in first}


def interval(fitted: Sequence[Fit], number: Callable[[Fit], float]) -> tuple[float, float]:
    """Return the percentiles of a number over resamples; NaN without any."""
    if not fitted:
        return np.nan, np.nan
    low, high = np.percentile([number(one) for one in fitted], PERCENTILES, method="inverted_cdf")
    return float(low), float(high)


def crossings(found: Mapping[str, tuple[Fit, list[Fit]]], least: float, most: float) -> list[Crossing]:
    """Return where the curves of each two names cross for the last time.

    Args:
        found: as `fits` returns them.
        least, most: the smallest and the largest N that was measured.
    """
    images = np.geomspace(least, REACH * most, 2000)
    made = []
    for (one, (first, again)), (other, (second, once_more)) in itertools.combinations(found.items(), 2):
        ahead = one if first.error(np.array([most]))[0] < second.error(np.array([most]))[0] else other
        low, high = np.nan, np.nan
        if again:
            places = [_last_crossing(a, b, images) for a, b in zip(again, once_more, strict=True)]
            low, high = np.percentile(places, PERCENTILES, method="inverted_cdf")
        made.append(
            Crossing(one, other, ahead, _last_crossing(first, second, images), float(low), float(high), REACH * most)
        )
    return made


def _last_crossing(one: Fit, other: Fit, images: Floats) -> float:
    """Return where two curves cross for the last time, apart before and behind; inf where they do not."""
    difference = one.error(images) - other.error(images)
    apart = np.flatnonzero(np.abs(difference) >= APART)
    changes = np.flatnonzero(np.diff(difference[apart] > 0))
    if not len(changes):
        return np.inf
    begin, end = apart[changes[-1]], apart[changes[-1] + 1]
    between = begin + np.flatnonzero(np.diff(difference[begin : end + 1] > 0))[-1]
    return float(np.sqrt(images[between] * images[between + 1]))


def _fit_seeds(
    points: Mapping[Any, Points], seeds: Sequence[Any], chance: float, like: Fit | None = None
) -> Fit | None:
    images, errors = (np.concatenate([points[seed][i] for seed in seeds]) for i in (0, 1))
    return fit(images, errors, chance, like)


def _fitted(form: Form, images: Floats, errors: Floats, chance: float, start: Sequence[float]) -> Fit | None:
    """Fit a form from a start; None where that does not converge."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)  # of the covariance, which is not used
        try:
            numbers, _ = curve_fit(
                lambda x, *numbers: form.error(x, chance, *numbers), images, errors, p0=start, maxfev=2000
            )
        except (RuntimeError, ValueError):
            return None
        residuals = form.error(images, chance, *numbers) - errors
    if not np.isfinite(residuals).all():
        return None
    count, free = len(errors), len(numbers) + 1  # the noise is one as well
    penalty = 2 * free + 2 * free * (free + 1) / (count - free - 1) if count > free + 1 else np.inf
    likelihood = count * np.log(max(float((residuals**2).mean()), 1e-12))
    # with too few runs for the correction, the residuals alone order the forms
    aicc = likelihood + (penalty if np.isfinite(penalty) else 0.0)
    return Fit(form, tuple(float(number) for number in numbers), chance, (aicc, np.inf))
