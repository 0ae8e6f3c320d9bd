"""A launcher knows a cell's run folder before it runs, and how it ended from the record."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from coatlab.cluster.cells import Cell, outcome, reason, run_folder
from coatlab.configs import compose, resolve
from coatlab.donor import described, find, named
from coatlab.errors import RunError
from coatlab.identity import fingerprint, folder_name
from coatlab.records import SCHEMA, write_record


def record(status: str, **entries: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "status": status, "final": {}, "error": None, **entries}


def test_the_folder_of_a_fine_tuning_run_is_known_before_its_donor_exists(tmp_path: Path) -> None:
    words = ["init=finetune", "init.pretrain={data: fractals}", f"paths.runs={tmp_path}"]
    config = resolve(compose(words))
    before = run_folder(config)
    donor = described(config)
    write_record(tmp_path / folder_name(donor), record("complete", config=donor, fingerprint=fingerprint(donor)))
    assert before == run_folder(config) == tmp_path / folder_name(named(config, find(config)))
    by_name = resolve(compose(["init=finetune", f"init.run={folder_name(donor)}", f"paths.runs={tmp_path}"]))
    assert run_folder(by_name).name.startswith("CCTT-")


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
    cell = Cell(0, ["seed=0"], OmegaConf.create(), tmp_path, epochs=1)
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
