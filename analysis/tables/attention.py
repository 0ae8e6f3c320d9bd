"""The attention variants (sec. 2.2, options A to C): what the paper says in a paragraph, with numbers."""

import pandas as pd

from analysis.cells import averages, in_order

ORDER = ["relative", "post", "absolute", "window", "neighborhood", "linear"]  # global, local, linear


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Average complete runs over seeds, the variants of each layout together."""
    rows = in_order(averages(runs), "attention", ORDER)
    return rows[["attention", *(column for column in rows.columns if column != "attention")]]
