"""Cores and GPUs are shared without being oversubscribed or left idle."""

from hypothesis import given
from hypothesis import strategies as st

from coatlab.cluster.share import share

CELLS, CORES = st.integers(1, 300), st.integers(1, 256)


@given(CELLS, CORES, st.none() | st.integers(1, 64))
def test_on_a_cpu_threads_fill_the_cores_and_no_more(cells: int, cores: int, threads: int | None) -> None:
    machine = share(cells, cores, [], jobs=None, per_gpu=1, threads=threads)
    assert 1 <= machine.jobs <= cells
    assert machine.jobs * machine.threads <= cores or machine.jobs == 1
    if threads is None and cells >= cores:
        assert (machine.jobs, machine.threads) == (cores, 1)
    assert machine.gpus == ("",) * machine.jobs
    assert machine.environment(0) == {}


@given(CELLS, CORES, st.integers(1, 16), st.integers(1, 4))
def test_every_gpu_gets_its_share(cells: int, cores: int, gpus: int, per_gpu: int) -> None:
    names = [f"GPU-{number}" for number in range(gpus)]
    machine = share(cells, cores, names, jobs=None, per_gpu=per_gpu, threads=None)
    assert machine.jobs == min(cells, gpus * per_gpu)
    counts = [machine.gpus.count(name) for name in names]
    assert max(counts) - min(counts) <= 1
    assert max(counts) <= per_gpu
    for place, name in enumerate(machine.gpus):
        cells_there = str(counts[names.index(name)])
        assert machine.environment(place) == {"CUDA_VISIBLE_DEVICES": name, "COATLAB_GPU_CELLS": cells_there}


@given(CELLS, CORES, st.integers(1, 16))
def test_the_user_says_how_many(cells: int, cores: int, jobs: int) -> None:
    assert share(cells, cores, [], jobs=jobs, per_gpu=1, threads=None).jobs == min(jobs, cells)
