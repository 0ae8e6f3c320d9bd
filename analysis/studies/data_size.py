"""The layouts as the training set grows: their accuracy over its size, then a table a size with everything else."""

from analysis.compare.design import PANELS, Design
from analysis.tables.sizes import SIZE, over_sizes

DESIGN = Design(
    factors=("layout",),
    panels=(SIZE, *PANELS),
    figures=("data_size", "gap", "cost"),
    overview=over_sizes,
)
