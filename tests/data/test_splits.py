"""Subsets are nested and balanced, and no image is both trained on and evaluated."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coatlab.data.splits import split
from coatlab.errors import InputError

LABELS = st.lists(st.integers(0, 4), min_size=10, max_size=200).map(torch.tensor)


@given(LABELS, st.integers(1, 5), st.integers(0, 3), st.data())
def test_subsets_are_nested_and_apart_from_evaluation(
    labels: torch.Tensor, eval_size: int, seed: int, data: st.DataObject
) -> None:
    sizes = sorted(data.draw(st.lists(st.integers(1, len(labels) - eval_size), min_size=2, max_size=2)))
    small, large = (split(labels, train_size=size, eval_size=eval_size, seed=seed) for size in sizes)
    everything = split(labels, train_size=None, eval_size=eval_size, seed=seed)
    assert [len(small.train), len(large.train)] == sizes
    assert torch.equal(large.train[: sizes[0]], small.train)
    assert torch.equal(small.evaluation, everything.evaluation)
    assert len(everything.evaluation) == eval_size
    together = torch.cat([everything.train, everything.evaluation])
    assert torch.equal(together.sort().values, torch.arange(len(labels)))


@given(st.integers(2, 7), st.integers(10, 20), st.integers(0, 3), st.data())
def test_classes_are_balanced(classes: int, each: int, seed: int, data: st.DataObject) -> None:
    labels = torch.arange(classes).repeat(each)[torch.randperm(classes * each)]
    size = data.draw(st.integers(1, classes * (each - 1)))
    part = split(labels, train_size=size, eval_size=classes, seed=seed)
    counts = labels[part.train].bincount(minlength=classes)
    assert counts.max() - counts.min() <= 1
    assert torch.equal(labels[part.evaluation].bincount(minlength=classes), torch.ones(classes, dtype=torch.long))


def test_the_seed_chooses_the_images() -> None:
    labels = torch.arange(10).repeat(20)
    first, again, other = (split(labels, train_size=50, eval_size=20, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)


@pytest.mark.parametrize(
    ("train_size", "eval_size", "key"), [(91, 10, "data.train_size=91"), (None, 100, "data.eval_size=100")]
)
def test_more_than_there_are_is_refused(train_size: int | None, eval_size: int, key: str) -> None:
    with pytest.raises(InputError, match=key):
        split(torch.zeros(100, dtype=torch.long), train_size=train_size, eval_size=eval_size, seed=0)
