"""Few numbers, one per seed: mean, deviation, bootstrap interval, paired differences, probability of improvement.

S is the number of seeds; a name that ends in _S is an array with one number per seed. Differences are paired: the runs
of one seed have the same images in the same order, and the same initial weights where their networks are alike.

Bootstrap intervals are only for display: resampling so few numbers gives intervals that are too narrow (with samples of
2, 3, 5 and 10 normal numbers, the 95 % interval covers the true mean in about 50, 75, 83 and 90 % of cases). One seed
has no interval. Verdicts rest on `analysis.stats.looks`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
NAN = float("nan")
RESAMPLES = 9999
ROUNDING = 1e-6  # metrics are recorded as float32, in which equal differences vary by less than this


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


def pooled(samples: Sequence[Floats]) -> tuple[float, int]:
    """Return the pooled standard deviation of samples and its degrees of freedom; NaN if no sample has a deviation.

    All samples of a comparison together give a much better estimate of the noise than one of them.
    """
    known = [sample_S for sample_S in samples if len(sample_S) > 1 and np.ptp(sample_S) > ROUNDING]
    freedom = sum(len(sample_S) - 1 for sample_S in known)
    squares = sum(((sample_S - sample_S.mean()) ** 2).sum() for sample_S in known)
    return (float(np.sqrt(squares / freedom)), freedom) if known else (NAN, 0)


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
