"""Class-balanced, seeded, nested training subsets, and the images held out for evaluation."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coatlab.errors import InputError

RANDOM_LABELS = 1  # keeps their random numbers apart from others of the same seed


@dataclass(frozen=True)
class Split:
    """Indices into the training files: `train`, in the order in which subsets grow, and `evaluation`."""

    train: Tensor
    evaluation: Tensor


def split(labels: Tensor, *, train_size: int | None, eval_size: int, seed: int) -> Split:
    """Split training files into images to train on and images to evaluate on.

    Each class is shuffled by `seed`, and all images are put into one order by taking the classes in turn. The first
    `eval_size` images are held out; the next `train_size` are the training subset. Both are therefore class-balanced to
    within one image, a smaller subset is part of every larger one, and the run's own seed changes nothing.

    Args:
        labels: (images,) class of each image.
        train_size: images to train on; None: all that are not held out.
        eval_size: images held out.
        seed: `data.split_seed`.

    Raises:
        InputError: there are fewer images than asked for.
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


def permuted(labels: Tensor, seed: int) -> Tensor:
    """Return the labels of training images in a random order, which can be memorized but not learned.

    As in Zhang et al. 2017, "Understanding deep learning requires rethinking generalization". Each class keeps its
    number of images. The order depends on nothing but `seed` (`data.split_seed`) and the number of images.
    """
    order = np.random.default_rng((seed, RANDOM_LABELS)).permutation(len(labels))
    return labels[torch.from_numpy(order)]


def _turn_within_class(labels: Tensor) -> Tensor:
    """Return each image's place when classes take turns: its number within its class * classes + its class."""
    classes, inverse = torch.unique(labels, return_inverse=True)
    turn = torch.empty(len(labels), dtype=torch.long)
    for place in range(len(classes)):
        members = (inverse == place).nonzero()[:, 0]
        turn[members] = torch.arange(len(members)) * len(classes) + place
    return turn
