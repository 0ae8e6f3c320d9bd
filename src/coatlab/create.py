"""Build networks from the names of files in conf/: `create_model` for Python users, `network_of` for a config."""

import difflib
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from inspect import signature
from typing import Any, Literal, overload

from hydra.utils import instantiate

from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.config.kinds import number, whole
from coatlab.config.rules import check_keys
from coatlab.config.targets import TARGET, is_ours, python_path
from coatlab.errors import InputError, not_one_of
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.blocks.transformer import AttentionFactory
from coatlab.model.feature_maps import FeatureMaps
from coatlab.model.layout import blueprint
from coatlab.model.network import Network, build_network
from coatlab.output.text import line


@overload
def create_model(
    layout: str = ..., attention: str = ..., size: str = ..., *, features_only: Literal[True], **settings: Any
) -> FeatureMaps: ...


@overload
def create_model(
    layout: str = ...,
    attention: str = ...,
    size: str = ...,
    *,
    image_size: int | tuple[int, int] = ...,
    num_classes: int = ...,
    channels: int = ...,
    stochastic_depth: float = ...,
    plan: Mapping[str, Any] | None = ...,
    attention_settings: Mapping[str, Any] | None = ...,
    features_only: Literal[False] = False,
    **network_settings: Any,
) -> Network: ...


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
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    **network_settings: Any,
) -> Network | FeatureMaps:
    """Create a network from the names that the command line uses.

    Args:
        layout, attention, size: names of files in conf/layout, conf/attention, conf/size.
        image_size: pixels, one number or (rows, columns); must be divisible by the product of the strides.
        num_classes: outputs of the classifier; 0: there is none, and the pooled features (B, width) that it would get
            are returned, as in timm.
        channels: of the images.
        stochastic_depth: drop probability of the last block; it grows linearly from 0 at the first block.
        plan: entries that replace those of the size's plan: blocks, widths, strides, head_size.
        attention_settings: entries that replace those of conf/attention/<attention>.yaml.
        features_only: return a backbone: no head, and maps of the stages instead of logits, as in timm.
        out_indices: which maps it returns: 0 is the stem's, 1 that of S1; None: all.
        network_settings: entries that replace those of conf/network/coatnet.yaml, e.g. `downsample="depthwise_conv"`.

    Returns:
        An `nn.Module` from images (B, channels, rows, columns) to logits (B, num_classes), or to maps. Images of
        another size or number of channels are a ValueError.

    Raises:
        InputError: a ValueError in one sentence: a name that does not exist (it lists those that do), a plan that does
            not fit (it says why), or a value that is not valid.

    Example:
        >>> model = create_model("CCTT", attention="relative", size="coatnet_0")
        >>> sum(p.numel() for p in model.parameters())
        25036820
    """
    named = {"layout": layout, "attention": attention, "size": size}
    sides = _image_size(image_size)
    shape = {"num_classes": _whole("num_classes", num_classes, 0), "channels": _whole("channels", channels, 1)}
    number(0, 1)("stochastic_depth", stochastic_depth)
    if out_indices is not None and not features_only:
        raise InputError(f"out_indices={out_indices} is not valid without features_only=True")
    changes = {"plan": plan, "attention": attention_settings, "network": network_settings}
    config = _config(named, changes)
    network = network_of(config, image_size=sides, **shape, stochastic_depth=stochastic_depth)
    return FeatureMaps(network, out_indices) if features_only else network


def _config(named: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Compose and resolve a config from names of choices, and entries that replace theirs, by group.

    Raises:
        InputError: a name or an entry does not exist, or a value is not valid.
    """
    for group, name in named.items():
        if not isinstance(name, str) or not re.fullmatch(r"[\w.+-]+", name):
            raise not_one_of(group, name, choices(group))
    composed = compose([f"{group}={name}" for group, name in named.items()])
    for group, entries in changes.items():
        if not isinstance(entries or {}, Mapping):
            raise InputError(f"{group} settings must be a dictionary, not {entries!r}")
        for key, value in (entries or {}).items():
            if key not in composed[group]:
                raise _unknown(group, key, composed[group])
            composed[group][key] = value
    resolved = resolve(composed)
    check_keys({key: resolved[key] for key in ("attention", "network")})
    return resolved


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
        settings: the group `attention` of a resolved config. Its class may be a user's own, on PYTHONPATH.

    Raises:
        InputError: a user's own class cannot be imported, or is no inner attention with these settings.
    """
    own = {key: value for key, value in settings.items() if key not in ("name", TARGET)}
    path = python_path("attention", settings)
    if not is_ours("attention", path):
        _check_foreign(path, own)
    factory: AttentionFactory = instantiate({TARGET: path, **own}, _partial_=True)
    return factory


def _check_foreign(path: str, own: Mapping[str, Any]) -> None:
    """Check that a class which is not ours can be the inner attention of a block.

    Raises:
        InputError: it cannot be imported, is no `InnerAttention`, or does not take the settings.
    """
    key = f"attention.{TARGET}={path}"
    try:
        module, _, name = path.rpartition(".")
        kind = getattr(import_module(module), name)
    except Exception as error:  # whatever a user's module raises while it is imported
        raise InputError(
            f"{key} cannot be imported ({line(error)}); give module.Class of a module on PYTHONPATH"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, InnerAttention)):
        raise InputError(f"{key} is not valid; it must be a subclass of coatlab.model.attention.inner.InnerAttention")
    try:
        signature(kind).bind(heads=1, head_size=1, grid=(1, 1), block=0, **own)
    except TypeError as error:
        settings = ", ".join(f"attention.{name}" for name in own) or "no settings"
        raise InputError(
            f"{key} does not take what it is given ({error}): heads, head_size, grid and block, and {settings}"
        ) from error


def _whole(key: str, value: Any, least: int) -> int:
    """Return a whole number, also of numpy or torch, as Python has it.

    Raises:
        InputError: it is no whole number, or too small.
    """
    with suppress(TypeError):
        value = value if isinstance(value, bool) else operator.index(value)
    whole(least)(key, value)
    return int(value)


def _image_size(value: Any) -> int | tuple[int, int]:
    """Return one number or two, each a whole number of at least 1."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return _whole("image_size", value, 1)
    if len(value) != 2:
        raise InputError(f"image_size={value} is not valid; it must be one number, or (rows, columns)")
    return _whole("image_size", value[0], 1), _whole("image_size", value[1], 1)


def _unknown(group: str, key: str, known: Iterable[str]) -> InputError:
    """Word an argument that does not exist; for one of create_model's own, those can have been meant, too."""
    if difflib.get_close_matches(key, ["pretrained"]):
        return InputError(f"{key} is not valid: there are no pretrained weights; load a run's with load_state_dict")
    own = [name for name in signature(create_model).parameters if name != "network_settings"]
    return not_one_of(f"{group} setting", key, [*known, *(own if group == "network" else [])])
