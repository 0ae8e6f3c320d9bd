"""Which image a sample has is never guessed: what is not plain is named; every member of a shard is accounted for."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from coatlab.data.files.samples import read_shard
from coatlab.errors import InputError
from tests.data.image_files import encoded, of_class

JPEG = encoded(of_class(0, 1)[0], "JPEG")
Member = str | tuple[str, bytes] | tarfile.TarInfo


def write(path: Path, members: Sequence[Member], kind: int = tarfile.GNU_FORMAT) -> Path:
    """Write a shard: images get real bytes, and a class is the number of its member."""
    with tarfile.open(path, "w", format=kind) as tar:
        for number, member in enumerate(members):
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            name, content = (member, None) if isinstance(member, str) else member
            if content is None:
                content = b"%d" % number if name.lower().endswith(".cls") else JPEG
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = ["9.jpg", "9.cls"]


@pytest.mark.parametrize(
    ("members", "labels", "aside"),
    [
        (["0.jpg", "0.mask.png", "0.cls"], {"0": 2}, {"mask.png": 1}),
        (["0.mask.png", "0.jpg", "0.cls"], {"0": 2}, {"mask.png": 1}),
        (
            ["0.depth.tiff", "0.seg.png", "0.cls", "0.png", "0.json"],
            {"0": 2},
            {"depth.tiff": 1, "seg.png": 1, "json": 1},
        ),
        (["0.left.jpg", "0.cls"], {"0": 1}, {}),
        (["0.JPG", "0.CLS", "1.cls", "1.Png"], {"0": 1, "1": 2}, {}),
        (["a/0.jpg", "a/0.cls", "b/0.jpg", "b/0.cls"], {"a/0": 1, "b/0": 3}, {}),
        (["README", ".hidden.jpg", "about.txt", "0.jpg", "0.cls"], {"0": 4}, {"without a key": 2, "txt": 1}),
        ([odd("a", tarfile.DIRTYPE), "a/0.jpg", "a/0.cls"], {"a/0": 2}, {}),
        ([("0.jpg", JPEG), ("0.cls", b" 7\n")], {"0": 7}, {}),
    ],
)
def test_the_plain_image_is_taken_and_the_rest_is_counted(
    tmp_path: Path, members: list[Member], labels: dict[str, int], aside: dict[str, int]
) -> None:
    shard = read_shard(write(tmp_path / "x.tar", members))
    assert {key: sample.label for key, sample in shard.samples.items()} == labels
    assert shard.aside == aside
    assert (shard.faults, shard.broken) == ({}, "")
    content = (tmp_path / "x.tar").read_bytes()
    assert all(content[one.offset : one.offset + one.size] == JPEG for one in shard.samples.values())


@pytest.mark.parametrize(
    ("members", "key", "reason"),
    [
        (["0.jpg", "0.png", "0.cls"], "0", "has several images (jpg, png); a key ends at the first dot"),
        (["0.left.jpg", "0.right.jpg", "0.cls"], "0", "has several images (left.jpg, right.jpg)"),
        (
            ["a.1.jpg", "a.1.cls", "a.2.jpg", "a.2.cls"],
            "a",
            "a key ends at the first dot, so a.1.cls is one of its files",
        ),
        (["0.jpg", "0.cls", "0.jpg", "0.cls"], "0", "has two files jpg: its key comes twice"),
        (["0.jpg", "0.cls", "1.jpg", "1.cls", "0.jpg", "0.cls"], "0", "comes twice: its files do not stand together"),
        (["0.jpg", "1.jpg", "0.cls", "1.cls"], "0", "comes twice: its files do not stand together"),
        (["0.jpg"], "0", "has no class: 0.cls must hold a number"),
        (["v1.2.jpg", "v1.2.cls"], "v1", "has no class: v1.cls must hold a number; a key ends at the first dot"),
        (["0.heic", "0.cls"], "0", "has no image, only heic, cls"),
        (["0.cls"], "0", "has no image, only cls"),
        (["0.jpg", ("0.cls", b"cat")], "0", "has the class b'cat'; it must be a whole number"),
        (["0.jpg", ("0.cls", b"-1")], "0", "has the class b'-1'"),
        (["0.jpg", ("0.cls", b"")], "0", "has the class b''"),
        (["0.jpg", ("0.cls", b"9" * 40)], "0", "has the class b'9999"),
        ([("0.jpg", b""), "0.cls"], "0", "has an empty image"),
        ([odd("0.jpg", tarfile.SYMTYPE, "9.jpg"), "0.cls"], "0", "has no content of its own for jpg: it is a link"),
        ([odd("0.jpg", tarfile.LNKTYPE, "9.jpg"), "0.cls"], "0", "has no content of its own for jpg: it is a link"),
        ([odd("0.jpg", tarfile.FIFOTYPE), "0.cls"], "0", "has no content of its own for jpg"),
    ],
)
def test_what_is_not_plain_is_a_fault(tmp_path: Path, members: list[Member], key: str, reason: str) -> None:
    shard = read_shard(write(tmp_path / "x.tar", [*GOOD, *members, "8.jpg", "8.cls"]))
    assert reason in shard.faults[key]
    assert {"9", "8"} <= set(shard.samples)
    assert key not in shard.samples


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_members_of_every_tar_format_are_found(tmp_path: Path, kind: int) -> None:
    long = "d" * 90 if kind == tarfile.USTAR_FORMAT else "d" * 150
    names = [f"{long}/{number}画" if kind != tarfile.USTAR_FORMAT else f"{long}/{number}" for number in range(3)]
    members = [f"{name}.{ending}" for name in names for ending in ("jpg", "cls")]
    shard = read_shard(write(tmp_path / "x.tar", members, kind))
    assert list(shard.samples) == names
    content = (tmp_path / "x.tar").read_bytes()
    assert all(content[one.offset : one.offset + one.size] == JPEG for one in shard.samples.values())


def cuts(path: Path) -> list[int]:
    """Return where a shard can be cut between two members."""
    with tarfile.open(path) as tar:
        return [member.offset for member in tar][1:]


def test_a_cut_anywhere_is_noticed_and_leaves_the_whole_samples_before_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", [f"{n}.{ending}" for n in range(4) for ending in ("jpg", "cls")])
    content, whole = path.read_bytes(), read_shard(path)
    ends = [one.offset + -(-one.size // 512) * 512 + 1024 for one in whole.samples.values()]  # of the class behind it
    last = ends[-1]
    for length in [*cuts(path)[2:], *range(ends[0], last + 1, 333), last, last + 100, last + 511]:
        path.write_bytes(content[:length])
        shard = read_shard(path)
        assert shard.broken == "ends too early", length
        assert shard.faults == {}
        assert len(shard.samples) in (sum(end <= length for end in ends), sum(end - 511 <= length for end in ends))
    path.write_bytes(content[: last + 512])  # one block of zeros: some writers leave the second one out
    assert read_shard(path).broken == ""


def test_a_damaged_header_or_a_second_archive_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", [f"{n}.{ending}" for n in range(4) for ending in ("jpg", "cls")])
    content, at = path.read_bytes(), cuts(path)[3]
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    shard = read_shard(path)
    assert shard.broken == f"is damaged at byte {at}, and what follows cannot be read"
    assert (list(shard.samples), shard.faults) == (["0", "1"][: len(shard.samples)], {})
    path.write_bytes(content + content)
    assert read_shard(path).broken == "has more after its end, such as a second archive"
    assert len(read_shard(path).samples) == 4
    path.write_bytes(content + bytes(3 * 2**20))
    assert read_shard(path).broken == ""


def test_what_is_no_shard_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"x.tar has no sample that can be used: 0 has no class.*, 5 has no class.* and 2 more"
    ):
        read_shard(write(tmp_path / "x.tar", [f"{number}.jpg" for number in (0, *range(5, 11))]))
    for content, sentence in ((b"", "cannot be read as a tar file"), (bytes(10240), "has no sample that can be used")):
        (tmp_path / "x.tar").write_bytes(content)
        with pytest.raises(InputError, match=f"x.tar {sentence}"):
            read_shard(tmp_path / "x.tar")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_shard(tmp_path)


@pytest.mark.parametrize(
    ("pack", "kind"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")], ids=["gz", "bz2", "xz"]
)
def test_a_packed_shard_is_named_as_one(pack: Callable[[bytes], bytes], kind: str, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.tar", GOOD)
    (tmp_path / "a.tar").write_bytes(pack(plain.read_bytes()))
    with pytest.raises(InputError, match=rf"a\.tar is packed \({kind}\); unpack it to a plain tar file"):
        read_shard(tmp_path / "a.tar")
