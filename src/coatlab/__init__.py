"""coatlab: how should convolution and attention be stacked? (CoAtNet, Dai et al. 2021)

Python users call `create_model`. It is loaded on first use, so that code that only reads records (`analysis/`, the
plan of a sweep) does not import torch, which takes seconds.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coatlab.create import create_model

__all__ = ["create_model"]


def __getattr__(name: str) -> Any:
    if name == "create_model":
        from coatlab.create import create_model

        return create_model
    raise AttributeError(f"module 'coatlab' has no attribute {name!r}")
