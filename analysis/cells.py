"""Complete runs to the rows of a table: averaged over seeds, one row a cell, and what a reader must know of them."""

import pandas as pd

DETAILS = ["blocks", "head_size", "norm", "downsample"]  # shown where runs of one layout and size differ in them
KEYS = ["layout", "attention", "size", "data", "train_size", "image_size", "init", *DETAILS]
OFTEN_THE_SAME = ["data", "pixels", "start"]  # columns that are left out where all rows agree


def averages(runs: pd.DataFrame) -> pd.DataFrame:
    """Average complete runs over seeds: a row for each layout, attention, size and data, in words."""
    rows = []
    for values, cell in runs.groupby(KEYS, dropna=False, sort=False):
        named = dict(zip(KEYS, values, strict=True))
        rows.append(
            {
                "layout": layout_name(named["layout"], named["attention"]),
                "attention": named["attention"] + ("*" if cell["covering"].any() else ""),
                **{detail: str(named[detail]) for detail in DETAILS},
                "seeds": len(cell),
                "parameters": f"{cell['parameters'].mean() / 1e6:.3f} M",
                "MACs": f"{cell['macs'].mean() / 1e6:.2f} M",
                "data": named["data"],
                "pixels": str(named["image_size"]),
                "start": named["init"],
                "train images": "all" if pd.isna(named["train_size"]) else f"{named['train_size']:.0f}",
                "train loss": f"{cell['train_eval/loss'].mean():.3f}",
                "train acc.": f"{cell['train_eval/accuracy'].mean():.1%}",
                "eval acc.": f"{cell['eval/accuracy'].mean():.1%}",
                "test acc.": f"{cell['test/accuracy'].mean():.1%}",
                "gap": f"{cell['gap'].mean():+.1%}",
                "images/s": f"{cell['images_per_second'].mean():.0f}",
            }
        )
    table = pd.DataFrame(rows)
    differing = runs.groupby(["layout", "size"])[DETAILS].nunique().max() > 1
    dropped = [column for column in OFTEN_THE_SAME if table[column].nunique() == 1]
    return table.drop(columns=dropped + [detail for detail in DETAILS if not differing[detail]])


def layout_name(layout: str, attention: str) -> str:
    """Name a layout plainly: ViT_REL says "relative", so with another attention it is a ViT."""
    return "ViT" if layout == "ViT_REL" and attention != "relative" else layout


def in_order(rows: pd.DataFrame, column: str, order: list[str]) -> pd.DataFrame:
    """Sort rows by a column in a given order; what the order does not name comes last."""
    places = {name: place for place, name in enumerate(order)}
    return rows.sort_values(
        column, key=lambda names: names.str.rstrip("*").map(lambda name: places.get(name, len(order))), kind="stable"
    )


def notes(runs: pd.DataFrame) -> list[str]:
    """Say what confounds a comparison of the runs: local attention that is global where its field covers the grid."""
    found = []
    local = runs[runs["covering"].astype(bool)]
    for (layout, attention, stages), _ in local.groupby(["layout", "attention", "covering"], sort=False):
        name = layout_name(layout, attention)
        found.append(f"\\* {attention} in {name} is global in {stages}: its field covers the grid there")
    return found
