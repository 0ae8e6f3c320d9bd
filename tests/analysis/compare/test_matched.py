"""Evaluation accuracy at matched training loss, on curves whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.compare.matched import at_loss, matched_accuracy


def curves(**losses_and_accuracies: list[tuple[float, float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        {"fingerprint": name, "step": step, "train_eval/loss": loss, "eval/accuracy": accuracy}
        for name, points in losses_and_accuracies.items()
        for step, (loss, accuracy) in enumerate(points)
    ]
    return pd.DataFrame(index=pd.Index(losses_and_accuracies, name="fingerprint")), pd.DataFrame(rows)


def test_the_loss_is_the_lowest_that_all_reach_and_accuracy_is_interpolated_there() -> None:
    runs, histories = curves(fast=[(2, 0.2), (0.6, 0.6), (0.1, 0.9)], slow=[(2, 0.3), (1, 0.5), (0.4, 0.7)])
    found, loss = matched_accuracy(runs, histories)
    assert loss == 0.4
    assert found.to_dict() == pytest.approx({"fast": 0.6 + 0.3 * 0.2 / 0.5, "slow": 0.7})


def test_rows_of_other_runs_logged_steps_and_the_order_of_rows_do_not_matter() -> None:
    runs, histories = curves(a=[(2, 0.2), (0.4, 0.6)], b=[(2, 0.2), (0.5, 0.6)], other=[(2, 0.1), (1.9, 0.2)])
    step = pd.DataFrame([{"fingerprint": "a", "step": 1, "train/step_loss": 0.01}])
    found, loss = matched_accuracy(runs.drop("other"), pd.concat([histories[::-1], step]))
    assert loss == 0.5
    assert found["b"] == 0.6


@given(st.lists(st.floats(0.01, 3), min_size=2, max_size=20, unique=True), st.floats(0, 1))
def test_on_a_falling_curve_it_is_numpys_interpolation(losses: list[float], share: float) -> None:
    falling = np.array(sorted(losses, reverse=True))
    accuracies = np.linspace(0.1, 0.9, len(falling)) ** 2
    loss = min(falling[0], falling[-1] + share * (falling[0] - falling[-1]))
    assert at_loss(falling, accuracies, loss) == pytest.approx(np.interp(loss, falling[::-1], accuracies[::-1]))


def test_a_curve_that_rises_again_counts_where_it_comes_down_for_the_last_time() -> None:
    assert at_loss(np.array([2.0, 1.0, 1.5, 0.5]), np.array([0.1, 0.5, 0.3, 0.8]), 1.2) == pytest.approx(0.45)
    # the run that sets the loss may end above it
    assert at_loss(np.array([2.0, 1.0, 1.5]), np.array([0.1, 0.5, 0.3]), 1.0) == 0.5


def test_what_was_never_seen_is_not_made_up() -> None:
    runs, histories = curves(slow=[(2, 0.2), (1, 0.5)], quick=[(0.5, 0.8), (0.1, 0.9)])
    unrecorded = pd.DataFrame(index=[*runs.index, "unrecorded"])
    found, loss = matched_accuracy(unrecorded, histories)
    assert loss == 1
    assert found["slow"] == 0.5
    assert found[["quick", "unrecorded"]].isna().all()
    assert np.isnan(at_loss(np.array([2.0, 1.0]), np.array([0.2, 0.5]), 0.5))
    assert at_loss(np.array([1.0, 0.5]), np.array([0.2, 0.5]), 1.0) == 0.2
