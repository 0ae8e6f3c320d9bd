"""What the tests' commands find done when they begin: they are forked from a process that has imported this module.

Everything here takes seconds and changes nothing: imports that a command makes sooner or later, and reading conf/.
"""

import pandas  # noqa: F401  (W&B and the reports use it)
import wandb.apis.public
import wandb.sdk.launch  # noqa: F401  (opening a run imports it)

import analysis.__main__  # noqa: F401
import coatlab.sweep.sweeper
import coatlab.tracking.mirror
import coatlab.training.fit  # noqa: F401
from coatlab.config.compose import compose
from coatlab.config.composer import composed
from coatlab.config.files import choices, conf_dir, groups
from tests.support.composing import keep_composed_configs

keep_composed_configs()
compose([])
for turn in range(7):  # each reads another file of every group
    composed(conf_dir(), [f"{group}={found[turn % len(found)]}" for group in groups() if (found := choices(group))])
