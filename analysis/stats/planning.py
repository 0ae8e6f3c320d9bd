"""What would settle a test that is undecided: the next planned look that is likely to, or nothing that seeds can do.

The distance from a threshold that few seeds show is easily too large, and a number planned with it is too small half
the time. So the plan uses the lower confidence bound of the distance, by the non-central t: "safeguard power"
(Perugini, Gallucci and Costantini 2014), at their 80 %. Where even the last look would not do with that bound, the
distance as seen is used, and the plan says that it is not sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.stats.looks import PLANNED, SHARES
from analysis.stats.samples import NAN

CAUTION = 0.8  # confidence of the bound of the distance
CERTAIN = 1e4  # a larger t changes nothing, and the inverse of the non-central t takes hours at 1e6
PLENTY = 1e6  # degrees of freedom, and seeds, without limit


@dataclass(frozen=True)
class Noise:
    """What moves a mean difference.

    Attributes:
        sd: the standard deviation of one seed's difference.
        freedom: the degrees of freedom of that estimate.
        of_images: the squared error of the test images, which seeds cannot lower.
    """

    sd: float
    freedom: float
    of_images: float = 0.0

    def error(self, seeds: float) -> float:
        """Return the standard error with so many seeds."""
        return float(np.sqrt(self.sd**2 / seeds + self.of_images))

    def degrees(self, seeds: float, freedom: float) -> float:
        """Return the degrees of freedom of that error (Satterthwaite), if those of the seeds' part are `freedom`."""
        ratio = self.error(seeds) ** 2 / (self.sd**2 / seeds) if self.sd else np.inf
        return float(min(freedom * ratio**2, PLENTY))


@dataclass(frozen=True)
class Plan:
    """What would settle a test.

    Attributes:
        seeds: the planned look that gives the wanted chance; None if no look does.
        sure: the chance holds for the cautious distance, not only for the one that is seen.
        images: no number of seeds is enough, but it would be if there were no sampling of images.
    """

    seeds: int | None
    sure: bool = False
    images: bool = False


def plan(distances: Sequence[float], seeds: int, reached: int, noise: Noise, level: float, power: float) -> Plan:
    """Plan the look that shows that a mean is on the right side of thresholds.

    Args:
        distances: from each threshold, as seen; positive where the mean is on the right side.
        seeds: so many have been seen.
        reached: seeds of the last look; only later looks are planned.
        noise: of the differences.
        level: of each test, before it is spent over looks.
        power: the wanted chance; with two thresholds, at least the sum of the two powers minus one.
    """
    sure = [_at_least(distance, seeds, noise) for distance in distances]
    for certain, given in ((True, sure), (False, list(distances))):
        for look, share in zip(PLANNED, SHARES, strict=True):
            if look > reached and _joint(given, look, noise, level * share) >= power:
                return Plan(look, certain)
    endless = _joint(distances, PLENTY, noise, level * SHARES[-1])
    sharper = _joint(distances, PLANNED[-1], Noise(noise.sd, noise.freedom), level * SHARES[-1])
    return Plan(None, images=noise.of_images > 0 and endless < power <= sharper)


def chance(distance: float, seeds: float, noise: Noise, level: float) -> float:
    """Return the power of a one-sided test at one look, whose mean is so far on the right side of its threshold.

    It is that of a non-central t with Satterthwaite's degrees of freedom, and exact where images have no part. The
    critical value of Behrens' and Fisher's test is Cochran's, which is a little larger.
    """
    error = noise.error(seeds)
    if np.isinf(distance) or error == 0:
        return float(distance > 0)
    seed_error = noise.sd / np.sqrt(seeds)
    critical = np.hypot(
        special.stdtrit(seeds - 1, 1 - level) * seed_error, special.ndtri(1 - level) * np.sqrt(noise.of_images)
    )
    found = 1 - special.nctdtr(noise.degrees(seeds, seeds - 1), distance / error, critical / error)
    # scipy returns NaN where the power is practically 0 or 1
    return float(distance > 0) if np.isnan(found) else float(found)


def _joint(distances: Sequence[float], seeds: float, noise: Noise, level: float) -> float:
    return 1 - sum(1 - chance(distance, seeds, noise, level) for distance in distances)


def _at_least(distance: float, seeds: int, noise: Noise) -> float:
    """Return the lower confidence bound of a distance."""
    error = noise.error(seeds)
    if not distance > 0 or not error > 0:
        return NAN if np.isnan(distance) else distance
    return float(
        special.nctdtrinc(noise.degrees(seeds, noise.freedom), CAUTION, min(distance / error, CERTAIN)) * error
    )
