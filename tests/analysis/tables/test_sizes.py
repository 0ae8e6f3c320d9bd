"""Accuracy over the number of training images, against a few lines of pandas."""

from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.command import made, report

pytestmark = pytest.mark.slow


def test_accuracy_over_data_size_of_all_images_is_no_figure(tmp_path: Path) -> None:
    made(tmp_path, "data_size", "layout=CCCC")
    rows, text = report(tmp_path, "data_size")
    assert rows["layout"].tolist() == ["CCCC", "CCCC"]
    assert "No figure data_size: accuracy against training images needs runs with data.train_size." in text


def test_accuracy_over_data_size_has_a_column_a_size(tmp_path: Path) -> None:
    records = [
        made(
            tmp_path,
            "data_size",
            f"layout={layout}",
            f"data.train_size={size}",
            f"trainer.max_epochs={epochs}",
            seed=seed,
            accuracy=0.5 + size / 1e5 + place / 100 + seed / 1000,
        )
        for place, layout in enumerate(("CTTT", "CCCC"))
        for size, epochs in ((16000, 4), (1000, 20))
        for seed in range(2)
        if (layout, size) != ("CCCC", 16000)
    ]
    rows, text = report(tmp_path, "data_size")
    first = rows[rows["table"] == rows["table"].iloc[0]].set_index("layout")
    plain = pd.DataFrame(
        [
            {
                "layout": one["config"]["layout"]["name"],
                "size": one["config"]["data"]["train_size"],
                "accuracy": one["final"]["test/accuracy"],
            }
            for one in records
        ]
    ).pivot_table(index="layout", columns="size", values="accuracy")
    assert first.index.tolist() == ["CCCC", "CTTT"]
    for size in (1000, 16000):
        assert first[f"{size:,} images"].to_numpy() == pytest.approx(plain[size].to_numpy(), nan_ok=True)
    assert "Epochs: 1,000 images 20, 16,000 images 4." in text
    titles = list(dict.fromkeys(rows["table"]))
    assert titles[1:3] == ["1,000 images", "16,000 images"]
