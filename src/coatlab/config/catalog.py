"""Data that are named by what they contain: looked into before a run is named, so that other files are another run.

A config says how by `data.catalog`, a function without torch that returns the keys to fill in.
"""

from collections.abc import Mapping
from typing import Any

from hydra.utils import get_method


def with_content(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved config whose data settings say what there is; the same, if nothing has to be looked into.

    Raises:
        InputError: the data are not there, or not what they must be.
    """
    data = config["data"]
    if "catalog" not in data:
        return dict(config)
    return {**config, "data": {**data, **get_method(data["catalog"])(data)}}
