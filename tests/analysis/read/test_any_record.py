"""Reading survives any change of a record or a history: the changed run is used or named, and no other one differs."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from analysis.compare.audit import audited, require_derivable
from analysis.compare.design import Design
from analysis.compare.panels import make_panels
from analysis.read.folders import Loaded, load
from coatlab.errors import InputError
from tests.runs.test_record import JSON
from tests.runs.test_shape import changed, places
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow

DESIGN = Design(factors=("layout",))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder, "layout=CCCC")
    make_run(folder, "layout=CCTT")
    return folder


def used(loaded: Loaded) -> str:
    """Go on as a report does; return the sentence of a refusal, and an empty one otherwise."""
    try:
        require_derivable(loaded)
        for panel in make_panels(loaded.complete, DESIGN, loaded.donors):
            audited(panel, DESIGN)
    except InputError as error:
        return str(error)
    return ""


def compare(runs: Path, name: str, before: Loaded) -> None:
    loaded = load(runs)
    told = used(loaded)
    alone = before.runs["run"] != name
    others = [loaded.runs[loaded.runs["run"] != name].reindex(columns=before.runs.columns), before.runs[alone]]
    # a column with a text in one row only has NaN instead of None in the others
    assert_frame_equal(*(frame.astype(object).where(frame.notna(), None) for frame in others), check_dtype=False)
    found = loaded.runs[loaded.runs["run"] == name]
    if len(found) and found["status"].item() == "unreadable":
        assert any(name in line for line in loaded.note())
        assert not told
    assert not told or name in told or "rows that" in told


@settings(max_examples=25)
@given(data=st.data())
def test_any_change_of_a_record(runs: Path, data: st.DataObject) -> None:
    (path,) = runs.glob("CCTT-*/record.json")
    before, content = load(runs), path.read_bytes()
    record = json.loads(content)
    place = data.draw(st.sampled_from(list(places(record))))
    away = bool(place) and data.draw(st.booleans())
    try:
        path.write_text(json.dumps(changed(record, place, None if away else data.draw(JSON), away)))
        compare(runs, path.parent.name, before)
    finally:
        path.write_bytes(content)


@settings(max_examples=25)
@given(data=st.data())
def test_any_change_of_a_history(runs: Path, data: st.DataObject) -> None:
    (path,) = runs.glob("CCTT-*/metrics.jsonl")
    before, content = load(runs), path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines()]
    place = data.draw(st.sampled_from([one for one in places(rows) if one]))
    try:
        if data.draw(st.booleans()):
            rows = (
                changed(rows, place, None, away=True)
                if data.draw(st.booleans())
                else changed(rows, place, data.draw(JSON))
            )
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            start = data.draw(st.integers(0, len(content) - 1))
            path.write_bytes(
                content[:start] + data.draw(st.binary(max_size=20)) + content[start + data.draw(st.integers(0, 50)) :]
            )
        compare(runs, path.parent.name, before)
    finally:
        path.write_bytes(content)
