"""Linear attention: a product of features in the place of the softmax, the paper's option C (sec. 2.2).

    out_i = phi(q_i) . sum_j phi(k_j) v_j^T / (phi(q_i) . sum_j phi(k_j))

The sum over j is the same for every query, so cost is linear in N. `attention.feature_map` chooses phi:
- `elu`: elu(x) + 1 (Katharopoulos et al. 2020, "Transformers are RNNs", eq. 7), D features;
- `softmax`: q normalized over its D entries and k over the N positions, without the quotient, since both already sum to
  1 (Shen et al. 2021, "Efficient Attention", eq. 5);
- `favor`: positive orthogonal random features exp(w . x - |x|^2 / 2) of x = q or k over D^(1/4) (Choromanski et al.
  2021, "Rethinking Attention with Performers", lemma 1 and sec. 2.4), an unbiased estimate of softmax attention with
  `attention.features` features (null: D ln D, as the paper's analysis asks). They are drawn from torch's generator when
  the network is built, so from the run's seed; they are a buffer, so saved with the weights, and stay as drawn.

Features cannot carry w_{i-j}, so positions come from the embedding of `absolute`, the same by default: `linear` against
`absolute` compares the kernel alone, against `relative` kernel and positions.
Cost of a block: 2 * N * m * C multiply-adds for m features (D, or those of favor) and C = H * D, and N * m * C for the
projection of favor (twice that: q and k); memory H * m * (N + D): linear in N.
Deviations: features and sums are computed in float32 at least, whatever the precision of the run, as sums over
thousands of positive terms and quotients are not safe in bfloat16; elu + 1 is written without its cancellation; a
quotient's lower part is at least 1e-6; favor subtracts the largest exponent, of each query and of all keys of a head,
which the quotient cancels, and then adds 1e-6 to each feature, as the authors' code does: where all features vanish,
the mix is the mean, not 0 / 0.

B batch, H heads, N tokens, D head width, m features.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from coatlab.model.attention.inner import InnerAttention
from coatlab.model.attention.position import make_position
from coatlab.model.layout import Grid

VANISHING = 1e-6


class LinearAttention(InnerAttention):
    """Mix every position through a sum of features.

    Args:
        feature_map: elu, softmax or favor.
        features: m of favor; None: D ln D.
        position: as in `absolute`.
    """

    def __init__(
        self, heads: int, head_size: int, grid: Grid, block: int, feature_map: str, features: int | None, position: str
    ) -> None:
        super().__init__(heads, head_size, grid, block)
        assert feature_map in ("elu", "softmax", "favor"), feature_map
        self.feature_map, self._position = feature_map, position
        if feature_map == "favor":
            count = features or max(1, round(head_size * math.log(head_size)))
            self.register_buffer("directions_mD", draw_directions(count, head_size))

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        precise = torch.promote_types(q_BHND.dtype, torch.float32)
        with full_precision(q_BHND.device.type):
            q, k, v = q_BHND.to(precise), k_BHND.to(precise), v_BHND.to(precise)
            if self.feature_map == "softmax":
                mix_BHND = q.softmax(-1) @ (k.softmax(-2).mT @ v)
            else:
                q, k = self._exponential(q, k) if self.feature_map == "favor" else (elu_plus_one(q), elu_plus_one(k))
                total_BHm1 = k.sum(-2)[..., None]
                mix_BHND = q @ (k.mT @ v) / (q @ total_BHm1).clamp_min(VANISHING)
        return mix_BHND.to(v_BHND.dtype)

    def position(self, width: int, grid: Grid) -> nn.Module:
        return make_position(self._position, width, grid)

    def _exponential(self, q_BHND: Tensor, k_BHND: Tensor) -> tuple[Tensor, Tensor]:
        """Return the random features of q and k, up to factors that the quotient cancels."""
        scale = self.head_size**-0.25
        exponents = [
            x @ self.directions_mD.to(x.dtype).mT - x.square().sum(-1, keepdim=True) / 2
            for x in (q_BHND * scale, k_BHND * scale)
        ]
        largest_q = exponents[0].detach().amax(-1, keepdim=True)
        largest_k = exponents[1].detach().amax((-2, -1), keepdim=True)
        return (exponents[0] - largest_q).exp() + VANISHING, (exponents[1] - largest_k).exp() + VANISHING


def full_precision(device: str) -> AbstractContextManager[None]:
    """Keep autocast out, on devices that have it (the meta device, on which costs are counted, does not)."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def elu_plus_one(x: Tensor) -> Tensor:
    """Return elu(x) + 1 > 0: exp(x) below 0 and x + 1 above, without the rounding of exp(x) - 1 + 1."""
    above = x.relu()
    # of the ways to write it: five times faster on a CPU than a choice by sign, and its slope at 0 is 1
    return (x - above).exp() + above


def draw_directions(count: int, head_size: int) -> Tensor:
    """Draw directions (count, D), Gaussian one by one and orthogonal within each D of them, from torch's generator."""
    blocks = [nn.init.orthogonal_(torch.empty(head_size, head_size)) for _ in range(-(-count // head_size))]
    lengths = torch.randn(count, head_size).norm(dim=1, keepdim=True)
    return torch.cat(blocks)[:count] * lengths
