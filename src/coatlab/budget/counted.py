"""The cost of a run's network, counted once for all runs in this process, and in those forked from it, that have it."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from coatlab.budget.cost import Cost, cost_of
from coatlab.create import network_of
from coatlab.model.network import Network

SHAPE = ("image_size", "num_classes", "channels")  # what a network gets from its data
_counted: dict[str, Cost] = {}  # by what networks are made of


def counted(config: Mapping[str, Any], shape: Mapping[str, Any], network: Network) -> Cost:
    """Return what a run's network costs, counted now if it was not before.

    Args:
        config: resolved and checked.
        shape: the values of `SHAPE`.
        network: made from both.
    """
    key = _key(config, shape)
    if key not in _counted:
        _counted[key] = cost_of(network)
    return _counted[key]


def count_ahead(config: Mapping[str, Any]) -> Cost:
    """Count the network of a run that begins later, in a process forked from this one, and return its cost.

    On the meta device: nothing is computed that would start threads, which a forked process lacks.
    """
    shape = {key: config["data"][key] for key in SHAPE}
    key = _key(config, shape)
    if key not in _counted:
        with torch.device("meta"):
            network = network_of(config, **shape, stochastic_depth=config["recipe"]["stochastic_depth"])
        counted(config, shape, network)
    return _counted[key]


def _key(config: Mapping[str, Any], shape: Mapping[str, Any]) -> str:
    """Return all that a network depends on, apart from its weights, as text."""
    parts = [config[group] for group in ("layout", "plan", "attention", "network")]
    return json.dumps([*parts, dict(shape), config["recipe"]["stochastic_depth"]], sort_keys=True)
