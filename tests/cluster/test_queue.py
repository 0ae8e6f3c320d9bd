"""What a job asks of Slurm, and what it makes of the answers; the real one answers in tests/cluster/slurm."""

from pathlib import Path

import pytest

from coatlab.cluster import queue
from coatlab.cluster.queue import OVER, is_over, largest_array, requeue_this_job, states

pytestmark = pytest.mark.slow

TASK = {"SLURM_JOB_ID": "14", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}


class Slurm:
    """Stand-ins for scontrol and squeue that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.folder}/calls"\n{script}\n')
        path.chmod(0o755)

    def calls(self, word: str) -> list[str]:
        return [line for line in (self.folder / "calls").read_text().splitlines() if word in line]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(queue, "RETRY_SECONDS", 0.01)
    return Slurm(tmp_path)


def test_a_running_job_is_requeued_by_its_array_name(slurm: Slurm) -> None:
    slurm.program("scontrol", '[ "$1" = requeue ] || echo "JobId=14 ArrayJobId=12 JobState=RUNNING Reason=None"')
    assert requeue_this_job(5, TASK)
    assert slurm.calls("requeue") == ["scontrol requeue 12_3"]
    assert requeue_this_job(5, {"SLURM_JOB_ID": "7"})
    assert slurm.calls("requeue")[1:] == ["scontrol requeue 7"]


@pytest.mark.parametrize(
    ("answer", "largest"), [("MaxArraySize            = 1001", 1001), ("MaxJobCount = 5", None), ("", None)]
)
def test_the_largest_array_is_what_slurm_says(slurm: Slurm, answer: str, largest: int | None) -> None:
    slurm.program("scontrol", f'echo "Configuration data"; echo "{answer}"; echo "MaxStepCount = 40000"')
    assert largest_array() == largest


@pytest.mark.parametrize("state", ["CANCELLED", "PENDING", "COMPLETING", "PREEMPTED", "TIMEOUT"])
def test_what_slurm_has_decided_stands(slurm: Slurm, state: str, capfd: pytest.CaptureFixture[str]) -> None:
    slurm.program("scontrol", f'echo "JobId=14 JobState={state} Reason=None"')
    assert not requeue_this_job(5, TASK)
    assert not slurm.calls("requeue")
    assert f"Slurm has decided about job 14: {state}" in capfd.readouterr().err


def test_a_controller_that_is_down_is_asked_again(slurm: Slurm) -> None:
    answers = f'[ "$(wc -l < "{slurm.folder}/calls")" -gt 3 ] || exit 1\n'
    slurm.program("scontrol", answers + 'echo "JobId=14 JobState=RUNNING"')
    assert requeue_this_job(5, TASK)
    assert len(slurm.calls("show job")) == 4


def test_a_controller_that_stays_down_is_given_up(
    slurm: Slurm, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(queue, "CONTROLLER_SECONDS", 0.05)
    slurm.program("scontrol", "exit 1")
    assert not requeue_this_job(5, TASK)
    assert "Slurm does not answer" in capfd.readouterr().err


def test_requeues_have_an_end(slurm: Slurm, capfd: pytest.CaptureFixture[str]) -> None:
    slurm.program("scontrol", 'echo "JobId=14 JobState=RUNNING"')
    assert requeue_this_job(2, TASK | {"SLURM_RESTART_COUNT": "1"})
    assert not requeue_this_job(2, TASK | {"SLURM_RESTART_COUNT": "2"})
    assert "cluster.requeues=2 is reached" in capfd.readouterr().err


def test_states_of_many_jobs_are_one_question(slurm: Slurm) -> None:
    slurm.program("squeue", 'echo "12_0 RUNNING"; echo "12_1 PENDING"; echo "12_2 CANCELLED"; echo "13 COMPLETED"')
    assert states({"12_0", "12_2", "13", "11"}) == {"12_0": "RUNNING", "12_2": "CANCELLED", "13": "COMPLETED"}
    (call,) = slurm.calls("squeue")
    assert call.endswith("--jobs 11,12,13")
    assert states(set()) == {}


def test_a_job_that_slurm_forgot_is_over_and_a_silent_controller_is_no_answer(slurm: Slurm) -> None:
    slurm.program("squeue", 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1')
    known = states({"12_0"})
    assert known == {}
    assert is_over(known.get("12_0"))
    slurm.program("squeue", 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1')
    assert states({"12_0"}) is None


def test_a_job_that_will_run_again_is_not_over() -> None:
    for state in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED"):
        assert not is_over(state)
    assert all(is_over(state) for state in OVER)
