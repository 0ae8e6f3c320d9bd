"""Statistics of few seeds: intervals, paired differences, probability of improvement, equivalence, seeds needed.

Pure functions on arrays. S is the number of seeds; a name that ends in _S is an array with one number per seed.
Differences are paired: the runs of one seed have the same images in the same order, and the same initial weights where
their networks are alike.

Verdicts rest on Student's t, which keeps its error rate with three seeds as with thirty. Bootstrap intervals are only
for display: resampling so few numbers gives intervals that are too narrow (with samples of 2, 3, 5 and 10 normal
numbers, the 95 % interval covers the true mean in about 50, 75, 83 and 90 % of cases). One seed has no interval.
"""

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
NAN = float("nan")
RESAMPLES = 9999
MOST_SEEDS = 1000  # beyond it, "more seeds" is no longer advice
CERTAIN = 1e4  # a larger t changes nothing, and the inverse of the non-central t takes hours at 1e6
ROUNDING = 1e-6  # metrics are recorded as float32, in which equal differences vary by less than this
CAUTION = 0.8  # confidence of the bound that seeds_needed plans with


@dataclass(frozen=True)
class Summary:
    """One cell: number of seeds, mean, standard deviation (n - 1) and the mean's 95 % bootstrap interval.

    A number that cannot be computed is NaN: all of them without a seed, deviation and interval with a single one.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float


def summarize(values_S: Floats, generator: np.random.Generator, confidence: float = 0.95) -> Summary:
    """Summarize the numbers of one cell, one per seed; NaN, a seed without a number, is left out."""
    known_S = values_S[~np.isnan(values_S)]
    n = len(known_S)
    low, high = _bootstrap((known_S,), np.mean, generator, confidence)
    return Summary(n, float(known_S.mean()) if n else NAN, deviation(known_S), low, high)


def deviation(values_S: Floats) -> float:
    """Return the standard deviation of a sample (n - 1); NaN for fewer than two."""
    return float(values_S.std(ddof=1)) if len(values_S) > 1 else NAN


def paired(left_S: Floats, right_S: Floats) -> Floats:
    """Return left - right for the seeds that both have; both arrays have the same order of seeds, NaN where missing."""
    differences_S = left_S - right_S
    return differences_S[~np.isnan(differences_S)]


def improvement(
    left_S: Floats, right_S: Floats, generator: np.random.Generator, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return the probability that a run of left beats one of right, a tie as half, with its bootstrap interval.

    All pairs of runs count, those of different seeds as well, as in Agarwal et al. 2021 (rliable): it is Mann and
    Whitney's U divided by the number of pairs. Each sample is resampled by itself. NaN without a pair; a single seed
    has no interval.
    """
    left_S, right_S = left_S[~np.isnan(left_S)], right_S[~np.isnan(right_S)]
    if not len(left_S) or not len(right_S):
        return NAN, NAN, NAN
    low, high = _bootstrap((left_S, right_S), _wins, generator, confidence)
    return float(_wins(left_S, right_S)), low, high


def exceeds(differences_S: Floats, threshold: float) -> float:
    """Return the one-sided p-value for "the mean difference is above the threshold" (t-test with S - 1 degrees).

    With a threshold of 0 this tests superiority, above 0 superiority by a margin, below 0 non-inferiority. NaN where
    the noise is unknown: with fewer than two differences, or if all are equal.
    """
    if not testable(differences_S):
        return NAN
    n = len(differences_S)
    t = (differences_S.mean() - threshold) / deviation(differences_S) * np.sqrt(n)
    return float(special.stdtr(n - 1, -t))  # the same as ttest_1samp, in a hundredth of the time


def falls_short(differences_S: Floats, threshold: float) -> float:
    """Return the one-sided p-value for "the mean difference is below the threshold"; see `exceeds`."""
    return exceeds(-differences_S, -threshold)


def equivalent(differences_S: Floats, margin: float) -> float:
    """Return the p-value for "the mean difference is within -margin to margin": two one-sided tests (TOST).

    Source: Schuirmann 1987; the larger of the two p-values.
    """
    return float(np.maximum(exceeds(differences_S, -margin), falls_short(differences_S, margin)))


def different(differences_S: Floats, margin: float) -> float:
    """Return the p-value for "the mean difference is outside -margin to margin": the smaller of two tails, doubled."""
    return float(np.minimum(1.0, 2 * np.minimum(exceeds(differences_S, margin), falls_short(differences_S, -margin))))


def testable(differences_S: Floats) -> bool:
    """Tell whether a t-test is possible: there are two differences or more, not all equal apart from rounding."""
    return len(differences_S) > 1 and bool(np.ptp(differences_S) > ROUNDING)


