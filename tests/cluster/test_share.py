"""Cores and GPUs are shared without being oversubscribed or left idle."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatlab.cluster.share import share, visible_gpus

CELLS, CORES = st.integers(1, 300), st.integers(1, 256)


@given(CELLS, CORES, st.none() | st.integers(1, 64))
def test_on_a_cpu_threads_fill_the_cores_and_no_more(cells: int, cores: int, threads: int | None) -> None:
    machine = share(cells, cores, [], jobs=None, per_gpu=1, threads=threads)
    assert 1 <= machine.jobs <= cells
    assert machine.jobs * machine.threads <= cores or machine.jobs == 1
    if threads is None and cells >= cores:
        assert (machine.jobs, machine.threads) == (cores, 1)
    assert machine.gpus == ("",) * machine.jobs


@given(CELLS, CORES, st.integers(1, 16), st.integers(1, 4))
def test_every_gpu_gets_its_share(cells: int, cores: int, gpus: int, per_gpu: int) -> None:
    names = [f"GPU-{number}" for number in range(gpus)]
    machine = share(cells, cores, names, jobs=None, per_gpu=per_gpu, threads=None)
    assert machine.jobs == min(cells, gpus * per_gpu)
    counts = [machine.gpus.count(name) for name in names]
    assert max(counts) - min(counts) <= 1
    assert max(counts) <= per_gpu


@given(CELLS, CORES, st.integers(1, 16))
def test_the_user_says_how_many(cells: int, cores: int, jobs: int) -> None:
    assert share(cells, cores, [], jobs=jobs, per_gpu=1, threads=None).jobs == min(jobs, cells)


@pytest.mark.parametrize(("chosen", "expected"), [("", []), ("-1", []), ("2,0", ["2", "0"]), ("GPU-a", ["GPU-a"])])
def test_gpus_are_those_that_cuda_would_show(chosen: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus() == expected


@pytest.mark.slow
def test_gpus_are_those_that_the_driver_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "GPU 0: A (UUID: GPU-1)"\necho "  MIG 1g"\necho "GPU 1: A (UUID: GPU-2)"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == ["0", "1"]
    program.unlink()
    assert visible_gpus() == []
