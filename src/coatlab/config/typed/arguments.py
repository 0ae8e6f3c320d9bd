"""The arguments of `python src/train.py` before Hydra reads them: what it would misread is put right or refused."""

import re
from collections.abc import Mapping, Sequence

from coatlab.config.places import expand_home
from coatlab.config.typed.reading import at_home
from coatlab.errors import InputError

# Hydra's options, of 1.3; --experimental-rerun needs a pickled config, which no run leaves
SHORT = ("-h", "-c", "-p", "-r", "-m", "-sc", "-cp", "-cn", "-cd", "-i")
LONG = (
    "--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run", "--multirun", "--config-path",
    "--config-name", "--config-dir", "--info", "--shell-completion",
)  # fmt: skip
WITH_VALUE = (
    "-c", "-p", "-cp", "-cn", "-cd", "--cfg", "--package", "--config-path", "--config-name", "--config-dir",
)  # fmt: skip
OTHER_CONFIG = ("--config-path", "--config-name", "-cp", "-cn")
# What conf/train.yaml says and another config may not: Hydra would make folders and a log file of its own.
NO_FOLDERS = ("hydra.output_subdir=null", "hydra.run.dir=.", "hydra/job_logging=stdout")


def prepared(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the arguments as Hydra takes them.

    Raises:
        InputError: an option that does not exist, as `--seed=1`; or W&B's sweep agent has started the command.
    """
    if id := environment.get("WANDB_SWEEP_ID"):
        raise InputError(
            f"WANDB_SWEEP_ID={id} is not valid here: W&B's sweep agent gives a run an id, and here a run's id is its "
            "fingerprint; use sweep=... or --multirun, and unset it if this is no agent"
        )
    for argument in arguments:
        _check_option(argument)
        if argument.lstrip("+").startswith("hydra.run.dir=") and argument not in NO_FOLDERS:  # Hydra would make it
            raise InputError(f"{argument} has no effect: a run's folder is named by its content; give paths.runs")
    words = [_at_home(argument) for argument in arguments]
    if any(argument.startswith(OTHER_CONFIG) for argument in arguments):
        if any(word in ("-m", "--multirun", "hydra.mode=MULTIRUN") for word in words):
            raise InputError("a saved config is one run, not a sweep; sweep over the words in overrides.yaml beside it")
        keys = {word.partition("=")[0] for word in words}
        words += [word for word in NO_FOLDERS if word.partition("=")[0] not in keys]
    return words


def words_of(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that are overrides: no options, no values of options."""
    before = ["", *arguments]
    return [
        argument
        for option, argument in zip(before, arguments, strict=False)
        if not argument.startswith("-") and option not in WITH_VALUE
    ]


def _check_option(argument: str) -> None:
    """Check that what begins with - is an option of Hydra's, or the beginning of one, as argparse has it."""
    name = argument.partition("=")[0]
    known = any(option.startswith(name) for option in LONG) if name.startswith("--") else name in SHORT
    if not argument.startswith("-") or known or name.startswith(SHORT):  # -cpDIR
        return
    key = re.fullmatch(r"--?([\w./@]+)", name)
    meant = f"; a setting is written without hyphens: {argument.lstrip('-')}" if key and "=" in argument else ""
    meant = meant or (f"; a setting is written without hyphens: {key[1]}=VALUE" if key else "")
    raise InputError(f"{argument} is not an option{meant}")


def _at_home(argument: str) -> str:
    option, equals, path = argument.partition("=")
    if option in LONG and equals and path.startswith("~"):
        return f"{option}={expand_home(path)}"
    return argument if argument.startswith("-") else at_home(argument)
