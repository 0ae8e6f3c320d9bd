"""Blocks moved between S2 and S3 (Table 7), beside the paper's variants of the same name."""

from analysis.compare.design import Design
from analysis.paper.quotes import FINE_TUNED, FROM_SCRATCH, PRE_TRAINED, Number, Quote

VARIANTS = {  # the blocks in sweeps/stage_depth.yaml: those at nano, and the paper's own
    "V0": [[2, 1, 2, 5, 1], [2, 2, 6, 14, 2]],
    "V1": [[2, 1, 1, 6, 1], [2, 2, 2, 18, 2]],
    "V2": [[2, 1, 3, 4, 1], [2, 2, 8, 12, 2]],
}
IN1K, TRANSFER = "ImageNet-1K", "ImageNet-21K to ImageNet-1K"
LARGEST = {"size.name": ["nano", "coatnet_3"]}


def _numbers(setting: str, column: str, variants: tuple[str, ...]) -> list[Number]:
    return [
        Number({"plan.blocks": VARIANTS[name]}, {"setting": setting, "variant": name}, column, name)
        for name in variants
    ]


PAPER = (
    Quote(
        "paper, 1K",
        "Table 7, top-1 of CoAtNet-2 on ImageNet-1K; V0 has 6 + 14 blocks in S2 + S3, V1 2 + 18, V2 8 + 12",
        "table7",
        {**FROM_SCRATCH, "size.name": ["nano", "coatnet_2"]},
        _numbers(IN1K, "top1", ("V0", "V1", "V2")),
    ),
    Quote(
        "paper, 21K",
        "Table 7, precision at 1 of CoAtNet-3 in pre-training on ImageNet-21K",
        "table7",
        {**PRE_TRAINED, **LARGEST},
        _numbers(TRANSFER, "pretrain_precision_at_1", ("V0", "V1")),
    ),
    Quote(
        "paper, 21K to 1K",
        "Table 7, top-1 of CoAtNet-3 on ImageNet-1K, fine-tuned from ImageNet-21K",
        "table7",
        {**FINE_TUNED, **LARGEST},
        _numbers(TRANSFER, "top1", ("V0", "V1")),
    ),
)
DESIGN = Design(factors=("plan.blocks",), paper=PAPER)
