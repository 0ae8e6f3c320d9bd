"""Attention with a bias on its scores: softmax(q k^T / sqrt(D) + bias) v.

torch's own function has a fast kernel, but none for a bias that is trained. On a CPU it then scales q and k, adds the
bias and guards the softmax against rows without keys, each in a pass over all scores. Here the first three are one
pass, and the guard is left out: no score is infinite (masked ones have `bias.MASKED`).

B batch, H heads (or heads and windows), N queries, K keys, D head width.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from coatlab.model.eager import is_plain


def biased_attention(q_BHND: Tensor, k_BHKD: Tensor, v_BHKD: Tensor, bias_HNK: Tensor) -> Tensor:
    """Return the mix of v, (B, H, N, D)."""
    if torch.is_grad_enabled() and is_plain(q_BHND) and is_plain(bias_HNK):
        return _Biased.apply(q_BHND, k_BHKD, v_BHKD, bias_HNK)
    if torch.compiler.is_compiling() and q_BHND.is_cuda:
        # torch 2.11 hands its kernel a bias in an order of memory that the kernel refuses on the way back
        return written_out(q_BHND, k_BHKD, v_BHKD, bias_HNK)
    return F.scaled_dot_product_attention(q_BHND, k_BHKD, v_BHKD, attn_mask=bias_HNK[None])


def written_out(q_BHND: Tensor, k_BHKD: Tensor, v_BHKD: Tensor, bias_HNK: Tensor) -> Tensor:
    """Compute the mix by the formula, whose passes a compiler joins."""
    scores_BHNK = q_BHND @ k_BHKD.transpose(2, 3) * q_BHND.shape[-1] ** -0.5 + bias_HNK
    return scores_BHNK.softmax(-1).to(v_BHKD.dtype) @ v_BHKD


class _Biased(Function):
    """The products are of batches of matrices, one per image and head."""

    @staticmethod
    def forward(ctx: Any, q_BHND: Tensor, k_BHKD: Tensor, v_BHKD: Tensor, bias_HNK: Tensor) -> Tensor:
        shape = q_BHND.shape
        q, k, v = (x.flatten(0, 1) for x in (q_BHND, k_BHKD, v_BHKD))
        scale = shape[-1] ** -0.5
        products = torch.bmm(q, k.transpose(1, 2)).unflatten(0, shape[:2])
        weights = torch.add(bias_HNK, products, alpha=scale).softmax(-1).flatten(0, 1)
        ctx.save_for_backward(q, k, v, weights)
        ctx.queries, ctx.keys, ctx.scale = shape, k_BHKD.shape, scale
        return torch.bmm(weights, v).view(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_BHND: Tensor) -> Any:
        q, k, v, weights = ctx.saved_tensors
        g = g_BHND.flatten(0, 1)
        g_v = torch.bmm(weights.transpose(1, 2), g)
        g_weights = torch.bmm(g, v.transpose(1, 2))
        g_scores = torch.ops.aten._softmax_backward_data(g_weights, weights, -1, weights.dtype)
        g_q = torch.bmm(g_scores, k).mul_(ctx.scale)
        g_k = torch.bmm(g_scores.transpose(1, 2), q).mul_(ctx.scale)
        g_bias = g_scores.unflatten(0, ctx.queries[:2]).sum(0)
        return g_q.view(ctx.queries), g_k.view(ctx.keys), g_v.view(ctx.keys), g_bias
