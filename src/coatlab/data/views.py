"""The two views of an image: the one that is evaluated, and the augmented one that is trained on (Table 10).

Evaluation: with `center_crop` the shorter side is resized to side / 0.875 and the middle is cut out; without it the
whole image is resized to a square. Training: the recipe can ask for a random part of the image, resized ("Inception"
crop), a flip, and RandAugment. What it does not ask for is left out; without a random crop, the image is cut out as in
evaluation.

Random numbers depend on nothing but seed, epoch and the number of the image: neither on the process that prepares it,
nor on whether the run was resumed.

Deviations: random crop and flip are not in Table 10, but are usual for ImageNet. Magnitudes of RandAugment go up to 30
in torchvision, up to 10 in the authors' code. Pixels are interpolated bilinearly with antialiasing.

B images, C channels, H rows, W columns.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

CENTER = 0.875  # the part of the shorter side that the center crop keeps
PLAIN = {"center_crop": True, "random_crop": False, "horizontal_flip": False, "randaugment": None}
Operation = tuple[str, float]  # its name and magnitude, as torchvision has them


class Views:
    """The two views of images of any size.

    Args:
        recipe: `center_crop`, `random_crop`, `horizontal_flip` and `randaugment` (null, or layers and magnitude).
        side: pixels of a view.
        seed: of the run.
        whole: images already have that size, and are evaluated unchanged.
    """

    def __init__(self, recipe: Mapping[str, Any], side: int, seed: int, whole: bool = False) -> None:
        self.side, self.seed, self.center_crop = side, seed, recipe["center_crop"] and not whole
        self.random_crop = v2.RandomResizedCrop(side, antialias=True) if recipe["random_crop"] else None
        self.flip = v2.RandomHorizontalFlip() if recipe["horizontal_flip"] else None
        augment = recipe["randaugment"]
        self.randaugment = RandAugment(augment["layers"], augment["magnitude"], side) if augment else None

    @property
    def augments(self) -> bool:
        """Tell whether the training view differs from the evaluation view."""
        return bool(self.random_crop or self.flip or self.randaugment)

    def evaluation(self, image_CHW: Tensor) -> Tensor:
        """Return the evaluation view of an image, (C, side, side)."""
        if not self.center_crop:
            return F.resize(image_CHW, [self.side, self.side], antialias=True)
        resized = F.resize(image_CHW, [math.ceil(self.side / CENTER)], antialias=True)
        return F.center_crop(resized, [self.side, self.side])

    def training(self, image_CHW: Tensor, epoch: int, number: int) -> Tensor:
        """Return the training view of image `number` in an epoch, (C, side, side)."""
        if not self.augments:
            return self.evaluation(image_CHW)
        with torch.random.fork_rng(devices=[]):
            self._seed(epoch, number)
            view = self.random_crop(image_CHW) if self.random_crop else self.evaluation(image_CHW)
            for transform in filter(None, (self.flip, self.randaugment)):
                view = transform(view)
        return view

    def training_batch(self, images_BCHW: Tensor, epoch: int, numbers: Sequence[int]) -> Tensor:
        """Return the training views of a batch, (B, C, side, side), the same as those of `training`.

        The random numbers of each image are drawn first. What they ask for is then done to all images together that it
        is asked of: for small images most of the time of an operation is spent before it looks at a pixel.
        """
        cut, flipped, drawn = [], [], []
        with torch.random.fork_rng(devices=[]):
            for image_CHW, number in zip(images_BCHW, numbers, strict=True):
                self._seed(epoch, number)
                cut.append(self._cut(image_CHW))
                flipped.append(self.flip is not None and bool(torch.rand(1) < self.flip.p))
                drawn.append(self.randaugment.draw() if self.randaugment else [])
        views_BCHW = torch.stack(cut)
        flipped_B = torch.tensor(flipped)
        views_BCHW[flipped_B] = views_BCHW[flipped_B].flip(3)
        return self.randaugment.apply(views_BCHW, drawn) if self.randaugment else views_BCHW

    def _seed(self, epoch: int, number: int) -> None:
        key = hashlib.blake2b(f"{self.seed} {epoch} {number}".encode(), digest_size=7).digest()
        torch.default_generator.manual_seed(int.from_bytes(key))  # of this device alone: torch.manual_seed is slow

    def _cut(self, image_CHW: Tensor) -> Tensor:
        """Return what `random_crop` or the evaluation view makes of an image."""
        if not self.random_crop:
            return self.evaluation(image_CHW)
        # without torchvision's search for images among its arguments, which takes as long as the crop
        return self.random_crop.transform(image_CHW, self.random_crop.make_params([image_CHW]))


class RandAugment(v2.RandAugment):  # type: ignore[misc]  # torchvision has no types
    """torchvision's (Cubuk et al. 2020) for images of one size; draws operations, and applies them to a batch later.

    torchvision draws one sequence of operations per call, for all images of a batch alike. Here each image has its own,
    as if it were augmented alone: `draw` says which, and `apply` gives torchvision all images at once whose next
    operation is the same. Both use private names of torchvision, as of 0.29.

    Args:
        layers: operations per image.
        magnitude: 0 to 30.
        side: pixels of the images, which are square.
    """

    def __init__(self, layers: int, magnitude: int, side: int) -> None:
        super().__init__(layers, magnitude)
        self._choices: list[tuple[str, float, bool]] = []  # name, magnitude, and whether it may be negative
        for name, (magnitudes_of, signed) in self._AUGMENTATION_SPACE.items():
            magnitudes = magnitudes_of(self.num_magnitude_bins, side, side)
            self._choices.append((name, 0.0 if magnitudes is None else float(magnitudes[magnitude]), signed))

    def draw(self) -> list[Operation]:
        """Return the operations that a call would apply, one per layer, by the same random numbers."""
        drawn = []
        for _ in range(self.num_ops):
            name, magnitude, signed = self._choices[int(torch.randint(len(self._choices), ()))]
            drawn.append((name, -magnitude if signed and torch.rand(()) <= 0.5 else magnitude))
        return drawn

    def apply(self, images_BCHW: Tensor, drawn: Sequence[Sequence[Operation]]) -> Tensor:
        """Return a batch with each image's own operations applied.

        Args:
            images_BCHW: uint8.
            drawn: as `draw` returns them, one list per image.
        """
        images_BCHW = images_BCHW.clone()
        for layer in range(self.num_ops):
            places: dict[Operation, list[int]] = {}
            for place, operations in enumerate(drawn):
                places.setdefault(operations[layer], []).append(place)
            for (name, magnitude), same in places.items():
                images_BCHW[same] = self._apply_image_or_video_transform(
                    images_BCHW[same], name, magnitude, self.interpolation, self._fill
                )
        return images_BCHW
