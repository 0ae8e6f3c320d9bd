"""Log-log pictures of measured growth."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

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
    """Write a figure as SVG, the same file for the same figure, and as PNG."""
    written = []
    with mpl.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {})):
            figure.savefig(path.with_suffix(suffix), dpi=150, metadata=metadata)
            written.append(path.with_suffix(suffix))
    return written
