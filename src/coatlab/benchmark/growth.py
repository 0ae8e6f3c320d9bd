"""A log-log figure of how time and memory grow with the number of tokens."""

import pandas as pd
from matplotlib.figure import Figure

from coatlab.output.figure import COLOURS, MARKERS

UNITS = {"seconds": ("milliseconds", 1e3), "bytes": ("peak memory, MB", 1e-6)}


def draw_growth(rows: pd.DataFrame, slopes: dict[str, pd.Series], title: str) -> Figure:
    """Draw time and memory over tokens for each pass, with a line per variant and its exponent in the legend.

    Args:
        rows: from `scaling.measure`.
        slopes: for `seconds` and `bytes`, the exponents from `scaling.exponents`.
        title: above the figure.
    """
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
