"""Tables of the scale study, from records with planted accuracies."""

from pathlib import Path

import pytest

from tests.analysis.command import report
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


def test_fits_and_crossings_stand_before_the_lengths(tmp_path: Path) -> None:
    for layout, take_off in (("CCCC", 30_000), ("ViT_REL", 90_000)):
        for length in (3200, 10_000, 32_000, 100_000, 320_000):
            for seed in range(2):
                accuracy = 0.85 / (1 + take_off / length) + 0.02 + 0.002 * seed  # on test images, 0.01 lower: from 0.01
                words = [f"layout={layout}", "data=fractals", f"data.train_size={length}", "trainer.max_epochs=1"]
                make_run(tmp_path / "runs", *words, seed=seed, study="scale", accuracy=accuracy)
    rows, text = report(tmp_path, "scale", figures=True)
    (fitted,) = [title for title in rows["table"].unique() if title.startswith("Error over images seen")]
    own = rows[rows["table"] == fitted].set_index("layout")
    assert own["form"].to_dict() == {"ViT_REL": "take-off", "CCCC": "take-off"}
    assert own["c"].to_list() == pytest.approx([1.0, 1.0], abs=0.05)
    assert own["lengths"].to_list() == [5, 5]
    (crossed,) = rows[rows["table"].str.startswith("Where curves cross")].to_dict("records")
    assert (crossed["one"], crossed["other"], crossed["ahead at the largest N"]) == ("ViT_REL", "CCCC", "CCCC")
    assert "test accuracy after N" in (tmp_path / "reports" / "scale" / "figures" / "scale.svg").read_text()
    assert "No figure" not in text
