"""Accuracy at equal final loss: against numerical integrals, on planted curves like the real ones, and what it refuses.

The planted curves go through what finished trainings gave: Fashion-MNIST, 1,000 images, nano, means of four seeds, or
single runs. Losses and accuracies between them are interpolated without overshooting (PCHIP).
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator

from analysis.claims.claim import load_claims
from analysis.compare.finished import (
    AT_BEST,
    AT_EQUAL_LOSS,
    WHEN_FITTED,
    at_best,
    at_equal_loss,
    best_budgets,
    measured,
    range_weights,
    when_fitted,
)
from tests.analysis.planted import budgeted, frames
from tests.support.commandline import REPOSITORY

MEASURED = {  # epochs: final training loss and test accuracy in percent
    "CCCC": {2: (0.663, 67.0), 3: (0.206, 75.7), 4: (0.071, 76.6), 5: (0.0225, 77.2), 7: (0.005, 77.6)},
    "CCCT": {2: (1.075, 50.0), 4: (0.277, 75.0), 7: (0.019, 77.6), 12: (0.002, 77.7), 20: (0.001, 77.9)},
    "CCTT": {4: (0.522, 73.2), 7: (0.238, 77.0), 12: (0.024, 78.4), 20: (0.002, 79.1)},
    "CTTT": {4: (0.706, 70.1), 7: (0.498, 74.7), 12: (0.297, 77.1), 20: (0.075, 77.9), 40: (0.008, 78.6)},
    "ViT_REL": {4: (0.898, 62.9), 7: (0.656, 67.6), 12: (0.426, 71.1), 20: (0.227, 72.1), 44: (0.008, 72.6)},
}  # fmt: skip
(G,) = [claim for claim in load_claims("layouts") if claim.key == "G"]
assert G.losses
LOSSES = G.losses
SEED_LOSS, SEED_ACCURACY, RUN_ACCURACY = 0.15, 0.6, 0.5  # of the loss's logarithm; of accuracies, in points


@cache
def budgets(*parts: str) -> dict[str, list[int]]:
    """Read the planned budgets of each layout from the study, of some of its parts or of all."""
    planned: dict[str, list[int]] = {}
    for cell in OmegaConf.load(REPOSITORY / "sweeps" / "layouts.yaml").hydra.sweeper.cells:
        if cell.data == "fashion_mnist" and cell["sweep.part"] in (parts or ("core", "rest")):
            planned.setdefault(cell.layout, []).extend(map(int, str(cell["trainer.max_epochs"]).split(",")))
    return {layout: sorted(found) for layout, found in planned.items()}


def curves(name: str) -> tuple[PchipInterpolator, PchipInterpolator]:
    """Return a layout's log loss over log epochs, and its accuracy over log loss."""
    logs = np.log([loss for loss, _ in MEASURED[name].values()])
    accuracies = np.array([accuracy for _, accuracy in MEASURED[name].values()])
    return PchipInterpolator(np.log(list(MEASURED[name])), logs), PchipInterpolator(logs[::-1], accuracies[::-1])


def truth(name: str) -> float:
    low, high = np.log(LOSSES)
    return float(quad(curves(name)[1], low, high, limit=200)[0] / (high - low))


def planted(
    seeds: int, draw: int = 0, slower: Mapping[int, float] = {}, only: Sequence[str] = tuple(MEASURED)
) -> pd.DataFrame:
    """Plant a study: noise of the seed in loss and accuracy, noise of the run in accuracy.

    Args:
        seeds: how many.
        draw: which noise.
        slower: seeds whose losses are larger by a factor.
        only: layouts.
    """
    generator = np.random.default_rng(draw)
    shared_S = generator.normal(0, SEED_ACCURACY, seeds)
    slow_S = np.log([slower.get(seed, 1) for seed in range(seeds)])
    parts = []
    for name in only:
        (speed, curve), epochs_B = curves(name), np.array(budgets()[name])
        late_SB = generator.normal(0, SEED_LOSS / 2, (seeds, 1)) + generator.normal(
            0, SEED_LOSS, (seeds, len(epochs_B))
        )
        logs_SB = speed(np.log(epochs_B)) + late_SB + slow_S[:, None]
        accuracies_SB = curve(np.clip(logs_SB, *curve.x[[0, -1]])) + shared_S[:, None]
        accuracies_SB += generator.normal(0, RUN_ACCURACY, logs_SB.shape)
        part = {
            "name": name,
            "seed": np.repeat(np.arange(seeds), len(epochs_B)),
            "trainer.max_epochs": np.tile(epochs_B, seeds),
            "train_eval/loss": np.exp(logs_SB).ravel(),
            "test/accuracy": accuracies_SB.ravel(),
            "eval/accuracy": accuracies_SB.ravel(),
        }
        parts.append(pd.DataFrame(part))
    runs = pd.concat(parts, ignore_index=True)
    return runs.rename_axis("fingerprint")


