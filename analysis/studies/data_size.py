"""The layouts as the training set grows: their accuracy over its size, then one table per size with all measures."""

from analysis.compare.design import PANEL_KEYS, Design
from analysis.tables.sizes import SIZE, tables_over_sizes

DESIGN = Design(
    factors=("layout",),
    panels=(SIZE, *PANEL_KEYS),
    figures=("data_size",),
    overview=tables_over_sizes,
)
