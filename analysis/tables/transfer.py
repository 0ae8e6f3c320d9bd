"""Transfer (Table 2's shape): pre-training, then fine-tuned or trained from scratch, a table a resolution."""

from analysis.cells import Design

DESIGN = Design(factors=("layout", "init"), crossed=True)
