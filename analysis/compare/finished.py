"""Generalization by finished trainings: test accuracy at equal final training loss, one number per name and seed.

The paper (sec. 2.2) measures generalization by "the gap between the training loss and the evaluation accuracy", and
says that of two models with the same training loss the one with the higher evaluation accuracy generalizes better. It
leaves open at which loss, of which epoch, and what to do where two models never have the same loss. Three estimands:

    finished/accuracy   at equal final training loss. Each layout is trained to the end under several budgets of epochs,
                        each with a full schedule of its own. Between these end points, one per budget, the accuracy is
                        interpolated linearly in the logarithm of the loss, and averaged over a fixed range of losses,
                        every part of the logarithm alike. The primary one, since it is the paper's definition.
    fitted/accuracy     when everybody fits: at the smallest budget whose final training loss is below 0.01.
    best/accuracy       what a practitioner gets: at the layout's own best budget, which is chosen by the mean accuracy
                        on held-out images over the seeds, never by the test images.

Why end points, and not the points of one curve: inside a schedule, loss and accuracy depend on the learning rate. A
layout that fits fast passes a loss while its rate is still high, and a spike of its curve would count as its accuracy.

Why the logarithm: losses of finished trainings span orders of magnitude, and accuracy bends much less over their
logarithm than over the loss itself. Interpolation is biased where it bends, downwards: by 0.06 points at most for
curves and budgets like those of the layout study, and with noise in the losses by about 0.1 for CCCC and CCCT and 0.02
to 0.06 for the others (tests/analysis/compare/test_finished.py).

Why a fixed range: it is stated with the claim before there are runs, so that a slow or stuck seed changes nobody else's
number. The price is that every seed must reach both ends of the range. One that does not has no number, and a note
names its losses and the budget to add: nothing is extrapolated.

Deviations from the paper: it trains each model once, for 300 epochs, and shows the curves; and it takes the loss from
the training steps. Here the loss is `train_eval/loss`, measured after training in evaluation mode on fixed training
images, so that it is the loss of one network, and the accuracy is that on the official test images.

All three are sums of the runs' test accuracies with weights, which depend on losses, budgets and held-out accuracies
alone. So the same weights turn the answers for single test images into scores per image (`Measured.scores`).

B budgets, S seeds, N images.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cell = tuple[str, Any]  # a name and a seed
AT_EQUAL_LOSS, WHEN_FITTED, AT_BEST = "finished/accuracy", "fitted/accuracy", "best/accuracy"
MEASURES = (AT_EQUAL_LOSS, WHEN_FITTED, AT_BEST)
LOSS, TEST, EVAL, BUDGET = "train_eval/loss", "test/accuracy", "eval/accuracy", "trainer.max_epochs"
WORDS = {
    AT_EQUAL_LOSS: "test accuracy at equal training loss",
    WHEN_FITTED: "test accuracy of the first fit",
    AT_BEST: "test accuracy at the best budget",
    "train_eval/loss": "training loss",
    "eval/accuracy": "held-out accuracy",
}
FITTED = 0.01  # nats: the right class has a probability of 99 %
SMALLEST = 1e-8  # nats: a loss of exactly 0 has no logarithm; no mean in float32 means more than this
MORE = 1.5  # a budget that is missing is this much above the largest, or below the smallest


@dataclass(frozen=True)
class Lack:
    """Trainings under other budgets that a name lacks, so that some of its seeds have no number.

    Attributes:
        name, seeds: whose.
        budgets: of epochs, one training each; none if no budget can help.
        seconds: that they take, by the epochs of the name's runs; NaN if it is not known.
    """

    name: str
    seeds: Sequence[Any]
    budgets: Sequence[int]
    seconds: float = np.nan

    @property
    def words(self) -> str:
        """Say what to add."""
        return " and ".join(f"{BUDGET}={budget}" for budget in self.budgets)


@dataclass(frozen=True)
class Measured:
    """One number per name and seed, and what it is made of.

    Attributes:
        values: the numbers, by name and seed; NaN where there is none.
        weights: of the test accuracies of runs in each number, by fingerprint; empty where there is none.
        notes: sentences on what was chosen and what is missing.
        lacks: the trainings that would give the seeds without one a number, as the notes say.
    """

    values: pd.Series
    weights: Mapping[Cell, pd.Series]
    notes: Sequence[str] = ()
    lacks: Sequence[Lack] = ()

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the numbers with a row per seed and a column per name, NaN where there is none."""
        table = self.values.unstack("name") if len(self.values) else pd.DataFrame()
        return table.reindex(columns=list(names)).sort_index()

    def scores(self, runs: pd.DataFrame, name: str) -> tuple[list[Any], Floats] | None:
        """Return the seeds of a name that have a number, and their score on each test image, (S, N).

        A score is the weighted sum of right (1) and wrong (0) answers, so its mean over images is the seed's number.
        None where a run has no answers of single images, or where runs answered different numbers of them.

        Args:
            runs: index `fingerprint`; column `correct`, a boolean array (N,) or None.
            name: one of `values`.
        """
        own = {seed: weights for (other, seed), weights in self.weights.items() if other == name and len(weights)}
        if not own or "correct" not in runs:
            return None
        answers = {mark: runs["correct"][mark] for weights in own.values() for mark in weights.index}
        if any(answer is None for answer in answers.values()) or len({len(answer) for answer in answers.values()}) > 1:
            return None
        scores = [sum(weight * answers[mark].astype(float) for mark, weight in one.items()) for one in own.values()]
        return list(own), np.array(scores)


