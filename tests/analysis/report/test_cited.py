"""Numbers that a text cites are written by what they name, and the text about the results has no others."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.claims.claim import load_claims
from analysis.claims.judge import judge
from analysis.report.cited import CITATION, cite
from analysis.tables.dots import Dot, Dots
from analysis.tabular import Column, Mean, Table
from coatlab.errors import InputError
from tests.analysis.planted import frames
from tests.support.commandline import REPOSITORY

pytestmark = pytest.mark.slow

TEXT = REPOSITORY / "analysis" / "results" / "README.md"


@pytest.fixture(scope="module")
def reports() -> list[Any]:
    runs, histories = frames(seeds=3)
    (claim,) = [one for one in load_claims("layouts") if one.key == "G, best"]
    dots = [Dots("few images", "test accuracy", [Dot("CCTT", "CCTT", Mean(3, 0.7866))])]
    judgements = judge([(claim, runs)], histories, np.random.default_rng(0))
    protocol = Table("Protocol", [Column("setting"), Column("mnist")], [["runs", "12"]])
    return [SimpleNamespace(study="layouts", dots=dots, protocol=protocol, judgements=judgements)]


def test_a_number_is_written_by_what_it_names_and_the_rest_is_left_alone(reports: list[Any]) -> None:
    text = "in 2021, <!--= layouts; few images;CCTT -->99.9%<!--/--> of\n<!-- a comment --> 12"
    found = cite(text, reports)
    assert found == text.replace("99.9%", "78.7%")
    assert cite(found, reports) == found


def test_what_the_protocol_says_is_cited_by_data_set(reports: list[Any]) -> None:
    assert cite("<!--= layouts; mnist; runs -->0<!--/-->", reports) == "<!--= layouts; mnist; runs -->12<!--/-->"


def test_a_relation_of_a_claim_is_its_difference(reports: list[Any]) -> None:
    (finding,) = [one for one in reports[0].judgements[0].findings if str(one.relation) == "CTTT >> ViT_REL"]
    found = cite("<!--= layouts; G, best; CTTT >> ViT_REL --><!--/-->", reports)
    assert f">{100 * finding.difference:+.1f} points<" in found


@pytest.mark.parametrize(
    ("name", "valid"), [("layouts; few images; CCC", "layouts; few images; CCTT"), ("layout; x", "valid: layouts")]
)
def test_what_no_report_has_is_refused(reports: list[Any], name: str, valid: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"no number called {name!r}")) as refused:
        cite(f"<!--={name}-->1<!--/-->", reports)
    assert valid in str(refused.value)


def prose(path: Path) -> str:
    """Return what people wrote of a text: not what it cites, its tables that are written, its code and its links."""
    text = CITATION.sub("", path.read_text())
    text = re.sub(r"<!-- results:.*?<!-- end of results -->", "", text, flags=re.DOTALL)
    return re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", [TEXT, REPOSITORY / "README.md"])
def test_what_is_said_of_the_results_has_no_measured_number_of_its_own(path: Path) -> None:
    """Percentages, points and hours are measured; numbers of images, seeds, epochs and pixels are chosen."""
    assert CITATION.search(path.read_text())
    told = prose(path).replace("95 %", "")
    if path != TEXT:
        told = told.partition("## What we found")[2].partition("\n## ")[0]
    assert len(told) > 500
    assert not re.findall(r"[\d.]+ ?(?:%|percent|points?\b|core-hours)", told)
