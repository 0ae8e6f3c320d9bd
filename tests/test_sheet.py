"""A contact sheet shows what a network will see, one row per class."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from coatlab.errors import InputError
from coatlab.sheet import AT_ONCE, contact_sheet, main
from tests.data.test_fashion_mnist import source

SIZES = ["data.num_classes=10", "data.train_size=200", "data.eval_size=100", "data.test_size=10"]


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fractals", *SIZES, f"data.cache={tmp_path}", "--reports", str(tmp_path)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "data-fractals" / "sheet.png"
    with Image.open(path) as sheet:
        assert sheet.size == (8 * 66 + 2, 8 * 66 + 2)


@pytest.mark.parametrize("option", ["--classes", "--images"])
def test_a_sheet_has_an_image(option: str) -> None:
    with pytest.raises(InputError, match=f"^{option}=0 is not valid; it must be a whole number of at least 1$"):
        main(["fractals", option, "0"])


def test_rows_are_classes() -> None:
    data = source(eval_size=500)
    data.setup()
    sheet = contact_sheet(data, classes=3, images=4)
    (first,) = data.sets["eval"].images[data.sets["eval"].labels == 2][:1]
    tile = sheet[:, 2 + 2 * 66 : 66 + 2 * 66, 2:66]
    shown = tile[0, 4:-4:2, 4:-4:2]  # less padding, not enlarged
    torch.testing.assert_close(shown, first[0].float() / 255, atol=1e-6, rtol=0)


def test_no_more_is_drawn_than_is_shown(tmp_path: Path) -> None:
    config = resolve(compose(["data=fractals", "data.eval_size=4000", f"data.cache={tmp_path}"]))
    data = make_data(config)
    data.setup()
    contact_sheet(data, classes=2, images=3)
    drawn = {name: int(data.sets[name]._rendered.sum()) for name in ("eval", "train_eval", "test")}
    assert drawn == {"eval": 3 * AT_ONCE, "train_eval": 0, "test": 0}  # each of the 100 classes is every 100th image


def test_what_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data=fractal does not exist.*did you mean fractals"):
        main(["fractal", "--reports", str(tmp_path)])


def test_only_the_data_set_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().err.endswith("the following arguments are required: data\n")
