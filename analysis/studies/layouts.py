"""The layout study (Figure 1): cost, training loss, accuracies and gap of each layout."""

from analysis.compare.design import Design

DESIGN = Design(
    factors=("layout",), figures=("curves", "generalization", "gap", "cost"), matched=True, matched_cost=True
)
