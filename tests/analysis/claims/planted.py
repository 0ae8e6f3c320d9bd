"""Studies with planted differences and noise, judged by the thousand: how often a verdict is wrong, how often right.

    python -m tests.analysis.claims.planted            the tables, of 10,000 studies of each kind: about 4 minutes
    python -m tests.analysis.claims.planted 1000       of fewer

A planted study has a report of three claims about the same five names: a primary and two secondary ones, as for the
three measures of generalization. It is judged by the product's own functions, many studies at once.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats as scipy_stats

from analysis.claims.claim import Claim
from analysis.claims.decide import judge_p, p_values, threshold_of
from analysis.claims.ordering import ABOUT, names_of, relations_of
from analysis.stats import Floats
from analysis.stats.looks import take_looks

ORDERING = "CCCC ≈ CCCT >= CCTT > CTTT >> ViT_REL"
G = Claim("G", "", "", [ORDERING], relations_of(ORDERING), "", "", "", {}, {}, about=0.01, far=0.03, primary=True)
REPORT = [G, replace(G, key="G2", primary=False), replace(G, key="G3", primary=False)]
NAMES = names_of(G.relations)
NEAR = 1e-9  # a difference so near to a threshold is on it

# What is true: the differences between neighbours. On a threshold, no verdict on a relation is right.
WORST = {
    "all equal": (0.0, 0.0, 0.0, 0.0),
    "neighbours on margins": (-0.01, -0.01, 0.0, 0.03),
    "other side of ≈": (0.01, -0.01, 0.0, 0.03),
    "implied on margins": (-0.005, -0.005, 0.005, 0.06),
    ".800 .806 .812": (-0.006, -0.006, 0.02, 0.07),
    "six on margins": (0.0, -0.01, 0.01, 0.03),
}
TRUE = (0.0, 0.005, 0.02, 0.07)
FALSE = (0.0, 0.005, -0.02, 0.09)  # CCTT > CTTT is false


@dataclass(frozen=True)
class Model:
    """How numbers vary.

    Attributes:
        kind: distribution of the noise: normal, t3 or laplace, each with a standard deviation of 1 before scaling.
        noise: standard deviation of a name's number over seeds.
        shared: correlation between names of the same seed.
        scales: of each name's noise.
        failing: in each study one seed of one name, among the first ten, is worse by so many times the noise.
    """

    kind: str = "normal"
    noise: float = 0.006
    shared: float = 0.3
    scales: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    failing: float = 0.0


MODELS = {
    "normal, correlation 0": Model(shared=0.0),
    "normal, correlation 0.5": Model(shared=0.5),
    "normal, correlation 0.9": Model(shared=0.9),
    "normal, a third of the noise": Model(noise=0.002),
    "normal, five times the noise": Model(noise=0.03),
    "t with 3 degrees": Model("t3"),
    "Laplace": Model("laplace"),
    "unequal noise, 1 to 10": Model(scales=(0.3, 3.0, 0.5, 1.0, 2.0)),
    "one seed fails by 3 sd": Model(failing=3.0),
    "one seed fails by 8 sd": Model(failing=8.0),
    "one seed fails by 100 sd": Model(failing=100.0),
}


def draw(
    model: Model, differences: Sequence[float], studies: int, seeds: int, generator: np.random.Generator
) -> Floats:
    """Draw the numbers of one claim, (studies, names, seeds)."""
    effects = np.cumsum([0.8, *(-np.array(differences))])
    of_name, of_seed = (_noise(model.kind, (studies, count, seeds), generator) for count in (len(NAMES), 1))
    noise = np.sqrt(1 - model.shared) * of_name + np.sqrt(model.shared) * of_seed
    if model.failing:
        name, seed = generator.integers(len(NAMES), size=studies), generator.integers(min(seeds, 10), size=studies)
        noise[np.arange(studies), name, seed] -= model.failing
    return effects[:, None] + model.noise * np.array(model.scales)[:, None] * noise


def report_of(model: Model, differences: Sequence[float], studies: int, seeds: int,
              generator: np.random.Generator) -> list[Floats]:  # fmt: skip
    """Draw the numbers of three claims, whose runs have a part of their noise in common."""
    first, *others = (draw(model, differences, studies, seeds, generator) for _ in REPORT)
    effects = np.cumsum([0.8, *(-np.array(differences))])[:, None]
    return [first, *(effects + 0.6 * (first - effects) + 0.8 * (other - effects) for other in others)]


def _noise(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    if kind == "t3":
        return generator.standard_t(3, shape) / np.sqrt(3)
    return generator.laplace(0, np.sqrt(0.5), shape) if kind == "laplace" else generator.normal(size=shape)


def verdicts(numbers: Sequence[Floats], report: Sequence[Claim] = REPORT) -> list[Floats]:
    """Judge studies: of each claim, (studies, relations): 1 where supported, -1 where contradicted, 0 where neither.

    Args:
        numbers: of each claim, (studies, names, seeds).
        report: the claims.
    """
    sides = []
    for claim, own in zip(report, numbers, strict=True):
        cells = dict(zip(NAMES, np.moveaxis(own, -2, 0), strict=True))
        both = [p_values(r.sign, take_looks(cells[r.left] - cells[r.right]), claim, None) for r in claim.relations]
        sides.append(np.stack([np.stack(pair, axis=-1) for pair in both], axis=-2))
    corrected, level = judge_p(sides, [claim.primary for claim in report])
    return [
        np.where(p <= level[..., [place]], np.where(side[..., 0] <= side[..., 1], 1, -1), 0)
        for place, (p, side) in enumerate(zip(corrected, sides, strict=True))
    ]


def plain(numbers: Floats) -> Floats:
    """Judge one claim by one-sided t-tests at 5 %, without any correction or implied relation."""
    cells, found = dict(zip(NAMES, np.moveaxis(numbers, -2, 0), strict=True)), []

    def p(d: Floats, threshold: float, side: str) -> Floats:
        return scipy_stats.ttest_1samp(d, threshold, axis=-1, alternative=side).pvalue

    for relation in (one for one in G.relations if not one.implied):
        d, low, high = cells[relation.left] - cells[relation.right], -G.about, G.about
        if relation.sign != ABOUT:
            low = high = threshold_of(relation.sign, G)
            supports, contradicts = p(d, low, "greater"), p(d, low, "less")
        else:
            supports = np.maximum(p(d, low, "greater"), p(d, high, "less"))
            contradicts = np.minimum(p(d, high, "greater"), p(d, low, "less"))
        found.append(np.where(supports <= 0.05, 1, np.where(contradicts <= 0.05, -1, 0)))
    return np.stack(found, axis=-1)


def truths(claim: Claim, differences: Sequence[float]) -> Floats:
    """Return for each relation whether it is true: 1, false: -1, or on its threshold: 0."""
    effects = dict(zip(NAMES, np.cumsum([0.0, *(-np.array(differences))]), strict=True))
    found = []
    for relation in claim.relations:
        d = effects[relation.left] - effects[relation.right]
        inside = claim.about - abs(d) if relation.sign == ABOUT else d - threshold_of(relation.sign, claim)
        found.append(0.0 if abs(inside) < NEAR else np.sign(inside))
    return np.array(found)


def ever_wrong(model: Model, differences: Sequence[float], studies: int, generator: np.random.Generator,
               looks: Sequence[int] = (3, 5, 10, 20)) -> float:  # fmt: skip
    """Return the share of reports that have a wrong verdict on any relation at any look.

    Whatever rule somebody stops by, the report that is read is that of one of the looks.
    """
    truth, mistaken = truths(G, differences), np.zeros(studies, bool)
    numbers = report_of(model, differences, studies, looks[-1], generator)
    for seeds in looks:
        found = np.concatenate(verdicts([one[..., :seeds] for one in numbers]), axis=-1)
        mistaken |= ((found != 0) & (found != np.tile(truth, len(REPORT)))).any(axis=-1)
    return float(mistaken.mean())


def right(judged: Callable[[Floats], Floats], model: Model, differences: Sequence[float], seeds: int, studies: int,
          generator: np.random.Generator) -> Floats:  # fmt: skip
    """Return how often each relation that the claim writes has the right verdict, and last, how often the claim."""
    found = judged(draw(model, differences, studies, seeds, generator))
    truth = truths(G, differences)[: found.shape[-1]]
    whole = (found == 1).all(axis=-1) if (truth > 0).all() else (found == -1).any(axis=-1)
    return np.append((found == truth).mean(axis=0)[:4], whole.mean())


def in_report(numbers: Floats) -> Floats:
    """Judge the first claim of a report whose other claims are undecided."""
    return verdicts([numbers, *(np.full_like(numbers, 0.8) for _ in REPORT[1:])])[0]


def _print_all(studies: int) -> None:
    generator = np.random.default_rng(0)
    print(f"Wrong: % of {studies} reports of three claims with a wrong verdict at any look up to 20 seeds")
    print(" " * 29, *(f"{name:>21s}" for name in WORST))
    for name, model in MODELS.items():
        shares = [ever_wrong(model, differences, studies, generator) for differences in WORST.values()]
        print(f"{name:29s}", *(f"{100 * share:21.1f}" for share in shares), flush=True)
    print("\nRight: % of verdicts on the relations that claim G writes, and on the claim; here / plain t-tests at 5 %")
    for title, differences in (("true", TRUE), ("one false", FALSE)):
        for noise in (0.003, 0.006, 0.012):
            for seeds in (3, 5, 10, 20):
                both = [right(judged, Model(noise=noise), differences, seeds, studies, generator)
                        for judged in (in_report, plain)]  # fmt: skip
                row = "  ".join(f"{100 * here:3.0f} /{100 * there:4.0f}" for here, there in zip(*both, strict=True))
                print(f"{title:10s} noise {noise:.3f} {seeds:3d} seeds  {row}", flush=True)


if __name__ == "__main__":
    _print_all(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
