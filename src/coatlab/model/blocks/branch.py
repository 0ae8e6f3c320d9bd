"""MBConv's branch on a CPU as one operation: what its layers compute one by one, up to rounding, in fewer passes.

In training, the norm behind the expand convolution becomes part of it (folded.py), and the gate part of the project
convolution (gated.py). In evaluation all three norms are constants, and part of the convolutions. Point-wise functions
see maps with the channels last, in one piece of memory, where torch is twice as fast.

B images, H rows, W columns, P positions (H * W), C channels in, I inner channels, O channels out, A = C + 1, N = B * P.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from coatlab.model.blocks.folded import Folded, fold, fold_backward, with_ones
from coatlab.model.blocks.gated import Gated, Kept, project, project_backward

# torch is slow at the gradient of a depthwise kernel where a map has no more rows or columns than this
FEW = 2
CHUNK_BYTES = 2_000_000  # of one wide map in evaluation, per thread: images go through the layers in such chunks


class Weights(NamedTuple):
    """The parameters of the branch behind its first norm; the scale and shift of a norm are its weight and bias."""

    expand_IC: Tensor
    expand_scale_I: Tensor
    expand_shift_I: Tensor
    kernel_I133: Tensor
    kernel_scale_I: Tensor
    kernel_shift_I: Tensor
    squeeze_SI: Tensor
    squeeze_S: Tensor
    excite_IS: Tensor
    excite_I: Tensor
    project_OI: Tensor
    project_O: Tensor


def trained(x_BHWC: Tensor, w: Weights, norms: tuple[nn.BatchNorm2d, nn.BatchNorm2d], stride: int) -> Tensor:
    """Return the branch of normalized x in training, (B, H, W, O), and update the running moments of both norms.

    Args:
        x_BHWC: behind the first norm, and after the expand convolution's stride.
        w: the parameters.
        norms: behind the expand and the depthwise convolution.
        stride: of the depthwise convolution.
    """
    first, second = norms
    out, mean_I, variance_I = _Branch.apply(x_BHWC, stride, first.eps, second, *w)
    values = x_BHWC.shape[:3].numel()
    with torch.no_grad():
        first.running_mean.lerp_(mean_I, first.momentum)  # type: ignore[union-attr, arg-type]
        first.running_var.lerp_(variance_I * (values / (values - 1)), first.momentum)  # type: ignore[union-attr, arg-type]
        for norm in norms:
            norm.num_batches_tracked.add_(1)  # type: ignore[union-attr]
    return out


def evaluated(x_BHWC: Tensor, w: Weights, norms: tuple[nn.BatchNorm2d, ...], stride: int) -> Tensor:
    """Return the branch in evaluation, (B, H, W, O).

    Args:
        x_BHWC: in front of the first norm, after the expand convolution's stride.
        w: the parameters.
        norms: the first, and those behind the expand and the depthwise convolution.
        stride: of the depthwise convolution.
    """
    (scale_C, shift_C), (scale_I, shift_I), (kernel_scale_I, kernel_shift_I) = map(_constants, norms)
    expand_CI = ((w.expand_IC * scale_I[:, None]) * scale_C).t()
    constant_I = torch.addmv(shift_I, w.expand_IC * scale_I[:, None], shift_C)
    matrix_AI = torch.cat([expand_CI, constant_I[None]])
    kernel = (w.kernel_I133 * kernel_scale_I.view(-1, 1, 1, 1)).contiguous()
    wide = x_BHWC.shape[1:3].numel() * len(kernel) * x_BHWC.element_size()
    outs = []
    for x in x_BHWC.split(max(1, CHUNK_BYTES * torch.get_num_threads() // wide)):
        expanded = F.gelu((with_ones(x) @ matrix_AI).view(*x.shape[:3], -1))
        inner = _depthwise_gelu(expanded, kernel, stride, kernel_shift_I)
        out, _ = project(inner.flatten(1, 2), Gated(*w[6:]))
        outs.append(out.unflatten(1, inner.shape[1:3]))
    return torch.cat(outs) if len(outs) > 1 else outs[0]


class _Branch(Function):
    """The branch, and mean and biased variance of the expanded map.

    Raises:
        RuntimeError: its gradient is differentiated; see `coatlab.model.eager.layer_by_layer`.
    """

    @staticmethod
    def forward(ctx: Any, x_BHWC: Tensor, stride: int, epsilon: float, norm: nn.BatchNorm2d, *weights: Tensor) -> Any:
        w, x_NA = Weights(*weights), with_ones(x_BHWC)
        folded = fold(x_NA, w.expand_IC, w.expand_scale_I, w.expand_shift_I, epsilon)
        expanded = (x_NA @ folded.matrix_AI).view(*x_BHWC.shape[:3], -1)
        active = F.gelu(expanded)
        mixed = _depthwise(active, w.kernel_I133.contiguous(), stride)
        normed, mean_I, inverse_I = torch.ops.aten.native_batch_norm(
            mixed.permute(0, 3, 1, 2), w.kernel_scale_I, w.kernel_shift_I, norm.running_mean, norm.running_var,
            True, norm.momentum, norm.eps,
        )  # fmt: skip
        normed = normed.permute(0, 2, 3, 1)
        inner = F.gelu(normed)
        out_BPO, kept = project(inner.flatten(1, 2), Gated(*w[6:]))
        ctx.save_for_backward(x_NA, *folded, *kept, expanded, active, mixed, mean_I, inverse_I, normed, inner, *w)
        ctx.stride, ctx.epsilon = stride, norm.eps
        ctx.mark_non_differentiable(folded.mean_I, folded.variance_I)
        return out_BPO.unflatten(1, inner.shape[1:3]), folded.mean_I, folded.variance_I

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_BHWO: Tensor, *_: Any) -> Any:
        x_NA, *saved = ctx.saved_tensors
        folded, kept, w = Folded(*saved[:7]), Kept(*saved[7:10]), Weights(*saved[17:])
        expanded, active, mixed, mean_I, inverse_I, normed, inner = saved[10:17]
        g_BPI, g_gated = project_backward(g_BHWO.flatten(1, 2), inner.flatten(1, 2), kept, Gated(*w[6:]))
        g = torch.ops.aten.gelu_backward(g_BPI.view_as(normed), normed)
        g, g_scale_I, g_shift_I = torch.ops.aten.native_batch_norm_backward(
            g.permute(0, 3, 1, 2), mixed.permute(0, 3, 1, 2), w.kernel_scale_I, None, None, mean_I, inverse_I,
            True, ctx.epsilon, [True] * 3,
        )  # fmt: skip
        g, g_kernel = _depthwise_backward(g.permute(0, 2, 3, 1), active, w.kernel_I133, ctx.stride)
        g = torch.ops.aten.gelu_backward(g, expanded)
        g_folded = fold_backward(g.flatten(0, 2), x_NA, folded, w.expand_IC, w.expand_scale_I)
        g_x_BHWC = g_folded.x_NC.view(*expanded.shape[:3], -1)
        return g_x_BHWC, None, None, None, *g_folded[1:], g_kernel, g_scale_I, g_shift_I, *g_gated


def _constants(norm: Any) -> tuple[Tensor, Tensor]:
    """Return by what a norm multiplies in evaluation, and what it adds."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, torch.addcmul(norm.bias, norm.running_mean, scale, value=-1)


