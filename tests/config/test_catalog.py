"""Data are listed before a run is named, and only where their config says how; tests/data/files has the catalogs."""

from pathlib import Path

import pytest

from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError
from tests.data.image_files import write_folders


def test_data_without_a_catalog_stay_as_they_are() -> None:
    config = resolve(compose(["data.root=/nowhere"]))
    assert with_content(config) == config


def test_what_is_there_is_filled_in(tmp_path: Path) -> None:
    write_folders(tmp_path / "pictures", each=3)
    config = resolve(compose(["data=folder", f"data.root={tmp_path}/pictures", "data.eval_size=4", "data.test_size=4"]))
    filled = with_content(config)
    changed = {key for key, value in filled["data"].items() if value != config["data"][key]}
    assert changed == {"num_classes", "content"}
    assert {**filled, "data": None} == {**config, "data": None}


@pytest.mark.parametrize("word", ["data.root=5", "data.name=a/b", "data.num_classes=1"])
def test_bad_settings_are_refused_before_any_file_is_looked_for(word: str) -> None:
    with pytest.raises(InputError, match=f"^{word} is not valid"):
        with_content(resolve(compose(["data=folder", word])))


def test_a_class_that_is_too_small_for_the_parts_is_refused_before_the_run_is_named(tmp_path: Path) -> None:
    for path in write_folders(tmp_path, each=3)[:1]:
        path.unlink()
    words = ["data=folder", f"data.root={tmp_path}", "data.eval_size=4", "data.test_size=4"]
    with pytest.raises(InputError, match=r"too few images of the class class_0 \(2\)"):
        with_content(resolve(compose(words)))
