"""Large imports are not interrupted by the garbage collector, and only the first of them is treated so."""

import gc
from collections.abc import Iterator

import pytest

from coatlab.process import imports
from coatlab.process.imports import uncollected


@pytest.fixture(autouse=True)
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(imports, "_done", False)
    frozen = gc.get_freeze_count()
    yield
    if not frozen:
        gc.unfreeze()


def test_nothing_is_collected_in_it_and_what_it_made_is_left_out_later() -> None:
    with uncollected():
        assert not gc.isenabled()
        stays = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(stays)
    assert not any(one is stays for one in gc.get_objects())


def test_what_is_made_in_a_second_one_is_collected() -> None:
    with uncollected():
        pass
    with uncollected():
        assert gc.isenabled()
        later: list[object] = []
    assert any(one is later for one in gc.get_objects())


def test_it_ends_with_an_error_too() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
