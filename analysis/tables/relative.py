"""Relative attention (Table 6): with and without, from scratch and after transfer, a table a resolution."""

from analysis.cells import Design

DESIGN = Design(factors=("attention", "init"), lead="attention", crossed=True)
