"""Words as a user types them: what Hydra's grammar cannot read comes with the word to type instead; `~` is home.

Hydra reads `paths.runs=/data/a=b`, `data.root=/größe` and `study=a[b]` only in quotes that the shell leaves on.
"""

import re
import shlex
from collections.abc import Sequence
from functools import lru_cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from coatlab.config import words as settings
from coatlab.config.places import expand_home
from coatlab.errors import InputError
from coatlab.output.text import line

# values that are meant to be read: a list, a dictionary, text in quotes, a function such as range(0,3)
STRUCTURED = re.compile(r"""[\[{"']|(?:choice|range|interval|glob|shuffle|sort|tag|extend_list)\(""")
HOME = re.compile(r"(\+{0,2}[\w.@/]+)=(~(?:/.*)?)", re.DOTALL)


def read(words: Sequence[str]) -> list[Override]:
    """Read words as Hydra does.

    Raises:
        InputError: one cannot be read; the sentence has the word to type instead, if there is one.
    """
    return [_read(each) for each in words]


@lru_cache(4096)  # the cells of a sweep have the same words, and reading one takes 0.3 ms
def _read(typed: str) -> Override:
    try:
        return OverridesParser.create().parse_override(typed)
    except HydraException as error:
        raise unreadable(typed, error) from error


def unreadable(typed: str, error: HydraException) -> InputError:
    """Word what Hydra cannot read, with the word that it can, as a shell takes it."""
    key, equals, value = typed.partition("=")
    if not equals:
        return InputError(f"{typed} has no value; write {typed}=VALUE, or --help to see what there is")
    if not _reads(f"{key}=1"):
        return InputError(f"{typed} cannot be read: {key} is not the name of a key")
    if not STRUCTURED.match(value.strip()) and _reads(quoted(key, value)):
        word = shlex.quote(quoted(key, value))
        return InputError(f"{typed} has to be in quotes that reach the command; write {word}")
    return InputError(f"{typed} cannot be read: {line(error).partition(' See https')[0]}")


def quoted(key: str, text: str) -> str:
    """Write an override that gives a key this text, in quotes of Hydra's that need the fewest of a shell's."""
    quotes = Quote.single if '"' in text else Quote.double
    return f"{key}={QuotedString(text, quotes).with_quotes()}"


def at_home(typed: str) -> str:
    """Replace a `~` at the beginning of a word's value by the home directory, which no shell does behind a `=`."""
    found = HOME.fullmatch(typed)
    return settings.word(found[1], str(expand_home(found[2]))) if found else typed


def several(override: Override, meant: str | None) -> InputError:
    """Word values with commas where no sweep was asked for.

    Args:
        override: the word, which is a sweep's.
        meant: what one value of this key is: text, list, or None for what has no commas.
    """
    typed, (key, _, value) = str(override.input_line), str(override.input_line).partition("=")
    other = {"list": f"{key}=[{value}]", "text": quoted(key, value)}.get(meant or "")
    advice = f"; if it is one {meant}, write {shlex.quote(other)}" if other else ""
    return InputError(f"{typed} gives several values, which needs --multirun{advice}")


def _reads(typed: str) -> bool:
    try:
        OverridesParser.create().parse_override(typed)
    except HydraException:
        return False
    return True
