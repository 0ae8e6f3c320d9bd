"""Seeded splits of the training files: images held out, and nested training subsets. No part lacks a class.

Every part has the classes in proportion to the files, by Adams' rule: the next place of a part goes to the class with
the smallest share of its images placed so far. No class is left without a place before every class has one. Where all
classes have as many images, they simply take turns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coatlab.errors import InputError

if TYPE_CHECKING:  # a sweep checks its parts without torch, which takes seconds to import
    from torch import Tensor

RANDOM_LABELS = 1  # keeps their random numbers apart from others of the same seed
NAMED = 3  # classes that are too small which a message lists at most
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Indices into the training files: `train`, in the order in which subsets grow, and what is held out of them."""

    train: "Tensor"
    evaluation: "Tensor"
    test: "Tensor"


def split(
    labels: "Tensor",
    *,
    train_size: int | None,
    eval_size: int,
    seed: int,
    test_size: int = 0,
    names: Sequence[str] | None = None,
) -> Split:
    """Split training files into images to train on, to evaluate on and to test on.

    Each class is shuffled by `seed`. Test images are taken first, then those for evaluation; the next `train_size` are
    the training subset. A smaller subset is part of every larger one, and the run's own seed changes nothing.

    Args:
        labels: (images,) class of each image.
        train_size: images to train on; None: all that are not held out.
        eval_size, test_size: images held out for evaluation and for the test; 0: that part is not made.
        seed: `data.split_seed`.
        names: of the classes, for messages; None: their numbers.

    Raises:
        InputError: as `check_parts`.
    """
    import torch

    classes, counts = torch.unique(labels, return_counts=True)
    named = [str(label) if names is None else names[label] for label in classes.tolist()]
    images = dict(zip(named, counts.tolist(), strict=True))
    check_parts(images, train_size=train_size, eval_size=eval_size, test_size=test_size)
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    left = torch.searchsorted(classes, labels[shuffled]).numpy()
    rest, parts = shuffled.numpy(), []
    later = (test_size > 0) + (eval_size > 0)
    for size in (test_size, eval_size):
        later -= size > 0
        order = _in_proportion(left, keep=later + 1)[:size]
        parts.append(rest[order])
        rest, left = np.delete(rest, order), np.delete(left, order)
    train = rest[_in_proportion(left)][:train_size]
    test, evaluation, training = (torch.from_numpy(part) for part in (*parts, train))
    return Split(training, evaluation, test)


def check_parts(images: Mapping[str, int], *, train_size: int | None, eval_size: int, test_size: int = 0) -> None:
    """Check that every part can have at least one image of each class.

    Args:
        images: how many there are of each class.
        train_size, eval_size, test_size: as in `split`.

    Raises:
        InputError: one sentence that names the part that is too small or too large, or the class that is too small.
    """
    sizes = {key: size for key, size in {"data.eval_size": eval_size, "data.test_size": test_size}.items() if size}
    total = sum(images.values())
    left = total - sum(sizes.values())
    held = [name for name, size in (("evaluation", eval_size), ("test", test_size)) if size]
    words = " ".join(f"{key}={size}" for key, size in sizes.items())
    if left < 1:
        raise InputError(f"{words} leaves no training image; there are {total} in the training files")
    if train_size is not None and train_size > left:
        raise InputError(f"data.train_size={train_size} is more than there are; at most {left} with {words}")
    few = {name: count for name, count in images.items() if count <= len(sizes)}
    if few:
        small = ", ".join(f"{name} ({count})" for name, count in list(few.items())[:NAMED])
        more = f" and {len(few) - NAMED} more" if len(few) > NAMED else ""
        raise InputError(
            f"too few images of the class {small}{more}: each of training, {', '.join(held)} needs one of all, "
            f"which takes {len(sizes) + 1}; add images, or take the class out"
        )
    if train_size is None and left < len(images):
        raise InputError(
            f"{words} leaves {left} images to train on, less than one for each of the {len(images)} classes"
        )
    for key, size in {**sizes, "data.train_size": train_size or left}.items():
        if size < len(images):
            raise InputError(f"{key}={size} is less than one image for each of the {len(images)} classes")


def permuted(labels: "Tensor", seed: int) -> "Tensor":
    """Return the labels of training images in a random order, which can be memorized but not learned.

    As in Zhang et al. 2017, "Understanding deep learning requires rethinking generalization". Each class keeps its
    number of images. The order depends on nothing but `seed` (`data.split_seed`) and the number of images.
    """
    import torch

    order = np.random.default_rng((seed, RANDOM_LABELS)).permutation(len(labels))
    return labels[torch.from_numpy(order)]


def _in_proportion(labels: Indices, keep: int = 0) -> Indices:
    """Return the order in which images are taken, for labels in shuffled order.

    Args:
        labels: (images,) numbers of classes from 0.
        keep: how many images of each class are not taken.
    """
    counts = np.bincount(labels)
    by_class = np.argsort(labels, kind="stable")
    place = np.empty(len(labels), dtype=np.int64)  # of an image within its class
    place[by_class] = np.arange(len(labels)) - (np.cumsum(counts) - counts)[labels[by_class]]
    own = counts[labels]
    order = np.lexsort((labels, -own, place / own))  # by share; ties: the larger class first, then the lower number
    return order[place[order] < own[order] - keep]
