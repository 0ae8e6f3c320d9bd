"""Count CoAtNet-0 to CoAtNet-7: parameters and multiply-adds of the paper's own plans at the resolutions it prints.

The counts are committed as analysis/tables/family.csv, because tables are made without torch. A test counts them again.
"""

from collections.abc import Iterator

import pandas as pd

from coatlab.budget.sizes import cost_in
from coatlab.config.compose import compose, resolve

MEMBERS = {224: range(4), 384: range(5), 512: range(2, 8)}  # image size: N of CoAtNet-N, as in Tables 4 and 5
# the plan that Table 12 prints for CoAtNet-6 does not give Table 5's count; conf/size/coatnet_6.yaml has another
AS_PRINTED = (6, 512, "plan.widths=[192,192,384,[768,1536],2048]")


def count_family() -> pd.DataFrame:
    """Count the family: one row per size and resolution, with parameters and multiply-adds of one image.

    Column `plan` is empty, unless the row is of another plan than the size's: then it has the override for it.
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
