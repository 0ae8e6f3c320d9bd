"""The family counted: parameters and multiply-adds of the paper's own plans at the resolutions that it prints.

The counts are committed in analysis/tables/family.csv, since tables are made without torch; a test counts them again.
"""

from collections.abc import Iterator

import pandas as pd

from coatlab.budget.sizes import cost_in
from coatlab.config.compose import compose, resolve

MEMBERS = {224: range(4), 384: range(5), 512: range(2, 8)}  # by pixels, of Tables 4 and 5
# Table 12 prints another plan than the one that gives Table 5's count; conf/size/coatnet_6.yaml says why
AS_PRINTED = (6, 512, "plan.widths=[192,192,384,[768,1536],2048]")


def count_family() -> pd.DataFrame:
    """Count the family: a row a size and resolution, in parameters and multiply-adds of one image.

    Column `plan` has the words that replace a part of the size's plan, where a row is of another one.
    """
    return pd.DataFrame(_rows())


def _rows() -> Iterator[dict[str, str | int]]:
    own = [(number, image_size, "") for image_size, numbers in MEMBERS.items() for number in numbers]
    for number, image_size, plan in sorted([*own, AS_PRINTED], key=lambda row: (row[1], row[0])):
        size = f"coatnet_{number}"
        words = [f"size={size}", f"data.image_size={image_size}", *([plan] if plan else [])]
        cost = cost_in(resolve(compose(words)), image_size)
        counted = {"parameters": cost.parameters, "macs": cost.macs}
        yield {"size": size, "image_size": image_size, "plan": plan, **counted}
