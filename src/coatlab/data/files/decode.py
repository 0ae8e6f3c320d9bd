"""Decode images with PIL, to 8 bits. What has no single meaning in 8 bits is an error instead of a wrong picture.

PIL is used because torchvision's own readers are deprecated since 0.29 and abort the process at some damaged PNG files.
- 16 bits (PNG, PGM, TIFF) and 12 bits (TIFF) are scaled by their full range, where PIL would clip them to white.
- 32 bits, signed numbers and floating-point numbers (TIFF) are refused: nothing says what is black and what white.
- Files with several pictures (animations, pages of a TIFF) are refused: nothing says which is meant. Only the further
  pictures that phones put behind a photo (MPO) are ignored.
- Transparent pixels are white, as on a page; torchvision's ImageFolder shows the colours that are hidden there.
- Photos are turned upright as their metadata say, which ImageFolder does not do; `upright=False` leaves them.
- A file that is cut off, or is not an image, is an error instead of a grey patch.

C channels, H rows, W columns.
"""

import io
import struct
import warnings
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

# Not among them: EPS, for which PIL would start another program.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "TIFF", "AVIF", "JPEG2000")
DAMAGE = (OSError, EOFError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)  # as PIL reports it
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
WHITE_IS_ZERO, UNSIGNED = 0, 1


class CorruptImage(ValueError):
    """The bytes are not a complete image, or not one that has a meaning in 8 bits."""


def decode(content: bytes, channels: int, upright: bool = True) -> Tensor:
    """Decode an image of any common format to uint8 pixels (C, H, W).

    Args:
        content: of the file.
        channels: 1 for grey, 3 for RGB.
        upright: whether photos are turned as their metadata say.

    Raises:
        CorruptImage: with the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd palettes and metadata
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.format != "MPO" and getattr(image, "is_animated", False):
                    raise CorruptImage("it has several pictures, as an animation or pages")
                image.load()
                plain = _opaque(_in_8_bits(image))
                if channels == 3 or plain.mode == "LAB":  # from which PIL converts to nothing else
                    plain = plain.convert("RGB")
                if channels == 1:
                    plain = plain.convert("L")
                pixels: Tensor = pil_to_tensor(_turned(plain, image) if upright else plain)
                return pixels
    except UnidentifiedImageError:
        reason = "it is not an image of a kind that can be read" if content else "it is empty"
        raise CorruptImage(reason) from None
    except CorruptImage:
        raise
    except DAMAGE as error:
        raise CorruptImage(str(error) or type(error).__name__) from error


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Scale an image of more than 8 bits to 8.

    Raises:
        CorruptImage: its numbers have no known range.
    """
    tags: Any = getattr(image, "tag_v2", {})
    if any(kind != UNSIGNED for kind in _all(tags.get(SAMPLE_FORMAT, UNSIGNED))):
        raise CorruptImage("its pixels are signed or floating-point numbers, whose range is not known")
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    whole = ("PPM",) if image.mode == "I" else () if image.mode == "F" else ("PNG", "TIFF")
    if image.format not in whole:
        raise CorruptImage("its pixels have 32 bits or are floating-point numbers, whose range is not known")
    values = np.asarray(image).astype(np.int64)
    highest = (1 << _all(tags.get(BITS, 16))[0]) - 1
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = highest - values
    if (hidden := image.info.get("transparency")) is not None:
        values = np.where(values == hidden, highest, values)
    return Image.fromarray(((values * 255 + highest // 2) // highest).clip(0, 255).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    """Put an image with transparent pixels on white."""
    if not image.has_transparency_data:
        return image
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)


def _turned(plain: Image.Image, image: Image.Image) -> Image.Image:
    """Turn an image as the metadata of its original say; metadata that cannot be read say nothing."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # whatever is in the metadata, the pixels are there
        return plain
    if orientation not in range(2, 9):
        return plain
    plain.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(plain)


def _all(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
