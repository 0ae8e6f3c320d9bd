"""The protocol of planted runs: constants once, what differs by layout for each, and the rest listed."""

import pandas as pd

from analysis.tables.protocol import protocol_table
from coatlab.config.words import flatten
from tests.support.made_runs import config_of


def runs(*cells: tuple[int, tuple[str, ...]]) -> pd.DataFrame:
    """Make runs from seeds and words, on one machine."""
    rows = []
    for seed, words in cells:
        config = config_of(*words, seed=seed)
        place = {
            "code": "abc",
            "device": "cpu",
            "cpu": "a processor",
            "gpu": None,
            "threads": 1,
            "precision": "32-true",
        }
        rows.append({**flatten(config), **place, "test/images": 10_000})
    return pd.DataFrame(rows)


def told(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    found = protocol_table(table)
    titles = [column.title for column in found.columns[1:]]
    return {str(row[0]): dict(zip(titles, map(str, row[1:]), strict=True)) for row in found.rows}


def test_constants_stand_once_and_what_varies_is_told() -> None:
    few = [
        (seed, (f"layout={layout}", "data.train_size=1000", f"trainer.max_epochs={epochs}", f"data.split_seed={seed}"))
        for layout, several in {"CCCC": (2, 3), "CTTT": (12, 30)}.items()
        for epochs in several
        for seed in (0, 1)
    ]
    many = [(0, (f"layout={layout}", "data=fractals")) for layout in ("CCCC", "CTTT")]
    found = told(runs(*few, *many))
    assert found["runs"] == {"fashion_mnist": "8", "fractals": "2"}
    assert found["training images"] == {"fashion_mnist": "1,000", "fractals": "50,000"}
    assert found["epochs"] == {"fashion_mnist": "by layout: CCCC 2, 3; CTTT 12, 30", "fractals": "2"}
    assert found["learning rate"] == {"fashion_mnist": "0.003", "fractals": "0.003"}
    assert found["images evaluated, test"] == dict.fromkeys(["fashion_mnist", "fractals"], "10,000")
    assert found["seeds"] == {"fashion_mnist": "0, 1, each with its own training images", "fractals": "0"}
    assert found["warm-up"]["fashion_mnist"] == "100 steps"
    assert found["augmentation"]["fashion_mnist"] == "none"
    assert found["machine"]["fashion_mnist"] == "device cpu, cpu a processor, threads 1"
    assert found["code"]["fractals"] == "abc"


def test_a_rate_of_each_layout_is_named_and_a_setting_that_varies_in_all_of_them_is_listed() -> None:
    cells = [
        (0, (f"layout={layout}", f"recipe.lr={rate}", f"data.batch_size={batch}"))
        for layout, rate in (("CCCC", 0.001), ("ViT_REL", 0.003))
        for batch in (32, 128)
    ]
    found = told(runs(*cells))
    assert found["learning rate"]["fashion_mnist"] == "by layout: ViT_REL 0.003; CCCC 0.001"
    assert found["batch size"]["fashion_mnist"] == "varies: 32, 128"
    assert found["training images"]["fashion_mnist"] == "all"


def test_the_days_of_training_are_those_of_the_first_and_the_last_run() -> None:
    few = runs((0, ()), (1, ()), (2, ()))
    when = ["2026-11-26T23:59:00+00:00", None, "2026-11-24T08:00:00+00:00"]
    assert told(few.assign(ended=when))["trained"] == {"fashion_mnist": "2026-11-24 to 2026-11-26"}
    assert told(few.assign(ended=[when[0]] * 3))["trained"] == {"fashion_mnist": "2026-11-26"}
    assert told(few)["trained"] == {"fashion_mnist": "–"}


def test_the_time_is_that_of_all_runs_on_cores_and_on_gpus() -> None:
    table = runs(*((seed, ("layout=CCCC",)) for seed in range(4)))
    assert told(table)["time"] == {"fashion_mnist": "–"}
    timed = table.assign(seconds=[3600, 1800, 900, 900], threads=[2, 1, 1, 8], devices=[1, 2, 4, 2])
    assert told(timed)["time"] == {"fashion_mnist": "8.0 core-hours"}
    timed.loc[3, "gpu"] = "a card"
    assert told(timed)["time"] == {"fashion_mnist": "4.0 core-hours, 0.5 GPU hours"}
    shared = timed.assign(gpu_cells=[None, None, None, 5])  # five runs took their turns on each of its two cards
    assert told(shared)["time"] == {"fashion_mnist": "4.0 core-hours, 0.1 GPU hours"}
