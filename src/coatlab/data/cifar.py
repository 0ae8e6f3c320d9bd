"""CIFAR-10 and CIFAR-100, through torchvision, which downloads them and verifies their checksums."""

import torch
from torch import Tensor
from torchvision import datasets

from coatlab.config.places import expand_home
from coatlab.data.in_memory import Images, InMemoryData
from coatlab.errors import InputError, not_one_of


class CIFAR(InMemoryData):
    """CIFAR-10 or CIFAR-100 in memory, by `num_classes`."""

    def load(self) -> Images:
        """Read torchvision's copy in `data.root`; without a root, read it from the cache or download it there.

        Raises:
            InputError: the files are missing and cannot be downloaded, or are damaged; or `num_classes` is neither 10
                nor 100.
        """
        sources = {10: datasets.CIFAR10, 100: datasets.CIFAR100}
        if self.num_classes not in sources:
            raise not_one_of("data.num_classes", self.num_classes, sources)
        source = sources[self.num_classes]
        folder = expand_home(self.root or self.cache)
        try:
            train, test = (source(str(folder), train=part, download=self.root is None) for part in (True, False))
        except (OSError, RuntimeError) as error:
            how = "is missing or incomplete" if self.root else f"is missing and cannot be downloaded ({error})"
            raise InputError(
                f"data={self.name} was not found in {folder}: it {how}; set data.root to a folder that has it"
            ) from error
        return Images(
            _channels_first(train.data),
            torch.tensor(train.targets),
            _channels_first(test.data),
            torch.tensor(test.targets),
        )


def _channels_first(images: object) -> Tensor:
    return torch.as_tensor(images).permute(0, 3, 1, 2).contiguous()
