"""Whether a module may take its direct path: the same numbers up to rounding, in fewer passes over memory.

A direct path computes several layers at once, on a CPU, where a step of a small network is bound by memory and by the
number of operations. Its layers are not called one by one, so it is taken only where nobody can tell: for ordinary
tensors in float32 or float64, without autocast, and not where torch itself records or transforms the computation (fx,
torch.jit, torch.compile, torch.export, torch.func, forward-mode derivatives). Each module also refuses it where one of
its layers has a hook or was replaced by a layer of another class.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

_layer_by_layer = False


@contextmanager
def layer_by_layer() -> Iterator[None]:
    """Let every module call its layers one by one, for instance where a gradient is differentiated again."""
    global _layer_by_layer
    before, _layer_by_layer = _layer_by_layer, True
    try:
        yield
    finally:
        _layer_by_layer = before


def is_plain(x: Tensor) -> bool:
    """Tell whether a tensor is an ordinary one of a CPU, in float32 or float64, and computed with at once."""
    return (
        type(x) is Tensor  # neither a subclass (FakeTensor) nor a proxy (torch.fx)
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not _layer_by_layer
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        and not torch.is_autocast_enabled("cpu")
        and torch._C._functorch.peek_interpreter_stack() is None  # private, as of torch 2.15
        and forward_ad._current_level < 0  # private as well
    )


def are_original(layers: Mapping[nn.Module, type[nn.Module]]) -> bool:
    """Tell whether layers have exactly these classes and no hooks: a hook expects that its layer is called."""
    return all(type(layer) is kind and not any(_hooks(layer)) for layer, kind in layers.items())


def _hooks(layer: nn.Module) -> Iterable[object]:
    yield layer._forward_hooks
    yield layer._forward_pre_hooks
    yield layer._backward_hooks
    yield layer._backward_pre_hooks
