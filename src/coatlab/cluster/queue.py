"""Talking to Slurm: asking for the states of jobs, and requeueing this job.

squeue is used, not sacct, so that clusters without accounting work as well. When the controller does not answer, a
waiting launcher goes on waiting, and a job that wants to be requeued tries again.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Mapping

# base states in which a job will not run again by itself (man squeue, job state codes)
OVER = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REVOKED", "TIMEOUT",
)  # fmt: skip
UNKNOWN_JOB = "Invalid job id specified"
CONTROLLER_SECONDS = 120.0  # how long a job that must stop tries to reach the controller
RETRY_SECONDS = 2.0


def states(jobs: Collection[str]) -> dict[str, str] | None:
    """Return the states of jobs (`12` or `12_3`) as Slurm names them; None if the controller does not answer.

    Slurm forgets a job some minutes after its end; such a job is left out.
    """
    numbers = sorted({job.partition("_")[0] for job in jobs})
    if not numbers:
        return {}
    # %i of an array's task is 12_3, also for a pending one with --array
    answer = _ask("squeue", "--noheader", "--array", "--states=all", "--format=%i %T", "--jobs", ",".join(numbers))
    if answer is None:
        return None
    listed = dict(line.split() for line in answer.splitlines() if line.strip())
    return {job: listed[job] for job in jobs if job in listed}


def largest_array() -> int | None:
    """Return how many tasks an array of this Slurm can have (MaxArraySize); None if it does not say."""
    answer = _ask("scontrol", "show", "config") or ""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer, re.MULTILINE)
    return max(1, int(found[1])) if found else None  # the largest index is one less, and the first is 0


def is_over(state: str | None) -> bool:
    """Whether a job in this state will not run again; None: Slurm no longer knows the job."""
    return state is None or state in OVER


def requeue_this_job(most: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Requeue the job that this process belongs to, unless Slurm has already decided what becomes of it.

    It has if the state is not RUNNING: a cancelled job stays cancelled, and a job that Slurm has requeued itself is not
    requeued twice.

    Args:
        most: a job that was restarted this many times is not requeued.
        environment: Slurm's variables.

    Returns:
        Whether this call has requeued it.
    """
    if int(environment.get("SLURM_RESTART_COUNT", "0")) >= most:
        _say(f"not queued again: cluster.requeues={most} is reached; the same command goes on")
        return False
    number = environment["SLURM_JOB_ID"]
    end = time.monotonic() + CONTROLLER_SECONDS
    while time.monotonic() < end:
        shown = _ask("scontrol", "--oneliner", "show", "job", number)
        if shown is not None:
            fields = dict(word.split("=", 1) for word in shown.split() if "=" in word)
            state = fields.get("JobState")
            if state != "RUNNING":
                _say(f"Slurm has decided about job {number}: {state}")
                return False
            if _ask("scontrol", "requeue", job_name(environment)) is not None:
                _say(f"job {job_name(environment)} is queued again")
                return True
        time.sleep(RETRY_SECONDS)
    _say(f"Slurm does not answer; job {number} could not be queued again; the same command goes on")
    return False


def job_name(environment: Mapping[str, str]) -> str:
    """Return the job's name as users write it: 12, or 12_3 for a task of an array."""
    if "SLURM_ARRAY_JOB_ID" in environment:
        return f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    return environment["SLURM_JOB_ID"]


def _ask(*command: str) -> str | None:
    """Return what a Slurm command prints; None if the controller cannot be reached."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode == 0:
        return done.stdout
    return "" if UNKNOWN_JOB in done.stderr else None


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
