"""A launcher knows a cell's run folder before it runs, and how it ended from the record."""

from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobStatus

from coatlab.cluster.job import outcome, reason
from coatlab.errors import RunError
from coatlab.runs.record import SCHEMA, write_record
from tests.runs.test_record import WHOLE
from tests.runs.test_state import held  # noqa: F401 (a fixture)
from tests.support.specs import bare


def record(status: str, **entries: Any) -> dict[str, Any]:
    return WHOLE | {"status": status, "error": None, **entries}


@pytest.mark.parametrize(
    ("written", "printed", "expected"),
    [
        (record("complete", final={"eval/accuracy": 0.5}), "", None),
        (record("diverged", error="the loss is not finite"), "", "the loss is not finite"),
        (record("failed", error="OSError: no space"), "error: older", "OSError: no space"),
        (record("running"), "epoch 1\n", "killed by SIGKILL; the same command goes on from it"),
        (record("interrupted"), "", "killed by SIGKILL; the same command goes on from it"),
        (record("interrupted"), "error: one\nerror: it is being run\n", "it is being run"),
        (None, "error: data.root=x does not exist\n", "data.root=x does not exist"),
        (record("complete", schema=SCHEMA + 1), "", "newer than"),
    ],
)
def test_the_record_says_how_a_cell_ended(
    tmp_path: Path, written: dict[str, Any] | None, printed: str, expected: str | None
) -> None:
    cell = bare(tmp_path, ("seed=0",))
    if written:
        write_record(tmp_path, written)
    returned = outcome(cell, "killed by SIGKILL", printed)
    if expected is None:
        assert reason(returned) is None
        assert returned.return_value == 0.5
    else:
        assert expected in (reason(returned) or "")
        with pytest.raises(RunError):
            _ = returned.return_value


def test_a_run_that_another_process_has_is_left_to_it(held: tuple[Path, int]) -> None:  # noqa: F811
    cell = bare(held[0])
    returned = outcome(cell, "ended with exit code 0", "it is being run by process 1\n")
    assert returned.status == JobStatus.UNKNOWN
    assert reason(returned) is None