def _depthwise(x_BHWI: Tensor, kernel_I133: Tensor, stride: int, bias_I: Tensor | None = None) -> Tensor:
    """Convolve each channel with its 3 x 3 kernel."""
    out_BIHW = F.conv2d(x_BHWI.permute(0, 3, 1, 2), kernel_I133, bias_I, stride, 1, 1, len(kernel_I133))
    return out_BIHW.permute(0, 2, 3, 1).contiguous()  # copies nothing where torch kept the channels last


def _depthwise_gelu(x_BHWI: Tensor, kernel_I133: Tensor, stride: int, bias_I: Tensor) -> Tensor:
    """Convolve each channel and apply GELU: one operation where oneDNN has it, in float32 and without gradients."""
    if torch.is_grad_enabled() or x_BHWI.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return F.gelu(_depthwise(x_BHWI, kernel_I133, stride, bias_I))
    out_BIHW = torch.ops.mkldnn._convolution_pointwise(  # private, as of torch 2.15: torch's compiler calls it
        x_BHWI.permute(0, 3, 1, 2), kernel_I133, bias_I,
        [1, 1], [stride] * 2, [1, 1], len(kernel_I133), "gelu", [], "none",
    )  # fmt: skip
    return out_BIHW.permute(0, 2, 3, 1).contiguous()


def _depthwise_backward(g_BHWI: Tensor, x_BHWI: Tensor, kernel_I133: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to the map and to the kernels."""
    rows, columns = x_BHWI.shape[1:3]
    few = min(rows, columns) <= FEW and stride == 1
    g_x, g_kernel, _ = torch.ops.aten.convolution_backward(
        g_BHWI.permute(0, 3, 1, 2), x_BHWI.permute(0, 3, 1, 2), kernel_I133.contiguous(), None,
        [stride] * 2, [1, 1], [1, 1], False, [0, 0], len(kernel_I133), [True, not few, False],
    )  # fmt: skip
    if few:
        padded = F.pad(x_BHWI, (0, 0, 1, 1, 1, 1))
        shifts = [(y, x) for y in range(3) for x in range(3)]
        each = [(padded[:, y : y + rows, x : x + columns] * g_BHWI).sum((0, 1, 2)) for y, x in shifts]
        g_kernel = torch.stack(each, 1).view_as(kernel_I133)
    return g_x.permute(0, 2, 3, 1).contiguous(), g_kernel
