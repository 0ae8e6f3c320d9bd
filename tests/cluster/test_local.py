"""cluster=local: cells in parallel; a kill, a failure, a signal and the end of the launcher, each contained."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from coatlab.cluster import fork, local
from coatlab.cluster.job import reason
from coatlab.config.compose import compose
from coatlab.process.signals import Signals
from tests.support.commandline import CommandLine, kill, wait_for
from tests.support.specs import bare
from tests.training.test_resume import assert_same_run

pytestmark = pytest.mark.slow

PAIR = ["--multirun", "cluster=local", "cluster.jobs=2", "seed=0,1"]
LONG = ["trainer.max_epochs=10", "trainer.checkpoint_every=0.5"]


def records(command: CommandLine) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(command.runs.glob("*/record.json"))]


def statuses(command: CommandLine) -> list[str]:
    return [record["status"] for record in records(command)]


def wait_until_training(command: CommandLine, cells: int) -> list[int]:
    """Return the processes of the cells, by seed, once each has logged a step."""
    wait_for(lambda: len([path for path in command.runs.glob("*/metrics.jsonl") if path.stat().st_size]) == cells)
    return [record["attempts"][-1]["pid"] for record in records(command)]


def family(leaders: list[int]) -> list[int]:
    """Return processes and all that they started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            children.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    found = list(leaders)
    for pid in found:
        found += children.get(pid, [])
    return found


def living(pids: list[int]) -> list[int]:
    """Return which of these processes still run."""
    states = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return [pid for pid, state in states.items() if state != "Z"]


def test_a_cell_ends_as_it_does_alone(tmp_path: Path) -> None:
    alone, cell = CommandLine(tmp_path / "alone"), CommandLine(tmp_path / "cell")
    assert alone.run("tracker=none").returncode == 0
    done = cell.run("cluster=local", "tracker=none")
    assert done.returncode == 0, done.stderr
    assert_same_run(alone, cell)
    log = cell.runs / ".logs" / f"{cell.folder().name}.log"
    assert "epoch 3/3" in log.read_text()
    assert f"1/1  done    {cell.folder().name}" in done.stderr


def test_cores_are_shared(command: CommandLine) -> None:
    command.environment.pop("OMP_NUM_THREADS", None)
    done = command.run("--multirun", "cluster=local", "cluster.jobs=2", "seed=0,1", "trainer.threads=null")
    assert done.returncode == 0, done.stderr
    cores = len(os.sched_getaffinity(0))
    assert [record["hardware"]["threads"] for record in records(command)] == [max(cores // 2, 1)] * 2


def test_a_killed_cell_and_a_failing_cell_leave_the_others_alone(command: CommandLine) -> None:
    sweep = ["--multirun", "cluster=local", "cluster.jobs=3", "recipe.lr=0.001,0.002,1e30", *LONG, "tracker=none"]
    process = command.start(*sweep)
    slow = wait_for(lambda: [r for r in records(command) if r["config"]["recipe"]["lr"] == 0.002])[0]
    os.kill(slow["attempts"][-1]["pid"], signal.SIGKILL)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1
    assert sorted(statuses(command)) == ["complete", "diverged", "running"]
    lines = [line for line in err.splitlines() if " failed " in line]
    assert len(lines) == 2
    assert any("the training loss is not finite at step" in line for line in lines)
    assert any("killed by SIGKILL; the same command goes on from it" in line for line in lines)
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_cells_with_their_state_saved(command: CommandLine, number: int) -> None:
    sweep = [*PAIR[:-1], "seed=0,1,2", *LONG, "trainer.checkpoint_every=1000", "tracker=none"]
    process = command.start(*sweep)
    pids = wait_until_training(command, 2)
    process.send_signal(number)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 128 + number, err
    assert statuses(command) == ["interrupted"] * 2  # and the third never began
    assert not living(pids)
    assert all((folder / "checkpoints" / "last.ckpt").exists() for folder in command.runs.glob("CCTT*"))
    done = command.run(*sweep, "trainer.progress=false")
    assert done.returncode == 0, done.stderr
    assert [len(record["attempts"]) for record in records(command)] == [2, 2, 1]


def test_ctrl_c_that_ends_the_reader_of_the_output_too_saves_all_cells(command: CommandLine) -> None:
    words = [*PAIR, *LONG, "trainer.checkpoint_every=1000", "tracker=none"]
    process = command.start(*words, PYTHONUNBUFFERED="1")  # with pipes, as in `2>&1 | tee log`
    wait_until_training(command, 2)
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGINT)
    process.wait(200)
    assert statuses(command) == ["interrupted"] * 2


def test_a_cell_that_is_asked_to_stop_as_soon_as_it_is_forked_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = os.setsid
    monkeypatch.setattr(os, "setsid", lambda: (time.sleep(0.5), lead()))  # the request comes before
    monkeypatch.setattr(fork, "run_alone", lambda *_: None)
    with Signals():  # as the launcher has them
        running = fork.CellProcess.start(bare(tmp_path / "run"), 0, None, None, place=0, environment={})  # type: ignore[arg-type]
        running.stop()
        wait_for(lambda: not running.alive)
    assert running.ended() == "killed by SIGTERM"


def test_a_second_ctrl_c_stops_at_once(command: CommandLine) -> None:
    process = command.start(*PAIR, *LONG, "tracker=none")
    pids = wait_until_training(command, 2)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # a cell that cannot save
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "saving the run's state" in process.stderr.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=200)
    assert process.returncode == 130
    assert not living(pids)


def test_a_killed_launcher_leaves_no_orphan(command: CommandLine) -> None:
    process = command.start(*PAIR, *LONG, "tracker.mode=offline")
    pids = wait_until_training(command, 2)
    started = family(pids)
    assert len(started) >= 4  # each has a process of W&B
    kill(process)
    wait_for(lambda: not living(started))
    done = command.run(*PAIR, *LONG, "tracker.mode=offline")
    assert done.returncode == 0, done.stderr
    assert statuses(command) == ["complete"] * 2


def test_a_cell_that_cannot_be_started_is_its_own_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(28, "No space left on device")

    def full(*arguments: object, **others: object) -> None:
        raise error

    monkeypatch.setattr("coatlab.cluster.local.CellProcess.start", full)
    launcher = local.LocalLauncher()
    config = compose(["cluster=local"], hydra_too=True)
    launcher.setup(hydra_context=None, task_function=None, config=config)  # type: ignore[arg-type]
    ended = launcher.launch_specs([bare(tmp_path / "1"), bare(tmp_path / "2")], first=0)
    assert [reason(each) for each in ended] == [str(error)] * 2


def test_bad_settings_of_the_cluster_are_one_sentence(command: CommandLine) -> None:
    done = command.run("cluster=local", "cluster.jobs=0")
    assert done.returncode == 1
    assert done.stderr == "error: cluster.jobs=0 is not valid; it must be a whole number of at least 1\n"
    assert not records(command)
