"""The text of `python src/train.py --help`: what Hydra prints, in half of its time.

Hydra 1.3 copies what it knows about each place of configs anew for every group that it lists.
"""

from collections.abc import Sequence
from string import Template

from omegaconf import OmegaConf

from coatlab.config.compose import compose
from coatlab.config.files import choices, conf_dir, groups

ASKED = ("--help", "-h")


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Tell whether arguments ask for the help of the command, and for nothing else of Hydra's (choices elsewhere)."""
    options = [argument for argument in arguments if argument.startswith(("-", "hydra", "+hydra"))]
    return bool(options) and all(option in ASKED for option in options)


def help_text(words: Sequence[str]) -> str:
    """Return the help, with the groups and their choices.

    Raises:
        InputError: the words do not compose.
    """
    if words:
        compose(list(words), folders=())
    listed = "".join(f"{group}: {', '.join(choices(group))}\n" for group in groups())
    template = OmegaConf.load(conf_dir() / "train.yaml").hydra.help.template  # no word for it comes here
    return Template(template).substitute(APP_CONFIG_GROUPS=listed)
