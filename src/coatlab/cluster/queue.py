"""What is asked of Slurm: in which state jobs are, and to queue this job again.

squeue is asked, not sacct, so that a cluster without accounting serves as well. A controller that does not answer is
no answer: a waiting launcher waits on, and a job that wants to be queued again tries on.
"""

import os
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
CONTROLLER_SECONDS = 120.0  # so long a job that must leave tries to reach the controller
RETRY_SECONDS = 2.0


def states(jobs: Collection[str]) -> dict[str, str] | None:
    """Return the states of jobs (`12` or `12_3`) as Slurm names them; it forgets a job minutes after its end.

    None: the controller does not answer.
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


def is_over(state: str | None) -> bool:
    """Tell whether a job in a state will not run again; None: Slurm knows it no more."""
    return state is None or state in OVER


def requeue_this_job(most: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Put the job that this process runs in back into the queue, unless Slurm has decided about it already.

    In any state but RUNNING it has: cancelled stays cancelled, and what Slurm itself requeued is not requeued twice.

    Args:
        most: a job that was restarted so often is not queued again.
        environment: Slurm's variables.

    Returns:
        Whether we queued it again.
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
    """Return what a command of Slurm prints; None where the controller cannot be asked."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode == 0:
        return done.stdout
    return "" if UNKNOWN_JOB in done.stderr else None


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
