"""The learning rate of each layout in both regimes of the layout study, by held-out accuracy.

Each layout has its own budget of epochs on few images, so layouts are not compared with each other here.
"""

from analysis.compare.design import Design
from analysis.compare.finished import BUDGET
from analysis.compare.rates import RATE
from analysis.tables.rates import tables_over_rates

DESIGN = Design(factors=("layout", RATE, BUDGET), figures=("rates",), overview=tables_over_rates, matched_cost=True)
