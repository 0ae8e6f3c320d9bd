"""Networks by the names of conf/: `create_model` for Python users, `network_of` for a resolved config."""

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
    """Create a network by the names that the command line uses.

    Args:
        layout, attention, size: names of files in conf/layout, conf/attention, conf/size.
        image_size: pixels, one number or (rows, columns); divisible by the product of the strides.
        plan: entries that replace those of the size's plan: blocks, widths, strides, head_size.
        attention_settings: replace entries of conf/attention/<attention>.yaml.
        network_settings: replace entries of conf/network/coatnet.yaml, e.g. `downsample="depthwise_conv"`.

    Raises:
        InputError: (a ValueError) an unknown name lists what exists; a plan that does not fit says why.

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
    """Build the network that a composed config describes in `layout`, `plan`, `attention` and `network`."""
    return build_network(
        blueprint(config["layout"], config["plan"], image_size),
        attention_factory(config["attention"]),
        num_classes=num_classes,
        channels=channels,
        stochastic_depth=stochastic_depth,
        **config["network"],
    )


def attention_factory(settings: Mapping[str, Any]) -> AttentionFactory:
    """Find the variant's class and bind its settings."""
    own = {key: value for key, value in settings.items() if key not in ("name", TARGET)}
    factory: AttentionFactory = instantiate({TARGET: python_path("attention", settings), **own}, _partial_=True)
    return factory
