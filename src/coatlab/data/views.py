"""What a recipe makes of an image: the view that is evaluated, and the one that is trained on (Table 10).

Evaluation: the shorter side is resized to side / 0.875 and the middle is cut out (`center_crop`), or the whole image
is resized to the square. Training: a random part of the image, resized ("Inception" crop), a flip and RandAugment, each
where the recipe asks for it, else the view of evaluation.

What is drawn for an image depends on (seed, epoch, number of the image) and on nothing else: not on the process that
prepares it, nor on a resume.

Deviations: random crop and flip are no rows of Table 10; they are what the field does with ImageNet. torchvision's
RandAugment counts its magnitude of 30, the authors' of 10. Pixels are interpolated bilinearly with antialiasing.

C channels, H rows, W columns.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

CENTER = 0.875  # of the shorter side is left by the centre crop
PLAIN = {"center_crop": True, "random_crop": False, "horizontal_flip": False, "randaugment": None}


class Views:
    """The two views of images of any size.

    Args:
        recipe: `center_crop`, `random_crop`, `horizontal_flip` and `randaugment` (null, or layers and magnitude).
        side: pixels of a view.
        seed: of the run.
        whole: images have that size already, so that evaluation sees them as they are.
    """

    def __init__(self, recipe: Mapping[str, Any], side: int, seed: int, whole: bool = False) -> None:
        self.side, self.seed, self.center_crop = side, seed, recipe["center_crop"] and not whole
        self.random_crop = v2.RandomResizedCrop(side, antialias=True) if recipe["random_crop"] else None
        transforms: list[v2.Transform] = []
        if recipe["horizontal_flip"]:
            transforms.append(v2.RandomHorizontalFlip())
        if augment := recipe["randaugment"]:
            transforms.append(v2.RandAugment(augment["layers"], augment["magnitude"]))
        self.transforms = transforms

    @property
    def augments(self) -> bool:
        """Tell whether training sees anything but the view of evaluation."""
        return bool(self.random_crop or self.transforms)

    def evaluation(self, image_CHW: Tensor) -> Tensor:
        """Return the view (C, side, side) that is evaluated."""
        if not self.center_crop:
            return F.resize(image_CHW, [self.side, self.side], antialias=True)
        resized = F.resize(image_CHW, [math.ceil(self.side / CENTER)], antialias=True)
        return F.center_crop(resized, [self.side, self.side])

    def training(self, image_CHW: Tensor, epoch: int, number: int) -> Tensor:
        """Return the view (C, side, side) of image `number` that is trained on in an epoch."""
        if not self.augments:
            return self.evaluation(image_CHW)
        key = hashlib.blake2b(f"{self.seed} {epoch} {number}".encode(), digest_size=7).digest()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(key))
            view = self.random_crop(image_CHW) if self.random_crop else self.evaluation(image_CHW)
            for transform in self.transforms:
                view = transform(view)
        return view
