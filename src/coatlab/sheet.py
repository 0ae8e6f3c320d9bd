"""The command: `python -m coatlab.sheet fractals` draws a contact sheet of images as the network sees them.

Each row of the sheet is one class.
"""

import argparse
import sys
from io import BytesIO
from typing import TYPE_CHECKING

from coatlab.cli import one_sentence_errors
from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.config.kinds import whole
from coatlab.config.places import add_folder_option
from coatlab.config.rules import check_keys
from coatlab.output.files import write_atomic
from coatlab.output.text import shown

if TYPE_CHECKING:
    from torch import Tensor

    from coatlab.data.image_data import ImageData

AT_ONCE = 100  # images that are looked at until the sheet is full
ENLARGED = 2  # side of the square on the sheet that shows one pixel of an image


def main(words: list[str] | None = None) -> int:
    """Write the sheet to <reports>/data-<name>/sheet.png and print its path."""
    parser = argparse.ArgumentParser(
        prog="python -m coatlab.sheet", description="Draw images of a data set as the network sees them."
    )
    parser.add_argument("data", help=f"one of: {', '.join(choices('data'))}")
    parser.add_argument("override", nargs="*", default=[], help="overrides of its config, such as data.image_size=64")
    parser.add_argument("--classes", type=int, default=8, help="number of classes, one row per class")
    parser.add_argument("--images", type=int, default=8, help="number of images per class")
    add_folder_option(parser, "reports", "folder of reports")
    chosen = parser.parse_args(words)
    for name in ("classes", "images"):
        whole(1)(f"--{name}", getattr(chosen, name))
    config = with_content(resolve(compose([f"data={chosen.data}", *chosen.override])))
    check_keys({"data": config["data"]})
    # torch is imported only where there is something to draw
    from torchvision.transforms.v2.functional import to_pil_image

    from coatlab.data.image_data import make_data

    data = make_data(config)
    data.setup()
    file = BytesIO()
    to_pil_image(contact_sheet(data, chosen.classes, chosen.images)).save(file, "PNG", optimize=True)
    path = chosen.reports / f"data-{chosen.data}" / "sheet.png"
    write_atomic(path, lambda out: out.write(file.getvalue()))
    print(shown(path))
    return 0


def contact_sheet(data: "ImageData", classes: int, images: int) -> "Tensor":
    """Arrange the first evaluation images of the first classes as one picture (3, H, W) in 0..1, one row per class."""
    import torch
    from torchvision.utils import make_grid

    rows: list[list[Tensor]] = [[] for _ in range(min(classes, data.num_classes))]
    evaluated = data.sets["eval"]
    for indices in torch.arange(len(evaluated)).split(AT_ONCE):
        pixels, labels = evaluated.batch(0, indices)
        for image, label in zip(pixels, labels.tolist(), strict=True):
            if label < len(rows) and len(rows[label]) < images:
                rows[label].append(image)
        if all(len(row) == images for row in rows):
            break
    chosen = torch.stack([image for row in rows for image in row])
    normalized, _ = data.on_after_batch_transfer((chosen, torch.empty(0)), 0)
    visible = (normalized * data.std + data.mean).clamp(0, 1)
    enlarged = visible.repeat_interleave(ENLARGED, 2).repeat_interleave(ENLARGED, 3)
    return make_grid(enlarged, nrow=images, padding=ENLARGED, pad_value=1.0)


if __name__ == "__main__":
    with one_sentence_errors():
        sys.exit(main())
