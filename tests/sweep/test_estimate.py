"""The time a run will take, from records: the same experiment, else the same network, else unknown."""

from typing import Any

import pytest

from coatlab.config.compose import compose, resolve
from coatlab.sweep.estimate import expectation

HERE = "here"


def config(*words: str) -> dict[str, Any]:
    return resolve(compose([*words]))


def record(seconds: float, *words: str, status: str = "complete", host: str = HERE) -> dict[str, Any]:
    attempts = [{"host": "elsewhere"}, {"host": host}]
    return {"status": status, "attempts": attempts, "timings": {"seconds": seconds}, "config": config(*words)}


RECORDS = [
    record(10, "seed=0", "data.train_size=1000"),
    record(30, "seed=1", "data.train_size=1000"),
    record(14, "seed=2", "data.train_size=1000"),
    record(500, "seed=3", "data.train_size=1000", host="elsewhere"),
    record(500, "seed=4", "data.train_size=1000", status="interrupted"),
    record(77, "layout=CTTT"),
]


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (["seed=9", "data.train_size=1000"], 14),
        (["seed=9", "data.train_size=1000", "study=layouts", "trainer=cpu"], 14),
        # of 1,000 images: 1,000 + (5,000 + 1,000) / 4 an epoch; of 4,000: 4,000 + (5,000 + 4,000) / 4
        (["data.train_size=4000"], 14 * 6250 / 2500),
        (["data.train_size=4000", "trainer.max_epochs=4"], 2 * 14 * 6250 / 2500),
        (["data.train_size=1000", "data.split_seed=7"], 14),
        (["data.train_size=1000", "trainer.max_epochs=4", "trainer.eval_every=3"], 14 * (4000 + 2 * 1500) / 5000),
        (["data.train_size=1000", "trainer.max_epochs=4", "trainer.eval_every=9"], 14 * (4000 + 1500) / 5000),
        (["data.train_size=1000", "trainer.eval_at=[500,1000,9000]"], 14 * (2000 + 4 * 1500) / 5000),
        (["data.train_size=1000", "recipe.lr=1"], 14),
        (["layout=CTTT"], 77),  # all images, however many
        (["layout=CTTT", "data.train_size=1000"], None),
        (["data.train_size=1000", "data.image_size=64"], None),
        (["data.train_size=1000", "attention=linear"], None),
        (["layout=CCCC", "data.train_size=1000"], None),
    ],
)
@pytest.mark.slow
def test_a_run_takes_the_median_of_those_like_it(words: list[str], seconds: float | None) -> None:
    assert expectation(RECORDS, HERE)(config(*words)) == pytest.approx(seconds)


def test_without_records_everything_is_unknown() -> None:
    assert expectation([])(config()) is None
