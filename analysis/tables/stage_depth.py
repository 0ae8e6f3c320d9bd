"""Blocks moved between S2 and S3 (Table 7)."""

from analysis.cells import Design

DESIGN = Design(factors=("plan.blocks",))
