"""Sweeps end to end: planned, killed, doubled, failing, and always finished by the same command."""

import contextlib
import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import CommandLine, kill, wait_for
from tests.support.disk import SmallDisk

pytestmark = pytest.mark.slow

# two steps on fractals of two classes: less than a second a cell
CELL = [
    "plan.blocks=[1,1,1,1,1]",
    "plan.widths=[8,8,16,16,32]",
    "data=fractals",
    "data.num_classes=2",
    "data.train_size=128",
    "data.eval_size=100",
    "data.train_eval_size=100",
    "data.test_size=100",
    "data.batch_size=64",
    "trainer.max_epochs=1",
    "trainer.threads=1",
    "trainer.log_every=1",
    "recipe.warmup_steps=2",
    "tracker=none",
]
PRETRAIN = "init.pretrain={data:fractals,data.num_classes:2,data.train_size:128,data.eval_size:100,data.train_eval_size:100,data.test_size:100,data.batch_size:64,trainer.max_epochs:1}"  # noqa: E501


def sweep(command: CommandLine, *words: str) -> subprocess.CompletedProcess[str]:
    return command.run("--multirun", *CELL, *words, tiny=False)


def records(command: CommandLine) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(command.runs.glob("*/record.json"))]


def orphans(command: CommandLine) -> list[int]:
    """List the processes that run a cell of the command's folder, by what its records say."""
    pids = {attempt["pid"] for record in records(command) for attempt in record["attempts"]}
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it is gone
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX":  # a zombie waits for its parent, and runs no more
                found.append(pid)
    return found


def attempts(command: CommandLine) -> int:
    return sum(len(record["attempts"]) for record in records(command))


def told(done: subprocess.CompletedProcess[str], title: str) -> str | None:
    """Return what the last lines with this title say."""
    found = [line.removeprefix(title).strip() for line in done.stdout.splitlines() if line.startswith(title)]
    return found[-1] if found else None


def test_eight_cells_killed_four_times_are_all_trained_once(command: CommandLine) -> None:
    words = ["layout=CCTT,CTTT", "seed=range(4)", "trainer.checkpoint_every=0", "cluster=local", "cluster.jobs=2"]
    moments = random.Random(0)
    for _ in range(4):
        before = attempts(command)
        process = command.start("--multirun", *CELL, *words, tiny=False)
        wait_for(lambda: attempts(command) != before)  # noqa: B023
        time.sleep(moments.uniform(0, 1.2))  # in the cell or in the next one
        kill(process)
        wait_for(lambda: not orphans(command))
    assert "running" in [attempt["status"] for record in records(command) for attempt in record["attempts"]]
    done = sweep(command, *words)
    assert done.returncode == 0, done.stderr
    found = records(command)
    assert len(found) == 8
    for record in found:
        assert record["status"] == "complete"
        assert [attempt["status"] for attempt in record["attempts"]].count("complete") == 1
        assert record["attempts"][-1]["status"] == "complete"
    assert not list(command.runs.rglob("*.tmp"))


@pytest.mark.parametrize("cluster", ["none", "local"])
def test_two_sweeps_at_the_same_moment_never_run_a_cell_twice(command: CommandLine, cluster: str) -> None:
    words = ["--multirun", *CELL, "layout=CCTT,CTTT", "seed=0,1,2", f"cluster={cluster}"]
    both = [command.start(*words, tiny=False) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=400)
        assert process.returncode == 0, err
        assert " failed " not in err
    found = records(command)
    assert len(found) == 6
    assert all(len(record["attempts"]) == 1 and record["status"] == "complete" for record in found)


def test_cells_of_one_experiment_are_one_and_what_is_done_is_not_launched(command: CommandLine) -> None:
    words = ["layout=CCCC,CCTT", "attention=relative,linear"]
    done = sweep(command, *words)
    assert done.returncode == 0, done.stderr
    assert (told(done, "same as another"), told(done, "to do")) == ("1", "3")
    assert told(done, "expected") == "unknown: no run like these is complete on this machine"
    again = sweep(command, *words, "seed=0,1", "study=later")
    assert again.returncode == 0, again.stderr
    assert (told(again, "to do"), told(again, "complete")) == ("3", "6: 3 now, 3 before")
    assert "of training, by complete runs like these" in str(told(again, "expected"))
    assert all(len(record["attempts"]) == 1 for record in records(command))
    assert all(record["studies"] == ["later"] for record in records(command))


def test_a_cell_that_diverges_leaves_the_others_alone_and_stays_diverged(command: CommandLine) -> None:
    words = ["recipe.gradient_clip=null", "recipe.warmup_steps=0", "recipe.lr=1e30,1e-3", "seed=0,1"]
    for turn in range(2):
        done = sweep(command, *words)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert told(done, "complete") == f"2: {2 - 2 * turn} now, {2 * turn} before"
        assert done.stdout.count("diverged   ") == (2 if turn == 0 else 4)
        assert "the training loss is not finite at step" in done.stdout
        assert done.stderr.splitlines()[-1].startswith("error: of 4 runs 2 failed")
        assert [len(record["attempts"]) for record in records(command)] == [1, 1, 1, 1]


