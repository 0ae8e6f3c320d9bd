"""What runs of a sweep have in common, worked out once, in the process from which they are forked.

A run on few images takes seconds. To unpack the files of its data and to count its network would take one of them.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from coatlab.config.targets import is_ours, python_path


def prepare(config: Mapping[str, Any]) -> None:
    """Read the files of a run's data, and count its network, unless a run before it has the same ones.

    Nothing is computed that starts a thread, which a forked process would lack, no code is run that is not ours, and
    nothing is fetched. What fails is left to the run itself, whose error it is.

    Args:
        config: resolved and checked.
    """
    from coatlab.budget.counted import count_ahead  # here, because both import torch
    from coatlab.data.image_data import make_data

    with suppress(Exception):
        if is_ours("data", python_path("data", config["data"])):
            make_data(config).read_ahead()
    with suppress(Exception):
        if is_ours("attention", python_path("attention", config["attention"])):
            count_ahead(config)
