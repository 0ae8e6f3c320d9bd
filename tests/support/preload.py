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
from coatlab.config.composition import composition
from coatlab.config.files import choices, conf_dir
from tests.support.composing import keep_composed_configs

# in children every combination of choices is put together of these (config/composition.py)
APART = ("layout", "attention", "data", "recipe", "init", "trainer", "tracker")
keep_composed_configs()
compose([])
for cluster in ("cluster=none", "cluster=local"):
    compose([cluster, "tracker=none"])
for group in APART:
    for choice in choices(group):
        composition(conf_dir(), (), {group: choice}, ())
for layout in choices("layout"):
    composition(conf_dir(), ["cluster=local"], {"layout": layout}, ())
