"""GPUs are those of the driver, and cells share them as far as memory holds."""

import math
from pathlib import Path
from typing import Any

import pytest

from coatlab.cluster import gpus
from coatlab.cluster.gpus import hint, memory, needed, per_gpu, visible_gpus
from coatlab.config.compose import compose, resolve

# peak memory in bytes on an H200 that torch measured: with the optimizer and an evaluation, but for CUDA's own
MEASURED = [
    (["size=tiny", "layout=CCCC", "data.batch_size=64"], 478 * 2**20),
    (["size=tiny", "layout=CTTT", "data.batch_size=64"], 364 * 2**20),
    (["size=tiny", "layout=ViT_REL", "data.batch_size=64"], 244 * 2**20),
    (["size=coatnet_0", "data=imagenet", "data.image_size=224", "data.batch_size=128"], 12.0e9),  # bf16
    (["size=coatnet_0", "data=imagenet", "data.image_size=224", "data.batch_size=256"], 24.0e9),
]


def config(*words: str) -> dict[str, Any]:
    return resolve(compose(list(words)))


@pytest.mark.slow
@pytest.mark.parametrize(("words", "measured"), MEASURED)
def test_a_cell_needs_no_more_than_is_expected(words: list[str], measured: float) -> None:
    assert measured < needed(config(*words)) - 0.3e9


def test_a_network_without_classes_yet_has_a_gpu_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = config()
    unknown["data"]["num_classes"] = None
    assert needed(unknown) == math.inf
    monkeypatch.setattr(gpus, "memory", lambda gpu: 80e9)
    assert per_gpu([config(), unknown], ["0"], 16) == 1


@pytest.mark.parametrize(
    ("size", "devices", "cores", "bytes_each", "expected"),
    [
        (80e9, 1, 16, 1e9, 16),
        (80e9, 2, 16, 1e9, 8),
        (80e9, 1, 16, 30e9, 2),
        (80e9, 1, 16, 90e9, 1),
        (0.0, 1, 16, 1e9, 1),
    ],
)
def test_cells_are_as_many_as_cores_and_memory_allow(
    size: float, devices: int, cores: int, bytes_each: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "memory", lambda gpu: size)
    monkeypatch.setattr(gpus, "needed", lambda config: bytes_each)
    assert per_gpu([{}], [str(number) for number in range(devices)], cores) == expected


def test_without_a_gpu_nothing_is_counted() -> None:
    assert per_gpu([{}], [], 4) == 1


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


@pytest.mark.slow
@pytest.mark.parametrize(("says", "expected"), [("143771", 143771 * 2**20), ("[N/A]", 0), ("", 0)])
def test_memory_is_what_the_driver_says(
    says: str, expected: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert memory("0") == expected


@pytest.mark.parametrize(
    ("places", "program", "running", "said"),
    [
        (["0", "0"], True, False, True),
        (["0", "1"], True, False, False),
        (["", ""], True, False, False),
        (["0", "0"], False, False, False),
        (["0", "0"], True, True, False),
    ],
)
def test_mps_is_named_where_it_would_help(
    places: list[str], program: bool, running: bool, said: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpus.shutil, "which", lambda name: f"/usr/bin/{name}" if program else None)
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    if running:
        (tmp_path / "control").touch()
    assert ("nvidia-cuda-mps-control -d" in hint(places)) == said
