"""Tables of cost and speed: means of what the records say, and never of different hardware."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.analysis.command import COST, made, report

pytestmark = pytest.mark.slow


def test_cost_and_speed_are_means_of_the_records(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    records = [
        made(
            tmp_path,
            "layouts",
            f"layout={layout}",
            seed=seed,
            timings={"seconds": numbers.uniform(10, 20), "attempts": 1},
            cost={"parameters": 4e5 + place * 1e3, "macs": 6.5e6 + place * 1e5, "activations": place * 1e7},
        )
        for place, layout in enumerate(("CCCC", "CTTT"), start=1)
        for seed in range(3)
    ]
    rows, text = report(tmp_path, "layouts")
    plain = pd.DataFrame(
        [
            {
                "layout": one["config"]["layout"]["name"],
                **{key: value / 1e6 for key, value in one["cost"].items()},
                "seconds": one["timings"]["seconds"],
                "images/s": one["final"]["images_per_second"],
                "peak memory (MB)": one["final"]["peak_memory_mb"],
            }
            for one in records
        ]
    )
    plain = plain.rename(
        columns={"parameters": "parameters (M)", "macs": "MACs (M)", "activations": "activations (MB)"}
    )
    means = plain.groupby("layout").mean()
    found = rows[rows["table"] == f"{COST}fashion_mnist"].set_index("layout")[means.columns]
    pd.testing.assert_frame_equal(found.astype(float), means, check_dtype=False)
    assert "trained on CPU a processor, precision 32-true" in text


def test_speeds_of_different_hardware_are_rows_of_their_own(tmp_path: Path) -> None:
    made(tmp_path, "layouts", "layout=CCCC")
    made(tmp_path, "layouts", "layout=CCTT")
    fast = {"cpu": "a processor", "device": "cuda", "gpu": "a GPU", "devices": 2}
    made(tmp_path, "layouts", "layout=CCTT", seed=1, hardware=fast, timings={"seconds": 2.5, "attempts": 1})
    crowded = fast | {"gpu_cells": 16}
    made(tmp_path, "layouts", "layout=CCTT", seed=2, hardware=crowded, timings={"seconds": 9.5, "attempts": 1})
    rows, text = report(tmp_path, "layouts")
    speed = rows[rows["table"].str.startswith(COST)]
    assert speed[["layout", "hardware", "seeds", "seconds"]].to_numpy().tolist() == [
        ["CCCC", "CPU a processor, precision 32-true", 1, 12.5],
        ["CCTT", "CPU a processor, precision 32-true", 1, 12.5],
        ["CCTT", "GPU a GPU, devices 2, precision 32-true", 1, 2.5],
        ["CCTT", "GPU a GPU, cells per GPU 16, devices 2, precision 32-true", 1, 9.5],
    ]
    main_rows = rows[~rows["table"].str.startswith(COST)].set_index("layout")
    assert main_rows["images/s"].isna().to_dict() == {"CCCC": False, "CCTT": True}
    assert "images/s: the hardware differs" in text
    assert "Warning: 2 devices" in text
