"""The layout study (Figure 1): cost, training loss, accuracies and gap of each layout."""

import pandas as pd

ORDER = ["ViT_REL", "CCCC", "CCCT", "CCTT", "CTTT"]  # the paper's order of presentation


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Average complete runs over seeds, a row for each layout, attention, size and data."""
    keys = ["layout", "attention", "size", "data", "train_size"]
    rows = []
    for values, cell in runs.groupby(keys, dropna=False, sort=False):
        named = dict(zip(keys, values, strict=True))
        rows.append(
            {
                "layout": named["layout"],
                "attention": named["attention"],
                "seeds": len(cell),
                "parameters": f"{cell['parameters'].mean() / 1e6:.3f} M",
                "MACs": f"{cell['macs'].mean() / 1e6:.2f} M",
                "train images": "all" if pd.isna(named["train_size"]) else f"{named['train_size']:.0f}",
                "train loss": f"{cell['train_eval/loss'].mean():.3f}",
                "train acc.": f"{cell['train_eval/accuracy'].mean():.1%}",
                "eval acc.": f"{cell['eval/accuracy'].mean():.1%}",
                "test acc.": f"{cell['test/accuracy'].mean():.1%}",
                "gap": f"{cell['gap'].mean():+.1%}",
                "images/s": f"{cell['images_per_second'].mean():.0f}",
            }
        )
    rows.sort(key=lambda row: ORDER.index(row["layout"]) if row["layout"] in ORDER else len(ORDER))
    return pd.DataFrame(rows)
