"""Pixels are those of PIL; a damaged file of any format is an error, and never ends the process."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coatlab.data.files.decode import CorruptImage, decode
from tests.data.image_files import encoded, pictures

FORMATS = [
    ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "P"),
    ("PNG", "LA"), ("PNG", "1"), ("WEBP", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"), ("PPM", "RGB"),
]  # fmt: skip


def content_of(kind: str, mode: str) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(encoded(pictures()[0][0], "PNG"))).convert(mode).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("kind", "mode"), FORMATS)
def test_pixels_are_those_of_pil(kind: str, mode: str, channels: int) -> None:
    content = content_of(kind, mode)
    seen = decode(content, channels)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB" if channels == 3 else "L"))
    assert seen.shape == (channels, 36, 40)
    assert np.array_equal(seen.permute(1, 2, 0).numpy(), expected.reshape(36, 40, channels))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_file_that_is_cut_off_is_an_error(kind: str) -> None:
    content = content_of(kind, "RGB")
    with pytest.raises(CorruptImage, match=r"\w+"):
        decode(content[: len(content) // 2], 3)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"<html>not found</html>", "it is not an image")]
)
def test_a_file_that_is_not_an_image_is_an_error(content: bytes, reason: str) -> None:
    with pytest.raises(CorruptImage, match=reason):
        decode(content, 3)


@given(st.sampled_from(["JPEG", "PNG"]), st.integers(0, 2000), st.binary(min_size=1, max_size=40))
def test_any_damage_gives_pixels_or_an_error(kind: str, place: int, noise: bytes) -> None:
    content = content_of(kind, "RGB")
    place %= len(content)
    damaged = content[:place] + noise + content[place + len(noise) :]
    with contextlib.suppress(CorruptImage):  # any other exception fails the test
        assert decode(damaged, 3).shape[0] == 3
