"""What a run got right is read back bit by bit, and what does not fit is nothing."""

from pathlib import Path

import numpy as np
import pytest

from coatlab.runs.correct import FILE, read_correct, write_correct


@pytest.mark.parametrize("images", [1, 8, 500, 1001])
def test_it_is_read_as_it_was_written_if_the_number_of_images_fits(tmp_path: Path, images: int) -> None:
    correct = np.random.default_rng(images).random(images) < 0.7
    write_correct(tmp_path, correct)
    found = read_correct(tmp_path, images)
    assert found is not None
    assert found.dtype == bool
    assert np.array_equal(found, correct)
    assert read_correct(tmp_path, images + 8) is None
    assert read_correct(tmp_path, None) is None


@pytest.mark.parametrize("content", [None, b"", b"not an array", "text"])
def test_what_is_no_such_file_is_nothing(tmp_path: Path, content: bytes | str | None) -> None:
    if isinstance(content, str):
        np.save(tmp_path / FILE, np.array([content]))
    elif content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert read_correct(tmp_path, 8) is None
