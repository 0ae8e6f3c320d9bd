"""Run folders -> one DataFrame, a row a run."""

from pathlib import Path
from typing import Any

import pandas as pd

from coatlab.identity import attention_name
from coatlab.records import read_records


def load_runs(runs: Path, study: str | None = None) -> pd.DataFrame:
    """Read the records below `runs`, of one study or all of them; every status is kept, in column `status`."""
    rows = [
        _row(folder, record) for folder, record in read_records(runs) if study is None or study in record["studies"]
    ]
    return pd.DataFrame(rows)


def _row(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    config = record["config"]
    return {
        "run": folder.name,
        "status": record["status"],
        "error": record.get("error"),
        "layout": config["layout"]["name"],
        "attention": attention_name(config),
        "size": config["size"]["name"],
        "data": config["data"]["name"],
        "train_size": config["data"]["train_size"],
        "image_size": config["data"]["image_size"],
        "init": config["init"]["name"],
        "blocks": "-".join(str(entry) for entry in config["plan"]["blocks"]),
        "head_size": config["plan"]["head_size"],
        "norm": config["network"]["norm"],
        "downsample": config["network"]["downsample"],
        "seed": config["seed"],
        "covering": ", ".join(
            stage for stage, seen in record.get("attention", {}).items() if seen["reach"] == "covering"
        ),
        **record["cost"],
        **record["final"],
        **record["timings"],
    }
