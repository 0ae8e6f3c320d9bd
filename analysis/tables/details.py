"""Details of the network, one changed at a time (Tables 8 and 9): head size, norm, where the stride is."""

from analysis.cells import Design

DESIGN = Design(factors=("plan.head_size", "network.norm", "network.downsample"))
