"""Data sets that are identified by their files: these are listed before a run is named, so that other files make
another run.

A config says how in `data.catalog`: a function, free of torch, that returns the keys to fill in. Beside it may
stand `own_test`, which says where the test images are, if none are held out.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from hydra.utils import get_method

from coatlab.config.rules import check_keys


def with_content(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved config whose data settings describe the files; the same, if no files have to be looked at.

    Raises:
        InputError: the data are not there, or a setting of them is not valid.
    """
    data = config["data"]
    if "catalog" not in data:
        return dict(config)
    check_keys({"data": data})
    return {**config, "data": {**data, **get_method(data["catalog"])(data)}}


def own_test(data: Mapping[str, Any]) -> str | None:
    """Say where the test images of a data set are; None: they are held out, or only its class can tell."""
    if "catalog" not in data:
        return None
    look = getattr(import_module(data["catalog"].rpartition(".")[0]), "own_test", None)
    found: str | None = look and look(data)
    return found
