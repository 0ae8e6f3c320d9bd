"""Colours and markers of all figures, and how figures are written: the same figure always gives the same file."""

import io
import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from coatlab.output.files import write_atomic
from coatlab.output.letters import no_complaints, showable

# colours of Okabe and Ito, which colour-blind readers can tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#F0E442")
# on dark paper: ink, paper and lines change places, and a blue that is too dark is lightened
DARK = {"#000000": "#e4e7eb", "#ffffff": "#14171b", "#b0b0b0": "#3c444e", "#808080": "#8a94a0", "#0072b2": "#4a9fe0"}
MARKERS = "osD^vP*Xh"  # to tell lines apart without colour


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as SVG and as PNG, each atomically.

    Args:
        path: of the files, without a suffix.

    Returns:
        The paths of the SVG and of the PNG.
    """
    written = []
    for kind in ("svg", "png"):
        image = encoded(figure, path.name, kind)
        written.append(path.with_suffix(f".{kind}"))
        write_atomic(written[-1], lambda file, image=image: file.write(image))  # type: ignore[misc]
    return written


def encoded(figure: Figure, name: str, kind: str) -> bytes:
    """Return a figure as the content of a file.

    Args:
        name: ids inside an SVG are derived from it, so that they are the same every time.
        kind: svg or png.
    """
    file = io.BytesIO()
    letters = no_complaints() if kind == "svg" else showable(figure)
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), letters:
        figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    return file.getvalue()


def darkened(svg: bytes) -> bytes:
    """Return an SVG as `encoded` writes it for dark paper: the same drawing in other colours."""
    text = re.sub("|".join(DARK), lambda found: DARK[found[0]], svg.decode())
    return text.replace("<defs>", f"<style>text {{ fill: {DARK['#000000']} }}</style>\n <defs>", 1).encode()
