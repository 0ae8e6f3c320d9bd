"""Pixels are those of PIL; a damaged file of any format is an error, and never ends the process."""

import contextlib
import io
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from coatlab.data.files.decode import CorruptImage, decode
from tests.data.image_files import encoded, pictures

FORMATS = [
    ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "P"),
    ("PNG", "LA"), ("PNG", "1"), ("WEBP", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"), ("PPM", "RGB"),
    ("TIFF", "CMYK"),
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


def test_grey_of_lab_is_grey_of_its_colours() -> None:
    file = io.BytesIO()
    Image.new("LAB", (4, 4), (150, 128, 128)).save(file, "TIFF")
    red, green, blue = decode(file.getvalue(), 3)
    assert torch.equal(red, green)  # a and b are 0: a neutral colour
    assert torch.equal(red, blue)
    assert torch.equal(decode(file.getvalue(), 1)[0], red)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_file_that_is_cut_off_is_an_error(kind: str) -> None:
    content = content_of(kind, "RGB")
    with pytest.raises(CorruptImage, match=r"\w+"):
        decode(content[: len(content) // 2], 3)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"<html>not found</html>", "it is not an image of")]
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


GREY16 = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
GREY8 = np.round(GREY16 / 257).astype(np.uint8)
FOUR_COLOURS = Image.fromarray(GREY8).quantize(4)


def saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def tiff(values: np.ndarray, photometric: int = 1, sample_format: int = 1, bits: int | None = None) -> bytes:
    """Write a grey TIFF of one strip by hand: PIL does not write all that it reads."""
    content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    tags = {256: values.shape[1], 257: values.shape[0], 258: bits or values.itemsize * 8, 259: 1, 262: photometric}
    tags |= {273: 8, 277: 1, 278: values.shape[0], 279: len(content), 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(content)) + content + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (saved(Image.fromarray(GREY16), "PNG"), GREY8),
        (saved(Image.fromarray(GREY16), "TIFF"), GREY8),
        (saved(Image.fromarray(GREY16), "TIFF", compression="tiff_lzw"), GREY8),
        (b"P5 8 8 65535\n" + GREY16.astype(">u2").tobytes(), GREY8),
        (b"P5 8 8 4095\n" + (GREY16 >> 4).astype(">u2").tobytes(), GREY8),
        (b"P6 8 8 65535\n" + GREY16.astype(">u2").repeat(3).tobytes(), GREY8),
        (tiff(GREY16), GREY8),
        (tiff(GREY16, photometric=0), 255 - GREY8),
        (tiff(GREY8, photometric=0), 255 - GREY8),
        (saved(Image.fromarray(GREY8 > 127), "PNG"), np.where(GREY8 > 127, 255, 0)),
        (saved(Image.fromarray(GREY8 > 127), "TIFF"), np.where(GREY8 > 127, 255, 0)),
        (saved(FOUR_COLOURS, "PNG", bits=2), np.asarray(FOUR_COLOURS.convert("L"))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_other_depths_are_scaled_by_their_full_range(content: bytes, expected: np.ndarray, channels: int) -> None:
    seen = decode(content, channels).numpy().astype(int)
    assert seen.shape == (channels, 8, 8)
    assert abs(seen - expected).max() <= 1


@pytest.mark.parametrize(
    "content",
    [
        saved(Image.fromarray(GREY16.astype(np.int32)), "TIFF"),
        saved(Image.fromarray(GREY16.astype(np.float32) / 65535), "TIFF"),
        tiff(GREY16.astype(np.uint32) << 16),
        tiff((GREY16 >> 1).astype(np.int16), sample_format=2),
        tiff((GREY8 >> 1).astype(np.int8), sample_format=2),
        tiff(GREY16.astype(np.float32), photometric=0, sample_format=3),
        b"Pf\n8 8\n-1.0\n" + GREY16.astype(np.float32).tobytes(),
    ],
)
def test_numbers_without_a_known_range_are_refused(content: bytes) -> None:
    with pytest.raises(CorruptImage, match=r"its pixels .* whose range is not known"):
        decode(content, 1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_pictures_are_refused_but_not_those_behind_a_photo(kind: str) -> None:
    first, second = (Image.fromarray(grey).convert("RGB") for grey in (GREY8, 255 - GREY8))
    with pytest.raises(CorruptImage, match="it has several pictures"):
        decode(saved(first, kind, save_all=True, append_images=[second]), 3)
    assert decode(saved(first, kind, save_all=True), 3).shape == (3, 8, 8)
    photo = decode(saved(first, "MPO", save_all=True, append_images=[second]), 1)
    assert abs(photo[0].numpy().astype(int) - GREY8).max() < 10


def test_what_is_transparent_is_white() -> None:
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 4:], alpha[0] = 255, 51
    black = np.zeros((8, 8), np.uint8)
    expected = 255 - alpha
    rgba = Image.fromarray(np.stack([black, black, black, alpha], -1))
    for content in (saved(rgba, "PNG"), saved(rgba.convert("LA"), "PNG"), saved(rgba, "WEBP", lossless=True)):
        for channels in (1, 3):
            assert np.array_equal(decode(content, channels)[-1].numpy(), expected)
    palette = Image.fromarray((alpha > 100).astype(np.uint8) * 255).quantize(2)
    hidden = palette.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        assert set(np.unique(decode(saved(palette, kind, transparency=hidden), 1))) == {255}
    clear = decode(saved(Image.fromarray(GREY16), "PNG", transparency=0), 1)[0].numpy()
    assert (clear[0, 0], clear[-1, -1], clear[0, 1]) == (255, 255, GREY8[0, 1])
    keyed = decode(saved(Image.fromarray(black).convert("RGB"), "PNG", transparency=(0, 0, 0)), 3)
    assert keyed.min() == 255


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_photos_are_turned_upright_unless_they_are_to_stay_as_stored(kind: str) -> None:
    picture = np.zeros((6, 10), np.uint8)
    picture[:3, :5] = 255  # bright in the upper left
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        content = saved(Image.fromarray(picture).convert("RGB"), kind, exif=exif)
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("L")
        seen = decode(content, 1)[0].numpy()
        assert np.array_equal(seen, np.asarray(expected)), orientation
        assert seen.shape == ((6, 10) if orientation < 5 else (10, 6))
        if kind != "TIFF":  # PIL itself turns these
            assert decode(content, 1, upright=False).shape == (1, 6, 10)


def test_metadata_that_cannot_be_read_say_nothing() -> None:
    picture = Image.fromarray(GREY8)
    content = saved(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff" * 3)
    assert torch.equal(decode(content, 1), decode(saved(picture, "JPEG"), 1))


def test_no_other_program_is_started_for_a_file() -> None:
    with pytest.raises(CorruptImage, match="it is not an image of a kind that can be read"):
        decode(saved(Image.fromarray(GREY8), "EPS"), 1)
