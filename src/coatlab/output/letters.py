"""Letters that a picture cannot show: another installed font's where there is one, else their numbers, never boxes.

Matplotlib takes all letters from one font, unless others are named. In an SVG text stays text, which the browser sets
with its own fonts; so this is for pixels. Which letters go from right to left Matplotlib knows, from 3.11 on.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text


@contextmanager
def showable(figure: Figure) -> Iterator[None]:
    """Let every text of a figure be one that can be drawn, as long as it is drawn."""
    before = {text: (text.get_text(), text.get_fontfamily()) for text in figure.findobj(Text)}
    try:
        for text, (words, family) in before.items():
            if not words.isascii():
                text.set_fontfamily([*family, *other_fonts(words, text.get_fontproperties())])
                text.set_text("".join(map(_or_number, words, _drawn(words, text.get_fontproperties()))))
        yield
    finally:
        for text, (words, family) in before.items():
            text.set_text(words)
            text.set_fontfamily(family)


@contextmanager
def no_complaints() -> Iterator[None]:
    """Leave out Matplotlib's warnings of letters that its font lacks, where another program draws them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def other_fonts(words: str, font: FontProperties) -> list[str]:
    """Return the installed fonts that have letters which a font lacks, the fewest fonts that do."""
    missing, found = {ord(letter) for letter in words} - _letters(findfont(font)), []
    while missing:
        name, letters = max(_installed(), key=lambda one: len(missing & one[1]), default=("", frozenset[int]()))
        if not missing & letters:
            break
        found.append(name)
        missing -= letters
    return found


def _drawn(words: str, font: FontProperties) -> list[bool]:
    have = _letters(findfont(font)).union(*(letters for name, letters in _installed() if name in font.get_family()))
    return [ord(letter) in have or letter.isspace() for letter in words]


def _or_number(letter: str, drawn: bool) -> str:
    return letter if drawn else letter.encode("ascii", "backslashreplace").decode()


@cache
def _letters(path: str) -> frozenset[int]:
    return frozenset(FT2Font(path).get_charmap())


@cache
def _installed() -> tuple[tuple[str, frozenset[int]], ...]:
    """Return the regular fonts of this machine by name, with their letters."""
    regular = {font.name: font.fname for font in fontManager.ttflist if font.style == "normal" and font.weight == 400}
    # Unicode's font of last resort, which Matplotlib brings, claims all letters and has a box for each script
    regular = {name: path for name, path in regular.items() if not name.replace(" ", "").startswith("LastResort")}
    found = []
    for name, path in sorted(regular.items()):
        try:
            found.append((name, _letters(path)))
        except (OSError, RuntimeError):  # a font that FreeType cannot read
            continue
    return tuple(found)
