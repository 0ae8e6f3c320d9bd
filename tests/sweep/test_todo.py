"""Which cells a sweep launches, in which waves, and what it says at its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatlab.errors import RunError
from coatlab.runs.spec import Spec
from coatlab.runs.state import FAILURES, STATES, State
from coatlab.sweep import todo as module
from coatlab.sweep.todo import Todo, make_todo, show_outcome
from tests.support.specs import bare

states = st.sampled_from(STATES)
DONORS = 3


@st.composite
def studies(draw: st.DrawFn) -> tuple[list[Spec], dict[Path, State]]:
    """Draw cells, some the same, some that start from a common donor, and the state of every folder."""
    donors = [bare(f"d{number}") for number in range(DONORS)]
    kinds = [bare(str(number), donor=draw(st.sampled_from([None, *donors]))) for number in range(6)]
    cells = draw(st.lists(st.sampled_from([*kinds, *donors]), max_size=10))
    return cells, {spec.folder: State(draw(states), None, "why") for spec in [*donors, *kinds]}


@pytest.fixture(scope="module", autouse=True)
def folders() -> Iterator[dict[Path, State]]:
    there: dict[Path, State] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "state_of", there.__getitem__)
        yield there


def names(wave: list[Spec]) -> list[str]:
    return [spec.fingerprint for spec in wave]


@given(studies(), st.booleans())
def test_every_experiment_is_launched_once_or_there_is_a_reason(
    folders: dict[Path, State], study: tuple[list[Spec], dict[Path, State]], retry: bool
) -> None:
    cells, states = study
    folders.clear()
    folders.update(states)
    todo = make_todo(cells, retry)
    assert names([one.spec for one in todo.entries]) == list(dict.fromkeys(names(cells)))
    assert todo.same == len(cells) - len(todo.entries)

    def begins(folder: Path) -> bool:
        return states[folder].name in ("missing", "interrupted") or (states[folder].name == "failed" and retry)

    for one in todo.entries:
        donor = one.spec.donor
        ready = donor is None or states[donor.folder].name in ("complete", "running") or begins(donor.folder)
        assert one.launch == (begins(one.spec.folder) and ready)
    launched, there = [], {folder for folder, state in states.items() if state.name == "complete"}
    for wave in todo.waves():
        assert all(spec.donor is None or spec.donor.folder in there for spec in wave)
        launched += names(wave)
        for spec in wave:  # all goes well
            folders[spec.folder] = State("complete")
            there.add(spec.folder)
    needed = {
        one.spec.donor.fingerprint
        for one in todo.entries
        if one.launch and one.spec.donor and states[one.spec.donor.folder].name != "complete"
    }
    assert sorted(launched) == sorted(needed | {one.spec.fingerprint for one in todo.entries if one.launch})


def test_cells_whose_donor_failed_in_the_first_wave_are_not_begun(
    folders: dict[Path, State], capsys: pytest.CaptureFixture[str]
) -> None:
    donor = bare("d")
    cell, other = bare("0", donor=donor), bare("1")
    folders.update({folder: State("missing") for folder in (Path("d"), Path("0"), Path("1"))})
    todo = make_todo([cell, other], retry=True)
    waves = todo.waves()
    assert names(next(waves)) == ["d", "1"]
    folders.update({Path("d"): State("diverged", None, "not finite"), Path("1"): State("complete")})
    assert list(waves) == []
    with pytest.raises(RunError, match="of 2 runs 1 failed"):
        show_outcome(todo, {})
    assert "0: it starts from d: not finite" in capsys.readouterr().out


@given(st.lists(states, min_size=1, max_size=8), st.booleans())
def test_a_sweep_ends_well_if_all_is_complete_or_with_another(
    folders: dict[Path, State], found: list[str], detached: bool
) -> None:
    folders.clear()
    cells = [bare(str(number)) for number in range(len(found))]
    folders.update({spec.folder: State("missing") for spec in cells})
    todo = make_todo(cells, retry=True)
    folders.update({spec.folder: State(name, None, "why") for spec, name in zip(cells, found, strict=True)})
    bad = set(FAILURES) | (set() if detached else {"missing", "interrupted"})
    assert ended_well(todo, {}, detached) == (not bad & set(found))


def test_what_a_job_raised_counts_where_the_record_does_not_say(
    folders: dict[Path, State], capsys: pytest.CaptureFixture[str]
) -> None:
    folders.update({Path("0"): State("missing"), Path("1"): State("failed", None, "by the record")})
    todo = make_todo([bare("0"), bare("1")], retry=True)
    assert not ended_well(todo, {"0": "by the job", "1": "by the job"})
    assert "0: by the job" in (said := capsys.readouterr().out)
    assert "1: by the record" in said


def ended_well(todo: Todo, *arguments: Any) -> bool:
    try:
        show_outcome(todo, *arguments)
    except RunError:
        return False
    return True


def test_running_cells_that_the_launcher_has_in_its_queue_are_launched_to_be_waited_for(
    folders: dict[Path, State],
) -> None:
    cells = [bare(mark) for mark in "abc"]
    folders.clear()
    folders.update({Path("a"): State("running"), Path("b"): State("running"), Path("c"): State("complete")})
    todo = make_todo(cells, retry=True, queued=lambda asked: {Path("a"), Path("c")} & set(asked))
    assert [one.launch for one in todo.entries] == [True, False, False]
    assert [names(wave) for wave in todo.waves()] == [["a"]]


def test_a_sweep_deletes_the_checkpoints_that_the_end_of_a_run_left(folders: dict[Path, State], tmp_path: Path) -> None:
    cells = [bare(tmp_path / name) for name in ("complete", "interrupted")]
    for cell in cells:
        folders[cell.folder] = State(cell.folder.name, {"status": cell.folder.name})
        (cell.folder / "checkpoints").mkdir(parents=True)
        for name in ("last.ckpt", "weights.pt"):
            (cell.folder / "checkpoints" / name).touch()
    make_todo(cells, retry=False)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert left == {
        "complete/checkpoints/weights.pt",
        "interrupted/checkpoints/weights.pt",
        "interrupted/checkpoints/last.ckpt",
    }
