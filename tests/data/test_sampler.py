"""The order of batches depends only on seed, epoch and position, so that a resume continues it exactly."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from coatlab.data.sampler import EpochBatches


def indices(sampler: EpochBatches) -> list[list[int]]:
    return [batch.tolist() for _, batch in sampler]


@given(st.integers(1, 100), st.integers(1, 20), st.integers(0, 2**20), st.integers(0, 50), st.data())
def test_starting_in_the_middle_is_the_rest_of_the_epoch(
    size: int, batch_size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    whole, resumed = EpochBatches(size, batch_size, seed), EpochBatches(size, batch_size, seed)
    whole.set_epoch(epoch)
    start = data.draw(st.integers(0, len(whole)))
    resumed.start_at(epoch, start)
    full = indices(whole)
    assert indices(resumed) == full[start:]
    assert len(full) == len(whole) == size // batch_size
    flat = [index for batch in full for index in batch]
    assert len(set(flat)) == len(flat) == len(whole) * batch_size
    assert indices(resumed) == full  # only the first epoch after a resume is shorter


def test_epochs_and_seeds_differ_and_no_global_random_state_is_touched() -> None:
    sampler = EpochBatches(100, 10, seed=0)
    state = torch.random.get_rng_state()
    first = indices(sampler)
    sampler.set_epoch(1)
    assert first != indices(sampler)
    assert first != indices(EpochBatches(100, 10, seed=1))
    assert [epoch for epoch, _ in sampler] == [1] * 10
    assert torch.equal(state, torch.random.get_rng_state())
