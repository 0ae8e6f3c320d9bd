"""What was typed is read back, by study, whatever else is in the file."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from coatlab.sweep.commands import FILE, note_command, read_commands


@given(st.lists(st.tuples(st.sampled_from(["layouts", "scale"]), st.lists(st.text(), max_size=3)), max_size=6))
def test_commands_are_read_as_noted_each_once_the_last_one_last(
    tmp_path_factory: "object", noted: list[tuple[str, list[str]]]
) -> None:
    runs = tmp_path_factory.mktemp("runs")  # type: ignore[attr-defined]
    for study, words in noted:
        note_command(runs, study, words)
    for study in ("layouts", "scale"):
        own = [words for name, words in noted if name == study]
        last = [words for place, words in enumerate(own) if words not in own[place + 1 :]]
        assert read_commands(runs, study) == last


def test_lines_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    assert read_commands(tmp_path, "layouts") == []
    note_command(tmp_path, "layouts", ["sweep=layouts"])
    with open(tmp_path / FILE, "a") as file:
        file.write('{"study": "layouts"}\n[]\n{"study": "layouts", "words": 3}\nhalf a li')
    assert read_commands(tmp_path, "layouts") == [["sweep=layouts"]]
