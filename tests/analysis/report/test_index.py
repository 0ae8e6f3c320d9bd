"""The list of studies: what each report says of itself, whatever else lies in the folder."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from analysis.report.contents import Picture, Report
from analysis.report.files import publish
from analysis.report.index import Facts, index_page, read_facts, to_json
from analysis.tables.dots import Dot, Dots
from analysis.tabular import Column, Mean, Table
from coatlab.errors import InputError
from tests.analysis.report.browser import Seen, faults
from tests.analysis.report.hostile import HOSTILE, shown
from tests.analysis.report.test_html import judgements

RUNS = Table("Runs", [Column("run")], [["a"]])
DOTS = [
    Dots(
        "few",
        "test accuracy",
        [Dot("CCCC", "CCCC", Mean(3, 0.7, 0.6, 0.8)), Dot("CCTT", "CCTT", Mean(3, 0.8, 0.7, 0.9))],
    )
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["schema", "runs", "claims"]), inner),
    max_leaves=8,
)


def rows(reports: Path) -> list[list[str]]:
    """Return what the list shows, study by study: the name, and all of its other text."""
    (shown_list,) = re.findall(r"<main>(.*)</main>", index_page(reports), re.DOTALL)
    found = []
    for item in shown_list.split("<li>")[1:]:
        picture, _, rest = item.partition("</li>")[0].partition("<h2>")
        name, _, others = rest.partition("</h2>")
        assert picture.strip() == "" or picture.strip().startswith("<picture>")
        found.append([" ".join(" ".join(Seen(f"<div>{part}</div>").texts).split()) for part in (name, others)])
    return found


def picture() -> Picture:
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([1, 2])
    return Picture("curves", "curves", figure)


def test_it_lists_studies_with_runs_and_verdicts_and_is_made_anew(tmp_path: Path) -> None:
    publish(Report("transfer", RUNS, counts={"complete": 10}), tmp_path)
    assert rows(tmp_path) == [["transfer", "– 10 of 10 runs complete"]]
    counts = {"complete": 3, "failed": 2}
    made = Report(
        "layouts", RUNS, counts=counts, judgements=judgements(), dots=DOTS, pictures=[picture()], made="today"
    )
    publish(made, tmp_path)
    best = "CCTT 80.0% [70.0%, 90.0%] highest of 2: test accuracy, few, 3 seeds"
    verdicts = "✓ 1 claim supported ✗ 1 claim contradicted ? 1 claim undecided"
    layouts = f"{best} {verdicts} 3 of 5 runs complete, 2 failed; today"
    assert rows(tmp_path) == [["layouts", layouts], ["transfer", "– 10 of 10 runs complete"]]
    assert index_page(tmp_path).count("data:image/svg+xml") == 2  # light and dark
    assert (tmp_path / "index.html").read_text() == index_page(tmp_path) + "\n"
    for study in ("layouts", "transfer"):
        assert f'<a href="{study}/report.html">' in index_page(tmp_path)


@pytest.mark.external
def test_what_is_foreign_is_left_out_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    publish(Report("layouts", RUNS, counts={"complete": 1}), tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name, text in [
        ("half", '{"schema": 2, "stu'),
        ("newer", '{"schema": 9}'),
        ("list", "[]"),
        ("deep", "[" * 10**5),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    (tmp_path / "folder" / "report.json").mkdir(parents=True)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "report.json").write_text(to_json(Facts("unfinished", {"complete": 1})))
    found = dict(rows(tmp_path))
    assert found.keys() == {"layouts", "half", "newer", "list", "deep", "folder", "unfinished"}
    assert "schema 9, not 2" in found["newer"]
    assert found["unfinished"] == "report.html is missing; make the report again"
    (tmp_path / "i.html").write_text(index_page(tmp_path))
    assert faults(tmp_path / "i.html") == []


def test_hostile_names_of_folders_are_text_and_links_lead_to_them(tmp_path: Path) -> None:
    names = {name.replace("/", "\u2215") for name in HOSTILE} | {os.fsdecode(b"\xff\xfe"), "%2e%2e", "a?b#c"}
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(to_json(Facts(name.encode("ascii", "ignore").decode(), {})))
        (tmp_path / name / "report.html").write_text("x")
    assert sorted(name for name, _ in rows(tmp_path)) == sorted(map(shown_of, names))
    source = index_page(tmp_path)
    links = [part.partition('"')[0] for part in source.split('<a href="')[1:]]
    assert len(links) == len(names)
    assert {unquote(link, errors="surrogateescape") for link in links} == {f"{name}/report.html" for name in names}
    assert Seen(source).elements.count("script") == 1


def shown_of(name: str) -> str:
    """Return how a folder's name is shown: bytes that are no text are left out."""
    return shown("".join(" " if "\ud800" <= letter <= "\udfff" else letter for letter in name))


@given(JSON)
def test_no_content_of_a_file_stops_it(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    reports = tmp_path_factory.mktemp("reports")
    (reports / "odd").mkdir()
    (reports / "odd" / "report.json").write_text(json.dumps(content))
    assert [name for name, _ in rows(reports)] == ["odd"]


@given(st.dictionaries(st.text(), st.integers(0)), st.lists(st.text()), st.text())
def test_facts_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, runs: dict[str, int], figures: list[str], study: str
) -> None:
    folder = tmp_path_factory.mktemp("facts")
    facts = Facts(study, runs, (), tuple(figures))
    (folder / "report.json").write_text(to_json(facts), errors="surrogatepass")
    assert read_facts(folder) == facts


def test_no_figure_from_outside_its_folder_is_shown(tmp_path: Path) -> None:
    (tmp_path / "secret.svg").write_text("<svg/>")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "report.html").write_text("x")
    for name in ("../../secret", "/secret", "missing"):
        (tmp_path / "x" / "report.json").write_text(to_json(Facts("x", {}, (), (name,))))
        assert "<img" not in index_page(tmp_path)


def test_a_verdict_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    claim = {"key": "G", "says": "s", "ordering": "a > b", "verdict": "proven"}
    facts = {"schema": 2, "study": "x", "runs": {}, "claims": [claim], "figures": []}
    (tmp_path / "report.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="verdict proven"):
        read_facts(tmp_path)
