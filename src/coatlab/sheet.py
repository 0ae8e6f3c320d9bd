"""The command: `python -m coatlab.sheet fractals` draws a contact sheet, a row a class, of what a network will see."""

import argparse
import os
import sys
from io import BytesIO
from pathlib import Path

import torch
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import make_grid

from coatlab.cli import one_sentence_errors
from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.config.rules import check_keys
from coatlab.data.image_data import ImageData, make_data
from coatlab.output.files import write_atomic

ENLARGED = 2  # pixels of the sheet for a pixel of an image


def main(words: list[str] | None = None) -> int:
    """Write the sheet to <reports>/data-<name>/sheet.png and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m coatlab.sheet", description="Look at a data set.")
    parser.add_argument("data", help=f"one of: {', '.join(choices('data'))}")
    parser.add_argument("override", nargs="*", default=[], help="keys of its config, as in data.image_size=64")
    parser.add_argument("--classes", type=int, default=8, help="rows")
    parser.add_argument("--images", type=int, default=8, help="columns")
    parser.add_argument(
        "--reports", type=Path, default=Path(os.environ.get("COATLAB_REPORTS", "reports")), help="where the sheet goes"
    )
    chosen = parser.parse_args(words)
    config = with_content(resolve(compose([f"data={chosen.data}", *chosen.override])))
    check_keys({"data": config["data"]})
    data = make_data(config)
    data.setup()
    file = BytesIO()
    to_pil_image(contact_sheet(data, chosen.classes, chosen.images)).save(file, "PNG", optimize=True)
    path = chosen.reports / f"data-{chosen.data}" / "sheet.png"
    write_atomic(path, lambda out: out.write(file.getvalue()))
    print(path)
    return 0


def contact_sheet(data: ImageData, classes: int, images: int) -> torch.Tensor:
    """Lay the first evaluation images of the first classes out as one picture, a row a class, (3, H, W) in 0..1."""
    shown = []
    whole, labels = data.sets["eval"].batch(0, torch.arange(len(data.sets["eval"])))
    for label in range(min(classes, data.num_classes)):
        shown.append(whole[labels == label][:images])
    normalized, _ = data.on_after_batch_transfer((torch.cat(shown), labels), 0)
    pixels = (
        (normalized * data.std + data.mean).clamp(0, 1).repeat_interleave(ENLARGED, 2).repeat_interleave(ENLARGED, 3)
    )
    return make_grid(pixels, nrow=images, padding=ENLARGED, pad_value=1.0)


if __name__ == "__main__":
    with one_sentence_errors():
        sys.exit(main())
