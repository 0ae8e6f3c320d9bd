"""ImageNet in torchvision's folder layout, with small pictures under real class names; missing files are named."""

from pathlib import Path

import pytest

from coatlab.config.compose import compose, resolve
from coatlab.data.files.class_folders import scan
from coatlab.data.image_data import make_data
from coatlab.errors import InputError
from tests.data.image_files import write_folders
from tests.support.commandline import CommandLine, last_of_each_key

WORDS = ["data=imagenet", "data.train_files=40", "data.val_files=8", "data.num_classes=4", "data.workers=0"]
WORDS += ["data.eval_size=4", "data.train_eval_size=4"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    scan.cache_clear()
    write_folders(tmp_path / "imagenet" / "train", each=10)
    write_folders(tmp_path / "imagenet" / "val", each=2, skip=10)
    for label, wnid in enumerate(("n01440764", "n01443537", "n01484850", "n01491361")):
        for part in ("train", "val"):
            (tmp_path / "imagenet" / part / f"class_{label}").rename(tmp_path / "imagenet" / part / wnid)
    return tmp_path / "imagenet"


def test_pictures_are_read_at_the_papers_size(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGENET_DIR", str(root))
    data = make_data(resolve(compose([*WORDS, "data.batch_size=2"])))
    data.setup()
    images, _labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert images.shape == (2, 3, 224, 224)
    assert data.facts()["images"] == {"train": 40, "test": 8}
    assert {int(label) for _, some in data.test_dataloader() for label in some} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.train_files=41"], r"imagenet/train has 40 images, not data.train_files=41"),
        (["data.val_files=9"], r"imagenet/val has 8 images, not data.val_files=9"),
        (["data.num_classes=5"], r"imagenet/train has 4 classes, not data.num_classes=5"),
    ],
)
def test_an_incomplete_copy_is_refused(root: Path, words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_data(resolve(compose(last_of_each_key([*WORDS, f"data.root={root}", *words])))).setup()


@pytest.mark.slow
def test_the_folder_that_was_looked_for_is_named(tmp_path: Path) -> None:
    done = CommandLine(tmp_path).run("data=imagenet", tiny=False, COATLAB_DATA=str(tmp_path / "data"), IMAGENET_DIR="")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (
        f"there is no folder {tmp_path / 'data' / 'imagenet' / 'train'}; set data.root or IMAGENET_DIR" in done.stderr
    )


@pytest.mark.slow
def test_the_papers_recipe_and_network_take_a_real_step(root: Path, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    words = [*WORDS, "recipe=in1k", "size=coatnet_0", f"data.root={root}", "data.batch_size=4", "data.train_size=4"]
    done = line.run(*words, "trainer.max_epochs=1", "trainer.log_every=1", "tracker=none", tiny=False)
    assert done.returncode == 0, done.stderr
    plan = done.stdout.partition("complete")[0]
    for said in (
        "24.2",
        "4141.",
        "imagenet: 4 of 4 classes, 224 pixels",
        "(0.001 is for a batch of 4096)",
        "MixUp 0.8",
    ):
        assert said in plan, plan
    record = line.record()
    assert record["final"]["step"] == 1
    assert record["recipe"]["lr"] == 1e-3 * 4 / 4096
    assert record["data"]["images"] == {"train": 40, "test": 8}