def metric_words(metric: str) -> str:
    """Say a metric in words: `test/accuracy` is test accuracy."""
    return WORDS.get(metric, metric.replace("/", " ").replace("_", " "))


def measured(metric: str, runs: pd.DataFrame, losses: tuple[float, float] | None = None) -> Measured:
    """Measure every name and seed of some runs: by one of `MEASURES`, or by a final metric of their only run.

    Args:
        metric: its name.
        runs: complete runs of one comparison, index `fingerprint`; columns `name`, `seed`, and for `MEASURES`
            `trainer.max_epochs`, `train_eval/loss`, `eval/accuracy` and `test/accuracy`.
        losses: the range of finished/accuracy.
    """
    if runs.empty:
        return Measured(pd.Series(dtype=float), {})
    if metric == AT_EQUAL_LOSS:
        assert losses, "claims.yaml states them"
        return at_equal_loss(runs, losses)
    if metric in MEASURES:
        return when_fitted(runs) if metric == WHEN_FITTED else at_best(runs)
    return _weighted(runs, metric, lambda own: np.ones(1), [])


def at_equal_loss(runs: pd.DataFrame, losses: tuple[float, float]) -> Measured:
    """Measure finished/accuracy over a range of losses, (low, high); `measured` describes the runs."""
    low, high = np.log(losses)
    known = runs.dropna(subset=[LOSS, TEST])
    short = [found for name, own in known.groupby("name", sort=False) if (found := _unspanned(name, own, losses))]
    made = _weighted(
        known.sort_values(LOSS),
        TEST,
        lambda own: range_weights(np.log(own[LOSS].to_numpy(float).clip(SMALLEST)), low, high),
        [note for note, _ in short],
        cells=_cells(runs),
    )
    return replace(made, lacks=[lack for _, lack in short])


def when_fitted(runs: pd.DataFrame) -> Measured:
    """Measure fitted/accuracy; `measured` describes the runs."""
    notes, lacks = [], []
    for name, own in runs.groupby("name", sort=False):
        least = own.groupby("seed")[LOSS].min()
        if slow := [seed for seed in least.index if not least[seed] < FITTED]:
            lacks.append(_lack(str(name), slow, [_more(own)], own))
            notes.append(
                f"{name}, {_seeds(slow)}: no training ended below a training loss of {FITTED}; the lowest is "
                f"{least[slow].min():.3g}, so add {lacks[-1].words}"
            )
    fits = runs[runs[LOSS] < FITTED].sort_values(BUDGET)
    made = _weighted(fits, TEST, lambda own: np.eye(1, len(own))[0], notes, cells=_cells(runs))
    return replace(made, lacks=lacks)


def at_best(runs: pd.DataFrame) -> Measured:
    """Measure best/accuracy; `measured` describes the runs."""
    best = best_budgets(runs)
    notes = ["each at its own best budget by held-out accuracy: " + ", ".join(f"{n} {b}" for n, b in best.items())]
    for name, budget in best.items():
        tried = runs.loc[runs["name"] == name, BUDGET]
        if tried.nunique() > 1 and budget == tried.max():
            notes.append(f"{name}: its best budget is the largest that was tried, so a larger one may be better")
    chosen = runs[runs[BUDGET] == runs["name"].map(best)]
    return _weighted(chosen, TEST, lambda own: np.ones(1), notes, cells=_cells(runs))


