"""What the tests' commands find done when they begin: they are forked from a process that has imported this module.

Everything here takes seconds and changes nothing: imports that a command makes sooner or later, and reading conf/.
"""

import pandas  # noqa: F401  (W&B and the reports use it)
import wandb.apis.public
import wandb.sdk.launch  # noqa: F401  (opening a run imports it)

import analysis.commands  # noqa: F401
import coatlab.sweep.sweeper
import coatlab.tracking.mirror
import coatlab.training.fit  # noqa: F401
from coatlab.config.compose import compose
from coatlab.config.composition import composition
from coatlab.config.files import choices, conf_dir
from tests.support.composing import keep_composed_configs

# what tests choose: in children, combinations of it are put together of these (config/composition.py)
OFTEN = {
    "layout": choices("layout"),
    "attention": choices("attention"),
    "data": ["fractals", "folder", "webdataset"],
    "recipe": ["in1k"],
    "init": ["finetune"],
    "trainer": ["cpu", "ddp"],
    "tracker": ["none"],
}
keep_composed_configs()
compose([])
compose(["cluster=local", "tracker=none"])
for group, names in OFTEN.items():
    for choice in names:
        composition(conf_dir(), (), {group: choice}, ())