def test_a_failed_cell_is_tried_again_unless_told_not_to(command: CommandLine) -> None:
    words = ["data._target_=no.such.Surprise", "seed=0,1"]
    assert sweep(command, *words).returncode == 1
    left = sweep(command, *words, "sweep.retry=never")
    assert left.returncode == 1
    assert (told(left, "to do"), told(left, "failed, left")) == ("0", "2")
    assert "no.such.Surprise" in str(told(left, "failed"))
    assert [len(record["attempts"]) for record in records(command)] == [1, 1]
    again = sweep(command, *words)
    assert again.returncode == 1
    assert str(told(again, "of these")).startswith("2 failed before and are tried again")
    assert [len(record["attempts"]) for record in records(command)] == [2, 2]
    assert "Traceback" not in again.stderr


def test_a_donor_is_trained_once_and_before_the_cells_that_need_it(command: CommandLine) -> None:
    words = ["init=scratch,finetune", f"++{PRETRAIN}", "data.image_size=32,64"]
    done = sweep(command, *words)
    assert done.returncode == 0, done.stderr
    assert str(told(done, "first")).startswith("1 to start from: CCTT-relative-nano-fractals-s0-")
    assert [len(record["attempts"]) for record in records(command)] == [1] * 5
    assert told(sweep(command, *words), "to do") == "0"


def test_cells_wait_for_a_donor_that_another_sweep_trains(command: CommandLine) -> None:
    words = ["--multirun", *CELL, "init=finetune", PRETRAIN, "data.num_classes=3,4"]
    both = [command.start(*words, tiny=False) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=400)
        assert process.returncode == 0, err
    found = records(command)
    assert len(found) == 3
    assert all(len(record["attempts"]) == 1 and record["status"] == "complete" for record in found)


def test_cells_of_a_donor_that_diverges_are_not_begun(command: CommandLine) -> None:
    bad = PRETRAIN.replace("}", ",recipe.lr:1e30,recipe.warmup_steps:0,recipe.gradient_clip:null}")
    for _ in range(2):
        done = sweep(command, "init=scratch,finetune", f"++{bad}", "data.num_classes=3,4")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "it starts from" in str(told(done, "failed"))
        assert told(done, "complete") in ("2: 2 now, 0 before", "2: 0 now, 2 before")
        assert sorted(record["status"] for record in records(command)) == ["complete", "complete", "diverged"]


def test_a_record_of_another_schema_is_named_kept_and_leaves_the_others_alone(command: CommandLine) -> None:
    assert sweep(command, "seed=0").returncode == 0
    path = command.folder() / "record.json"
    path.write_text(json.dumps({"schema": 99}))
    done = sweep(command, "seed=0,1")
    assert done.returncode == 1
    assert "has schema 99, newer than" in str(told(done, "unreadable"))
    assert told(done, "complete") == "1: 1 now, 0 before"
    assert "Traceback" not in done.stderr
    assert json.loads(path.read_text()) == {"schema": 99}


def test_a_folder_that_cannot_be_written_is_one_sentence(command: CommandLine, small_disk: SmallDisk) -> None:
    done = sweep(command, f"paths.runs={small_disk.read_only}", "seed=0,1")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert "Read-only file system" in line


def test_a_full_disk_is_a_reason_for_each_cell_and_more_room_finishes_them(
    command: CommandLine, small_disk: SmallDisk
) -> None:
    small_disk.leave(300)
    done = sweep(command, f"paths.runs={small_disk.path}", "seed=0,1")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    small_disk.make_room()
    again = sweep(command, f"paths.runs={small_disk.path}", "seed=0,1")
    assert again.returncode == 0, again.stderr
    assert str(told(again, "complete")).startswith("2: ")


@pytest.mark.parametrize("words", [["layout=CCTT,TCCC"], ["data.batch_size=64,0"], ["sweep.retry=sometimes"]])
def test_a_cell_that_cannot_be_is_refused_before_anything_is_begun(
    words: list[str], command: CommandLine, tmp_path: Path
) -> None:
    done = sweep(command, *words)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert not command.runs.exists()


def test_a_dry_run_shows_plan_and_time_and_leaves_nothing(command: CommandLine) -> None:
    words = ["layout=CCTT,CTTT", "seed=0,1"]
    first = sweep(command, *words, "sweep.dry_run=true")
    assert first.returncode == 0, first.stderr
    assert not command.runs.exists() or list(command.runs.iterdir()) == []
    assert told(first, "to do") == "4"
    lines = first.stdout.splitlines()
    assert sum(": 2 runs, 2 seeds; unknown" in line for line in lines) == 2
    assert lines[-1] == "nothing was started: sweep.dry_run=true"
    assert sweep(command, "layout=CCTT", "seed=0").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in command.runs.rglob("*")}
    second = sweep(command, *words, "sweep.dry_run=true")
    assert (told(second, "complete"), told(second, "to do")) == ("1", "3")
    assert "1 run, 1 seed; about " in second.stdout
    assert {path: path.stat().st_mtime_ns for path in command.runs.rglob("*")} == before


def test_a_single_run_has_no_dry_run(command: CommandLine) -> None:
    done = command.run(*CELL, "sweep.dry_run=true", tiny=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: sweep.dry_run=true is for a sweep; add sweep=<study>")
    assert not command.runs.exists() or list(command.runs.iterdir()) == []
