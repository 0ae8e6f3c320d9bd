"""Relative attention (Table 6): with and without it, from scratch and after transfer, one table per resolution."""

from analysis.compare.design import Design
from analysis.paper.data_sets import TARGET
from analysis.paper.quotes import FINE_TUNED, FROM_SCRATCH, LARGE, PRE_TRAINED, SMALL, Number, Quote

COLUMNS = {"relative": "with_relative", "absolute": "without_relative"}
IN1K, TRANSFER = "ImageNet-1K", "ImageNet-21K to ImageNet-1K"


def _numbers(setting: str, metric: str) -> list[Number]:
    where = {"setting": setting, "metric": metric}
    return [Number({"attention.name": [ours]}, where, column, ours) for ours, column in COLUMNS.items()]


PAPER = (
    Quote(
        "paper, 224 px",
        "Table 6, top-1 on ImageNet-1K at 224 pixels, from scratch",
        "table6",
        {**FROM_SCRATCH, "data.image_size": SMALL},
        _numbers(IN1K, "top1_224"),
    ),
    Quote(
        "paper, 384 px",
        "Table 6, top-1 on ImageNet-1K at 384 pixels, fine-tuned from a smaller resolution on the same data",
        "table6",
        {"init.name": ["finetune"], "init.data": TARGET, "data.image_size": LARGE},
        _numbers(IN1K, "top1_384"),
    ),
    Quote(
        "paper, ImageNet-21K",
        "Table 6, precision at 1 in pre-training on ImageNet-21K at 224 pixels",
        "table6",
        PRE_TRAINED,
        _numbers(TRANSFER, "pretrain_precision_at_1_224"),
    ),
    Quote(
        "paper, 21K to 1K, 384 px",
        "Table 6, top-1 on ImageNet-1K at 384 pixels, fine-tuned from ImageNet-21K",
        "table6",
        {**FINE_TUNED, "data.image_size": LARGE},
        _numbers(TRANSFER, "finetune_top1_384"),
    ),
)
DESIGN = Design(factors=("attention", "init"), lead="attention", crossed=True, paper=PAPER)
