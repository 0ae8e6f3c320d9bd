"""What fails in a worker ends the run in a sentence, and a wait for a worker that does not answer hears signals."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from coatlab.data.loader import Loader, end_workers, worded
from coatlab.errors import InputError, RunError, Stopped
from coatlab.process.signals import Signals
from tests.support.commandline import REPOSITORY, tiny_words
from tests.support.disk import SmallDisk

pytestmark = pytest.mark.slow


class Set(Dataset[Any]):
    """Ten batches; a function is called in the worker before the third."""

    def __init__(self, third: Callable[[], object]) -> None:
        self.third = third

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        if number == 2:
            self.third()
        return torch.full((2, 1, 4, 4), number, dtype=torch.uint8), torch.tensor([number, number])


def numbers(third: Callable[[], object], on_wait: Callable[[float], object] = lambda seconds: None) -> list[int]:
    try:
        return [int(labels[0]) for _, labels in Loader(Set(third), on_wait, sampler=range(10), num_workers=2)]
    finally:
        end_workers()  # which an error has left
        assert not multiprocessing.active_children()


def no_memory(*arguments: Any) -> None:
    raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")


def test_batches_come_in_order() -> None:
    assert numbers(lambda: None) == list(range(10))
    assert [int(labels[0]) for _, labels in Loader(Set(lambda: None), print, sampler=range(3))] == [0, 1, 2]


def test_shared_memory_that_is_full_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "share_memory_", no_memory)
    with pytest.raises(RunError, match=r"^shared memory \(/dev/shm\) cannot be had \(unable to .*28\)\); less .* with"):
        numbers(lambda: None)


def test_an_error_for_the_user_arrives_as_it_was() -> None:
    def refuse() -> None:
        raise InputError("data.root=x is not valid")

    with pytest.raises(InputError, match=r"^data\.root=x is not valid$"):
        numbers(refuse)


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError, match="Original Traceback"):
        numbers(lambda: 1 / 0)


def test_a_batch_that_cannot_be_sent_ends_the_worker(capfd: pytest.CaptureFixture[str]) -> None:
    class Unsendable(Set):
        def __getitem__(self, number: int) -> Any:
            class Local(Tensor):
                def share_memory_(self) -> Any:
                    return self

                def __reduce_ex__(self, protocol: object) -> Any:
                    raise OSError(24, "Too many open files")

            return (torch.zeros(2).as_subclass(Local),)

    with pytest.raises(RuntimeError) as error:
        next(iter(Loader(Unsendable(print), print, sampler=range(10), num_workers=1)))
    sentence = worded(error.value)
    assert sentence is not None
    assert "a process that prepares batches has ended (DataLoader worker (pid" in str(sentence)
    assert "a batch could not be sent: [Errno 24] Too many open files" in capfd.readouterr().err


def test_a_worker_that_is_killed_is_a_sentence() -> None:
    with pytest.raises(RuntimeError) as error:
        numbers(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert worded(error.value) is not None
    assert worded(RuntimeError("something else")) is None


def sleep() -> None:
    time.sleep(600)


def test_a_signal_ends_the_wait_for_a_worker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coatlab.process.signals.WAIT_SECONDS", 2)
    began = time.monotonic()
    with Signals() as signals, pytest.raises(Stopped):
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        numbers(sleep, signals.stop_if_waiting)
    assert time.monotonic() - began < 30


def test_a_second_ctrl_c_ends_it_at_once() -> None:
    with Signals() as signals, pytest.raises(KeyboardInterrupt):
        signals.arm(signal.SIGINT)
        for seconds in (1.0, 1.5):
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
        numbers(sleep, signals.stop_if_waiting)


def test_a_small_dev_shm_ends_the_command_in_a_sentence(small_disk: SmallDisk, tmp_path: Path) -> None:
    """Whoever may mount a small disk may give the command a small /dev/shm."""
    words = tiny_words("data.workers=2", "tracker=none", f"paths.runs={tmp_path}", "trainer.progress=false")
    script = 'mount -t tmpfs -o size=100k none /dev/shm && exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "src/train.py",
            *words,
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert [line[:46] for line in done.stderr.splitlines()] == ["error: shared memory (/dev/shm) cannot be had "]


def test_workers_end_with_the_process_that_started_them() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        iterator = iter(Loader(Set(sleep), print, sampler=range(10), num_workers=2))
        next(iterator)
        os.write(writer, b" ".join(str(worker.pid).encode() for worker in multiprocessing.active_children()))
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writer)
    workers = [int(word) for word in os.read(reader, 100).split()]
    os.waitpid(child, 0)
    assert len(workers) == 2
    assert os.read(reader, 1) == b""  # the last that had the pipe open has ended
