"""Values as words of a command line: how an override is written, and nested keys as dotted ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf


def written(value: Any) -> str:
    """Write a value of a yaml file as the command line has it: null, booleans, lists and dictionaries."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{written(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(written(entry) for entry in value) + "]"
    return str(value)


def word(key: str, text: str) -> str:
    """Write an override that gives a key exactly this text: in quotes where Hydra would read something else."""
    plain = f"{key}={text}"
    try:
        same = OverridesParser.create().parse_override(plain).value() == text
    except HydraException:
        same = False
    return plain if same else f"{key}={QuotedString(text, Quote.single).with_quotes()}"


def as_typed(listed: Any) -> list[str]:
    """Return the words of a ListConfig as they are: when read one by one, `${seed}` is replaced by a value."""
    plain = OmegaConf.to_container(listed, resolve=False)
    assert isinstance(plain, list)
    return [str(each) for each in plain]


def is_below(key: str, nodes: Iterable[str]) -> bool:
    """Tell whether a dotted key is one of some nodes, or stands below one."""
    return any(key == node or key.startswith(f"{node}.") for node in nodes)


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested dictionaries to dotted keys; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
