"""The attention variants (sec. 2.2, options A to C), which the paper compares in a paragraph without numbers."""

from analysis.compare.design import PANEL_KEYS, Design

DESIGN = Design(factors=("attention",), panels=("layout.name", *PANEL_KEYS), lead="attention")
