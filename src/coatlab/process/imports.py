"""Import what is large, torch and Lightning with what they take in, in a little more than half of the time.

While a library is imported it makes about a million objects that stay. Python looks through all of them again and
again for some that nobody needs, and would go on to do so in training and in every process forked from this one.

torchmetrics imports scipy.signal, which takes a second, to give it an old name that one of its own dependencies uses.
"""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

OLD_NAME = "hamming"  # what torchmetrics (1.9) asks scipy.signal for, and gives it where it has none
_done = False


@contextmanager
def large_imports() -> Iterator[None]:
    """Import in it: nothing is collected meanwhile, later collections leave out what was made, scipy.signal waits.

    Only the first time: what runs leave behind afterwards has to be collected.
    """
    global _done
    if _done or not gc.isenabled():
        yield
        return
    _done = True
    if "scipy.signal" not in sys.modules and find_spec("scipy") and (spec := find_spec("scipy.signal")):
        sys.modules["scipy.signal"] = Later(spec)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # else libraries find at the end that their objects are still there, and say so
        gc.enable()


class Later(ModuleType):
    """Stands for a module until something of it is used; then the module takes its place."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__file__ = spec, spec.origin  # inspect asks every module for its file

    def __getattr__(self, name: str) -> Any:
        if name == OLD_NAME:
            return None
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)
