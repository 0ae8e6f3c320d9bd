"""`data=webdataset` from the command line, on shards with a corrupt image and a shard that is cut off."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coatlab.data.sampler import EpochBatches
from tests.data.image_files import FEW, cut, write_shards
from tests.support.commandline import CommandLine


@pytest.mark.slow
def test_a_run_from_shards(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "train-%03d.tar"), each=30)
    write_shards(str(tmp_path / "val-%03d.tar"), each=5, skip=30)
    shard = tmp_path / "train-002.tar"
    content = shard.read_bytes()
    middle = content.index(b"IHDR") + 200  # in the pixels of a PNG
    shard.write_bytes(content[:middle] + b"\xff" * 40 + content[middle + 40 :])
    words = ["data=webdataset", f"data.root={tmp_path}", 'data.shards="train-{000..004}.tar"', "data.workers=1"]
    words += [*FEW, "data.train_size=null", "data.shards_at_once=2", "trainer.max_epochs=2", "tracker=none"]
    words += ["data.test_shards=val-*.tar", f"data.cache={tmp_path / 'cache'}"]
    line = CommandLine(tmp_path)
    stopped = line.run(*words)
    assert stopped.returncode == 1
    assert f"{shard}:" in stopped.stderr
    assert ".png cannot be decoded" in stopped.stderr
    cut(tmp_path / "train-004.tar")
    cut_off = line.run(*words)
    assert f"{tmp_path / 'train-004.tar'} ends too early; replace it" in cut_off.stderr
    line.runs = tmp_path / "skip"
    done = line.run(*words, "data.on_corrupt=skip", COATLAB_RUNS=str(line.runs))
    assert done.returncode == 0, done.stderr
    data = line.record()["data"]
    assert data["corrupt"]["count"] == 1
    assert data["broken_shards"] == [str(tmp_path / "train-004.tar")]
    assert 16 + 64 < data["images"]["train"] < 120
    assert data["images"]["test"] == 20


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 9), st.integers(0, 99), st.integers(0, 3))
def test_an_epoch_takes_every_image_once_a_few_shards_at_a_time(
    lengths: list[int], at_once: int, seed: int, epoch: int
) -> None:
    chunks = torch.tensor(lengths)
    sampler = EpochBatches(sum(lengths), 1, seed, chunks=chunks, at_once=at_once)
    sampler.set_epoch(epoch)
    order = [int(indices) for _, indices in sampler]
    assert sorted(order) == list(range(sum(lengths)))
    shard = torch.arange(len(lengths)).repeat_interleave(chunks)[order].tolist()
    first = {number: shard.index(number) for number in set(shard)}
    last = {number: len(shard) - 1 - shard[::-1].index(number) for number in set(shard)}
    for place in range(len(shard)):
        assert sum(first[number] <= place <= last[number] for number in first) <= at_once
