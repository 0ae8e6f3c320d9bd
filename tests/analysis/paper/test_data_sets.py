"""Every data set of conf/data is abundant or a target."""

from analysis.paper.data_sets import ABUNDANT, TARGET
from coatlab.config.files import choices


def test_a_data_set_is_a_target_unless_it_is_abundant() -> None:
    assert {*ABUNDANT, *TARGET} == set(choices("data"))
    assert not {*ABUNDANT} & {*TARGET}
    assert {"fashion_mnist", "cifar10", "cifar100", "imagenet", "folder"} <= set(TARGET)
    assert {"fractals", "webdataset"} <= set(ABUNDANT)
