"""The layouts after more and more images that never recur: a form of the curve of each, and where curves cross."""

from analysis.compare.design import PANEL_KEYS, Design
from analysis.tables.scaling import tables_over_scale
from analysis.tables.sizes import SIZE

DESIGN = Design(
    factors=("layout",),
    panels=(SIZE, *PANEL_KEYS),
    figures=("scale",),
    overview=tables_over_scale,
)
