"""The dark variant of a figure is the same drawing in other colours."""

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from coatlab.output.figure import COLOURS, DARK, darkened, encoded


def drawn() -> bytes:
    figure = Figure(figsize=(3, 2))
    axis = figure.subplots()
    for number, colour in enumerate(COLOURS):
        axis.plot([0, 1], [number, number], color=colour, label=colour)
    axis.set_title("a title & <more>")
    return encoded(figure, "x", "svg")


def test_only_colours_change() -> None:
    light = drawn()
    dark = darkened(light)
    shapes = [
        [re.sub("#[0-9a-f]{6}", "", path.get("d", "")) for path in ElementTree.fromstring(one).iter()]
        for one in (light, dark)
    ]
    assert [shape for shape in shapes[1] if shape] == [shape for shape in shapes[0] if shape]
    texts = [
        [text.text for text in ElementTree.fromstring(one).iter("{http://www.w3.org/2000/svg}text")]
        for one in (light, dark)
    ]
    assert texts[0] == texts[1]
    left = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", dark.decode()))
    assert not left & set(DARK) - set(DARK.values())


def test_every_colour_is_seen_on_dark_paper() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    paper = luminance(DARK["#ffffff"])
    for colour in COLOURS:
        shown = DARK.get(colour.lower(), colour)
        assert (luminance(shown) + 0.05) / (paper + 0.05) >= 4.5
