"""An index of shards has the same samples as webdataset's own reader, by number."""

import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import webdataset
from webdataset import TarWriter

from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.data.files.faults import Fault
from coatlab.data.files.shards import Shards, catalog, index, said_aside
from coatlab.data.image_data import make_data
from coatlab.errors import InputError
from tests.data.image_files import cut, encoded, of_class, write_shards

WORDS = ["data=webdataset", "data.eval_size=4", "data.test_size=4", "data.workers=0"]


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
    first, _ = index(tmp_path, "*.tar", tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "shards").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("coatlab.data.files.shards._index", lambda paths: pytest.fail("indexed again"))
        index.cache_clear()
        assert read(index(tmp_path, "*.tar", tmp_path / "cache")[0]) == read(first)
    cut(kept)
    index.cache_clear()
    assert read(index(tmp_path, "*.tar", tmp_path / "cache")[0]) == read(first)
    index.cache_clear()
    assert np.load(kept)["labels"].tolist() == first.labels.tolist()


def relabelled(shard: Path) -> None:
    """Write other labels into a shard, in the same places: it keeps its name and its size."""
    content = shard.read_bytes()
    with tarfile.open(shard) as tar:
        for member in tar:
            if member.name.endswith(".cls"):
                place = member.offset_data
                content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    shard.write_bytes(content)


def test_other_labels_of_the_same_length_are_read_and_make_another_experiment(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "%03d.tar"), each=16)
    first, content = index(tmp_path, "*.tar", tmp_path / "cache")
    shard = tmp_path / "001.tar"
    size = shard.stat().st_size
    relabelled(shard)
    assert shard.stat().st_size == size
    index.cache_clear()
    second, other = index(tmp_path, "*.tar", tmp_path / "cache")
    assert read(second) == read_by_webdataset(list(second.paths))
    assert second.labels.tolist() != first.labels.tolist()
    assert other != content


def test_the_index_of_other_shards_with_the_same_names_and_sizes_is_not_taken(tmp_path: Path) -> None:
    for place in ("one", "other"):
        (tmp_path / place).mkdir()
        write_shards(str(tmp_path / place / "%03d.tar"), each=16)
    for shard in (tmp_path / "other").iterdir():
        relabelled(shard)
    for shard in (tmp_path / "one").iterdir():
        os.utime(tmp_path / "other" / shard.name, ns=(shard.stat().st_atime_ns, shard.stat().st_mtime_ns))
    both = [index(tmp_path / place, "*.tar", tmp_path / "cache")[0] for place in ("one", "other")]
    assert [read(shards) for shards in both] == [read_by_webdataset(list(shards.paths)) for shards in both]


