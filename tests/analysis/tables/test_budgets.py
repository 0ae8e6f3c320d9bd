"""Tables over several budgets, from records with known losses, and the sentence on the order."""

from pathlib import Path

import numpy as np
import pytest

from analysis.tables.budgets import order_sentence
from tests.analysis.command import COST, report
from tests.support.made_runs import make_run

LADDER = {4: 0.4, 12: 0.1, 36: 0.005}  # epochs: final training loss


def plant(tmp_path: Path, layout: str, accuracies: dict[int, float], *words: str, seeds: int = 2) -> None:
    """Make a run per budget and seed; half a point above or below, by the seed."""
    for epochs, accuracy in accuracies.items():
        for seed in range(seeds):
            noise = 0.005 * (-1) ** seed
            words_of = [f"layout={layout}", f"trainer.max_epochs={epochs}", *words]
            make_run(tmp_path / "runs", *words_of, seed=seed, accuracy=accuracy + noise, loss=LADDER[epochs])


@pytest.mark.slow
def test_a_row_is_made_of_its_budgets_and_every_budget_has_a_row_of_its_own(tmp_path: Path) -> None:
    plant(tmp_path, "CCCC", {4: 0.81, 12: 0.83, 36: 0.82})
    plant(tmp_path, "CTTT", {4: 0.71, 12: 0.73, 36: 0.74})
    rows, text = report(tmp_path, "layouts")
    rows = rows[~rows["table"].str.startswith(COST)]
    over = rows[rows["table"] == "fashion_mnist"].set_index("layout")
    apart = rows[rows["table"] == "Every budget, fashion_mnist"]
    assert over["seeds"].tolist() == [2, 2]
    assert over["test acc. when fitted"].to_dict() == pytest.approx({"CCCC": 0.81, "CTTT": 0.73})
    assert over["test acc. at best"].to_dict() == pytest.approx({"CCCC": 0.82, "CTTT": 0.73})
    assert over["epochs at best"].to_dict() == {"CCCC": 12, "CTTT": 36}
    # by hand: the mean of the broken line over the logarithm of the loss
    for layout, accuracies in {"CCCC": [0.81, 0.82, 0.80], "CTTT": [0.73, 0.72, 0.70]}.items():
        logs = np.log(sorted(LADDER.values()))
        fine = np.linspace(np.log(0.03), np.log(0.2), 100_001)
        assert over["test acc. at equal loss"][layout] == pytest.approx(
            np.interp(fine, logs, accuracies).mean(), abs=1e-5
        )
    assert apart["max_epochs"].tolist() == [4, 12, 36] * 2
    assert apart["test acc."].tolist() == pytest.approx([0.80, 0.82, 0.81, 0.70, 0.72, 0.73])
    assert apart["train loss"].tolist() == pytest.approx([*LADDER.values()] * 2)
    assert (
        "The order of the means is the same under all of at equal loss, when fitted, at best: CCCC > CTTT."
        in text.replace("\\", "")
    )
    assert "CTTT: its best budget is the largest that was tried" in text
    assert "Unequal seeds" not in text
    assert "Missing" not in text
    verdicts = (tmp_path / "reports" / "layouts" / "verdicts.md").read_text()
    assert "differ in more than that" not in verdicts


@pytest.mark.slow
def test_without_a_claim_about_the_data_nothing_is_at_equal_loss(tmp_path: Path) -> None:
    for layout in ("CCCC", "CTTT"):
        plant(tmp_path, layout, {4: 0.81, 12: 0.83}, "data=cifar10", seeds=1)
    rows, text = report(tmp_path, "layouts")
    assert "test acc. at equal loss" not in rows
    assert "No claim states over which training losses these runs are to be compared" in text


@pytest.mark.slow
def test_abundant_images_have_no_budgets(tmp_path: Path) -> None:
    for epochs in (1, 2):
        make_run(tmp_path / "runs", "layout=CCCC", "data=fractals", f"trainer.max_epochs={epochs}")
    with pytest.raises(Exception, match=r"differ in more than that: trainer\.max_epochs is"):
        report(tmp_path, "layouts")


def test_the_order_is_told_under_each_estimand() -> None:
    one, other = {"A": 0.9, "B": 0.8, "C": 0.7}, {"A": 0.8, "B": 0.9, "C": 0.7}
    assert order_sentence({"x": one, "y": one}) == ["The order of the means is the same under all of x, y: A > B > C."]
    assert order_sentence({"x": one, "y": other}) == [
        "The order of the means depends on what is compared: x, A > B > C; y, B > A > C."
    ]
    (lacking,) = order_sentence({"x": one, "y": other | {"B": np.nan}})
    assert lacking == "The order of the means is the same under all of x, y (without B, which lacks a number): A > C."
    assert order_sentence({"x": {"A": 0.9}}) == []
