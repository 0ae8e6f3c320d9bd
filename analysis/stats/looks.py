"""Tests that may be repeated as seeds are added: looks at planned numbers of seeds, and the error spent over them.

A verdict may be asked for at any time, but it looks only at the first 3, 5, 10, 20, 40 and 80 seeds. So how often one
has looked is known from the runs, whatever a user did and remembers. Each look has a fixed share of the error, and its
p-value is divided by that share. A test's p-value is the smallest of all looks so far. It is valid whenever one stops,
whatever the reason and however the looks depend on each other: p <= x at any look has at most a probability of x, since
the looks' chances add up to that (Bonferroni). It never rises as seeds are added, so a verdict that was given stays.

At a look, the test is Student's t with S - 1 degrees of freedom. Where the images' part of the variance is known
(`analysis.stats.variance`), the error has two parts, V = sd^2 / S + s2_image / N. The first is estimated by S - 1
degrees of freedom, the second by thousands, so the p-value is Behrens' and Fisher's: the normal one, averaged over what
the true variance of seeds can be. Simulated (400,000 normal samples; 3, 5 and 10 seeds; second part 0.05 to 20 times
the first), it is not wrong more often than it says, at levels from 2.5 to 0.05 %. With Satterthwaite's degrees of
freedom a test is: with 3 seeds up to 16 times as often, at 0.05 %. With S - 1 degrees of freedom it is valid, but has
almost no power left where images dominate.

Why not an anytime-valid test: both were simulated, one-sided at 0.5 %, 4,000 studies (1,000 for the sequential test,
with a look at every seed), normal differences whose mean is d standard deviations. Percent decided by then:

                                              d = 1                d = 2                d = 3
    seeds                                 3   5  10  20        3   5  10  20        3   5  10  20
    t-test at 5 %, one look, alone          32  59  91 100       72  97 100 100       93 100 100 100
    t-test at 0.5 %, one look, alone        4  13  51  93       12  55  99 100       24  90 100 100
    planned looks, as here                  1   6  29  77        2  30  95 100        4  67 100 100
    sequential t-test                       0   2  18  69        0  16  85 100        0  40 100 100

(The sequential test is the mixture of likelihood ratios of non-central t over d = 1, 2 and 4: Lai 1976, Wang and Ramdas
2023.) Few seeds cannot decide much at a strict level, so three seeds have little of the error, and most is at 5
and 10 seeds, which studies can afford. Source of spending: Lan and DeMets 1983.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import optimize, special, stats

from analysis.stats.samples import NAN, ROUNDING, Floats
from analysis.stats.variance import components

PLANNED = (3, 5, 10, 20, 40, 80)
SHARES = (0.15, 0.35, 0.25, 0.15, 0.06, 0.04)  # of the error, one per look
MOST_SEEDS = PLANNED[-1]
STEPS = 120  # of averages over a chi-square: p is exact to four digits down to 1e-8


@dataclass(frozen=True)
class Looks:
    """What the looks so far saw: arrays (..., K) with one entry per look, the smallest first.

    Attributes:
        mean: mean difference of the look's seeds.
        of_seeds: the seeds' part of its squared standard error; NaN where all differences are equal, which says nothing
            about the noise.
        of_images: the images' part, which more seeds cannot lower; 0 without scores of images.
    """

    mean: Floats
    of_seeds: Floats
    of_images: Floats

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return how many seeds each look has."""
        return PLANNED[: self.mean.shape[-1]]


