"""An interrupted run whose files are damaged ends as an undisturbed one does, or is refused in a sentence."""

import random
import shutil
from pathlib import Path

import pytest

from coatlab.training.checkpoints import LAST, PREVIOUS
from tests.training.faults import FINE, Attempt, Campaign, damage, outcome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("campaign"))


@pytest.mark.parametrize(
    ("damages", "sentence"),
    [
        ({LAST: "flip"}, "its checksum does not match its content); going back to the previous one"),
        ({LAST: "flip", PREVIOUS: "cut"}, "; the run starts again"),
        ({"metrics.jsonl": "delete"}, "; the run starts again"),
    ],
)
def test_damage_is_found_and_the_run_ends_as_if_there_had_been_none(
    damages: dict[str, str], sentence: str, campaign: Campaign
) -> None:
    spec = campaign.place(sentence[:9] + "".join(damages.values()))
    shutil.copytree(campaign.cut.folder, spec.folder)
    for name, how in damages.items():
        damage(spec.folder / name, how, random.Random(3))
    attempt = Attempt(spec).end()
    assert attempt.process.exitcode == 0, attempt.said
    (said,) = [line for line in attempt.said.splitlines() if "cannot be used" in line]
    assert said.endswith(sentence)
    assert outcome(spec.folder) == campaign.expected


@pytest.mark.parametrize("number", range(10))
def test_a_fault_ends_bit_equal_or_in_a_sentence(number: int, campaign: Campaign) -> None:
    what, how = campaign.hit(random.Random(number))
    assert how in FINE, f"{what}: {how}"


@pytest.mark.parametrize("number", range(2))
def test_modes_of_the_tracker_may_change_while_a_run_is_stopped(number: int, campaign: Campaign) -> None:
    what, how = campaign.hit(random.Random(number), only="tracker")
    assert how in FINE, f"{what}: {how}"


def test_the_campaign_would_see_another_result(campaign: Campaign, tmp_path: Path) -> None:
    spec = campaign.place("other")
    shutil.copytree(campaign.cut.folder, spec.folder)
    spec.config["recipe"]["lr"] *= 1.0001  # type: ignore[index]
    assert Attempt(spec).end().process.exitcode == 0
    assert outcome(spec.folder) != campaign.expected
