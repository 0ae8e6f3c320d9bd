"""Two files of torch.save have one mark exactly if they hold the same tensors."""

from pathlib import Path

import pytest
import torch

from analysis.read.weights import weights_mark


def save(path: Path, fingerprint: str, seed: int) -> Path:
    """Write weights as a run keeps them: many tensors, and the fingerprint beside them."""
    torch.manual_seed(seed)
    network = {f"stages.{number}.weight": torch.randn(8, 8) for number in range(100)}
    torch.save({"fingerprint": fingerprint, "network": network}, path)
    return path


def test_the_tensors_count_and_nothing_else(tmp_path: Path) -> None:
    one, same, other = (
        weights_mark(save(tmp_path / name, name, seed)) for name, seed in (("aa", 0), ("bb", 0), ("cc", 1))
    )
    assert one is not None
    assert one == same != other


def test_a_comment_of_the_zip_does_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "weights.pt", "aa", 0)
    before = weights_mark(path)
    content = path.read_bytes()
    path.write_bytes(content[:-2] + b"\x07\x00sha256:")
    assert weights_mark(path) == before


@pytest.mark.parametrize("content", [b"", b"PK\5\6", b"PK\5\6" + b"\xff" * 18, b"no zip at all" * 10_000])
def test_what_is_no_such_file_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    assert weights_mark(tmp_path / "weights.pt") is None
    assert weights_mark(tmp_path) is weights_mark(tmp_path / "none") is None


def test_a_file_cut_anywhere_has_none(tmp_path: Path) -> None:
    path = save(tmp_path / "weights.pt", "aa", 0)
    content = path.read_bytes()
    for length in range(0, len(content), 997):
        path.write_bytes(content[:length])
        assert weights_mark(path) is None
