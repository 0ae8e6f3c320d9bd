"""A signal sets a flag, a second Ctrl-C stops at once, and forked workers do not react."""

import os
import signal
import sys

import pytest

from coatlab.errors import Stopped
from coatlab.process.signals import STOPPING, Signals, raise_when_signalled


@pytest.mark.parametrize("number", [*STOPPING, signal.SIGINT])
def test_a_signal_is_remembered_until_it_is_asked_for(number: int) -> None:
    with Signals() as signals:
        signals.arm(signal.SIGINT)
        signals.stop_if_received()
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped) as stopped:
            signals.stop_if_received()
    assert stopped.value.exit_code == 128 + number


def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            signals.stop_if_received()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once() -> None:
    with Signals() as signals:
        signals.arm(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_that_ends_the_reader_of_the_output_too_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as nobody_reads, Signals() as signals:
        monkeypatch.setattr(sys, "stderr", nobody_reads)
        signals.arm(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT


@pytest.mark.slow
def test_a_forked_worker_leaves_a_signal_to_its_parent() -> None:
    with Signals() as signals:
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0 if signals.received is None else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_old_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (*STOPPING, signal.SIGINT)]
    with Signals() as signals:
        signals.arm(signal.SIGINT, *STOPPING)
    assert [signal.getsignal(number) for number in (*STOPPING, signal.SIGINT)] == before


@pytest.mark.parametrize("number", STOPPING)
def test_where_no_state_is_lost_a_signal_stops_at_once_and_within_signals_it_waits(number: int) -> None:
    before = {each: signal.getsignal(each) for each in STOPPING}
    try:
        raise_when_signalled()
        with pytest.raises(Stopped), Signals() as signals:
            os.kill(os.getpid(), number)
            assert signals.received == number
            signals.stop_if_received()
        with pytest.raises(Stopped) as stopped:
            os.kill(os.getpid(), number)
        assert stopped.value.signal_number == number
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
