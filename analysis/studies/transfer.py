"""Transfer, as in Table 2: the pre-training, then fine-tuned runs and runs from scratch, one table per resolution."""

from analysis.compare.design import Design
from analysis.paper.quotes import FINE_TUNED, LARGE, PRE_TRAINED, SMALL, Number, Quote


def _numbers(metric: str) -> list[Number]:
    return [Number({"layout.name": [name]}, {"metric": metric}, name, name) for name in ("CCTT", "CTTT")]


PAPER = (
    Quote(
        "paper, JFT",
        "Table 2, precision at 1 in pre-training on JFT; the size of its models is not printed",
        "table2",
        PRE_TRAINED,
        _numbers("pretrain_precision_at_1_jft"),
        form=".2%",
    ),
    Quote(
        "paper, 224 px",
        "Table 2, top-1 on ImageNet-1K at 224 pixels, fine-tuned for 30 epochs from JFT, here beside the resolution of "
        "pre-training",
        "table2",
        {**FINE_TUNED, "data.image_size": SMALL},
        _numbers("transfer_top1_224"),
        form=".2%",
    ),
    Quote(
        "paper, 384 px",
        "Table 2, the same at 384 pixels, here beside the larger resolution",
        "table2",
        {**FINE_TUNED, "data.image_size": LARGE},
        _numbers("transfer_top1_384"),
        form=".2%",
    ),
)
DESIGN = Design(factors=("layout", "init"), crossed=True, paper=PAPER, matched_cost=True)
