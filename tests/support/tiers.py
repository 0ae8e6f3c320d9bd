"""The two tiers: `make check` runs what is marked neither `slow` nor `external`, `make test` everything.

A test that asks for the command line, for a process that holds a run, for a small disk or for a browser is marked by
itself; other modules and tests say it with `pytest.mark.slow` or `pytest.mark.external`. A test without a mark starts
no process: one that tries fails with a sentence, also where what it calls catches the error.
"""

import platform
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

EXTERNAL_FIXTURES = {"browser", "small_disk"}
SLOW_FIXTURES = {"command", "held", "gpu"}
GPU_FIXTURES = {"gpu"}
# of Python's audit table
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.exec"}

_started: list[str] | None = None  # of the unmarked test that runs now; None: there is none
_older: list[threading.Thread] = []  # threads that earlier tests have left; what these start is not the test's


def add_markers(items: Sequence[pytest.Item]) -> None:
    """Mark tests by the fixtures they ask for, directly or not."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & EXTERNAL_FIXTURES:
            item.add_marker(pytest.mark.external)
        if fixtures & SLOW_FIXTURES:
            item.add_marker(pytest.mark.slow)
        if fixtures & GPU_FIXTURES:
            item.add_marker(pytest.mark.gpu)


def is_quick(item: pytest.Item) -> bool:
    """Tell whether a test belongs to `make check`."""
    return not any(item.get_closest_marker(name) for name in ("slow", "external"))


class Guard:
    """A plugin that lets no unmarked test start a process, nor a fixture that is made for it."""

    def __init__(self) -> None:
        platform.processor()  # starts uname, once in a process; whoever asks later is told what it said

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        global _started, _older
        _older = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
        _started = [] if is_quick(item) else None
        try:
            return (yield)
        finally:
            _started = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        global _started
        told = _started
        if nextitem is None:  # with the last test the session's fixtures end as well: Slurm is stopped by commands
            _started = None
        result = yield
        if told:
            pytest.fail(f"an unmarked test started a process: {told[0]}; mark it as slow or external", pytrace=False)
        return result


def started() -> list[str]:
    """Return what the unmarked test that runs now tried to start."""
    assert _started is not None
    return _started


def _audit(event: str, arguments: Sequence[Any]) -> None:
    if _started is not None and event in STARTS and threading.current_thread() not in _older:
        _refuse(f"{event} {arguments[0] if arguments else ''}")


def _refuse(what: str) -> None:
    assert _started is not None
    _started.append(what)
    raise RuntimeError(_sentence(what))


def _sentence(what: str) -> str:
    return f"a test without a mark starts a process ({what}): mark it as slow or external"


def _start(self: BaseProcess, start: Any = BaseProcess.start) -> None:
    """Start a process of multiprocessing, whose spawn and forkserver raise no audit event."""
    if _started is not None:
        _refuse(f"multiprocessing {self.name}")
    start(self)


sys.addaudithook(_audit)
BaseProcess.start = _start  # type: ignore[method-assign]
