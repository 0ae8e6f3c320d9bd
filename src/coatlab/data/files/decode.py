"""Decode images with PIL. A file that is cut off, or is not an image, is an error instead of a grey patch.

PIL is used because torchvision's own readers are deprecated since 0.29 and abort the process at some damaged PNG files.
Like torchvision's ImageFolder, this ignores an orientation in a photo's metadata.

C channels, H rows, W columns.
"""

import io
import struct
import warnings

from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor


class CorruptImage(ValueError):
    """The bytes are not a complete image."""


def decode(content: bytes, channels: int) -> Tensor:
    """Decode an image of any common format to uint8 pixels (C, H, W).

    Args:
        content: of the file.
        channels: 1 for grey, 3 for RGB.

    Raises:
        CorruptImage: with the reason that PIL gives.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd palettes and metadata
            with Image.open(io.BytesIO(content)) as image:
                pixels: Tensor = pil_to_tensor(image.convert("RGB" if channels == 3 else "L"))
                return pixels
    except UnidentifiedImageError:
        raise CorruptImage("it is not an image" if content else "it is empty") from None
    # what PIL raises for damaged files
    except (OSError, EOFError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise CorruptImage(str(error) or type(error).__name__) from error
