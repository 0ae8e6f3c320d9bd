"""Sweeps on a real Slurm: they land, and no signal, kill or lost controller loses work or repeats it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from coatlab.runs.record import read_metrics
from tests.cluster.slurm.cluster import Cluster, until
from tests.support.commandline import CommandLine, wait_for
from tests.training.test_resume import assert_same_run, steps

pytestmark = pytest.mark.external

JOBS = ["cluster=slurm", "cluster.partition=low", "cluster.cpus=1", "cluster.memory_gb=1"]
ON_SLURM = [*JOBS, "cluster.poll=0.5"]
# some seconds of training with random draws at every step; only a signal makes a checkpoint inside an epoch
LONG = ["trainer.max_epochs=14", "trainer.checkpoint_every=1000", "recipe.stochastic_depth=0.3"]


def records(command: CommandLine) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(command.runs.glob("*/record.json"))]


def completions(command: CommandLine) -> list[int]:
    """Return of each run how often it was trained to its end."""
    return [sum(attempt["status"] == "complete" for attempt in record["attempts"]) for record in records(command)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command = CommandLine(tmp_path_factory.mktemp("undisturbed"))
    done = command.run(*LONG, "tracker=none")
    assert done.returncode == 0, done.stderr
    return command


def job_of(slurm: Cluster) -> str:
    """Return the only job, once it runs."""
    (job,) = wait_for(lambda: [job for job, state in slurm.jobs().items() if state == "RUNNING"])
    return str(job)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def test_more_cells_than_an_array_takes_become_several_arrays(slurm: Cluster, on_slurm: CommandLine) -> None:
    words = ["--multirun", "seed=range(0,6)", *JOBS, "tracker=none", "cluster.detach=true", "cluster.throttle=2"]
    words.append("cluster.extra={hold: true}")  # none of them has to run
    done = on_slurm.run(*words, "cluster.memory_gb=null")
    assert done.returncode == 0, done.stderr
    (arrays,) = re.findall(r"submitted 6 cells as job (\d+) and (\d+)\n", done.stdout)
    noted = sorted(path.read_text() for path in (on_slurm.runs / ".slurm").glob("*.job"))
    assert noted == [f"{arrays[0]}_{task}" for task in range(4)] + [f"{arrays[1]}_{task}" for task in range(2)]
    scripts = [path.read_text() for path in (on_slurm.runs / ".slurm").glob("*submission*.sh")]
    assert {limit for script in scripts for limit in re.findall(r"--array=(\S+)", script)} == {"0-1%1", "0-3%1"}
    assert not any("--mem" in script for script in scripts)


def leave(slurm: Cluster, command: CommandLine, job: str, how: Sequence[str]) -> None:
    """Have a job leave in the middle of an epoch, and let Slurm start it again at once."""
    attempts, before = len(command.record()["attempts"]), steps(command)
    wait_for(lambda: steps(command) >= before + 3)
    slurm.ask(*how)
    wait_for(lambda: command.record()["status"] == "interrupted")
    slurm.hurry(job)
    wait_for(lambda: len(command.record()["attempts"]) > attempts)


def test_a_job_that_is_preempted_and_warned_of_its_time_limit_goes_on_where_it_was(
    slurm: Cluster, on_slurm: CommandLine, undisturbed: CommandLine
) -> None:
    process = on_slurm.start(*LONG, *ON_SLURM, "tracker.mode=offline")
    wait_for(lambda: steps(on_slurm))
    job = job_of(slurm)
    leave(slurm, on_slurm, job, ["sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=true"])
    leave(slurm, on_slurm, job, ["scancel", "--signal=USR2", job])  # what --signal of the batch script asks for
    assert_went_on(slurm, on_slurm, undisturbed, process, job, ["interrupted", "interrupted", "complete"])


def test_a_job_goes_on_past_its_time_limit(slurm: Cluster, on_slurm: CommandLine) -> None:
    # Slurm looks at limits every half minute, and warns up to that much earlier than it was told to: an attempt may be
    # over before it has made a step, or before its process has written a record
    limit = ["cluster.minutes=1", "cluster.signal_seconds=25"]
    process = on_slurm.start("trainer.max_epochs=100000", *limit, *ON_SLURM, "tracker=none")
    job = job_of(slurm)
    assert " TimeLimit=00:01:00 " in slurm.ask("scontrol", "--oneliner", "show", "job", job)
    ends: dict[int, int] = {}  # the steps at the end of each attempt that made one
    hurried = 0  # restarts that were

    def gone_on() -> bool:
        nonlocal hurried
        if slurm.jobs().get(job) == "PENDING" and (restarts := slurm.restarts(job)) > hurried:
            # once each: a second call may find it running, and would sit through the whole attempt
            hurried = restarts
            slurm.hurry(job)
        if made := steps(on_slurm):
            ends[len(on_slurm.record()["attempts"])] = made
        return len(set(ends.values())) == 2

    until(gone_on, 600)
    slurm.ask("scancel", job)
    code, _, err = finish(process)
    assert code == 1
    assert "Slurm says CANCELLED of its job" in err
    attempts = [attempt["status"] for attempt in on_slurm.record()["attempts"]]
    assert attempts == ["interrupted"] * max(ends)
    starts = slurm.starts(job)
    assert len(attempts) <= starts
    assert slurm.restarts(job) in (starts - 1, starts)  # it may have been cancelled when it was queued once more
    epochs = [row["epoch"] for row in read_metrics(on_slurm.folder()) if "eval/loss" in row]
    assert epochs == list(range(1, len(epochs) + 1))


def assert_went_on(
    slurm: Cluster,
    command: CommandLine,
    undisturbed: CommandLine,
    process: subprocess.Popen[str],
    job: str,
    attempts: list[str],
) -> None:
    code, _, err = finish(process)
    assert code == 0, err
    assert_same_run(command, undisturbed)
    record = command.record()
    assert [attempt["status"] for attempt in record["attempts"]] == attempts
    # each time requeued once, by whomever; and one tracker run in several parts
    assert slurm.restarts(job) == len(attempts) - 1
    parts = [path for path in command.folder().glob("wandb/**/offline-run-*") if not path.is_symlink()]
    assert len(parts) == len(attempts)
    assert {part.name.rpartition("-")[2] for part in parts} == {record["fingerprint"]}


def test_cancelled_and_killed_tasks_and_a_lost_controller_lose_nothing(slurm: Cluster, on_slurm: CommandLine) -> None:
    sweep = ["--multirun", "seed=0,1", *LONG, *ON_SLURM, "tracker=none"]
    process = on_slurm.start(*sweep)
    wait_for(lambda: list(slurm.jobs().values()) == ["RUNNING", "RUNNING"])
    first, second = slurm.jobs()
    wait_for(lambda: [len(read_metrics(folder)) >= 3 for folder in run_folders(on_slurm)] == [True, True])
    slurm.kill_controller()
    slurm.start_controller()
    slurm.ask("scancel", first)
    os.kill(pid_of(on_slurm, second), signal.SIGKILL)
    code, _, err = finish(process)
    assert code == 1
    assert "Slurm says CANCELLED of its job; the same command goes on from it" in err
    assert "Slurm says FAILED of its job; the same command goes on from it" in err
    assert sorted(record["status"] for record in records(on_slurm)) == ["interrupted", "running"]
    again = on_slurm.run(*sweep)
    assert again.returncode == 0, again.stderr
    assert completions(on_slurm) == [1, 1]


def test_detached_jobs_go_on_alone_and_the_same_command_waits_for_them(slurm: Cluster, on_slurm: CommandLine) -> None:
    sweep = ["--multirun", "seed=0,1", *JOBS, "tracker=none"]
    left = on_slurm.run(*sweep, "cluster.detach=true", "cluster.extra={hold: true}")
    sweep.append("cluster.poll=0.5")
    assert left.returncode == 0, left.stderr
    (array,) = {job.partition("_")[0] for job in slurm.jobs()}
    assert f"submitted 2 cells as job {array}" in left.stdout
    assert f"scancel {array}" in left.stdout
    waiting = on_slurm.start(*sweep)
    wait_for(lambda: "waiting for 2 jobs" in waiting.stdout.readline())
    waiting.send_signal(signal.SIGINT)
    code, _, err = finish(waiting)
    assert code == 130
    assert "the jobs go on; the same command waits for them again" in err
    back, said = on_slurm.start(*sweep), [""]
    wait_for(lambda: said.append(back.stdout.readline()) or "waiting for 2 jobs" in said[-1])
    assert f"2 cells are queued already: {array}_0 {array}_1\n" in said
    slurm.ask("scontrol", "release", array)
    code, _, err = finish(back)
    assert code == 0, err
    assert completions(on_slurm) == [1, 1]
    assert [len(record["attempts"]) for record in records(on_slurm)] == [1, 1]


def test_what_slurm_refuses_is_one_sentence(slurm: Cluster, on_slurm: CommandLine) -> None:
    done = on_slurm.run(*ON_SLURM, "cluster.partition=nowhere")
    assert done.returncode == 1
    assert "error: Slurm refuses the jobs" in done.stderr
    assert "invalid partition" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cell_lands_and_one_that_fails_is_listed_with_its_reason(slurm: Cluster, on_slurm: CommandLine) -> None:
    done = on_slurm.run("--multirun", "recipe.lr=0.001,1e30", *ON_SLURM, "tracker=none")
    assert done.returncode == 1
    assert sorted(record["status"] for record in records(on_slurm)) == ["complete", "diverged"]
    assert done.stderr.count(" done ") == 1
    assert not slurm.jobs()
    (failed,) = [line for line in done.stderr.splitlines() if " failed " in line]
    assert "the training loss is not finite at step" in failed
    assert "Traceback" not in done.stderr


def run_folders(command: CommandLine) -> list[Path]:
    return sorted(path.parent for path in command.runs.glob("*/record.json"))


def pid_of(command: CommandLine, job: str) -> int:
    """Return the process that trains the cell of a job, from its record."""
    (note,) = [note for note in (command.runs / ".slurm").glob("*.job") if note.read_text() == job]
    record = json.loads((command.runs / note.stem / "record.json").read_text())
    return int(record["attempts"][-1]["pid"])
