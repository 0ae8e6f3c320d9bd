"""The layouts as the training set grows: a table a number of images, since larger sets are passed fewer times."""

from analysis.cells import PANELS, Design

DESIGN = Design(factors=("layout",), panels=("data.train_size", *PANELS), figures=("data_size", "gap", "cost"))
