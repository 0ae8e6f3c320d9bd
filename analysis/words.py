"""What the command takes and where its results stand, with no import that a help text would wait for."""

from pathlib import Path

from coatlab.config.places import PUBLISHED

EVERY_RUN = "all"  # instead of a study: lists all runs and compares none
FAMILY = "family"  # instead of a study: the paper's tables of costs, which need no runs
NO_SWEEP = (EVERY_RUN, FAMILY)
TRACKERS = ("auto", "wandb", "none")  # of a report: if W&B is configured; always, offline without a key; never
RESULTS = Path(__file__).parents[1] / PUBLISHED  # as data that is committed
