"""Log-log pictures of measured growth, and figures as files."""

import io
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from coatlab.records import write_atomic

# Okabe and Ito's colours, which the colour-blind can tell apart; markers for grey paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#F0E442")
MARKERS = "osD^vP*Xh"
UNITS = {"seconds": ("milliseconds", 1e3), "bytes": ("peak memory, MB", 1e-6)}


def draw_growth(rows: pd.DataFrame, slopes: dict[str, pd.Series], title: str) -> Figure:
    """Draw time and memory over tokens for each pass, a line a variant with its exponent in the legend."""
    passes = list(rows["pass"].unique())
    figure = Figure(figsize=(7 * len(slopes), 3.6 * len(passes)), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(passes), len(slopes), squeeze=False)
    for line, kind in zip(axes, passes, strict=True):
        for axis, (column, fitted) in zip(line, slopes.items(), strict=True):
            label, scale = UNITS[column]
            for number, name in enumerate(rows["variant"].unique()):
                part = rows[(rows["pass"] == kind) & (rows["variant"] == name)]
                axis.loglog(
                    part["tokens"],
                    part[column] * scale,
                    marker=MARKERS[number % len(MARKERS)],
                    color=COLOURS[number % len(COLOURS)],
                    label=f"{name}  {fitted.get((kind, name), float('nan')):.2f}",
                    markersize=5,
                )
            ticks = sorted(rows["tokens"].unique())
            axis.set_xticks(ticks, [f"{round(tokens**0.5)}²" for tokens in ticks])
            axis.minorticks_off()
            axis.set(xlabel="tokens", ylabel=label, title=kind)
            axis.grid(alpha=0.3)
            axis.legend(title="exponent", fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


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
