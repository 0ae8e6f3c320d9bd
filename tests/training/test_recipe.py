"""Every recipe is Table 10, cell by cell; a run's batch scales its rates and stretches its warm-up, and never more."""

import csv
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.training.recipe import for_run
from tests.support.commandline import REPOSITORY, CommandLine

TABLE = list(csv.DictReader((REPOSITORY / "analysis" / "paper" / "recipes.csv").open()))
COLUMNS = {column: column.removesuffix("_pretrain") for column in TABLE[0] if column != "hyperparameter"}


def number(cell: str) -> float | None:
    return None if cell == "none" else float(cell)


def randaugment(cell: str, model: str) -> dict[str, int] | None:
    """Read `2,15 (CoAtNet-3: 2,20)` for a model; a variant in brackets that is no model's is not the recipe."""
    exception = re.search(rf"\({model}: (\d+,\d+)\)", cell)
    pair = exception.group(1) if exception else cell.split(" (")[0]
    return None if pair == "none" else dict(zip(("layers", "magnitude"), map(int, pair.split(",")), strict=True))


def warmup(cell: str) -> dict[str, float]:
    length, _, unit = cell.partition(" ")
    return {"warmup_steps": 0, "warmup_epochs": 0} | ({} if cell == "none" else {f"warmup_{unit}": float(length)})


# a row of the table -> the recipe's keys, from its cell and the model
ROWS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "stochastic_depth": lambda cell, _: {"stochastic_depth": number(cell)},
    "center_crop": lambda cell, _: {"center_crop": {"true": True, "false": False}[cell]},
    "randaugment": lambda cell, model: {"randaugment": randaugment(cell, model)},
    "mixup_alpha": lambda cell, _: {"mixup_alpha": number(cell)},
    "loss": lambda cell, _: {"loss": cell},
    "label_smoothing": lambda cell, _: {"label_smoothing": number(cell)},
    "epochs": lambda cell, _: {"epochs": number(cell)},
    "batch_size": lambda cell, _: {"batch_size": number(cell)},
    "optimizer": lambda cell, _: {"optimizer": cell},
    "peak_lr": lambda cell, _: {"lr": number(cell)},
    "min_lr": lambda cell, _: {"min_lr": number(cell)},
    "warmup": lambda cell, _: warmup(cell),
    "lr_schedule": lambda cell, _: {"schedule": "constant" if cell == "none" else cell},
    "weight_decay": lambda cell, _: {"weight_decay": number(cell)},
    "gradient_clip": lambda cell, _: {"gradient_clip": number(cell)},
    "ema_decay": lambda cell, _: {"ema_decay": number(cell)},
}


def models(column: str) -> list[str]:
    """Return CoAtNet-0, ... of a column."""
    name, _, numbers = TABLE[0][column].partition("-")
    return [f"{name}-{n}" for n in numbers.split("/")]


CELLS = [
    (row["hyperparameter"], column, model, place)
    for row in TABLE[1:]
    for column in COLUMNS
    for place, model in enumerate(models(column))
]


def test_every_column_and_row_of_the_table_is_compared() -> None:
    assert TABLE[0]["hyperparameter"] == "models"
    assert [row["hyperparameter"] for row in TABLE[1:]] == list(ROWS)
    assert {*COLUMNS.values(), "study", "tuned"} == set(choices("recipe"))
    assert len(CELLS) == 16 * (4 + 4 + 3 + 3 + 3 + 3)


@pytest.fixture(scope="module")
def composed() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (column, model): resolve(
            compose([f"recipe={COLUMNS[column]}", f"size={model.lower().replace('-', '_')}", "data.image_size=224"])
        )
        for column in COLUMNS
        for model in models(column)
    }


@pytest.mark.parametrize(("row", "column", "model", "place"), CELLS)
def test_the_recipe_is_table_10(row: str, column: str, model: str, place: int, composed: Any) -> None:
    (cell,) = [line[column] for line in TABLE if line["hyperparameter"] == row]
    parts = cell.split("/")
    expected = ROWS[row](parts[place] if len(parts) > 1 else cell, model)
    config = composed[column, model]
    assert {key: config["recipe"][key] for key in expected} == expected
    assert config["trainer"]["max_epochs"] == config["recipe"]["epochs"]
    assert set(config["recipe"]["per_size"]["stochastic_depth"]) == {
        *(name.lower().replace("-", "_") for name in models(column)), "nano", "tiny", "small",
    }  # fmt: skip


