"""What W&B should have follows from record.json and metrics.jsonl."""

import json
from pathlib import Path

from coatlab.tracking.content import content_of, summary_of


def test_rows_of_one_step_are_one_and_empty_values_are_none(tmp_path: Path) -> None:
    rows = [
        {"step": 5, "lr": 0.5},
        {"step": 10, "lr": 0.25},
        {"step": 10, "epoch": 1, "gap": None},
        {"step": 15, "x": None},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = {"config": {"seed": 0}, "status": "complete", "final": {"test/loss": 0.5, "gap": None}, "traceback": "t"}
    content = content_of(tmp_path, record)
    assert content.rows == [(5, {"lr": 0.5}), (10, {"lr": 0.25, "epoch": 1})]
    assert (content.config, content.complete) == ({"seed": 0}, True)
    facts = {"status": "complete", "final": {"test/loss": 0.5, "gap": None}}
    assert content.summary == {"test/loss": 0.5, "record": facts}


def test_without_a_record_there_are_only_measures() -> None:
    assert summary_of({"loss": 1.0}, {}) == {"loss": 1.0}
