"""What the tests' commands find done when they begin: they are forked from a process that has imported this module.

Everything here takes seconds and changes nothing: imports that a command makes sooner or later, and reading conf/.
"""

import pandas  # noqa: F401  (W&B and the reports use it)
import wandb.apis.public
import wandb.sdk.launch  # noqa: F401  (opening a run imports it)

import analysis.__main__
import coatlab.sweep.sweeper
import coatlab.tracking.mirror
import coatlab.training.fit  # noqa: F401
from coatlab.config.compose import compose
from coatlab.config.files import choices, groups
from tests.support.composing import keep_composed_configs

keep_composed_configs()
compose([])
for group in groups():
    for choice in choices(group):
        compose([f"{group}={choice}"] if group != "size" or choice == "nano" else [])
