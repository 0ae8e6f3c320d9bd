"""Every flipped bit and every cut of a sealed file is found, and torch.load reads it as any other."""

import io
import random
import zipfile
from pathlib import Path

import pytest
import torch

from coatlab.output.sealed import damage, save_sealed

CONTENT = {"tensor": torch.arange(20), "text": "abc"}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    with open(tmp_path / "file", "wb") as file:
        save_sealed(CONTENT, file)
    return tmp_path / "file"


def test_torch_and_zip_programs_read_it(sealed: Path) -> None:
    assert damage(sealed) is None
    for mapped in (False, True):
        loaded = torch.load(sealed, weights_only=True, mmap=mapped)
        assert torch.equal(loaded["tensor"], CONTENT["tensor"])
        assert loaded["text"] == "abc"
    assert zipfile.ZipFile(sealed).testzip() is None


@pytest.mark.slow
def test_any_flipped_bit_is_found(sealed: Path) -> None:
    content = bytearray(sealed.read_bytes())
    chosen = random.Random(0).sample(range(8 * (len(content) - 100)), 300)
    for bit in [*chosen, *range(8 * (len(content) - 100), 8 * len(content))]:  # all of the end, where the seal is
        content[bit // 8] ^= 1 << bit % 8
        sealed.write_bytes(content)
        assert damage(sealed), bit
        content[bit // 8] ^= 1 << bit % 8


def test_any_cut_is_found(sealed: Path) -> None:
    content = sealed.read_bytes()
    for length in [0, 1, 21, 22, 71, 72, 73, 500, len(content) - 73, len(content) - 1]:
        sealed.write_bytes(content[:length])
        assert damage(sealed), length
    sealed.write_bytes(content + b"x")
    assert damage(sealed)


def test_a_file_without_a_seal_is_judged_by_the_checksums_of_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "file"
    torch.save(CONTENT, path)
    assert damage(path) is None
    content = bytearray(path.read_bytes())
    place = content.index(CONTENT["tensor"].numpy().tobytes())  # type: ignore[attr-defined]
    content[place + 3] ^= 4
    path.write_bytes(content)
    torch.load(path, weights_only=True)  # torch does not see it
    assert damage(path) == "its entry file/data/0 is damaged"
    path.write_bytes(b"no zip file, but long enough for one")
    assert damage(path) == "it is cut or damaged"


@pytest.mark.parametrize("at", [1, 3, 8, 16])
def test_a_full_disk_is_an_error_of_the_disk(at: int) -> None:
    class Full(io.BytesIO):
        calls = 0

        def write(self, data: object) -> int:
            self.calls += 1
            if self.calls == at:
                raise OSError(28, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(OSError, match="No space left"):  # torch itself raises a RuntimeError
        save_sealed(CONTENT, Full())
