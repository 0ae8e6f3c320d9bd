"""Class-balanced, seeded, nested subsets, and the evaluation split that is held out of the training files."""

from dataclasses import dataclass

import torch
from torch import Tensor

from coatlab.errors import InputError


@dataclass(frozen=True)
class Split:
    """Indices into the training files: `train` in the order in which subsets grow, and `evaluation`."""

    train: Tensor
    evaluation: Tensor


def split(labels: Tensor, *, train_size: int | None, eval_size: int, seed: int) -> Split:
    """Split training files into images to train on and images to evaluate on.

    The images are put into one order, by drawing the classes in turn, each class shuffled by `seed`. The first
    `eval_size` are held out; a subset is the next `train_size`. So both are class-balanced to within one image,
    a smaller subset lies inside every larger one, and none of it depends on the run's own seed.

    Args:
        labels: (images,) class of each image.
        train_size: images to train on; None takes all that are not held out.

    Raises:
        InputError: more images asked for than there are.
    """
    left = len(labels) - eval_size
    if left < 1:
        raise InputError(
            f"data.eval_size={eval_size} leaves no training image; there are {len(labels)} in the training files"
        )
    if train_size is not None and train_size > left:
        raise InputError(
            f"data.train_size={train_size} is more than there are; at most {left} with data.eval_size={eval_size}"
        )
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    order = shuffled[_turn_within_class(labels[shuffled]).argsort(stable=True)]
    return Split(train=order[eval_size:][:train_size], evaluation=order[:eval_size])


def _turn_within_class(labels: Tensor) -> Tensor:
    """Number the images of each class 0, 1, 2, ... in the order given, plus the class's place within a turn."""
    classes, inverse = torch.unique(labels, return_inverse=True)
    turn = torch.empty(len(labels), dtype=torch.long)
    for place in range(len(classes)):
        members = (inverse == place).nonzero()[:, 0]
        turn[members] = torch.arange(len(members)) * len(classes) + place
    return turn
