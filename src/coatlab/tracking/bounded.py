"""Calls of a library that may not return: they get some seconds, and what waits for them hears signals meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Any

LOOK_SECONDS = 0.1


class TooLong(Exception):
    """A call has not returned in time; its thread is left to itself."""


def within(seconds: float, call: Callable[[], Any], look: Callable[[], object] = lambda: None) -> Any:
    """Make a call in a thread and return what it returns.

    Args:
        seconds: how long to wait for it.
        call: what is called; an exception of it is raised here.
        look: called repeatedly meanwhile; may raise an exception, which ends the wait.

    Raises:
        TooLong: it has not returned.
    """
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread, end = threading.Thread(target=run, daemon=True), time.monotonic() + seconds
    thread.start()
    while thread.is_alive():
        look()
        if time.monotonic() >= end:
            raise TooLong(f"no answer within {seconds:g} seconds")
        thread.join(LOOK_SECONDS)
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]
