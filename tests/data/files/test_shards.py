"""An index of shards has the same samples as webdataset's own reader, by number."""

from pathlib import Path

import numpy as np
import pytest
import webdataset
from webdataset import ShardWriter

from coatlab.config.compose import compose, resolve
from coatlab.data.files.shards import Shards, catalog, index
from coatlab.errors import InputError
from tests.data.image_files import cut, encoded, of_class, write_shards


@pytest.fixture(autouse=True)
def forget_earlier_calls() -> None:
    index.cache_clear()


def read_by_webdataset(paths: list[Path]) -> list[tuple[bytes, int]]:
    stream = webdataset.WebDataset([str(path) for path in paths], shardshuffle=False, empty_check=False)
    return [(sample.get("jpg") or sample["png"], int(sample["cls"])) for sample in stream]


def read(shards: Shards) -> list[tuple[bytes, int]]:
    return [(shards.read(number), int(label)) for number, label in enumerate(shards.labels)]


def test_samples_are_those_of_webdataset(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "train-%03d.tar"), each=16)
    shards, _ = index(tmp_path, "train-{000..002}.tar", tmp_path / "cache")
    assert len(shards.labels) == 64
    assert read(shards) == read_by_webdataset(list(shards.paths))
    assert shards.name(30) == f"{tmp_path / 'train-001.tar'}:00030.png"
    by_wildcard, _ = index(tmp_path, "train-*.tar", tmp_path / "cache")
    assert by_wildcard.paths == shards.paths


def test_the_index_is_kept_and_a_damaged_one_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(str(tmp_path / "%03d.tar"), each=8)
    first, content = index(tmp_path, "*.tar", tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "shards").iterdir()
    assert kept.stem == content
    with monkeypatch.context() as patch:
        patch.setattr("coatlab.data.files.shards._index", lambda paths: pytest.fail("indexed again"))
        index.cache_clear()
        assert read(index(tmp_path, "*.tar", tmp_path / "cache")[0]) == read(first)
    cut(kept)
    index.cache_clear()
    assert read(index(tmp_path, "*.tar", tmp_path / "cache")[0]) == read(first)
    index.cache_clear()
    assert np.load(kept)["labels"].tolist() == first.labels.tolist()


def test_different_shards_have_different_hashes(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "a-%03d.tar"), each=8)
    write_shards(str(tmp_path / "b-%03d.tar"), each=9)
    hashes = {index(tmp_path, pattern, tmp_path / "cache")[1] for pattern in ("a-*.tar", "b-*.tar", "*.tar")}
    assert len(hashes) == 3


def test_a_shard_that_ends_too_early_is_named_and_its_whole_images_are_used(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "%03d.tar"), each=16)
    whole = read(index(tmp_path, "*.tar", tmp_path / "cache")[0])
    cut(tmp_path / "001.tar")
    index.cache_clear()
    shards, _ = index(tmp_path, "*.tar", tmp_path / "cache")
    assert shards.broken == (str(tmp_path / "001.tar"),)
    rest = read(shards)
    assert set(rest) < set(whole)
    assert rest[:25] == whole[:25]
    assert rest[-14:] == whole[-14:]
    assert 25 + 14 < len(rest) < 64


def test_the_config_gets_classes_and_hash(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "train-%03d.tar"), each=8)
    write_shards(str(tmp_path / "val-%03d.tar"), each=2, skip=8)
    words = ["data=webdataset", f"data.root={tmp_path}", "data.shards=train-*.tar", f"data.cache={tmp_path}/cache"]
    alone = catalog(resolve(compose(words))["data"])
    assert alone == {"num_classes": 4, "content": index(tmp_path, "train-*.tar", tmp_path / "cache")[1]}
    both = catalog(resolve(compose([*words, "data.test_shards=val-*.tar"]))["data"])
    assert both["content"].startswith(alone["content"])
    assert both["content"] != alone["content"]
    with pytest.raises(InputError, match=r"data.num_classes=3, but the shards have the class 3"):
        catalog(resolve(compose([*words, "data.num_classes=3"]))["data"])


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data=webdataset needs data.root"):
        catalog(resolve(compose(["data=webdataset"]))["data"])
    with pytest.raises(InputError, match=r"data=webdataset needs data.shards: .*train-\{0000..0146\}.tar"):
        catalog(resolve(compose(["data=webdataset", f"data.root={tmp_path}"]))["data"])
    with pytest.raises(InputError, match=r"there is no file .*b-01.tar"):
        index(tmp_path, "b-{01..03}.tar", tmp_path)
    (tmp_path / "x.tar").write_bytes(b"no archive" * 200)
    with pytest.raises(InputError, match=r"x.tar cannot be read as a tar file"):
        index(tmp_path, "x.tar", tmp_path)
    for name, label, reason in (("y", {}, "no class for its sample 0"), ("z", {"cls": "cat"}, "0.cls is not a class")):
        with ShardWriter(str(tmp_path / f"{name}%d.tar"), verbose=0) as writer:
            writer.write({"__key__": "0", "jpg": encoded(of_class(0, 1)[0], "JPEG"), **label})
        with pytest.raises(InputError, match=reason):
            index(tmp_path, f"{name}0.tar", tmp_path)