def test_shards_that_are_moved_are_the_same_experiment(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    write_shards(str(tmp_path / "one" / "%03d.tar"), each=16)
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    os.utime(tmp_path / "other" / "000.tar", (1, 1))
    assert len({index(tmp_path / place, "*.tar", tmp_path / "cache")[1] for place in ("one", "other")}) == 1


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
    assert shards.broken == (Fault(str(tmp_path / "001.tar"), "ends too early"),)
    rest = read(shards)
    assert set(rest) < set(whole)
    assert rest[:25] == whole[:25]
    assert rest[-14:] == whole[-14:]
    assert 25 + 14 < len(rest) < 64


def test_the_config_gets_classes_and_hash(tmp_path: Path) -> None:
    write_shards(str(tmp_path / "train-%03d.tar"), each=8)
    write_shards(str(tmp_path / "val-%03d.tar"), each=2, skip=8)
    words = [*WORDS, f"data.root={tmp_path}", "data.shards=train-*.tar", f"data.cache={tmp_path}/cache"]
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
    (tmp_path / "folder.tar").mkdir()
    with pytest.raises(InputError, match=r"folder.tar is not a file"):
        index(tmp_path, "*.tar", tmp_path)


def write(path: Path, labels: list[object], more: Sequence[dict[str, bytes]] = ()) -> Path:
    """Write a shard with an image for each class, and other samples."""
    image = encoded(of_class(0, 1)[0], "JPEG")
    with TarWriter(str(path)) as writer:
        for number, label in enumerate(labels):
            writer.write({"__key__": f"{number}", "jpg": image, "cls": label})
        for sample in more:
            writer.write({"__key__": f"x{id(sample)}", **sample})
    return path


def listed(root: Path, *words: str) -> dict[str, object]:
    index.cache_clear()
    return catalog(resolve(compose([*WORDS, f"data.root={root}", f"data.cache={root / 'cache'}", *words]))["data"])


@pytest.mark.parametrize("pattern", ["{a,a}.tar", "{a.tar,*.tar}", "?.tar"])
def test_a_shard_that_is_named_twice_is_refused(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "a.tar", [0, 1] * 5)
    if pattern == "?.tar":
        (tmp_path / "b.tar").symlink_to("a.tar")
    with pytest.raises(InputError, match=r".\.tar is the same file as .*a\.tar; name every shard once"):
        listed(tmp_path, f"data.shards='{pattern}'")


@pytest.mark.parametrize("pattern", ["?.tar", "b.tar"])
def test_a_shard_that_is_trained_on_and_tested_on_is_refused(pattern: str, tmp_path: Path) -> None:
    write(tmp_path / "a.tar", [0, 1] * 5)
    write(tmp_path / "b.tar", [0, 1] * 5)
    with pytest.raises(InputError, match=r"data.test_shards: .*b\.tar is the same file as .*b\.tar"):
        listed(tmp_path, f"data.shards={pattern}", "data.test_shards=b.tar")


def test_a_copy_of_a_shard_is_refused_but_not_a_shard_that_is_alike(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", [0, 1] * 5)
    alike = bytearray((tmp_path / "a.tar").read_bytes())
    alike[1000] ^= 1  # in the pixels of the first image
    (tmp_path / "b.tar").write_bytes(alike)
    assert listed(tmp_path, "data.shards=?.tar")["num_classes"] == 2
    shutil.copy(tmp_path / "b.tar", tmp_path / "c.tar")
    for words in (["data.shards=?.tar"], ["data.shards='{a,b}.tar'", "data.test_shards=c.tar"]):
        with pytest.raises(InputError, match=r"/c\.tar is a copy of .*/b\.tar; name every shard once"):
            listed(tmp_path, *words)


def test_samples_that_cannot_be_used_are_named_or_counted(tmp_path: Path) -> None:
    image = encoded(of_class(0, 1)[0], "JPEG")
    write(tmp_path / "a.tar", [0, 1] * 8, [{"jpg": image}, {"jpg": image, "png": image, "cls": b"1"}])
    with pytest.raises(InputError, match=r"a.tar:x\d+ has no class: .*, .* has several images \(jpg, png\).*=skip$"):
        listed(tmp_path, "data.shards=a.tar")
    words = [
        *WORDS,
        "data.on_corrupt=skip",
        "data.shards=a.tar",
        f"data.root={tmp_path}",
        f"data.cache={tmp_path}/cache",
    ]
    for _ in range(2):  # from the shards, and then from the cache
        index.cache_clear()
        data = make_data(with_content(resolve(compose([*words, "data.train_size=4", "data.batch_size=4"]))))
        data.setup()
        facts = data.facts()
        assert facts["images"] == {"train": 16}
        assert facts["found"] == "16 images in 1 shards"
        assert facts["corrupt"]["count"] == len(facts["corrupt"]["names"]) == 2


def test_masks_beside_images_are_left_aside_and_counted(tmp_path: Path) -> None:
    image = encoded(of_class(0, 1)[0], "JPEG")
    write(tmp_path / "a.tar", [0, 1] * 4, [{"jpg": image, "mask.png": image, "cls": b"1"} for _ in range(3)])
    assert dict(index(tmp_path, "a.tar", tmp_path / "cache")[0].aside) == {"mask.png": 3}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            [1, 2] * 8,
            "the shards have no image of class 0, and their largest class is 2; .* or give data.num_classes=3",
        ),
        ([0, 1, 7] * 8, "no image of class 2, and their largest class is 7"),
        ([0] * 8, "no image of class 1, and their largest class is 0"),
        ([0, 1, 10**17] * 8, "no image of class 2, and their largest class is 100000000000000000"),
        ([0, 0, 1] * 4 + [2], r"too few images of the class 2 \(1\)"),
    ],
)
def test_a_class_without_images_or_with_too_few_is_refused(tmp_path: Path, labels: list, sentence: str) -> None:
    write(tmp_path / "a.tar", labels)
    with pytest.raises(InputError, match=sentence):
        listed(tmp_path, "data.shards=a.tar")


def test_classes_that_are_asked_for_may_have_no_image_and_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", [1, 2] * 8)
    write(tmp_path / "b.tar", [1] * 3)
    write(tmp_path / "c.tar", [1, 3])
    words = ["data.shards=a.tar", "data.num_classes=9"]
    assert listed(tmp_path, *words, "data.test_shards=b.tar")["num_classes"] == 9
    both = [index(tmp_path, name, tmp_path / "cache")[0] for name in ("a.tar", "b.tar")]
    assert said_aside(both, 9) == [
        "classes without an image: 0, 3, 4, 5, 6 and 2 more",
        "classes without a test image: 0, 2, 3, 4, 5 and 3 more",
    ]
    with pytest.raises(InputError, match=r"the test shards have the class 3, which the training shards do not have"):
        listed(tmp_path, *words, "data.test_shards=c.tar")


def test_images_with_long_names_have_different_names(tmp_path: Path) -> None:
    image = encoded(of_class(0, 1)[0], "JPEG")
    names = [f"{'d' * 120}/{'e' * 90}{number}" for number in range(3)]
    with TarWriter(str(tmp_path / "a.tar")) as writer:
        for number, name in enumerate(names):
            writer.write({"__key__": name, "jpg": image, "cls": number})
    shards, _ = index(tmp_path, "a.tar", tmp_path / "cache")
    assert [shards.name(number) for number in range(3)] == [f"{tmp_path / 'a.tar'}:{name}.jpg" for name in names]
