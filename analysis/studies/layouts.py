"""The layout study (Figure 1): generalization of finished trainings on few images, and capacity on abundant ones."""

from analysis.compare.design import Design
from analysis.compare.finished import BUDGET

DESIGN = Design(factors=("layout",), figures=("generalization", "finished", "curves"), budgets=BUDGET)
