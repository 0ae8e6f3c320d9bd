"""Capacity without inductive bias: the share of random labels that each layout has fitted after equal steps.

The share is the training accuracy. Held-out and test images keep their labels, about which nothing can be learned here.
"""

from analysis.compare.design import Design

DESIGN = Design(factors=("layout",), figures=("curves",))
