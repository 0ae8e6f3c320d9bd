"""A 1x1 convolution and the BatchNorm behind it as one matrix product, in training, forward and backward.

The batch statistics of W x need no pass over W x: its mean is W m, and its variance the diagonal of W S W^T, for the
mean m and the covariance S of x, which has fewer channels. With them the norm becomes part of the convolution. A column
of ones beside x is multiplied by the shift, so that the product is all there is to do.

N rows (positions of all images), C channels of x, A = C + 1 with the ones, I channels of W x.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Folded(NamedTuple):
    """A convolution with its norm: x @ `matrix_AI` is the normalized map. The rest is for the way back."""

    matrix_AI: Tensor
    mean_I: Tensor  # of W x
    variance_I: Tensor  # biased
    mean_C: Tensor
    covariance_CC: Tensor
    spread_IC: Tensor  # W S
    inverse_I: Tensor  # one over the standard deviation


class Gradients(NamedTuple):
    """With respect to x and the parameters."""

    x_NC: Tensor
    weight_IC: Tensor
    scale_I: Tensor
    shift_I: Tensor


def with_ones(x_BHWC: Tensor) -> Tensor:
    """Return the rows of a map, with a column of ones, (N, A)."""
    x_NC = x_BHWC.reshape(-1, x_BHWC.shape[-1])
    return torch.cat([x_NC, x_NC.new_ones(len(x_NC), 1)], 1)


def fold(x_NA: Tensor, weight_IC: Tensor, scale_I: Tensor, shift_I: Tensor, epsilon: float) -> Folded:
    """Fold a norm with weight `scale_I` and bias `shift_I` into the convolution before it."""
    squares_AA = (x_NA.t() @ x_NA).div_(len(x_NA))
    mean_C = squares_AA[-1, :-1].clone()
    covariance_CC = squares_AA[:-1, :-1] - torch.outer(mean_C, mean_C)
    spread_IC, mean_I = weight_IC @ covariance_CC, weight_IC @ mean_C
    variance_I = (spread_IC * weight_IC).sum(1).clamp_(min=0)  # rounding may make a zero negative
    inverse_I = (variance_I + epsilon).rsqrt_()
    factor_I = scale_I * inverse_I
    shifted_I = torch.addcmul(shift_I, mean_I, factor_I, value=-1)
    matrix_AI = torch.cat([(weight_IC * factor_I[:, None]).t(), shifted_I[None]])
    return Folded(matrix_AI, mean_I, variance_I, mean_C, covariance_CC, spread_IC, inverse_I)


def fold_backward(g_NI: Tensor, x_NA: Tensor, folded: Folded, weight_IC: Tensor, scale_I: Tensor) -> Gradients:
    """Return the gradients of the normalized map, x @ matrix, through its weights and its statistics."""
    matrix_AI, mean_I, _, mean_C, _, spread_IC, inverse_I = folded
    rows = len(x_NA)
    g_matrix_AI = x_NA.t() @ g_NI
    g_folded_IC, g_shift_I = g_matrix_AI[:-1].t(), g_matrix_AI[-1]
    factor_I = scale_I * inverse_I
    g_factor_I = torch.addcmul((g_folded_IC * weight_IC).sum(1), g_shift_I, mean_I, value=-1)
    g_mean_I = -factor_I * g_shift_I
    g_variance_I = -0.5 * g_factor_I * factor_I * inverse_I.square()
    g_weight_IC = torch.addr(g_folded_IC * factor_I[:, None], g_mean_I, mean_C)
    g_weight_IC.addcmul_(spread_IC, g_variance_I[:, None], value=2)
    g_covariance_CC = weight_IC.t() @ (weight_IC * g_variance_I[:, None])
    g_mean_C = g_mean_I @ weight_IC - 2 * (g_covariance_CC @ mean_C)
    g_x_NC = g_NI @ matrix_AI[:-1].t().contiguous()
    g_x_NC.addmm_(x_NA[:, :-1], g_covariance_CC, alpha=2 / rows).add_(g_mean_C / rows)
    return Gradients(g_x_NC, g_weight_IC, g_factor_I * inverse_I, g_shift_I)