def bounds(differences_S: Floats, level: float = 0.05) -> tuple[float, float]:
    """Return both one-sided bounds of the mean difference, each at 1 - level (90 % between them if level is 0.05)."""
    if not testable(differences_S):
        return NAN, NAN
    n = len(differences_S)
    half = stats.t.isf(level, n - 1) * deviation(differences_S) / np.sqrt(n)
    return float(differences_S.mean() - half), float(differences_S.mean() + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979); NaN, an impossible test, counts in that number and stays NaN."""
    given = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    order = np.argsort(given)
    corrected = np.empty_like(given)
    corrected[order] = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)).clip(max=1.0)
    return [NAN if np.isnan(p) else float(value) for p, value in zip(p_values, corrected, strict=True)]


def pooled(samples: Sequence[Floats]) -> tuple[float, int]:
    """Return the pooled standard deviation of samples and its degrees of freedom; NaN if no sample has a deviation.

    All samples of a comparison together give a much better estimate of the noise than one of them.
    """
    known = [sample_S for sample_S in samples if testable(sample_S)]
    freedom = sum(len(sample_S) - 1 for sample_S in known)
    squares = sum(((sample_S - sample_S.mean()) ** 2).sum() for sample_S in known)
    return (float(np.sqrt(squares / freedom)), freedom) if known else (NAN, 0)


def seeds_needed(
    differences_S: Floats,
    low: float = -np.inf,
    high: float = np.inf,
    level: float = 0.05,
    power: float = 0.8,
    noise: tuple[float, int] | None = None,
    confidence: float = CAUTION,
) -> int | None:
    """Return how many seeds t-tests need to show that the mean difference is above `low` and below `high`.

    The distance from a bound that few seeds show is easily too large, and a number planned with it is too small half
    the time. So the plan uses the lower confidence bound of the distance in standard deviations, by the non-central t:
    "safeguard power" (Perugini, Gallucci and Costantini 2014), at their 80 %. This bound is also the quantile of the
    Bayesian posterior under the usual flat prior. Where it asks for more than 1000 seeds, or is not above 0, 1000 are
    advised if they would be enough at the observed distance. So whatever the true distance is, if 1000 seeds can show
    it, the advised number does so with at least the requested power in 80 % of cases.

    Args:
        differences_S: the differences so far, one per seed.
        low, high: the bounds; with both finite, the power is at least the sum of the two powers minus one.
        level, power: of the tests.
        noise: standard deviation and its degrees of freedom (by default `pooled` of these differences alone); if the
            deviation of the differences is larger, it is used instead.
        confidence: of the lower bound of the distance; 0.5 gives about the observed distance.

    Returns:
        The total number, including the seeds so far. None if the mean is not between the bounds, if the differences do
        not show the noise, or if more than 1000 would be needed even at the observed distance.
    """
    mean, n = float(differences_S.mean()) if len(differences_S) else NAN, len(differences_S)
    if not testable(differences_S) or not low < mean < high or n >= MOST_SEEDS:
        return None
    sd, freedom = noise or pooled([differences_S])
    sd = max(sd, deviation(differences_S))
    seen = [(mean - low) / sd, (high - mean) / sd]
    sure = [_lower_bound(effect, n, freedom, confidence) for effect in seen]

    def enough(effects: Sequence[float], seeds: int) -> bool:
        return sum(_power(effect, seeds, level) for effect in effects) - 1 >= power

    if not enough(seen, MOST_SEEDS):
        return None
    return n + bisect.bisect_left(range(n, MOST_SEEDS), True, key=lambda seeds: enough(sure, seeds))


def _lower_bound(effect: float, seeds: int, freedom: int, confidence: float) -> float:
    """Return the lower confidence bound of an observed distance, both in standard deviations."""
    if np.isinf(effect):
        return effect
    t = min(effect * np.sqrt(seeds), CERTAIN)
    return float(special.nctdtrinc(freedom, confidence, t) / np.sqrt(seeds))


def _power(effect: float, seeds: int, level: float) -> float:
    """Return the power of a one-sided t-test, with the effect in standard deviations; 1 if that is infinite."""
    if np.isinf(effect):
        return 1.0
    found = 1 - special.nctdtr(seeds - 1, effect * np.sqrt(seeds), special.stdtrit(seeds - 1, 1 - level))
    # scipy returns NaN where the power is practically 0 or 1
    return float(effect > 0) if np.isnan(found) else float(found)


def _wins(left_S: Floats, right_S: Floats, axis: int = -1) -> Any:
    """Return the share of pairs in which left is above right, a tie as half, along the last axis.

    It is computed by ranks, as Mann and Whitney's U: the pairs of all resamples would take 1 GB with 100 seeds.
    """
    n = left_S.shape[-1]
    ranks = stats.rankdata(np.concatenate([left_S, right_S], axis=-1), axis=-1)[..., :n]
    return (ranks.sum(axis=-1) - n * (n + 1) / 2) / (n * right_S.shape[-1])


def _bootstrap(
    samples: tuple[Floats, ...], statistic: Callable[..., Any], generator: np.random.Generator, confidence: float
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic of samples that are resampled independently."""
    if min(len(sample) for sample in samples) < 2:
        return NAN, NAN
    interval = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=generator,
    ).confidence_interval
    return float(interval.low), float(interval.high)
