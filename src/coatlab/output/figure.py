"""Colours and markers of every figure, and figures as files: the same figure gives the same file."""

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from coatlab.output.files import write_atomic

# Okabe and Ito's colours, which the colour-blind can tell apart; markers for grey paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#F0E442")


MARKERS = "osD^vP*Xh"


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as SVG, the same file for the same figure, and as PNG, each whole or not at all."""
    written = []
    for kind in ("svg", "png"):
        image = encoded(figure, path.name, kind)
        written.append(path.with_suffix(f".{kind}"))
        write_atomic(written[-1], lambda file, image=image: file.write(image))  # type: ignore[misc]
    return written


def encoded(figure: Figure, name: str, kind: str) -> bytes:
    """Return a figure as an image: svg, in which the ids come from the name, or png."""
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    return file.getvalue()
