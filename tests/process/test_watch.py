"""A process whose main thread is stuck in a library ends nevertheless, and one that reacts is left alone."""

import ctypes
import os
import signal
import time
from collections.abc import Callable

import pytest

from coatlab.errors import Stopped
from coatlab.process import watch
from coatlab.process.signals import Signals

pytestmark = pytest.mark.slow


def stuck(signals: Signals) -> None:
    """Wait for a lock that this thread has, as C does: no handler of Python's runs meanwhile."""
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


def reacting(signals: Signals) -> None:
    while signals.received is None:
        time.sleep(0.01)
    time.sleep(0.2)  # longer than a watch of the test waits
    signals.stop_if_received()


def forked(body: Callable[[Signals], None], numbers: list[int]) -> tuple[int, str]:
    """Run a body in a process that is watched and gets signals; return its exit code and what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with Signals(watched=True) as signals:
                signals.arm(signal.SIGINT)
                os.write(writer, b".")
                body(signals)
        except Stopped as stopped:
            os._exit(stopped.exit_code)
        finally:
            os._exit(99)
    os.close(writer)
    os.read(reader, 1)
    for number in numbers:
        time.sleep(0.2)
        os.kill(child, number)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(reader) as said:
        return code, said.read()


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_stuck_process_ends(numbers: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STOP_SECONDS", 0.5 if len(numbers) == 1 else 300)
    monkeypatch.setattr(watch, "AGAIN_SECONDS", 0.5)
    code, said = forked(stuck, numbers)
    assert code == 128 + numbers[-1]
    assert f"no reaction to {signal.Signals(numbers[-1]).name}: stopped at once; the same command resumes" in said


def test_one_that_reacts_in_time_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STOP_SECONDS", 30)
    assert forked(reacting, [signal.SIGTERM]) == (128 + signal.SIGTERM, "")


def test_a_signal_to_a_forked_process_is_not_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STOP_SECONDS", 0.1)

    def body(signals: Signals) -> None:
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)  # our handler notes it
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGUSR1)
        signals.stop_if_received()

    assert forked(body, [])[0] == 128 + signal.SIGUSR1


def test_at_its_end_nothing_is_left(tmp_path: object) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Signals(watched=True):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_it_ends_at_once_though_a_forked_process_has_its_pipe() -> None:
    """As a process does that prepares batches, and lives on while the run says what was wrong with one."""
    began = time.monotonic()
    with Signals(watched=True):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    assert time.monotonic() - began < 30
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
