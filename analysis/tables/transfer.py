"""Transfer (Table 2's shape): pre-training, then fine-tuned or trained from scratch, at two resolutions."""

import pandas as pd

from analysis.cells import averages, in_order
from analysis.tables.layouts import ORDER


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Average complete runs over seeds: each layout's pre-training, then its runs on the target by resolution."""
    pretraining = runs["data"] == "fractals"
    ordered = runs.assign(target=~pretraining).sort_values(["target", "image_size", "init"], kind="stable")
    return in_order(averages(ordered), "layout", ORDER)
