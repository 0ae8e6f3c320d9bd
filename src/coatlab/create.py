"""Build networks from the names of files in conf/: `create_model` for Python users, `network_of` for a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.utils import instantiate

from coatlab.config.compose import compose, resolve
from coatlab.config.rules import check_keys
from coatlab.config.targets import TARGET, python_path
from coatlab.errors import not_one_of
from coatlab.model.blocks.transformer import AttentionFactory
from coatlab.model.layout import blueprint
from coatlab.model.network import Network, build_network


def create_model(
    layout: str = "CCTT",
    attention: str = "relative",
    size: str = "coatnet_0",
    *,
    image_size: int | tuple[int, int] = 224,
    num_classes: int = 1000,
    channels: int = 3,
    stochastic_depth: float = 0.0,
    plan: Mapping[str, Any] | None = None,
    attention_settings: Mapping[str, Any] | None = None,
    **network_settings: Any,
) -> Network:
    """Create a network from the names that the command line uses.

    Args:
        layout, attention, size: names of files in conf/layout, conf/attention, conf/size.
        image_size: pixels, one number or (rows, columns); must be divisible by the product of the strides.
        num_classes: outputs of the classifier.
        channels: of the images.
        stochastic_depth: drop probability of the last block; it grows linearly from 0 at the first block.
        plan: entries that replace those of the size's plan: blocks, widths, strides, head_size.
        attention_settings: entries that replace those of conf/attention/<attention>.yaml.
        network_settings: entries that replace those of conf/network/coatnet.yaml, e.g. `downsample="depthwise_conv"`.

    Returns:
        An `nn.Module` from images (B, channels, rows, columns) to logits (B, num_classes).

    Raises:
        InputError: a ValueError in one sentence: a name that does not exist (it lists those that do), a plan that does
            not fit (it says why), or a value that is not valid.

    Example:
        >>> model = create_model("CCTT", attention="relative", size="coatnet_0")
        >>> sum(p.numel() for p in model.parameters())
        25036820
    """
    composed = compose([f"layout={layout}", f"attention={attention}", f"size={size}"])
    changes = {"plan": plan or {}, "attention": attention_settings or {}, "network": network_settings}
    for group, entries in changes.items():
        for key, value in entries.items():
            if key not in composed[group]:
                raise not_one_of(f"{group} setting", key, composed[group])
            composed[group][key] = value
    resolved = resolve(composed)
    check_keys({key: resolved[key] for key in ("attention", "network")})
    return network_of(
        resolved,
        image_size=image_size,
        num_classes=num_classes,
        channels=channels,
        stochastic_depth=stochastic_depth,
    )


def network_of(
    config: Mapping[str, Any],
    *,
    image_size: int | Sequence[int],
    num_classes: int,
    channels: int,
    stochastic_depth: float,
) -> Network:
    """Build the network that a resolved config describes in `layout`, `plan`, `attention` and `network`."""
    return build_network(
        blueprint(config["layout"], config["plan"], image_size),
        attention_factory(config["attention"]),
        num_classes=num_classes,
        channels=channels,
        stochastic_depth=stochastic_depth,
        **config["network"],
    )


def attention_factory(settings: Mapping[str, Any]) -> AttentionFactory:
    """Return a function that builds the inner attention of one block: the variant's class with its settings bound.

    Args:
        settings: the group `attention` of a resolved config.
    """
    own = {key: value for key, value in settings.items() if key not in ("name", TARGET)}
    factory: AttentionFactory = instantiate({TARGET: python_path("attention", settings), **own}, _partial_=True)
    return factory
