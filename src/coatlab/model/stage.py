"""A stage: its blocks in a row. Their activations are kept for the backward pass, or computed again in it.

Computing again saves memory and costs about a third more time (Chen et al. 2016, "Training deep nets with sublinear
memory cost"); of a block only its input is kept. Gradients, dropped branches and running statistics are the same: torch
replays the random numbers, and the second pass leaves the statistics of BatchNorm alone, which it would otherwise count
twice.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Stage(nn.Sequential):
    """Blocks in a row; `checkpointing` computes their activations again in the backward pass."""

    checkpointing = False

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the last block's map."""
        if not self.checkpointing or not torch.is_grad_enabled():
            return nn.Sequential.forward(self, x_BCHW)  # type: ignore[no-untyped-call]
        for block in self:
            x_BCHW = _checkpointed(block, x_BCHW)
        return x_BCHW


def _checkpointed(block: nn.Module, x_BCHW: Tensor) -> Tensor:
    def passes() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _same_statistics(block)

    if torch.compiler.is_compiling():  # the compiler knows itself that buffers are written once
        return checkpoint(block, x_BCHW, use_reentrant=False)
    return checkpoint(block, x_BCHW, use_reentrant=False, context_fn=passes)


@contextmanager
def _same_statistics(block: nn.Module) -> Iterator[None]:
    """Let a pass count its statistics in copies that are thrown away."""
    norms = [module for module in block.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    kept = [dict(norm._buffers) for norm in norms]
    for norm in norms:
        norm._buffers |= {name: None if one is None else one.clone() for name, one in norm._buffers.items()}
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            norm._buffers |= buffers