CORNERS = st.lists(st.floats(-6, 2), min_size=2, max_size=7).map(sorted)
ENDS = st.tuples(st.floats(-5, 1), st.floats(0.01, 3)).map(lambda one: (one[0], one[0] + one[1]))


@given(CORNERS, ENDS, st.integers(0, 1000))
def test_weights_integrate_the_broken_line(places: list[float], ends: tuple[float, float], draw: int) -> None:
    places_B, (low, high) = np.array(places), ends
    weights_B = range_weights(places_B, low, high)
    if places[0] > low or places[-1] < high:
        assert weights_B is None
        return
    assert weights_B is not None
    assert weights_B.sum() == pytest.approx(1)
    assert (weights_B >= 0).all()
    if np.diff(places_B).min() > 0.01:  # two corners at one place are no function
        heights_B = np.random.default_rng(draw).normal(size=len(places))
        fine = np.linspace(low, high, 20001)
        expected = np.trapezoid(np.interp(fine, places_B, heights_B), fine) / (high - low)
        assert weights_B @ heights_B == pytest.approx(expected, abs=2e-3)


@given(st.floats(0, 1e-6), st.floats(0, 1), st.floats(0, 1))
def test_two_budgets_of_nearly_equal_loss_do_no_harm(apart: float, one: float, other: float) -> None:
    weights_B = range_weights(np.array([-3.0, -1.0, -1.0 + apart, 0.0]), -2, -0.5)
    assert weights_B is not None
    value = weights_B @ np.array([0.7, one, other, 0.7])
    assert min(one, other, 0.7) - 1e-9 <= value <= max(one, other, 0.7) + 1e-9


@pytest.mark.parametrize("parts", [["core"], ["core", "rest"]])
@pytest.mark.parametrize("name", MEASURED)
def test_interpolation_between_the_planned_budgets_is_nearly_unbiased(name: str, parts: list[str]) -> None:
    speed, curve = curves(name)
    logs_B = np.sort(speed(np.log(budgets(*parts)[name])))
    weights_B = range_weights(logs_B, *np.log(LOSSES))
    assert weights_B is not None
    assert abs(weights_B @ curve(np.clip(logs_B, *curve.x[[0, -1]])) - truth(name)) <= 0.1  # points


@pytest.mark.parametrize("name", MEASURED)
def test_with_noise_in_loss_and_accuracy_it_is_nearly_unbiased(name: str) -> None:
    values = at_equal_loss(planted(seeds=800, only=[name]), LOSSES).values
    assert values.notna().mean() > 0.9
    assert abs(values.mean() - truth(name)) <= 0.1


@pytest.mark.slow
def test_a_slow_seed_moves_nobody_elses_number() -> None:
    before = at_equal_loss(planted(seeds=5, draw=1), LOSSES)
    for factor in (1.5, 3, 1000):
        after = at_equal_loss(planted(seeds=5, draw=1, slower={4: factor}), LOSSES)
        others = before.values.index.get_level_values("seed") < 4
        pd.testing.assert_series_equal(before.values[others], after.values[others])
        moved = after.values.groupby("name").mean() - before.values[others].groupby("name").mean()
        if factor == 1000:
            assert after.values[~others].isna().all()
            assert moved.to_numpy() == pytest.approx(0)
    slow = at_equal_loss(planted(seeds=600, draw=2, slower=dict.fromkeys(range(300, 600), 1.5)), LOSSES).values
    halves = slow.groupby(["name", slow.index.get_level_values("seed") < 300]).mean().unstack()
    assert (abs(halves[True] - halves[False]) < 0.2).all()  # a slow seed has about the number that it would have had


def test_a_loss_of_zero_is_a_point_as_well() -> None:
    runs = budgeted(frames({"CCCC": 0.8}, seeds=1)[0]).assign(name="CCCC")
    runs["train_eval/loss"] = runs["train_eval/loss"].replace(runs["train_eval/loss"].min(), 0.0)
    assert np.isfinite(at_equal_loss(runs, LOSSES).values).all()