def take_looks(differences: Floats, scores: Floats | None = None) -> Looks:
    """Look at paired differences as often as is planned for their number.

    Args:
        differences: (..., S), in the order of seeds.
        scores: (S, N), the differences per image, if they are known; then `differences` is (S,).
    """
    planned = [seeds for seeds in PLANNED if seeds <= differences.shape[-1]]
    found = np.full((3, *differences.shape[:-1], len(planned)), 0.0)
    for place, seeds in enumerate(planned):
        seen = differences[..., :seeds]
        known = np.ptp(seen, axis=-1) > ROUNDING
        found[0, ..., place] = seen.mean(axis=-1)
        found[1, ..., place] = np.where(known, seen.var(axis=-1, ddof=1) / seeds, np.nan)
        found[2, ..., place] = 0.0 if scores is None else components(scores[:seeds]).of_columns
    return Looks(*found)


def p_of_looks(looks: Looks, threshold: float, upwards: bool = True) -> Floats:
    """Return one-sided p-values (..., K) for "the mean difference is above the threshold", or below it.

    Each is divided by its look's share of the error; 1 where the noise is unknown.
    """
    distance = (looks.mean - threshold) * (1 if upwards else -1)
    p = [
        tail(distance[..., place], looks.of_seeds[..., place], looks.of_images[..., place], seeds - 1) / share
        for place, (seeds, share) in enumerate(zip(looks.seeds, SHARES, strict=False))
    ]
    return np.fmin(1.0, np.stack(p, axis=-1)) if p else np.ones_like(distance)


def tail(distance: Floats, of_seeds: Floats, of_images: Floats, freedom: int) -> Floats:
    """Return the chance of at least this distance, if the true one is 0: Student's, or Behrens' and Fisher's.

    Args:
        distance: of a mean from a threshold, (...).
        of_seeds, of_images: the two parts of its squared standard error, (...).
        freedom: the degrees of freedom of the first; the second is taken as known.
    """
    if not np.any(of_images) or np.isnan(of_seeds).all():
        return special.stdtr(freedom, -distance / np.sqrt(of_seeds))
    values, weights = _chi_square(freedom)
    variance = of_seeds[..., None] * freedom / values + of_images[..., None]
    return (special.ndtr(-distance[..., None] / np.sqrt(variance)) * weights).sum(axis=-1)


@cache
def _chi_square(freedom: int) -> tuple[Floats, Floats]:
    """Return values of a chi-square and their weights, for averages over it: steps of equal size in the logarithm."""
    low, high = stats.chi2.ppf(1e-12, freedom), stats.chi2.isf(1e-12, freedom)
    values = np.geomspace(low, high, STEPS)
    weights = stats.chi2.pdf(values, freedom) * values
    return values, weights / weights.sum()


def above(looks: Looks, threshold: float, within: int = MOST_SEEDS) -> Floats:
    """Return the p-value (...) for "the mean difference is above the threshold": the smallest of all looks.

    Args:
        looks: as taken so far.
        threshold: what the mean is compared with.
        within: looks with more seeds than this do not count.
    """
    return _smallest(looks, p_of_looks(looks, threshold), within)


def below(looks: Looks, threshold: float, within: int = MOST_SEEDS) -> Floats:
    """Return the p-value for "the mean difference is below the threshold"; see `above`."""
    return _smallest(looks, p_of_looks(looks, threshold, upwards=False), within)


def _smallest(looks: Looks, p: Floats, within: int) -> Floats:
    count = sum(seeds <= within for seeds in looks.seeds)
    return np.min(p[..., :count], axis=-1, initial=1.0)


def bounds(looks: Looks, level: float = 0.05) -> tuple[float, float]:
    """Return both one-sided bounds of the mean difference at the last look, each at 1 - level, not spent over looks."""
    mean, of_seeds, of_images = looks.mean[-1], looks.of_seeds[-1], looks.of_images[-1]
    if np.isnan(of_seeds):
        return NAN, NAN
    freedom = looks.seeds[-1] - 1
    widest = special.stdtrit(freedom, 1 - level) * np.sqrt(of_seeds + of_images)
    half = widest
    if of_images:
        half = optimize.brentq(lambda x: float(tail(np.asarray(x), of_seeds, of_images, freedom)) - level, 0, widest)
    return float(mean - half), float(mean + half)
