"""Subsets are nested, no image is both trained on and evaluated, and no part lacks a class."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from coatlab.data.in_memory import InMemoryData
from coatlab.data.splits import Split, check_parts, split
from coatlab.errors import InputError


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, dict[str, int]]:
    """Draw labels with classes of very different sizes, and sizes of parts that can have all of them."""
    counts = draw(st.lists(st.one_of(st.integers(3, 6), st.integers(3, 90)), min_size=1, max_size=6))
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(draw(st.integers(0, 9))))]
    room, classes = sum(counts), len(counts)
    test = draw(st.integers(classes, room - 2 * classes))
    held = draw(st.integers(classes, room - test - classes))
    return labels, {"test_size": test, "eval_size": held, "seed": draw(st.integers(0, 3))}


def counts_of(labels: Tensor, part: Tensor) -> Tensor:
    return labels[part].bincount(minlength=int(labels.max()) + 1)


@given(cases(), st.data())
def test_every_part_has_every_class_and_parts_are_apart_and_nested(
    case: tuple[Tensor, dict[str, int]], data: st.DataObject
) -> None:
    labels, sizes = case
    everything = split(labels, train_size=None, **sizes)
    assert (len(everything.test), len(everything.evaluation)) == (sizes["test_size"], sizes["eval_size"])
    together = torch.cat([everything.train, everything.evaluation, everything.test])
    assert torch.equal(together.sort().values, torch.arange(len(labels)))
    size = data.draw(st.integers(len(labels.unique()), len(everything.train)))
    small = split(labels, train_size=size, **sizes)
    assert torch.equal(everything.train[:size], small.train)
    assert torch.equal(everything.evaluation, small.evaluation)
    for part in (small.train, everything.train, everything.evaluation, everything.test):
        assert counts_of(labels, part).min() >= 1


@given(cases())
def test_what_is_held_out_is_in_proportion(case: tuple[Tensor, dict[str, int]]) -> None:
    """No class has a larger share than another by more than one image, unless the other has no more to give."""
    labels, sizes = case
    part = split(labels, train_size=None, **sizes)
    whole = labels.bincount()
    for held, there, kept in ((part.test, whole, 2), (part.evaluation, whole - counts_of(labels, part.test), 1)):
        taken = counts_of(labels, held)
        for other in (taken < there - kept).nonzero()[:, 0]:
            assert ((taken - 1) * there[other] <= taken[other] * there).all()


def test_a_rare_class_is_in_every_part() -> None:
    labels = torch.tensor([0] * 300 + [1] * 12)
    part = split(labels, train_size=None, eval_size=40, test_size=40, seed=0)
    counts = [counts_of(labels, one).tolist() for one in (part.train, part.evaluation, part.test)]
    assert counts == [[224, 8], [38, 2], [38, 2]]
    assert counts_of(labels, split(labels, train_size=20, eval_size=40, seed=0).train).tolist() == [19, 1]
    one_in_a_thousand = torch.tensor([0] * 2997 + [1] * 3)
    part = split(one_in_a_thousand, train_size=None, eval_size=40, test_size=1000, seed=0)
    assert [int(counts_of(one_in_a_thousand, one)[1]) for one in (part.train, part.evaluation, part.test)] == [1, 1, 1]


def in_turn(labels: Tensor, train_size: int | None, eval_size: int, test_size: int, seed: int) -> Split:
    """Split as a plain loop does in which classes take turns: first the test images, then evaluation, then training."""
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist()
    queues = [[index for index in shuffled if labels[index] == label] for label in labels.unique().tolist()]
    order = torch.tensor([queue[turn] for turn in range(len(queues[0])) for queue in queues])
    test, held, train = order.tensor_split([test_size, test_size + eval_size])
    return Split(train[:train_size], held, test)


@given(st.integers(2, 7), st.integers(9, 20), st.integers(0, 3), st.data())
def test_classes_of_the_same_size_take_turns(classes: int, each: int, seed: int, data: st.DataObject) -> None:
    labels = torch.arange(classes).repeat(each)[torch.randperm(classes * each)]
    sizes = [data.draw(st.integers(classes, 2 * classes)) for _ in ("train", "eval", "test")]
    ours = split(labels, train_size=sizes[0], eval_size=sizes[1], test_size=sizes[2], seed=seed)
    plain = in_turn(labels, *sizes, seed)
    for name in ("train", "evaluation", "test"):
        assert torch.equal(getattr(ours, name), getattr(plain, name))


@pytest.mark.parametrize(
    ("sizes", "sha256"),
    [
        ({"train_size": None, "eval_size": 5000, "seed": 0}, "933dc550b7b50d3b"),
        ({"train_size": 1000, "eval_size": 2000, "seed": 3}, "7694af0fffbb7d96"),
        ({"train_size": 997, "eval_size": 1234, "seed": 1}, "ecba60c63770e3b9"),
    ],
)
def test_the_split_of_fashion_mnist_stays_as_it_is(sizes: dict, sha256: str) -> None:
    data = make_data(resolve(compose(["data=fashion_mnist"])))
    assert isinstance(data, InMemoryData)
    part = split(data.load().train_labels, **sizes)
    order = torch.cat([part.train, part.evaluation]).numpy().astype(np.dtype("<i8"))
    assert hashlib.sha256(order.tobytes()).hexdigest()[:16] == sha256


def test_the_seed_chooses_the_images() -> None:
    labels = torch.arange(10).repeat(20)
    first, again, other = (split(labels, train_size=50, eval_size=20, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)


@pytest.mark.parametrize(
    ("images", "sizes", "sentence"),
    [
        ({"a": 100}, {"train_size": 91, "eval_size": 10}, r"data.train_size=91 is more than there are; at most 90"),
        ({"a": 100}, {"eval_size": 100}, r"data.eval_size=100 leaves no training image; there are 100"),
        (
            {"a": 90, "owl": 2},
            {"eval_size": 9, "test_size": 9},
            r"too few images of the class owl \(2\).*which takes 3",
        ),
        (
            {"a": 90, "owl": 1},
            {"eval_size": 9},
            r"owl \(1\): each of training, evaluation needs one of all, which takes 2",
        ),
        (dict.fromkeys("abcde", 1) | {"f": 90}, {"eval_size": 9}, r"a \(1\), b \(1\), c \(1\) and 2 more"),
        ({"a": 50, "b": 50}, {"eval_size": 1}, r"data.eval_size=1 is less than one image for each of the 2 classes"),
        ({"a": 50, "b": 50}, {"eval_size": 9, "test_size": 1}, r"data.test_size=1 is less than one image for each"),
        ({"a": 50, "b": 50}, {"eval_size": 9, "train_size": 1}, r"data.train_size=1 is less than one image for each"),
        (
            {"a": 50, "b": 50},
            {"eval_size": 99},
            r"data.eval_size=99 leaves 1 images to train on, less than one for each",
        ),
    ],
)
def test_a_part_that_would_lack_a_class_is_refused(images: dict, sizes: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_parts(images, **{"train_size": None, **sizes})
    labels = torch.arange(len(images)).repeat_interleave(torch.tensor(list(images.values())))
    with pytest.raises(InputError, match=sentence):
        split(labels, seed=0, names=list(images), **{"train_size": None, **sizes})
