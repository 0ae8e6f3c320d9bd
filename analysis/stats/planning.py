"""What later looks may see, given the seeds so far: draws of looks to come, to tell how likely they settle something.

Given the differences so far, the mean and the variance of all seeds are uncertain in a known way (the posterior under
the usual flat prior). Each draw takes a mean and a variance from there, adds seeds to those seen, and looks at all
together. The share of draws that settle a relation is its chance, the "predictive power" of Spiegelhalter, Freedman and
Blackburn 1986. At the observed difference alone it would be too large: few seeds easily show too much. It is a little
too small, since looks between may settle the relation as well. Images are not drawn again: later seeds are tested on
the same ones.
"""

import numpy as np

from analysis.stats.looks import PLANNED, Looks
from analysis.stats.samples import Floats

DRAWS = 300


def future(differences_S: Floats, noise: tuple[float, float], of_images: float, seeds: int) -> Looks:
    """Draw what the look at `seeds` seeds may see; the looks before it are empty.

    Args:
        differences_S: those of the seeds so far, of which there are fewer.
        noise: the standard deviation of a difference and its degrees of freedom, for the seeds to come.
        of_images: the images' part of the squared standard error.
        seeds: one of the planned numbers.
    """
    generator, n = np.random.default_rng(0), len(differences_S)  # the same runs give the same advice
    sd, freedom = noise
    mean, squares, more = differences_S.mean(), ((differences_S - differences_S.mean()) ** 2).sum(), seeds - n
    sigma = sd * np.sqrt(freedom / generator.chisquare(freedom, DRAWS))
    truth = mean + sigma / np.sqrt(n) * generator.normal(size=DRAWS)
    added = truth + sigma / np.sqrt(more) * generator.normal(size=DRAWS)
    inside = sigma**2 * generator.chisquare(more - 1, DRAWS) if more > 1 else np.zeros(DRAWS)
    every = squares + inside + n * more / seeds * (added - mean) ** 2
    places = PLANNED.index(seeds) + 1
    looks = Looks(*np.full((3, DRAWS, places), np.nan))
    looks.mean[:, -1] = (n * mean + more * added) / seeds
    looks.of_seeds[:, -1] = every / (seeds - 1) / seeds
    looks.of_images[:] = of_images
    return looks
