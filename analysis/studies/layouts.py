"""The layout study (Figure 1): generalization of finished trainings on few images, and capacity on abundant ones.

Layouts are compared at the learning rate that they share, and in panels of their own at each layout's tuned one.
"""

from analysis.compare.design import PANEL_KEYS, Design
from analysis.compare.finished import BUDGET

DESIGN = Design(
    factors=("layout",),
    panels=(*PANEL_KEYS, "recipe.name"),
    figures=("generalization", "finished", "curves"),
    budgets=BUDGET,
    matched_cost=True,
)
