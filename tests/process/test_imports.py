"""Large imports are not interrupted by the garbage collector, and only the first of them is treated so."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from coatlab.process import imports
from coatlab.process.imports import large_imports


@pytest.fixture(autouse=True)
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(imports, "_done", False)
    frozen = gc.get_freeze_count()
    yield
    if not frozen:
        gc.unfreeze()


def test_nothing_is_collected_in_it_and_what_it_made_is_left_out_later() -> None:
    with large_imports():
        assert not gc.isenabled()
        stays = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(stays)
    assert not any(one is stays for one in gc.get_objects())


def test_what_is_made_in_a_second_one_is_collected() -> None:
    with large_imports():
        pass
    with large_imports():
        assert gc.isenabled()
        later: list[object] = []
    assert any(one is later for one in gc.get_objects())


def test_it_ends_with_an_error_too() -> None:
    with pytest.raises(ImportError), large_imports():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with large_imports():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


LIGHTNING = """
import os, sys
from coatlab.process.imports import Later, large_imports
with large_imports():
    import lightning
assert type(sys.modules["scipy.signal"]) is Later, "it is asked for something else than the old name"
assert "scipy.signal.windows" not in sys.modules
for used in sys.argv[1:]:
    if child := os.fork():  # importing takes seconds, so all uses begin with one import
        assert os.waitpid(child, 0)[1] == 0, used
    else:
        exec(used)
        os._exit(0)
"""
USES = [
    "import scipy; scipy.signal.windows.hamming(3)",
    "from scipy.signal import convolve; import scipy; scipy.signal.convolve([1], [2])",
    "import scipy.signal.windows; scipy.signal.convolve([1], [2])",
    "import torchmetrics, torch; torchmetrics.audio.SignalNoiseRatio()(torch.ones(3), torch.zeros(3))",
    "import inspect; inspect.getmodule(print)",
]


@pytest.mark.slow
def test_lightning_is_imported_without_scipys_signals_which_are_there_when_they_are_used() -> None:
    subprocess.run([sys.executable, "-c", LIGHTNING, *USES], check=True)
