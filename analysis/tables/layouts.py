"""The layout study (Figure 1): cost, training loss, accuracies and gap of each layout."""

import pandas as pd

from analysis.cells import averages, in_order

ORDER = ["ViT_REL", "ViT", "CCCC", "CCCT", "CCTT", "CTTT"]  # the paper's order of presentation


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Average complete runs over seeds, the layouts in the paper's order."""
    return in_order(averages(runs), "layout", ORDER)
