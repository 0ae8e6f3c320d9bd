"""Details of the network, changed one at a time (Tables 8 and 9): head size, norm, place of the stride."""

from analysis.compare.design import PANEL_KEYS, Design
from analysis.paper.quotes import FINE_TUNED, FROM_SCRATCH, Number, Quote, Setting

IN1K, TRANSFER = "ImageNet-1K", "ImageNet-21K to ImageNet-1K"
# the head sizes of conf/size, and the larger ones of sweeps/details.yaml
HEADS, LARGER = [16, 32], [24, 64]
UNCHANGED: Setting = {"plan.head_size": HEADS, "network.norm": ["batch"], "network.downsample": ["expand_conv"]}
TABLE_8: dict[str, Setting] = {
    "default (head 32 and BatchNorm)": UNCHANGED,
    "head size 64": {**UNCHANGED, "plan.head_size": LARGER},
    "LayerNorm in MBConv": {**UNCHANGED, "network.norm": ["layer"]},
}
# the models of Table 9, and our sizes beside which they stand: the smallest one beside our small sizes
MODELS = {"CoAtNet-0": ["nano", "tiny", "small", "coatnet_0"], "CoAtNet-1": ["coatnet_1"], "CoAtNet-2": ["coatnet_2"]}


def _table_8(setting: str, variants: list[str]) -> list[Number]:
    return [Number(TABLE_8[name], {"setting": setting, "variant": name}, "top1", name) for name in variants]


def _table_9(column: str) -> list[Number]:
    return [
        Number(
            {**UNCHANGED, "network.downsample": [place], "size.name": sizes},
            {"model": model, "downsample": place},
            column,
            f"{model} {place}",
        )
        for model, sizes in MODELS.items()
        for place in ("expand_conv", "depthwise_conv")
    ]


PAPER = (
    Quote(
        "paper, Table 8",
        "Table 8, top-1 of CoAtNet-2 on ImageNet-1K at 224 pixels, from scratch",
        "table8",
        {**FROM_SCRATCH, "size.name": ["nano", "tiny", "small", "coatnet_2"]},
        _table_8(IN1K, list(TABLE_8)),
    ),
    Quote(
        "paper, Table 8, 21K to 1K",
        "Table 8, top-1 of CoAtNet-3 on ImageNet-1K at 384 pixels, fine-tuned from ImageNet-21K",
        "table8",
        {**FINE_TUNED, "size.name": ["nano", "tiny", "small", "coatnet_3"]},
        _table_8(TRANSFER, ["default (head 32 and BatchNorm)", "LayerNorm in MBConv"]),
    ),
    Quote(
        "paper, Table 9",
        "Table 9, top-1 on ImageNet-1K at 224 pixels, from scratch, of CoAtNet-0 beside our small sizes",
        "table9",
        FROM_SCRATCH,
        _table_9("top1"),
    ),
    Quote(
        "paper's MACs (M)",
        "Table 9, multiply-adds of these models at 224 pixels",
        "table9",
        FROM_SCRATCH,
        _table_9("gmacs"),
        form=",.0f",
        per=1e-3,
    ),
)
DESIGN = Design(
    factors=("plan.head_size", "network.norm", "network.downsample"),
    panels=("data.train_size", *PANEL_KEYS),
    paper=PAPER,
)
