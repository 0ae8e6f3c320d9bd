"""The table over learning rates, against a few lines of pandas."""

from pathlib import Path

import pytest

from tests.analysis.command import made, report

pytestmark = pytest.mark.slow
BEST = {"CCTT": 0.01, "CTTT": 0.003}


def test_held_out_accuracy_has_a_column_a_rate_and_the_best_one_by_name(tmp_path: Path) -> None:
    accuracy = {}
    for layout, best in BEST.items():
        for rate in (0.001, 0.003, 0.01):
            for seed in (0, 1):
                value = 0.8 - 10 * abs(rate - best) + seed / 1000
                words = (f"layout={layout}", f"recipe.lr={rate}", "data.split_seed=${seed}")
                made(tmp_path, "tune", *words, seed=seed, accuracy=value)
                accuracy.setdefault((layout, rate), []).append(value)
    rows, text = report(tmp_path, "tune")
    first = rows[rows["table"] == rows["table"].iloc[0]].set_index("layout")
    for (layout, rate), values in accuracy.items():
        assert first.loc[layout, f"{rate:g}"] == pytest.approx(sum(values) / 2)
    assert {layout: float(rate) for layout, rate in first["best"].items()} == BEST
    assert "CCTT: its best rate is the highest that was tried" in text
    assert "add layout=CCTT recipe.lr=0.03." in text
    assert "CTTT: its best rate is" not in text
    assert "they are written as fashion_mnist: {CCTT: 0.01, CTTT: 0.003}." in text
