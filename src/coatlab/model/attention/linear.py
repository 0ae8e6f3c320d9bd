"""Linear attention: products of features replace the softmax; the paper's option C (sec. 2.2).

    out_i = phi(q_i) . sum_j phi(k_j) v_j^T / (phi(q_i) . sum_j phi(k_j))

The sum over j is the same for every query, so the cost is linear in N. `attention.feature_map` chooses phi:
- `elu`: elu(x) + 1 (Katharopoulos et al. 2020, "Transformers are RNNs", eq. 7), with D features.
- `softmax`: a softmax of q over its D entries and of k over the N positions. No quotient is taken, because both already
  sum to 1 (Shen et al. 2021, "Efficient Attention", eq. 5).
- `favor`: positive orthogonal random features exp(w . x - |x|^2 / 2), where x is q or k divided by D^(1/4) (Choromanski
  et al. 2021, "Rethinking Attention with Performers", lemma 1 and sec. 2.4). They give an unbiased estimate of softmax
  attention. `attention.features` says how many (null: D ln D, which that paper's analysis asks for). The directions w
  are drawn from torch's generator when the network is built, so they follow the run's seed. They are saved with the
  weights and never change.

Features cannot express w_{i-j}, so positions come from the same embedding as in `absolute`. Comparing `linear` with
`absolute` therefore compares the kernel alone; comparing it with `relative` compares kernel and positions.
Cost of a block: 2 * N * m * C multiply-adds for m features (D, or those of favor) and C = H * D; favor also projects
q and k, N * m * C each. Its memory is H * m * (N + D), linear in N.
Deviations:
- Features and sums are computed in float32 at least, whatever the precision of the run: sums over thousands of positive
  terms, and quotients, are not safe in bfloat16.
- elu(x) + 1 is computed without subtracting 1 and adding it again.
- A denominator is at least 1e-6.
- favor subtracts the largest exponent (of each query, and of all keys of a head), which the quotient cancels. Then it
  adds 1e-6 to each feature, as the authors' code does: where all features vanish, the result is the mean of v instead
  of 0 / 0.

B batch, H heads, N tokens, D head width, m features.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.fx
from torch import Tensor, nn

from coatlab.model.attention.inner import InnerAttention
from coatlab.model.attention.position import make_position
from coatlab.model.layout import Grid

VANISHING = 1e-6


class LinearAttention(InnerAttention):
    """Attend to every position through sums of features.

    Args:
        feature_map: elu, softmax or favor.
        features: m, the number of features of favor; None: D ln D.
        position: `learned` or `none`: the position embedding of a stage.
    """

    alternatives = ("feature_map=softmax", "feature_map=favor")
    directions_mD: Tensor  # of favor

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
        directions_mD = self.directions_mD if self.feature_map == "favor" else None
        return _mix(q_BHND, k_BHND, v_BHND, self.feature_map, directions_mD)

    def position(self, width: int, grid: Grid) -> nn.Module:
        return make_position(self._position, width, grid)


@torch.fx.wrap
def _mix(q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor, feature_map: str, directions_mD: Tensor | None) -> Tensor:
    """Compute the mix in float32 at least; the directions are favor's."""
    precise = torch.promote_types(q_BHND.dtype, torch.float32)
    with full_precision(q_BHND.device.type):
        q, k, v = q_BHND.to(precise), k_BHND.to(precise), v_BHND.to(precise)
        if feature_map == "softmax":
            mix_BHND = q.softmax(-1) @ (k.softmax(-2).mT @ v)
        else:
            q, k = (elu_plus_one(q), elu_plus_one(k)) if directions_mD is None else _exponential(q, k, directions_mD)
            total_BHm1 = k.sum(-2)[..., None]
            mix_BHND = q @ (k.mT @ v) / (q @ total_BHm1).clamp_min(VANISHING)
    return mix_BHND.to(v_BHND.dtype)


def _exponential(q_BHND: Tensor, k_BHND: Tensor, directions_mD: Tensor) -> tuple[Tensor, Tensor]:
    """Return favor's features of q and k, up to factors that the quotient cancels."""
    scale = q_BHND.shape[-1] ** -0.25
    exponents = [
        x @ directions_mD.to(x.dtype).mT - x.square().sum(-1, keepdim=True) / 2
        for x in (q_BHND * scale, k_BHND * scale)
    ]
    largest_q = exponents[0].detach().amax(-1, keepdim=True)
    largest_k = exponents[1].detach().amax((-2, -1), keepdim=True)
    return (exponents[0] - largest_q).exp() + VANISHING, (exponents[1] - largest_k).exp() + VANISHING


def full_precision(device: str) -> AbstractContextManager[None]:
    """Switch autocast off, on devices that have it (the meta device, on which costs are counted, does not)."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def elu_plus_one(x: Tensor) -> Tensor:
    """Return elu(x) + 1, which is positive: exp(x) below 0 and x + 1 above. Avoids the rounding of exp(x) - 1 + 1."""
    above = x.relu()
    # on a CPU this is five times faster than torch.where, and its slope at 0 is 1
    return (x - above).exp() + above


def draw_directions(count: int, head_size: int) -> Tensor:
    """Draw directions (count, D) from torch's generator: each one is Gaussian, and every D of them are orthogonal."""
    blocks = [nn.init.orthogonal_(torch.empty(head_size, head_size)) for _ in range(-(-count // head_size))]
    lengths = torch.randn(count, head_size).norm(dim=1, keepdim=True)
    return torch.cat(blocks)[:count] * lengths
