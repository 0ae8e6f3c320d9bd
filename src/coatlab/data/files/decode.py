"""Encoded images -> pixels, as PIL reads them; a file that is cut off or is no image is an error, not a grey patch.

PIL and not torchvision's readers: these are deprecated since 0.29, and end the process at some damaged PNG files. An
orientation in a photo's metadata is not applied, as torchvision's ImageFolder does not.

C channels, H rows, W columns.
"""

import io
import struct
import warnings

from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor


class CorruptImage(ValueError):
    """The content is not a whole image."""


def decode(content: bytes, channels: int) -> Tensor:
    """Decode an image of any common format to uint8 pixels (C, H, W), grey for one channel and RGB for three.

    Raises:
        CorruptImage: with the reader's reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd palettes and metadata, one a file
            with Image.open(io.BytesIO(content)) as image:
                pixels: Tensor = pil_to_tensor(image.convert("RGB" if channels == 3 else "L"))
                return pixels
    except UnidentifiedImageError:
        raise CorruptImage("it is no image" if content else "it is empty") from None
    # what PIL's readers raise at damaged files
    except (OSError, EOFError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise CorruptImage(str(error) or type(error).__name__) from error
