"""Squeeze-excitation and the project convolution behind it as one operation, forward and backward.

Where a map has more positions than the block has output channels, the gate multiplies the weights of the convolution,
once per image, and not the map: W (g * x) = (W * g) x.

B images, P positions, I inner channels, S squeezed channels, O channels out.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Gated(NamedTuple):
    """Weights and biases of squeeze, excite and project; or their gradients."""

    squeeze_SI: Tensor
    squeeze_S: Tensor
    excite_IS: Tensor
    excite_I: Tensor
    project_OI: Tensor
    project_O: Tensor


class Kept(NamedTuple):
    """What the way back needs besides the map."""

    mean_BI: Tensor
    squeezed_BS: Tensor
    gate_BI: Tensor


def project(x_BPI: Tensor, w: Gated) -> tuple[Tensor, Kept]:
    """Return the gated and projected map, (B, P, O), and what `project_backward` needs."""
    mean_BI = x_BPI.mean(1)
    squeezed_BS = torch.addmm(w.squeeze_S, mean_BI, w.squeeze_SI.t())
    gate_BI = torch.addmm(w.excite_I, F.silu(squeezed_BS), w.excite_IS.t()).sigmoid()
    if _by_image(x_BPI, w):
        weights_BOI = w.project_OI * gate_BI[:, None]
        out_BPO = torch.baddbmm(w.project_O, x_BPI, weights_BOI.transpose(1, 2))
    else:
        gated = (x_BPI * gate_BI[:, None]).flatten(0, 1)
        out_BPO = torch.addmm(w.project_O, gated, w.project_OI.t()).unflatten(0, x_BPI.shape[:2])
    return out_BPO, Kept(mean_BI, squeezed_BS, gate_BI)


def project_backward(g_BPO: Tensor, x_BPI: Tensor, kept: Kept, w: Gated) -> tuple[Tensor, Gated]:
    """Return the gradients with respect to x and to the weights."""
    mean_BI, squeezed_BS, gate_BI = kept
    g_rows = g_BPO.flatten(0, 1)
    by_image = _by_image(x_BPI, w)
    if by_image:
        g_weights_BOI = torch.bmm(g_BPO.transpose(1, 2), x_BPI)
        g_gate_BI = (g_weights_BOI * w.project_OI).sum(1)
        g_project_OI = g_weights_BOI.mul_(gate_BI[:, None]).sum(0)
    else:
        g_gated_BPI = (g_rows @ w.project_OI).view_as(x_BPI)
        g_gate_BI = (g_gated_BPI * x_BPI).sum(1)
        g_project_OI = g_rows.t() @ (x_BPI * gate_BI[:, None]).flatten(0, 1)
    g_excited_BI = torch.ops.aten.sigmoid_backward(g_gate_BI, gate_BI)
    g_squeezed_BS = torch.ops.aten.silu_backward(g_excited_BI @ w.excite_IS, squeezed_BS)
    g_mean_B1I = ((g_squeezed_BS @ w.squeeze_SI) / x_BPI.shape[1])[:, None]
    if by_image:
        g_x_BPI = torch.bmm(g_BPO, w.project_OI * gate_BI[:, None]).add_(g_mean_B1I)
    else:
        g_x_BPI = torch.addcmul(g_mean_B1I, g_gated_BPI, gate_BI[:, None])
    gradients = Gated(
        g_squeezed_BS.t() @ mean_BI, g_squeezed_BS.sum(0),
        g_excited_BI.t() @ F.silu(squeezed_BS), g_excited_BI.sum(0),
        g_project_OI, g_rows.sum(0),
    )  # fmt: skip
    return g_x_BPI, gradients


def _by_image(x_BPI: Tensor, w: Gated) -> bool:
    return x_BPI.shape[1] > w.project_OI.shape[0]
