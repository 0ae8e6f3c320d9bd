"""The same numbers give the same figure."""

from pathlib import Path

import pandas as pd
import pytest

from coatlab.benchmark.growth import draw_growth
from coatlab.benchmark.scaling import exponents
from coatlab.output.figure import save

ROWS = pd.DataFrame(
    [
        {"pass": kind, "variant": name, "tokens": tokens, "seconds": 1e-6 * tokens**power, "bytes": 4.0 * tokens}
        for kind in ("inference", "training")
        for name, power in (("relative", 2), ("linear", 1))
        for tokens in (196, 784, 3136)
    ]
)


@pytest.mark.slow
def test_the_figure_is_reproducible_and_shows_the_exponents(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        slopes = {column: exponents(ROWS, column) for column in ("seconds", "bytes")}
        (tmp_path / name).mkdir()
        svg, png = save(draw_growth(ROWS, slopes, "planted"), tmp_path / name / "growth")
        assert png.stat().st_size > 10_000
        texts.append(svg.read_text())
    assert texts[0] == texts[1]
    assert "relative  2.00" in texts[0]
    assert "linear  1.00" in texts[0]
