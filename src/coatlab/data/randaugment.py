"""RandAugment (Cubuk et al. 2020) as in torchvision, for single images and for batches.

torchvision draws one sequence of operations per call, for all images of a batch alike. Here each image of a batch has
its own, as if it had been augmented alone: `draw` says which, and `apply` gives torchvision all images at once whose
next operation is the same. Both use private names of torchvision, as of 0.29.

B images, C channels, H rows, W columns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms import v2

Operation = tuple[str, float]  # its name and magnitude, as torchvision has them


class RandAugment(v2.RandAugment):  # type: ignore[misc]  # torchvision has no types
    """torchvision's for images of one size, which can also draw operations without applying them, and apply them later.

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
