"""A class is known by the choice that has it; test_identity.py shows what that does to fingerprints."""

import pytest

from coatlab.config.files import choices
from coatlab.config.targets import is_ours, python_path, without_paths
from coatlab.errors import InputError

WINDOW = "coatlab.model.attention.window.WindowAttention"


@pytest.mark.parametrize(
    ("stated", "recorded"),
    [
        ({"name": "window", "_target_": WINDOW}, {"name": "window"}),
        ({"name": "mine", "_target_": WINDOW}, {"name": "mine", "_target_": "window"}),
        ({"name": "window", "_target_": "my.Own"}, {"name": "window", "_target_": "my.Own"}),
    ],
)
def test_a_path_of_ours_is_never_recorded(stated: dict[str, str], recorded: dict[str, str]) -> None:
    assert without_paths({"attention": stated, "seed": 0}) == {"attention": recorded, "seed": 0}
    assert python_path("attention", recorded) == stated["_target_"]


def test_classes_of_other_groups_and_of_others_are_not_ours() -> None:
    assert is_ours("attention", WINDOW)
    assert all(is_ours("attention", choice) for choice in choices("attention"))
    assert not is_ours("data", WINDOW)
    assert not is_ours("attention", "my.Own")


def test_a_name_without_a_class_lists_those_that_have_one() -> None:
    with pytest.raises(
        InputError, match=r"attention\.name=windw does not exist \(did you mean window\?\); valid: absol"
    ):
        python_path("attention", {"name": "windw"})
