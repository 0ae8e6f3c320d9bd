"""The text of `python src/train.py --help`: what Hydra prints, in half of its time.

Hydra 1.3 copies what it knows about each place of configs anew for every group that it lists.
"""

from collections.abc import Sequence
from string import Template

from coatlab.config.compose import compose
from coatlab.config.files import choices, groups

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
    listed = "".join(f"{group}: {', '.join(choices(group))}\n" for group in groups())
    template = compose(list(words), hydra_too=True, folders=()).hydra.help.template
    return Template(template).substitute(APP_CONFIG_GROUPS=listed)
