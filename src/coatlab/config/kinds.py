"""Kinds of rule for one key's value: each refuses what is not valid, in a sentence that says what would be.

A rule is called with the dotted key and its resolved value, and raises InputError. Values are shown as the command
line has them: null, true, [1,2].
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from coatlab.config.words import written
from coatlab.errors import InputError, not_one_of

Rule = Callable[[str, Any], None]
LONGEST_NAME = 50
MOST_SHARDS = 1_000_000


def invalid(key: str, value: Any, valid: str) -> InputError:
    """Build the sentence for a value that is not valid, with what would be."""
    return InputError(f"{key}={written(value)} is not valid; it must be {valid}")


def whole(least: int, most: int | None = None) -> Rule:
    """Take whole numbers between two bounds, both included."""

    def rule(key: str, value: Any) -> None:
        if not _is_whole(value) or value < least or (most is not None and value > most):
            upper = "" if most is None else f" and at most {most}"
            raise invalid(key, value, f"a whole number of at least {least}{upper}")

    return rule


def number(low: float, high: float = math.inf) -> Rule:
    """Take finite numbers between two bounds, both included."""

    def rule(key: str, value: Any) -> None:
        if not is_number(value) or not low <= value <= high:
            upper = "" if high == math.inf else f" and at most {high:g}"
            raise invalid(key, value, f"a number of at least {low:g}{upper}")

    return rule


def above(low: float) -> Rule:
    """Take finite numbers above a bound."""

    def rule(key: str, value: Any) -> None:
        if not is_number(value) or value <= low:
            raise invalid(key, value, f"a number above {low:g}")

    return rule


def one_of(*valid: Any) -> Rule:
    """Take the values of a closed list."""

    def rule(key: str, value: Any) -> None:
        if not any(value == entry and type(value) is type(entry) for entry in valid):
            raise not_one_of(key, written(value), map(written, valid))

    return rule


def each_of(*valid: Any) -> Rule:
    """Take lists of values of a closed list."""

    def rule(key: str, value: Any) -> None:
        if not isinstance(value, list):
            raise invalid(key, value, f"a list of {', '.join(map(written, valid))}, as in [{written(valid[0])}]")
        for entry in value:
            one_of(*valid)(key, entry)

    return rule


def or_null(rule: Rule) -> Rule:
    """Take null as well."""

    def either(key: str, value: Any) -> None:
        if value is not None:
            rule(key, value)

    return either


def text(key: str, value: Any) -> None:
    """Take text: a number has to be quoted to be one."""
    if not isinstance(value, str):
        raise invalid(key, value, f"text, in two pairs of quotes if need be: {key}='\"5\"'")


def path(key: str, value: Any) -> None:
    """Take what a folder can be called: text that is not empty, in UTF-8, without control characters."""
    text(key, value)
    if not value.strip() or _unwritable(value):
        raise invalid(key, value, "a path, in UTF-8 and without control characters; a link can stand for another")


def shards(key: str, value: Any) -> None:
    """Take names of shards below their root, with braces or wildcards."""
    if isinstance(value, list):
        raise invalid(key, value, "one text for all of them, as in train-{0000..0146}.tar or {a,b}.tar")
    path(key, value)
    below = not value.startswith(("/", "~")) and ".." not in value.split("/")
    if not below or "://" in value or value.startswith("pipe:") or value.count("{") != value.count("}"):
        raise invalid(key, value, "names of files below data.root, as in train-{0000..0146}.tar or train-*.tar")
    ranges = re.findall(r"\{(-?\d+)\.\.(-?\d+)(?:\.\.-?(\d+))?\}", value)
    names = math.prod(1 + abs(int(last) - int(first)) // max(1, int(step or 1)) for first, last, step in ranges)
    if names > MOST_SHARDS:  # all of them would be made before the first is looked for
        raise invalid(key, value, f"at most {MOST_SHARDS:,} names")


def label(key: str, value: Any) -> None:
    """Take what names something elsewhere: text, or a whole number, such as an account of Slurm."""
    if not isinstance(value, str) and not _is_whole(value):
        raise invalid(key, value, f"text, in two pairs of quotes if need be: {key}='\"1e5\"'")


def name(key: str, value: Any) -> None:
    """Take what can be part of a file's name: the names of choices are in the name of the run's folder."""
    if not isinstance(value, str) or not re.fullmatch(r"\w[\w.+-]*", value):
        raise invalid(key, value, "a name of letters, digits and _ . + - because run folders are named by it")
    if len(value.encode()) > LONGEST_NAME:  # four of them, and more, make a file's name, which has at most 255 bytes
        raise invalid(key, value, f"a name of at most {LONGEST_NAME} bytes because run folders are named by it")


def odd(key: str, value: Any) -> None:
    """Take odd whole numbers."""
    if not _is_whole(value) or value < 1 or value % 2 == 0:
        raise invalid(key, value, "an odd whole number: a neighborhood has a middle")


def wholes(key: str, value: Any) -> None:
    """Take lists of whole numbers of at least 1."""
    if not isinstance(value, list | tuple) or not all(_is_whole(entry) and entry >= 1 for entry in value):
        raise invalid(key, value, "a list of whole numbers of at least 1")


def texts(example: str) -> Rule:
    """Take lists of text, such as the example."""

    def rule(key: str, value: Any) -> None:
        if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
            raise invalid(key, value, f"a list of text, as in {example}")

    return rule


def tags(key: str, value: Any) -> None:
    """Take lists of what W&B takes for tags."""
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) and 1 <= len(tag) <= 64 for tag in value):
        raise invalid(key, value, "a list of texts of 1 to 64 letters, as in [baseline,few-images]")


def options(key: str, value: Any) -> None:
    """Take a dictionary of sbatch's options."""
    if not isinstance(value, Mapping):
        raise invalid(key, value, "options of sbatch by name, as in {exclude: node7}")


def augmentation(key: str, value: Any) -> None:
    """Take RandAugment's settings."""
    if value is not None and not (isinstance(value, Mapping) and set(value) == {"layers", "magnitude"}):
        raise InputError(f"{key}={written(value)} is not valid; valid: null or {{layers: 2, magnitude: 15}}")


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _unwritable(value: str) -> bool:
    """Tell whether a text has control characters, or stands for bytes that are not UTF-8."""
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value)
