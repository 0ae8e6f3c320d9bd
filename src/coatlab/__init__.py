"""coatlab: how should convolution and attention be stacked? (CoAtNet, Dai et al. 2021)

What Python users call is named here, and loaded on first use, so that code that only reads records (`analysis/`, the
plan of a sweep) does not import torch, which takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.read.frames import load_runs
    from coatlab.create import create_model
    from coatlab.load import load_run
    from coatlab.runs.weights import publish_weights

__all__ = ["create_model", "load_run", "load_runs", "publish_weights"]

_PLACES = {
    "create_model": "coatlab.create",
    "load_run": "coatlab.load",
    "load_runs": "analysis.read.frames",
    "publish_weights": "coatlab.runs.weights",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'coatlab' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
