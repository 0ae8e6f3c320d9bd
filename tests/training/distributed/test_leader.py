"""Several processes train one run as one would, and stop, resume and fail as one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coatlab.config.compose import compose, resolve
from coatlab.data.sampler import EpochBatches, InOrder
from coatlab.errors import RunError, Stopped
from coatlab.process.place import Place, place
from coatlab.process.signals import Signals
from coatlab.runs.correct import read_correct
from coatlab.runs.identity import fingerprint
from coatlab.runs.record import write_record
from coatlab.training.distributed import leader as ranks
from coatlab.training.distributed.follower import await_leader
from coatlab.training.distributed.leader import followers
from tests.data.image_files import FEW, cut, write_folders
from tests.runs.test_record import WHOLE
from tests.support.commandline import REPOSITORY, TINY, CommandLine, last_of_each_key, wait_for
from tests.training.test_resume import assert_same_run, steps, weights

pytestmark = pytest.mark.slow

TWO = ["trainer=ddp", "trainer.sync_batchnorm=false", "trainer.threads=1", "tracker=none"]
# no batch statistics, so that shares of a batch are as good as the whole
WITHOUT_STATISTICS = ["network.norm=layer", "recipe.weight_decay=0.05", "trainer.precision=64-true"]
LONG = ["trainer.max_epochs=8", "trainer.checkpoint_every=0.2", "recipe.ema_decay=0.9", "recipe.mixup_alpha=0.8"]


def test_ranks_are_read_from_what_the_launcher_sets() -> None:
    assert place({}) == Place(0, 1)
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "RANK": "2", "WORLD_SIZE": "4", "TORCHELASTIC_RESTART_COUNT": "1"}
    assert place(torchrun) == Place(2, 4, "x-1")
    srun = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}
    assert place(srun) == Place(1, 2, "7.0-0")
    assert place(srun | {"SLURM_RESTART_COUNT": "3"}) == Place(1, 2, "7.0-3")
    assert place({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2"}) == Place(0, 1)  # the shell of an allocation


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 3))
def test_shares_make_up_the_whole(size: int, each: int, ranks: int, epoch: int) -> None:
    whole = EpochBatches(size, each * ranks, seed=1)
    parts = [EpochBatches(size, each * ranks, seed=1) for _ in range(ranks)]
    for rank, part in enumerate(parts):
        part.share(rank, ranks)
    for sampler in (whole, *parts):
        sampler.set_epoch(epoch)
    for (_, batch), *shares in zip(whole, *parts, strict=True):
        assert {len(share) for _, share in shares} == {each}
        assert sorted(torch.cat([share for _, share in shares]).tolist()) == sorted(batch.tolist())
    evaluated = [list(InOrder(size, each, rank, ranks)) for rank in range(ranks)]
    assert len({len(batches) for batches in evaluated}) == 1
    assert sorted(index for batches in evaluated for batch in batches for index in batch) == list(range(size))


def test_processes_count_only_where_they_normalize_apart() -> None:
    def mark(*words: str) -> str:
        return fingerprint(resolve(compose(list(words))))

    assert mark("trainer=ddp") == mark()
    apart = ["trainer=ddp", "trainer.sync_batchnorm=false"]
    assert mark(*apart) != mark()
    assert mark(*apart) == mark(*apart, "trainer.devices=1", "trainer.nodes=2")
    assert mark(*apart) != mark(*apart, "trainer.nodes=2")
    for words in (["network.norm=layer"], ["layout=ViT_REL"]):
        assert mark(*words, "trainer=ddp", "trainer.sync_batchnorm=false") == mark(*words)


def test_two_processes_end_with_the_weights_of_one(tmp_path: Path) -> None:
    one, two = CommandLine(tmp_path / "one"), CommandLine(tmp_path / "two")
    assert one.run(*WITHOUT_STATISTICS, "tracker=none").returncode == 0
    done = two.run(*WITHOUT_STATISTICS, *TWO)
    assert done.returncode == 0, done.stderr
    assert one.folder().name == two.folder().name
    left, right = weights(one), weights(two)
    for key in left:
        torch.testing.assert_close(left[key], right[key], rtol=1e-6, atol=1e-8)
    for key, value in one.record()["final"].items():
        if key not in ("images_per_second", "peak_memory_mb"):
            assert two.record()["final"][key] == pytest.approx(value, abs=0.006), key
    images = two.record()["final"]["test/images"]
    alone, together = (read_correct(command.folder(), images) for command in (one, two))
    assert alone is not None
    assert together is not None
    assert (alone != together).sum() <= 3  # of 500: each process puts its own where they belong
    assert together.mean() == pytest.approx(two.record()["final"]["test/accuracy"])
    assert [record["hardware"]["devices"] for record in (one.record(), two.record())] == [1, 2]
    assert not list(two.folder().glob("rank*.log"))


def test_they_stop_together_resume_exactly_and_leave_no_orphan(tmp_path: Path) -> None:
    whole, cut_off = CommandLine(tmp_path / "whole"), CommandLine(tmp_path / "cut")
    words = [*TWO, *LONG]
    done = whole.run(*words)
    assert done.returncode == 0, done.stderr
    for number in (15, 9):  # TERM to the leader alone; KILL to the leader alone
        process = cut_off.start(*words)
        before = steps(cut_off)
        wait_for(lambda: process.poll() is not None or steps(cut_off) > before + 3, 120)  # noqa: B023
        others = children(process.pid)
        assert len(others) == 1
        process.send_signal(number)
        process.communicate(timeout=200)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others))  # noqa: B023
    assert cut_off.record()["attempts"][0]["status"] == "interrupted"
    done = cut_off.run(*words)
    assert done.returncode == 0, done.stderr
    assert len(cut_off.record()["attempts"]) == 3
    assert_same_run(whole, cut_off)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(word)
        for word in listed
        if b"coatlab.training.distributed.follower" in Path(f"/proc/{word}/cmdline").read_bytes()
    ]


def test_what_a_follower_met_is_said_by_the_leader(tmp_path: Path) -> None:
    files = write_folders(tmp_path / "pictures", each=30)
    for path in files[::9]:
        cut(path)
    line = CommandLine(tmp_path)
    words = ["data=folder", f"data.root={tmp_path / 'pictures'}", *FEW, "data.train_size=null", "data.test_size=16"]
    words += ["data.eval_size=24", "data.workers=0", "trainer.max_epochs=2", *TWO]
    stopped = line.run(*words)
    assert stopped.returncode == 1
    assert "cannot be decoded" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    line.runs = tmp_path / "skip"
    done = line.run(*words, "data.on_corrupt=skip", COATLAB_RUNS=str(line.runs))
    assert done.returncode == 0, done.stderr
    assert line.record()["data"]["corrupt"]["count"] == len(files[::9])


def started(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let followers be a program of their own, and return the run folder."""
    (tmp_path / "follow.py").write_text(f"import os, sys, time\n{program}\n")
    popen = subprocess.Popen
    monkeypatch.setattr(
        ranks.subprocess, "Popen", lambda words, **how: popen([sys.executable, str(tmp_path / "follow.py")], **how)
    )
    return tmp_path