RECIPE, IN21K = (resolve(compose([f"recipe={name}"]))["recipe"] for name in ("in1k", "in21k"))
BATCHES = st.integers(1, 4096)
STEPS = st.integers(1, 100_000)


@given(BATCHES, STEPS)
def test_a_smaller_batch_has_smaller_rates_and_a_longer_warm_up(batch: int, steps: int) -> None:
    used = for_run(RECIPE, batch=batch, steps_per_epoch=steps, epochs=300)
    assert used["lr"] / batch == pytest.approx(1e-3 / 4096)
    assert used["min_lr"] / batch == pytest.approx(1e-5 / 4096)
    assert used["steps"] == 300 * steps
    images = 10_000 * 4096
    assume(images / batch + 1 < used["steps"])
    assert used["warmup_steps"] * batch == pytest.approx(images, abs=batch)


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_rates_never_grow_and_a_recipe_for_any_batch_keeps_its_own(reference: int, batch: int) -> None:
    kept = {"lr": 1e-3, "min_lr": 1e-5, "warmup_steps": 10_000}
    sizes = [{"batch_size": None}, {"batch_size": reference, "scale_lr": False}]
    if batch >= reference:
        sizes.append({"batch_size": reference})
    for size in sizes:
        used = for_run(RECIPE | size, batch=batch, steps_per_epoch=10_000, epochs=300)
        assert {key: used[key] for key in kept} == kept
        assert used["scale"] == 1


@given(BATCHES, STEPS)
def test_a_warm_up_in_epochs_is_as_long_whatever_the_batch(batch: int, steps: int) -> None:
    used = for_run(IN21K, batch=batch, steps_per_epoch=steps, epochs=90)
    assert used["warmup_steps"] == 5 * steps


@given(st.floats(0.001, 1), BATCHES, STEPS, st.integers(1, 100))
def test_a_warm_up_in_shares_grows_with_the_run_whatever_the_batch(
    share: float, batch: int, steps: int, epochs: int
) -> None:
    recipe = RECIPE | {"warmup_steps": 0, "warmup_share": share}
    used = for_run(recipe, batch=batch, steps_per_epoch=steps, epochs=epochs)
    assert used["warmup_steps"] == pytest.approx(share * steps * epochs, abs=1)
    assert used["warmup_steps"] < used["steps"]


@given(st.integers(1, 200), st.integers(1, 50))
def test_a_warm_up_that_is_not_shorter_than_the_run_is_cut_to_a_tenth(steps: int, epochs: int) -> None:
    used = for_run(RECIPE, batch=4096, steps_per_epoch=steps, epochs=epochs)
    assert used["warmup_steps"] == (10_000 if steps * epochs > 10_000 else steps * epochs // 10)


def test_the_record_and_the_plan_say_what_is_used(command: CommandLine) -> None:
    # ten batches per epoch, three a step: the last step of an epoch has one
    words = ["recipe=in1k", "trainer.accumulate=3", "trainer.max_epochs=6", "recipe.warmup_steps=1"]
    done = command.run(*words, "tracker=none")
    assert done.returncode == 0, done.stderr
    record = command.record()
    assert record["recipe"] == {
        "lr": pytest.approx(1e-3 * 192 / 4096),
        "min_lr": pytest.approx(1e-5 * 192 / 4096),
        "warmup_steps": round(4096 / 192),
        "batch": 192,
        "reference_batch": 4096,
        "scale": 192 / 4096,
        "steps": 24,
        "steps_per_epoch": 4,
    }
    assert record["final"]["step"] == 24
    assert record["final"]["lr"] == pytest.approx(record["recipe"]["min_lr"])
    plan = done.stdout.split("complete\n")[0]
    for told in (
        "CCTT, size nano",
        "fashion_mnist: 640 of 10 classes, 32 pixels",
        "4 per epoch, 24 in all",
        "192 (3 x 64)",
        "4.69e-05 to 4.69e-07, cosine, 21 steps of warm-up (0.001 is for a batch of 4096)",
        "in1k: softmax loss, label smoothing 0.1",
        "weight decay 0.05, MixUp 0.8, RandAugment 2 x 15, random crop, horizontal flip",
        f"{record['hardware']['device']}, 1 threads, 32-true",
        str(command.folder()),
    ):
        assert told in plan
    assert len(plan.splitlines()) <= 13
