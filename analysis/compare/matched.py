"""The paper's measure of generalization (sec. 2.2): evaluation accuracy at matched training loss.

The paper's other measures are in the records: the `gap`; for capacity the final `train_eval/*` and `eval/*` of runs on
abundant data after equal steps; for transfer the final `eval/accuracy` of fine-tuned runs. Each claim of claims.yaml
names its own.

Deviation from the paper: it takes the training loss from the training steps; here it is `train_eval/loss`, measured
after each epoch in evaluation mode on fixed training images, so it is the loss of a finished epoch for every layout.

A caution: since all layouts have the same schedule, one that fits faster reaches the final loss of a slower one while
its learning rate is still high, so its accuracy there is that of an unfinished training. Read final accuracies as well.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MATCHED = "matched/accuracy"  # the name of this measure among the metrics
LOSS, ACCURACY = "train_eval/loss", "eval/accuracy"


def matched_loss(curves: pd.DataFrame) -> float:
    """Return the lowest training loss that all runs reach, the largest of their minima; NaN without a run.

    Args:
        curves: columns `fingerprint`, `step`, `train_eval/loss`; rows without a loss (of logged steps) do not count.
    """
    return float(curves.dropna(subset=[LOSS]).groupby("fingerprint")[LOSS].min().max())


def matched_accuracy(runs: pd.DataFrame, histories: pd.DataFrame) -> tuple[pd.Series, float]:
    """Return each run's evaluation accuracy at the lowest training loss that all of `runs` reach, and that loss.

    The loss, and so the accuracies, depend on which runs are compared: pass all runs of one comparison, with all seeds.
    A run without a history gets NaN and has no part in the loss.

    Args:
        runs: index `fingerprint`.
        histories: columns `fingerprint`, `step`, `train_eval/loss`, `eval/accuracy`, one row per epoch or
            logged step; the last two columns are missing where no run has a history.
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
    """Interpolate the accuracy at the point where the training loss falls to `loss`; E epochs in the order of training.

    It is linear in the loss, between the last epoch above `loss` and the first at or below it. A curve that rises
    again, as happens while the learning rate is high, is taken where it falls to `loss` for the last time. NaN where it
    never does: the curve stays above, or it begins below, so that its accuracy at that loss was never observed.
    """
    below = losses_E <= loss
    down = np.flatnonzero(below[1:] & ~below[:-1]) + 1
    if not len(down):
        return float(accuracies_E[0]) if len(losses_E) and losses_E[0] == loss else float("nan")
    last = int(down[-1])
    share = (losses_E[last - 1] - loss) / (losses_E[last - 1] - losses_E[last])
    return float(accuracies_E[last - 1] + share * (accuracies_E[last] - accuracies_E[last - 1]))
