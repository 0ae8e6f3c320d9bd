"""What the command prints: in short what was found, with --verbose all of it, and sweeps as they were typed."""

from pathlib import Path

import pytest

from coatlab.sweep.commands import note_command
from tests.analysis.command import report
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


def test_a_summary_and_the_findings_are_printed_and_all_tables_if_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for layout, seed, accuracy in [("CCTT", 0, 0.8), ("CCTT", 1, 0.9), ("ViT_REL", 0, 0.7)]:
        make_run(tmp_path / "runs", f"layout={layout}", seed=seed, accuracy=accuracy)
    make_run(tmp_path / "runs", "layout=CTTT", status="failed")
    report(tmp_path, "layouts")
    printed = capsys.readouterr().out
    assert "84.0% [79.0%, 89.0%] (n=2)" in printed  # of the official test files
    assert "3 of 4 runs complete; 1 failed." in printed
    assert "Unequal seeds" in printed
    assert printed.count("Summary") == 1
    assert "85.0%" not in printed
    assert "Claim G: " not in printed
    assert "without runs, so not judged: G, tuned; C; C, training; C, shared rate: python " in printed
    assert "python src/train.py sweep=layouts data=fractals recipe=tuned" in printed
    last = str(tmp_path / "reports" / "layouts" / "report.html")
    assert printed.splitlines()[-1] == last
    report(tmp_path, "layouts", "--verbose")
    printed = capsys.readouterr().out
    assert "85.0% [80.0%, 90.0%] (n=2)" in printed
    assert "Claim G: " in printed  # the evidence
    assert "All verdicts of a report share one error" in printed
    assert printed.splitlines()[-1] == last


def test_no_number_is_cut_in_a_narrow_terminal_and_no_command_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for layout, accuracy in [("CCCC", 0.75), ("CCTT", 0.8), ("CTTT", 0.7)]:
        for seed in (0, 1):
            make_run(tmp_path / "runs", f"layout={layout}", seed=seed, accuracy=accuracy + seed / 100)
    report(tmp_path, "layouts")
    wide = capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal, and a dumb one has 80 columns
    monkeypatch.setenv("TERM", "dumb")
    report(tmp_path, "layouts")
    narrow = capsys.readouterr().out
    assert "CCCC > CTTT (" in wide
    assert narrow.split() == wide.split()
    lines = [one for one in narrow.splitlines()[:-1] if not one.startswith("    python src/train.py")]
    assert max(map(len, lines)) <= 80 < max(map(len, wide.splitlines()))
    assert len(lines) < len(narrow.splitlines()) - 1  # there is a command


def test_sweeps_are_shown_as_they_were_typed(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "layout=CCTT")
    _, text = report(tmp_path, "layouts")
    assert "- python src/train.py sweep=layouts\n" in text
    for words in (["sweep=layouts", "seed=range(0,3)"], ["sweep=layouts", "data=fractals"]):
        note_command(tmp_path / "runs", "layouts", words)
    _, text = report(tmp_path, "layouts")
    assert (
        "- python src/train.py sweep=layouts 'seed=range(0,3)'\n- python src/train.py sweep=layouts data=fractals\n"
        in text
    )
    assert "- python src/train.py sweep=layouts\n" not in text