TELLS = "os.write(int(os.environ['COATLAB_READY']), b'!')"


def test_a_follower_that_ends_before_training_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"if os.environ['COATLAB_RANK'] == '2': sys.exit('no such image')\n{TELLS}"
    folder = started(tmp_path, program, monkeypatch)
    with pytest.raises(RunError, match="a process of the run ended: no such image"), followers(folder, 3) as meet:
        meet(lambda: None)


def test_a_follower_that_is_killed_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = started(tmp_path, "print('a warning', flush=True)\nos.kill(os.getpid(), 9)", monkeypatch)
    with (
        pytest.raises(RunError, match="a process of the run ended: it was killed by SIGKILL"),
        followers(folder, 1) as meet,
    ):
        meet(lambda: None)


def test_a_signal_is_heard_while_followers_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = started(tmp_path, "time.sleep(600)", monkeypatch)
    with pytest.raises(Stopped), Signals() as signals, followers(folder, 2) as meet:
        os.kill(os.getpid(), signal.SIGTERM)
        meet(signals.stop_if_received)


def test_followers_that_are_ready_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = started(tmp_path, f"time.sleep(1)\nopen('{tmp_path}/ready', 'w').close()\n{TELLS}", monkeypatch)
    with followers(folder, 1) as meet:
        meet(lambda: None)
        assert (tmp_path / "ready").exists()


def test_processes_that_a_cluster_started_find_each_other(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    words = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "src/train.py"]
    words += last_of_each_key([*TINY, *TWO])
    for said in ("complete", "already complete"):
        done = subprocess.run(
            [sys.executable, *words], cwd=REPOSITORY, env=line.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    assert line.record()["status"] == "complete"
    assert len(line.record()["attempts"]) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trainer=ddp"], "trainer.sync_batchnorm=true needs GPUs"),
        ([*TWO, "data.batch_size=63"], "data.batch_size=63 cannot be divided equally among 2 processes"),
        ([*TWO, "trainer.nodes=2"], "need a cluster that starts 4 processes, as srun or torchrun do"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], sentence: str, tmp_path: Path) -> None:
    done = CommandLine(tmp_path).run(*words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_follower_gives_up_on_a_leader_that_does_not_begin(tmp_path: Path) -> None:
    record = WHOLE | {"attempts": [{"launch": "other", "status": "running"}]}
    write_record(tmp_path, record)
    with pytest.raises(RunError, match="has not begun"):
        await_leader(tmp_path, "mine", patience=0.3)
    write_record(tmp_path, record | {"status": "complete"})
    assert await_leader(tmp_path, "mine") is None
    record["attempts"].append({"launch": "mine", "status": "running"})
    write_record(tmp_path, record)
    assert await_leader(tmp_path, "mine") == record
    assert os.environ.get("LOCAL_RANK") is None
