"""A number of images is reached once, by the step with which they have been seen."""

from types import SimpleNamespace
from typing import cast

import lightning as L
from hypothesis import given
from hypothesis import strategies as st

from coatlab.training.callbacks.due import ends_evaluated, images_reached


def trainer(epoch: int, batches: int, window: int, size: int, epochs: int = 10) -> L.Trainer:
    data = SimpleNamespace(batch_size=size)
    facts = {"current_epoch": epoch, "num_training_batches": batches, "accumulate_grad_batches": window}
    return cast(L.Trainer, SimpleNamespace(**facts, datamodule=data, max_epochs=epochs))


@given(st.integers(1, 6), st.integers(1, 8), st.integers(1, 4), st.integers(1, 9), st.data())
def test_each_number_is_reached_by_one_step(
    epochs: int, batches: int, window: int, size: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, epochs * batches * size))
    reached = []
    for epoch in range(epochs):
        for first in range(0, batches, window):  # of the batches of an optimizer step
            seen = {
                images_reached(trainer(epoch, batches, window, size), batch, [number])
                for batch in range(first, min(first + window, batches))
            }
            assert len(seen) == 1
            reached += [images for images in seen if images]
    (images,) = reached
    assert number <= images < number + window * size


@given(st.integers(1, 12), st.integers(1, 12))
def test_the_last_epoch_is_always_evaluated(every: int, epochs: int) -> None:
    found = [epoch + 1 for epoch in range(epochs) if ends_evaluated(trainer(epoch, 1, 1, 1, epochs), every)]
    assert found == [epoch for epoch in range(1, epochs + 1) if epoch % every == 0 or epoch == epochs]
