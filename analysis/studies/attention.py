"""The attention variants (sec. 2.2, options A to C): what the paper says in a paragraph, with numbers."""

from analysis.compare.design import PANEL_KEYS, Design

DESIGN = Design(factors=("attention",), panels=("layout.name", *PANEL_KEYS), lead="attention")
