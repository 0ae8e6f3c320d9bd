"""Import what is large without garbage collection, which takes a quarter of the time of importing torch and Lightning.

While a library is imported it makes about a million objects that stay. Python looks through all of them again and
again for some that nobody needs, and would go on to do so in training and in every process forked from this one.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_done = False


@contextmanager
def uncollected() -> Iterator[None]:
    """Import in it: nothing is collected meanwhile, and later collections leave out what was made.

    Only the first time: what runs leave behind afterwards has to be collected.
    """
    global _done
    if _done or not gc.isenabled():
        yield
        return
    _done = True
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # else libraries find at the end that their objects are still there, and say so
        gc.enable()
