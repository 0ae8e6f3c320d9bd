"""Weights under timm's names and in timm's shapes, as its `coatnet_N` have them, and back.

timm's networks have the same layers under other names, in three cases in another form: a bias table is (shifts, heads)
instead of (heads, rows, columns); q, k and v lie head by head; the linear layers of a transformer block are 1x1
convolutions. Both networks compute the same only with timm's stride and pooling (network.py).

H heads, D head width, R x S the table's shifts.
"""

import math
from collections.abc import Mapping

from torch import Tensor, nn

from coatlab.errors import InputError
from coatlab.model.attention.relative import RelativeAttention
from coatlab.model.blocks.transformer import Transformer

OUTSIDE = {
    "stem.0": "stem.conv1",
    "stem.1": "stem.norm1",
    "stem.3": "stem.conv2",
    "head.0": "head.norm",
    "head.1": "head.pre_logits.fc",
    "head.3": "head.fc",
}
MBCONV = {
    "shortcut.1": "shortcut.expand",
    "norm": "pre_norm",
    "expand": "conv1_1x1",
    "expand_norm": "norm1",
    "depthwise": "conv2_kxk",
    "depthwise_norm": "norm2",
    "squeeze_excitation.squeeze": "se.fc1",
    "squeeze_excitation.excite": "se.fc2",
    "project": "conv3_1x1",
}
TRANSFORMER = {
    "shortcut.1": "shortcut.expand",
    "attention_norm": "norm1",
    "attention.qkv": "attn.qkv",
    "attention.attend.bias.table": "attn.rel_pos.relative_position_bias_table",
    "attention.project": "attn.proj",
    "ffn_norm": "norm2",
    "ffn.0": "mlp.fc1",
    "ffn.2": "mlp.fc2",
}
CONVOLUTIONS = ("attention.qkv.weight", "attention.project.weight", "ffn.0.weight", "ffn.2.weight")
TABLE, QKV = "attention.attend.bias.table", "attention.qkv"
FEW = 4  # names in a sentence
DENSE = 3  # layers of a head with a dense layer, at least


def timm_names(network: nn.Module) -> dict[str, str]:
    """Return timm's name of each weight of a network, by its name here.

    Raises:
        InputError: a weight has no counterpart in timm: the layout is not one of convolution and relative attention
            behind a convolutional stem, or the head has no dense layer.
    """
    blocks = {
        f"stages.{stage}.{number}": block
        for stage, blocks in enumerate(network.stages)  # type: ignore[arg-type]
        for number, block in enumerate(blocks)
    }
    names, without = {}, []
    for name in network.state_dict():
        place = name.split(".")
        block = blocks.get(".".join(place[:3]))
        if block is None:
            found = _renamed(name, OUTSIDE)
        else:
            inside = _renamed(".".join(place[3:]), _table_of(block))
            found = inside and f"stages.{place[1]}.blocks.{place[2]}.{inside}"
        if found is None:
            without.append(name)
        else:
            names[name] = found
    others = [
        name
        for name, module in network.named_modules()
        if isinstance(module, Transformer) and type(module.attention.attend) is not RelativeAttention
    ]
    if without or others or len(network.head) < DENSE:  # type: ignore[arg-type]
        what = [*without, *(f"{name}.attention" for name in others)] or ["a head without the dense layer"]
        raise InputError(
            f"timm's coatnet_N has no counterpart of {', '.join(what[:FEW])}; the weights of layout=CCTT with "
            "attention=relative and network.dense_head=true have one each"
        )
    return names


def to_timm(network: nn.Module, head_size: int) -> dict[str, Tensor]:
    """Return the weights of a network as timm's `coatnet_N` take them in `load_state_dict`. Raises as `timm_names`."""
    state = network.state_dict()
    return {theirs: _to_timm(name, state[name], head_size) for name, theirs in timm_names(network).items()}


def from_timm(network: nn.Module, weights: Mapping[str, Tensor], head_size: int) -> dict[str, Tensor]:
    """Return weights of timm's as a network takes them in `load_state_dict`, which resizes tables.

    Raises:
        InputError: a weight is missing, unknown or of another shape; or as `timm_names`.
    """
    names, state = timm_names(network), network.state_dict()
    wrong = [f"{theirs} is missing" for theirs in names.values() if theirs not in weights]
    known = set(names.values())
    wrong += [f"{theirs} is unknown" for theirs in weights if theirs not in known]
    found = {}
    for name, theirs in names.items():
        if theirs in weights:
            one = _from_timm(name, weights[theirs], head_size)
            fits = one.shape[:1] == state[name].shape[:1] if name.endswith(TABLE) else one.shape == state[name].shape
            if one.dim() != state[name].dim() or not fits:
                wrong.append(f"{theirs} is {tuple(weights[theirs].shape)} there and {name} {tuple(state[name].shape)}")
            found[name] = one
    if wrong:
        more = f"; and {len(wrong) - FEW} more" if len(wrong) > FEW else ""
        raise InputError(f"the weights are not those of timm's coatnet_N of this size: {'; '.join(wrong[:FEW])}{more}")
    return found


def _table_of(block: nn.Module) -> dict[str, str]:
    if not isinstance(block, Transformer):
        return MBCONV
    return TRANSFORMER | ({} if isinstance(block.pool, nn.Identity) else {"attention_norm": "norm1.norm"})


def _renamed(name: str, table: Mapping[str, str]) -> str | None:
    for ours, theirs in table.items():
        if name == ours or name.startswith(f"{ours}."):
            return theirs + name[len(ours) :]
    return None


def _to_timm(name: str, one: Tensor, head_size: int) -> Tensor:
    if QKV in name:  # timm: by head, then q k v
        one = one.unflatten(0, (3, -1, head_size)).transpose(0, 1).flatten(0, 2)
    if name.endswith(TABLE):
        one = one.flatten(1).T.contiguous()
    return one[..., None, None] if name.endswith(CONVOLUTIONS) else one


def _from_timm(name: str, one: Tensor, head_size: int) -> Tensor:
    if name.endswith(CONVOLUTIONS):
        one = one.flatten(1)
    if QKV in name and len(one) % (3 * head_size) == 0:
        one = one.unflatten(0, (-1, 3, head_size)).transpose(0, 1).flatten(0, 2)
    if name.endswith(TABLE) and one.dim() == 2 and math.isqrt(len(one)) ** 2 == len(one):
        one = one.T.unflatten(1, (math.isqrt(len(one)),) * 2)  # timm's networks take square images
    return one
