"""The form of a record that its readers rely on: which entries there are, and of which types.

Records are read by commands that look at thousands of runs, so each is checked when it is read: one that was damaged,
or written by something else, is told by name and left out, and disturbs no other run.
"""

import math
from collections.abc import Mapping
from typing import Any

LARGEST = 32 * 2**20  # bytes of a record.json; a long one has 100 kB
DEEPEST = 30  # lists and dictionaries in one another; a record has less than ten
INTEGERS = 2**63  # tables hold whole numbers of 64 bits

Kind = Any  # what isinstance takes: a type, or several
MAYBE_TEXT: Kind = (str, type(None))
MAYBE_NUMBER: Kind = (int, float, type(None))
# what every record has from its beginning
RECORD: dict[str, Kind] = {
    "status": str,
    "fingerprint": str,
    "studies": list,
    "config": dict,
    "final": dict,
    "attempts": list,
}
# what it may have
LATER: dict[str, Kind] = {
    "error": MAYBE_TEXT,
    "traceback": MAYBE_TEXT,
    **dict.fromkeys(("cost", "timings", "attention", "tracker", "code", "hardware", "environment"), dict),
    **dict.fromkeys(("recipe", "data", "budget"), dict),
    **dict.fromkeys(("code.commit", "code.version", "tracker.mode", "tracker.url", "tracker.folder"), MAYBE_TEXT),
    **dict.fromkeys(("hardware.host", "hardware.cpu", "hardware.gpu", "hardware.device"), MAYBE_TEXT),
    **dict.fromkeys(("hardware.devices", "hardware.threads", "hardware.cores", "hardware.gpu_cells"), MAYBE_NUMBER),
    "recipe.steps": MAYBE_NUMBER,
}
# what the identity of a run, its name and its place in tables are made of
CONFIG: dict[str, Kind] = {
    **dict.fromkeys(("layout", "attention", "plan", "size", "data", "network", "trainer", "paths"), dict),
    "size.plans": dict,
    **dict.fromkeys(("layout.name", "layout.stages", "attention.name", "size.name", "data.name", "budget"), str),
    **dict.fromkeys(("plan.blocks", "plan.widths", "plan.strides"), list),
    **dict.fromkeys(("seed", "trainer.max_epochs", "data.image_size"), int),
}
CONFIG_LATER: dict[str, Kind] = {
    **dict.fromkeys(("init", "recipe", "size.budget", "size.matched"), (dict, type(None))),
    **dict.fromkeys(("study", "init.donor", "trainer.precision"), MAYBE_TEXT),
    **dict.fromkeys(("trainer.devices", "trainer.nodes"), int),
    **dict.fromkeys(("data.train_size", "data.num_classes", "data.channels"), (int, type(None))),
}


def check_shape(record: Mapping[str, Any]) -> None:
    """Check the entries of a record that its readers use.

    Raises:
        KeyError, TypeError: an entry is missing or of another type; the message names it.
    """
    for key, kind in RECORD.items():
        _require(record, key, kind)
    for place, study in enumerate(record["studies"]):
        _check(f"studies[{place}]", study, str)
    for place, attempt in enumerate(record["attempts"]):
        _check(f"attempts[{place}]", attempt, dict)
    for key, kind in LATER.items():
        _allow(record, key, kind)
    for part in ("final", "cost", "timings"):
        for key, value in record.get(part, {}).items():
            _check(f"{part}.{key}", value, MAYBE_NUMBER)
    for stage, seen in record.get("attention", {}).items():
        _check(f"attention.{stage}", seen, dict)
        _require(seen, "reach", str, f"attention.{stage}.")
    for key, kind in CONFIG.items():
        _require(record["config"], key, kind, "config.")
    for key, kind in CONFIG_LATER.items():
        _allow(record["config"], key, kind, "config.")


def check_values(record: Any) -> None:
    """Check every value of a record that was read: whether it can be shown and stored.

    Raises:
        ValueError: lists and dictionaries are nested too deeply to be a record's, a text has half a character (a lone
            surrogate), a number has more than 64 bits, or the config has an interpolation or a number that is none.
    """
    config = record.get("config") if isinstance(record, dict) else None
    left = [(record, 0, False)]
    while left:
        value, depth, counts = left.pop()
        if isinstance(value, dict | list):
            if depth == DEEPEST:
                raise ValueError("it is nested too deeply")
            inside = (*value, *value.values()) if isinstance(value, dict) else value
            left += [(entry, depth + 1, counts or value is config) for entry in inside]
        elif isinstance(value, str):
            if not value.isascii():
                value.encode()  # a UnicodeEncodeError is a ValueError
            if counts and "${" in value:
                raise ValueError(f"config has {_short(value)}, which is not resolved")
        elif isinstance(value, int) and abs(value) >= INTEGERS:
            raise ValueError(f"{_short(value)} has more than 64 bits")
        elif isinstance(value, float) and counts and not math.isfinite(value):
            raise ValueError(f"config has {value}")


def _require(entries: Mapping[str, Any], key: str, kind: Kind, where: str = "") -> None:
    value: Any = entries
    for part in key.split("."):
        if part not in value:
            raise KeyError(f"{where}{key}")
        value = value[part]
    _check(f"{where}{key}", value, kind)


def _allow(entries: Mapping[str, Any], key: str, kind: Kind, where: str = "") -> None:
    """Check an entry that may be missing, by itself or with what it is in."""
    value: Any = entries
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return
        value = value[part]
    _check(f"{where}{key}", value, kind)


def _check(name: str, value: Any, kind: Kind) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):  # True is an int for Python
        raise TypeError(f"{name} is {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
