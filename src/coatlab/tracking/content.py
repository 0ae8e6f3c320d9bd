"""What W&B has of a run: all of it follows from record.json and metrics.jsonl."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coatlab.runs.record import read_metrics

# the entries of a record that tables need in addition to the config
FACTS = (
    "status", "error", "studies", "cost", "attention", "final", "timings", "code", "hardware", "attempts", "recipe"
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """The content of a W&B run.

    Attributes:
        config: of the run, resolved.
        rows: (step, values), one per step, in order.
        summary: the final measures, and the record's FACTS as `record`.
        complete: whether the run is; W&B then calls it finished, else failed.
    """

    config: dict[str, Any]
    rows: list[tuple[int, dict[str, Any]]]
    summary: dict[str, Any]
    complete: bool


def content_of(folder: Path, record: Mapping[str, Any]) -> Content:
    """Return what W&B should have of a run folder. What is logged at one step is one row of W&B's."""
    steps: dict[int, dict[str, Any]] = {}
    for row in read_metrics(folder):
        steps.setdefault(row["step"], {}).update(values_of(row))
    rows = [(step, values) for step, values in steps.items() if values]
    return Content(record["config"], rows, summary_of(record["final"], record), record["status"] == "complete")


def values_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is logged of a row of metrics.jsonl."""
    return {key: value for key, value in row.items() if key != "step" and value is not None}


def summary_of(final: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes into the summary of a W&B run."""
    facts = {key: record[key] for key in FACTS if key in record}
    values = {key: value for key, value in final.items() if value is not None}
    return {**values, "record": json.loads(json.dumps(facts))} if facts else values
