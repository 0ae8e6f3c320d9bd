"""Which number of a finished run says how well it did: its test accuracy, or the share of random labels that it fitted.

Held-out and test images keep their labels when those of the training images are shuffled. Nothing can be learned about
them, so accuracy on them is that of chance, and capacity is what the training accuracy shows (Zhang et al. 2017).
"""

import pandas as pd

from analysis.compare.finished import EVAL, TEST

TRAIN = "train_eval/accuracy"
RANDOM = "data.random_labels"


def has_random_labels(runs: pd.DataFrame) -> bool:
    """Tell whether all runs were trained on random labels."""
    return RANDOM in runs and bool(len(runs)) and bool(runs[RANDOM].eq(True).all())


def final_measure(runs: pd.DataFrame) -> tuple[str, str]:
    """Return the column of the measure of finished runs, and its words."""
    if has_random_labels(runs):
        return TRAIN, "training accuracy, the share of random labels that was fitted"
    return TEST, "test accuracy"


def epoch_measure(runs: pd.DataFrame) -> tuple[str, str]:
    """Return the same for epochs, with words that fit an axis."""
    return (TRAIN, "random labels fitted") if has_random_labels(runs) else (EVAL, "evaluation accuracy")
