"""Names in any script are drawn, or shown by number: no boxes, no warnings."""

import warnings

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from coatlab.output import letters
from coatlab.output.figure import encoded
from coatlab.output.letters import other_fonts, showable


def figure(title: str) -> Figure:
    made = Figure()
    made.suptitle(title)
    return made


def drawn(title: str) -> str:
    """Return the text of the title as it is drawn."""
    made = figure(title)
    with showable(made):
        (text,) = [each for each in made.findobj(Text) if each.get_text()]
        return str(text.get_text())


@pytest.mark.parametrize("title", ["größe", "日本語 images", "שלום", "مرحبا", "ไทย", "🙂", "\U00012000", "a$b$ \\c"])
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_no_letter_is_missing(title: str, kind: str) -> None:
    made = figure(title)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = encoded(made, "name", kind)
    assert [each.get_text() for each in made.findobj(Text) if each.get_text()] == [title]
    if kind == "svg" and "$" not in title:
        assert title in content.decode()


def test_a_letter_that_no_font_has_is_shown_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "_installed", lambda: ())
    assert drawn("größe 日 \U00012000") == r"größe \u65e5 \U00012000"


def test_another_font_that_has_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = (("Some", frozenset({1, 0x65E5})), ("Most", frozenset({0x65E5, 0x672C})), ("Other", frozenset({0xE01})))
    monkeypatch.setattr(letters, "_installed", lambda: fonts)
    assert other_fonts("a日本ก", FontProperties()) == ["Most", "Other"]
    assert other_fonts("größe", FontProperties()) == []


def pixels(words: str) -> np.ndarray:
    made = pyplot.figure(figsize=(4, 1))
    made.text(0.1, 0.5, words, fontsize=30)
    with showable(made):
        made.canvas.draw()
    image = np.asarray(made.canvas.buffer_rgba())[:, :, 0]  # type: ignore[attr-defined]
    pyplot.close(made)
    return image[:, (image < 250).any(0)]


@pytest.mark.parametrize("two", ["日本", "กข", "कख", "한국", "\U0001f642\U0001f680", "\U00012000\U00012001"])
def test_two_letters_never_look_the_same(two: str) -> None:
    """As the boxes do that a font has for all letters of a script."""
    first, second = map(pixels, two)
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_hebrew_is_drawn_from_right_to_left() -> None:
    both, first, second = map(pixels, ("\u05d0\u05dc", "\u05d0", "\u05dc"))
    assert np.array_equal(both[:, : second.shape[1] - 1], second[:, :-1])
    assert not np.array_equal(both[:, : first.shape[1] - 1], first[:, :-1])
