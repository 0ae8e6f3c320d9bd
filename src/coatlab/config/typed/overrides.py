"""The words of a command line, checked as they were typed: no key twice, no key removed, a choice for every group.

Hydra takes the last of two words for one key and drops the other, so that a shell's `seed={0..2}` without quotes trains
one seed of three. It also removes keys (`~seed`) and groups (`tracker=null`) that every run needs.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override

from coatlab.config.files import choices, groups
from coatlab.config.keys import FREE_FORM
from coatlab.config.typed.reading import read
from coatlab.errors import InputError, not_one_of

OFF = ("none", "scratch")  # choices that switch their group off
SWEEP = "sweep"


def check_overrides(words: Sequence[str]) -> list[Override]:
    """Check words that were typed together, and return them as Hydra reads them.

    Raises:
        InputError: a word cannot be read, a key is there twice or is removed, or a group has no choice; the sentence
            has the words.
    """
    overrides = read(words)
    typed: dict[str, list[Override]] = {}
    for override in overrides:
        typed.setdefault(key_of(override), []).append(override)
    for key, same in typed.items():
        if len(same) > 1:
            raise _repeated(key, same)
    known = groups()
    for override in overrides:
        if override.key_or_group in known:
            _check_choice(override)
        elif override.is_delete():
            _refuse_removal(override)
    return overrides


def with_defaults(defaults: Sequence[str], words: Sequence[str]) -> list[str]:
    """Put default words before those that were typed, but for keys that these give themselves."""
    typed = {key_of(override) for override in read(words)}
    given = zip(defaults, read(defaults), strict=True)
    return [*(word for word, override in given if key_of(override) not in typed), *words]


def no_choice(stated: str, group: str) -> InputError:
    """Word a group without a choice, as it was stated: `tracker=null`, `~tracker`."""
    if group == SWEEP:
        return InputError(f"{stated} is not valid; leave {SWEEP} out for a single run")
    listed = choices(group)
    off = next((f" ({group}={choice} stands for none)" for choice in OFF if choice in listed), "")
    return InputError(f"{stated} is not valid; every run needs a choice of {group}{off}; valid: {', '.join(listed)}")


def key_of(override: Override) -> str:
    """Return the key of a word, or its group, without what stands before it (`+`, `++`, `~`)."""
    return override.get_key_element().lstrip("+~")


def _repeated(key: str, same: Sequence[Override]) -> InputError:
    times = "twice" if len(same) == 2 else f"{len(same)} times"
    *others, last = (str(override.input_line) for override in same)
    listed = f"{', '.join(others)} and {last}"
    advice = "give it once"
    if not any(override.is_delete() for override in same) and key != SWEEP:
        values = ",".join(str(override.input_line).partition("=")[2] for override in same)
        advice += f", or all of its values in one word of a sweep: {key}={values}"
    return InputError(f"{key} is given {times}, as {listed}; {advice}")


def _check_choice(override: Override) -> None:
    """Refuse to remove a group, and what cannot be the name of a choice."""
    group = override.key_or_group
    value = override.value()
    stated: list[Any] = value.list if isinstance(value, ChoiceSweep) else [value]
    if override.is_delete() or None in stated:
        raise no_choice(str(override.input_line), group)
    if (not override.is_sweep_override() and not isinstance(value, str)) or isinstance(value, list | dict):
        raise not_one_of(group, str(override.input_line).partition("=")[2], choices(group))


def _refuse_removal(override: Override) -> None:
    key = key_of(override)
    # what the user added may be removed: groups inside a group, options of sbatch
    users = "/" in key or any(key.startswith(f"{node}.") for node in FREE_FORM)
    if not users and not override.is_hydra_override():
        raise InputError(f"{override.input_line} is not valid; keys cannot be removed; give {key} another value")
