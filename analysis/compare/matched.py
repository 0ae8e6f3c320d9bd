"""The paper's measure of generalization (sec. 2.2): evaluation accuracy at matched training loss.

Its other measures are in the records: the `gap`; for capacity the final `train_eval/*` and `eval/*` of runs on abundant
data after equal steps; for transfer the final `eval/accuracy` of fine-tuned runs. claims.yaml says which.

Deviation from the paper: it reads training loss off the training steps; here it is `train_eval/loss`, measured after
each epoch in evaluation mode on fixed training images, so that the loss of all layouts is that of a finished epoch.

A caution: under one schedule for all, a layout that fits faster comes to the loss of a slower one while its learning
rate is still high, and its accuracy there is that of an unfinished training. Final accuracies belong beside these.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MATCHED = "matched/accuracy"  # the name of the measure where a metric is asked for
LOSS, ACCURACY = "train_eval/loss", "eval/accuracy"


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
        histories: columns `fingerprint`, `step`, `train_eval/loss`, `eval/accuracy`, a row an epoch or a logged step;
            the last two are missing where no run has a history.
    """
    known = histories[histories["fingerprint"].isin(runs.index)].reindex(
        columns=["fingerprint", "step", LOSS, ACCURACY]
    )
    curves = known.dropna(subset=[LOSS, ACCURACY]).sort_values("step")
    loss = matched_loss(curves)
    found = {
        fingerprint: at_loss(curve[LOSS].to_numpy(float), curve[ACCURACY].to_numpy(float), loss)
        for fingerprint, curve in curves.groupby("fingerprint")
    }
    return pd.Series(found, dtype=float).reindex(runs.index), loss


def at_loss(losses_E: Floats, accuracies_E: Floats, loss: float) -> float:
    """Interpolate the accuracy where the training loss comes down to `loss`; E epochs in the order of training.

    Linear in the loss, between the last epoch above it and the first at it or below. A curve that rises again, as they
    do while the learning rate is high, counts where it comes down for the last time. NaN where it never does: a curve
    that stays above, and one that begins below, whose accuracy at that loss was never seen and is not extrapolated.
    """
    below = losses_E <= loss
    down = np.flatnonzero(below[1:] & ~below[:-1]) + 1
    if not len(down):
        return float(accuracies_E[0]) if len(losses_E) and losses_E[0] == loss else float("nan")
    last = int(down[-1])
    share = (losses_E[last - 1] - loss) / (losses_E[last - 1] - losses_E[last])
    return float(accuracies_E[last - 1] + share * (accuracies_E[last] - accuracies_E[last - 1]))
