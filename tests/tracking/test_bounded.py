"""A call gets its seconds, and no more; what it raises arrives, and a look may end the wait."""

import time

import pytest

from coatlab.errors import Stopped
from coatlab.tracking.bounded import TooLong, within


def test_what_a_call_returns_or_raises_arrives() -> None:
    assert within(10, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)
    with pytest.raises(SystemExit):
        within(10, lambda: exit(3))


def test_a_call_that_takes_too_long_is_left() -> None:
    began = time.monotonic()
    with pytest.raises(TooLong, match=r"no answer within 0\.2 seconds"):
        within(0.2, lambda: time.sleep(5))
    assert time.monotonic() - began < 2


def test_a_look_may_end_the_wait() -> None:
    def look() -> None:
        raise Stopped(15)

    with pytest.raises(Stopped):
        within(5, lambda: time.sleep(5), look)