def test_what_does_not_span_the_range_has_no_number_and_is_told_which_budget_to_add() -> None:
    runs = budgeted(frames({"CCCC": 0.8, "ViT_REL": 0.7}, seeds=2)[0], {4: 0.4, 12: 0.1, 36: 0.005})
    runs = runs.assign(name=runs["layout.name"])
    slow = runs[~((runs["name"] == "ViT_REL") & (runs["seed"] == 1) & (runs["trainer.max_epochs"] == 36))]
    found = at_equal_loss(slow, (0.03, 0.2))
    assert found.values.isna().to_dict() == {
        ("CCCC", 0): False, ("CCCC", 1): False, ("ViT_REL", 0): False, ("ViT_REL", 1): True,
    }  # fmt: skip
    (note,) = found.notes
    assert note.startswith("ViT_REL, seed 1: final training losses from 0.1 to 0.4 do not span 0.03 to 0.2")
    (lack,) = at_equal_loss(slow.assign(seconds=10.0 * slow["trainer.max_epochs"]), (0.03, 0.2)).lacks
    assert (lack.name, list(lack.seeds), list(lack.budgets)) == ("ViT_REL", [1], [54])
    assert lack.seconds == pytest.approx(540)
    quick = at_equal_loss(runs[runs["trainer.max_epochs"] > 4], (0.03, 0.2))
    assert quick.values.isna().all()
    assert all(note.endswith("so add trainer.max_epochs=8") for note in quick.notes)


def test_fitted_is_the_smallest_budget_below_the_loss_and_says_what_is_missing() -> None:
    runs = budgeted(frames({"CCCC": 0.8}, seeds=2)[0], {4: 0.4, 12: 0.009, 36: 0.001}).assign(name="CCCC")
    found = when_fitted(runs)
    chosen = runs[runs["trainer.max_epochs"] == 12]["test/accuracy"]
    assert found.values.tolist() == pytest.approx(chosen.tolist())
    assert list(found.notes) == []
    short = when_fitted(runs[(runs["trainer.max_epochs"] == 4) | (runs["seed"] == 0)])
    assert short.values.isna().tolist() == [False, True]
    assert [(lack.name, list(lack.seeds), list(lack.budgets)) for lack in short.lacks] == [("CCCC", [1], [54])]
    assert list(short.notes) == [
        "CCCC, seed 1: no training ended below a training loss of 0.01; the lowest is 0.4, so add trainer.max_epochs=54"
    ]


def test_the_best_budget_is_chosen_by_held_out_images_and_never_by_the_test() -> None:
    runs = budgeted(frames({"CCCC": 0.8}, seeds=3)[0]).assign(name="CCCC")
    middle = runs["trainer.max_epochs"] == 12
    runs = runs.assign(**{"eval/accuracy": np.where(middle, 0.9, 0.8), "test/accuracy": np.where(middle, 0.1, 0.8)})
    assert best_budgets(runs) == {"CCCC": 12}
    assert at_best(runs).values.tolist() == [0.1] * 3
    # a budget that only one seed has cannot be it
    assert best_budgets(runs[~(middle & (runs["seed"] > 0))])["CCCC"] != 12
    assert "its best budget is the largest" in at_best(budgeted(frames({"CCCC": 0.8})[0]).assign(name="CCCC")).notes[1]


@pytest.mark.parametrize("metric", [AT_EQUAL_LOSS, WHEN_FITTED, AT_BEST])
def test_scores_of_images_average_to_the_number_of_the_seed(metric: str) -> None:
    runs = budgeted(frames({"CCCC": 0.8, "CTTT": 0.7}, seeds=3)[0], noise=0.05)
    generator = np.random.default_rng(0)
    answers = [generator.random(500) < accuracy for accuracy in runs["test/accuracy"]]
    shares = [answer.mean() for answer in answers]
    runs = runs.assign(name=runs["layout.name"], correct=answers, **{"test/accuracy": shares})
    found = measured(metric, runs, LOSSES)
    for name in ("CCCC", "CTTT"):
        result = found.scores(runs, name)
        assert result
        seeds, scores_SN = result
        assert scores_SN.shape == (3, 500)
        assert scores_SN.mean(axis=1) == pytest.approx([found.values[name, seed] for seed in seeds])
    used = found.weights["CCCC", 0].index[-1]
    lacking = runs.assign(
        correct=[None if mark == used else one for mark, one in zip(runs.index, answers, strict=True)]
    )
    assert found.scores(lacking, "CCCC") is None
    assert found.scores(lacking, "CTTT") is not None
    assert found.scores(runs.drop(columns="correct"), "CTTT") is None


def test_a_final_metric_is_that_of_the_only_run() -> None:
    runs = frames()[0].assign(name=lambda runs: runs["layout.name"])
    found = measured("eval/accuracy", runs)
    assert found.table(["CTTT", "nobody"])["CTTT"].tolist() == runs[runs["name"] == "CTTT"]["eval/accuracy"].tolist()
    assert found.table(["CTTT", "nobody"])["nobody"].isna().all()
    assert measured("eval/accuracy", runs[:0]).table(["CTTT"]).empty