def best_budgets(runs: pd.DataFrame) -> dict[str, int]:
    """Return each name's budget with the highest mean held-out accuracy; the smaller one of two equal ones.

    Only budgets that as many seeds have as any other are considered, since a mean over other seeds is another mean.
    """
    found = {}
    for name, own in runs.dropna(subset=[EVAL]).groupby("name", sort=False):
        budgets = own.groupby(BUDGET)[EVAL].agg(["count", "mean"])
        found[str(name)] = int(budgets.loc[budgets["count"] == budgets["count"].max(), "mean"].idxmax())
    return found


def range_weights(places_B: Floats, low: float, high: float) -> Floats | None:
    """Return the weights that the heights of a broken line have in its mean from `low` to `high`.

    Args:
        places_B: where its corners are, in order; two may be equal.
        low, high: the range; None is returned if the line does not span it.
    """
    if not len(places_B) or places_B[0] > low or places_B[-1] < high:
        return None
    left, right = places_B[:-1], places_B[1:]
    begin, end = np.clip(left, low, high), np.clip(right, low, high)
    share = np.zeros_like(left)  # of the right corner, in the middle of what lies within the range
    np.divide((begin + end) / 2 - left, right - left, out=share, where=right > left)
    weights_B = np.zeros_like(places_B)
    weights_B[:-1] += (end - begin) * (1 - share)
    weights_B[1:] += (end - begin) * share
    return weights_B / (high - low)


def _weighted(
    runs: pd.DataFrame,
    metric: str,
    weigh: Callable[[pd.DataFrame], Floats | None],
    notes: Sequence[str],
    cells: Iterable[Cell] = (),
) -> Measured:
    """Sum a metric over the runs of each name and seed, with weights; a cell without runs or weights has no number."""
    weights: dict[Cell, pd.Series] = dict.fromkeys(cells, pd.Series(dtype=float))
    for (name, seed), own in runs.groupby(["name", "seed"], sort=False):
        found = weigh(own)
        weights[name, seed] = pd.Series(dtype=float) if found is None else pd.Series(found, own.index)
    index = pd.MultiIndex.from_tuples(list(weights), names=["name", "seed"]) if weights else None
    values = [
        float((one * runs[metric][one.index]).sum(skipna=False)) if len(one) else np.nan for one in weights.values()
    ]
    return Measured(pd.Series(values, index, dtype=float), weights, notes)


def _cells(runs: pd.DataFrame) -> list[Cell]:
    return list(dict.fromkeys(zip(runs["name"], runs["seed"], strict=True)))


def _unspanned(name: str, runs: pd.DataFrame, losses: tuple[float, float]) -> tuple[str, Lack] | None:
    """Say which seeds of a name do not reach both ends of the range, and which budgets would; None if all do."""
    ends = runs.groupby("seed")[LOSS].agg(["min", "max"])
    above, below = ends[ends["min"] > losses[0]], ends[ends["max"] < losses[1]]
    short = ends.loc[[*dict.fromkeys([*above.index, *below.index])]]
    if short.empty:
        return None
    wanted = [] if above.empty else [_more(runs)]
    if len(below) and runs[BUDGET].min() > 1:
        wanted.append(int(runs[BUDGET].min() / MORE))
    lack = _lack(name, short.index.tolist(), wanted, runs)
    advice = f"so add {lack.words}" if wanted else "and no budget is smaller than one epoch"
    note = (
        f"{name}, {_seeds(short.index)}: final training losses from {short['min'].min():.3g} to "
        f"{short['max'].max():.3g} do not span {losses[0]:g} to {losses[1]:g} in each seed, {advice}"
    )
    return note, lack


def _lack(name: str, seeds: Sequence[Any], budgets: Sequence[int], runs: pd.DataFrame) -> Lack:
    each = float((runs["seconds"] / runs[BUDGET]).mean()) if "seconds" in runs else np.nan
    return Lack(name, seeds, budgets, each * sum(budgets) * len(seeds))


def _more(runs: pd.DataFrame) -> int:
    return int(np.ceil(runs[BUDGET].max() * MORE))


def _seeds(seeds: Iterable[Any]) -> str:
    listed = [f"{seed:.0f}" for seed in sorted(seeds)]
    return f"seed{'s' * (len(listed) > 1)} {', '.join(listed)}"
