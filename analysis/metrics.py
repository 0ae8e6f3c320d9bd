"""The paper's measures of generalization (sec. 2.2): the gap, and evaluation accuracy at matched training loss.

Capacity and transfer need no measure of their own: they are the final `train_eval/*` and `eval/*` of runs on abundant
data after equal steps, and the final `eval/accuracy` of fine-tuned runs. `analysis/claims.yaml` says which runs.

Deviation from the paper: it reads training loss off the training steps; here it is `train_eval/loss`, measured after
each epoch in evaluation mode on fixed training images, so that the loss of all layouts is that of a finished epoch.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MATCHED = "matched/accuracy"  # the name of the measure where a metric is asked for
LOSS, ACCURACY = "train_eval/loss", "eval/accuracy"


def gap(runs: pd.DataFrame) -> pd.Series:
    """Return training less evaluation accuracy of each run, both in evaluation mode, in 0 to 1."""
    return runs["train_eval/accuracy"] - runs[ACCURACY]


def matched_loss(curves: pd.DataFrame) -> float:
    """Return the lowest training loss that all runs reach: the largest of their smallest; NaN without a run.

    Args:
        curves: columns `fingerprint`, `step`, `train_eval/loss`; rows without a loss (logged steps) are left out.
    """
    return float(curves.dropna(subset=[LOSS]).groupby("fingerprint")[LOSS].min().max())


def matched_accuracy(runs: pd.DataFrame, histories: pd.DataFrame) -> tuple[pd.Series, float]:
    """Return each run's evaluation accuracy at the lowest training loss that all of `runs` reach, and that loss.

    The loss, and so the accuracies, depend on which runs are compared: give those of one comparison, all seeds. A run
    without history is NaN and does not count in the loss.

    Args:
        runs: index `fingerprint`.
        histories: columns `fingerprint`, `step`, `train_eval/loss`, `eval/accuracy`, a row an epoch or a logged step.
    """
    curves = histories[histories["fingerprint"].isin(runs.index)].dropna(subset=[LOSS, ACCURACY]).sort_values("step")
    loss = matched_loss(curves)
    found = {
        fingerprint: at_loss(curve[LOSS].to_numpy(float), curve[ACCURACY].to_numpy(float), loss)
        for fingerprint, curve in curves.groupby("fingerprint")
    }
    return pd.Series(found, dtype=float).reindex(runs.index), loss


def at_loss(losses_E: Floats, accuracies_E: Floats, loss: float) -> float:
    """Interpolate the accuracy where the training loss first comes down to `loss`; E epochs in the order of training.

    Linear in the loss, between the last epoch above it and the first epoch at it or below. A curve that rises again
    later, by noise or over-fitting, keeps its first crossing. NaN where there is none: a curve that stays above, and
    one that begins below, whose accuracy at that loss was never seen and is not extrapolated.
    """
    below = np.flatnonzero(losses_E <= loss)
    if not len(below):
        return float("nan")
    first = int(below[0])
    if losses_E[first] == loss:
        return float(accuracies_E[first])
    if first == 0:
        return float("nan")
    share = (losses_E[first - 1] - loss) / (losses_E[first - 1] - losses_E[first])
    return float(accuracies_E[first - 1] + share * (accuracies_E[first] - accuracies_E[first - 1]))
