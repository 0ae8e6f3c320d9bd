"""Where a study stands, from its folders: every state, what is missing, what finishes it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coatlab.config.compose import compose
from coatlab.errors import InputError
from coatlab.runs.run import open_run
from coatlab.runs.state import STATES
from coatlab.status import main
from tests.runs.test_state import held, make  # noqa: F401 (a fixture)
from tests.support.specs import spec_of

pytestmark = pytest.mark.slow

SMOKE = ["sweep=smoke"]
KEYS = {"name", "studies", "seed", "state", "asked", "folder", "fingerprint", "error", "age", "epoch", "epochs"}


def status(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    main([*words, "--json"])
    return dict(json.loads(capsys.readouterr().out))


def test_a_study_that_was_never_begun_misses_all_its_cells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = status(capsys, "smoke", "--runs", str(tmp_path))
    assert found["study"] == "smoke"
    assert found["counts"] == {state: 4 if state == "missing" else 0 for state in STATES}
    assert found["commands"] == [f"python src/train.py sweep=smoke paths.runs={tmp_path}"]
    assert all(set(cell) == KEYS for cell in found["cells"])
    assert [(cell["name"][:4], cell["seed"]) for cell in found["cells"]] == [
        ("CCTT", 0), ("CCTT", 1), ("CTTT", 0), ("CTTT", 1),
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_every_state_has_its_line_and_the_command_finishes_what_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {
        "complete": make(tmp_path, "complete", *SMOKE, "seed=0"),
        "interrupted": make(tmp_path, "interrupted", *SMOKE, "seed=1"),
        "failed": make(tmp_path, "failed", *SMOKE, "layout=CTTT", "seed=0"),
        "diverged": make(tmp_path, "diverged", *SMOKE, "layout=CTTT", "seed=1"),
    }
    (made["interrupted"] / "metrics.jsonl").write_text('{"step": 9}\n{"step": 10, "epoch": 1}\n{"step": 12}\n')
    unreadable = make(tmp_path, "complete", *SMOKE, "seed=2")
    (unreadable / "record.json").write_text('{"schema": 99}')
    outdated = make(tmp_path, "complete", *SMOKE, "layout=CTTT", "seed=2")
    (outdated / "record.json").write_text('{"schema": 1}')
    words = ["smoke", "seed=0,1,2,3", "--runs", str(tmp_path)]
    found = status(capsys, *words)
    states = {cell["folder"]: cell["state"] for cell in found["cells"]}
    assert {state: states[str(folder)] for state, folder in made.items()} == {state: state for state in made}
    assert states[str(unreadable)] == "unreadable"
    assert states[str(outdated)] == "outdated"
    assert sum(state == "missing" for state in states.values()) == 2
    assert found["counts"] == {**dict.fromkeys(STATES, 1), "running": 0, "missing": 2}
    assert found["commands"] == [f"python src/train.py sweep=smoke seed=0,1,2,3 paths.runs={tmp_path}"]
    (interrupted,) = [cell for cell in found["cells"] if cell["state"] == "interrupted"]
    assert (interrupted["epoch"], interrupted["epochs"]) == (1, 2)
    assert interrupted["age"] >= 0
    (complete,) = [cell for cell in found["cells"] if cell["state"] == "complete"]
    assert (complete["epoch"], complete["epochs"]) == (1, 2)  # as `make` says, without a row
    main(words)
    text = " ".join(capsys.readouterr().out.split())
    for told in (
        "ZeroDivisionError: oh",
        "the loss is not finite",
        "stopped by Ctrl-C",
        "schema 99",
        "schema 1;",
        "1/2",
    ):
        assert told in text
    assert f"finish it: python src/train.py sweep=smoke seed=0,1,2,3 paths.runs={tmp_path}" in text


def test_a_study_that_is_done_needs_no_command_even_if_a_run_diverged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "complete", *SMOKE)
    make(tmp_path, "diverged", *SMOKE, "layout=CTTT")
    found = status(capsys, "smoke", "seed=0", "--runs", str(tmp_path))
    assert found["commands"] == []
    assert found["counts"]["missing"] == 0


def test_a_live_run_is_running_and_names_its_process(
    held: tuple[Path, int],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, pid = held
    (cell,) = status(capsys, "--runs", str(folder.parent))["cells"]
    assert cell["state"] == "running"
    assert cell["error"].startswith(f"process {pid} on ")


def test_runs_that_other_words_asked_for_are_shown_and_finished_by_those_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep=smoke", "seed=7", "layout=CCTT"]
    with pytest.raises(KeyboardInterrupt), open_run(spec_of(*words, f"paths.runs={tmp_path}")):
        raise KeyboardInterrupt
    found = status(capsys, "smoke", "--runs", str(tmp_path))
    assert [cell["seed"] for cell in found["cells"] if not cell["asked"]] == [7]
    assert found["commands"] == [
        f"python src/train.py sweep=smoke paths.runs={tmp_path}",
        f"python src/train.py sweep=smoke seed=7 layout=CCTT paths.runs={tmp_path}",
    ]


def test_a_folder_that_a_run_was_given_elsewhere_is_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], repository: Path
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    words = ["sweep=smoke", "seed=7", "layout=CCTT", "paths.runs=runs"]
    with pytest.raises(KeyboardInterrupt), open_run(spec_of(*words)):
        raise KeyboardInterrupt
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COATLAB_RUNS", "there/runs")
    found = status(capsys, "smoke")
    assert [cell["state"] for cell in found["cells"] if not cell["asked"]] == ["interrupted"]
    train = f"python {repository / 'src' / 'train.py'}"
    assert found["commands"] == [
        f"{train} sweep=smoke", f"{train} sweep=smoke seed=7 layout=CCTT paths.runs=there/runs",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["2024", "Läufe (1), it's", "a=b {c} [d]", "null"])
def test_a_folder_may_have_any_name_and_be_given_in_any_way(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COATLAB_RUNS", name)
    open_run(spec_of(*SMOKE, "seed=0")).close()
    by_variable = status(capsys, "smoke")
    monkeypatch.delenv("COATLAB_RUNS")
    by_option = status(capsys, "smoke", "--runs", name)
    (command,) = by_option["commands"]
    by_word = status(capsys, "smoke", *shlex.split(command)[3:])
    for found in (by_variable, by_option, by_word):
        assert found["runs"] == name
        assert found["counts"] == {state: {"missing": 3, "interrupted": 1}.get(state, 0) for state in STATES}
    assert by_word["commands"] == [command]


def test_cells_of_one_layout_are_told_apart_by_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [cell["name"] for cell in status(capsys, "stage_depth", "--runs", str(tmp_path))["cells"]]
    start = "CCTT-relative-nano-fashion_mnist plan.blocks="
    assert names == [f"{start}{blocks}" for blocks in ("[2, 1, 2, 5, 1]", "[2, 1, 1, 6, 1]", "[2, 1, 3, 4, 1]")]


@pytest.mark.parametrize(
    "words", [["--runs", "/nope"], ["smoke", "--runs", "/nope"], ["--clean", "--yes", "--runs", "/nope"]]
)
def test_a_folder_that_was_typed_has_to_be_there(words: list[str]) -> None:
    with pytest.raises(InputError, match=r"^--runs=/nope is not valid: there is no such folder$"):
        main(words)


def test_a_folder_of_the_environment_may_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path / "later"))
    main(["smoke"])
    assert f"runs: {tmp_path}/later, which does not exist yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "layouts", "seeds"),
    [
        (["layout=glob(CC*)"], ["CCCC", "CCCT", "CCTT"], [0, 1]),
        (["seed=range(1,4)", "layout=CCTT"], ["CCTT"], [1, 2, 3]),
        (["layout=choice(CTTT,CCTT)", "cluster=slurm"], ["CTTT", "CCTT"], [0, 1]),
        (["hydra/launcher=basic", "layout=CCTT", "paths.data=~/there"], ["CCTT"], [0, 1]),
        (["hydra.sweeper.params.seed='5,6'", "layout=CCTT"], ["CCTT"], [5, 6]),
    ],
)
def test_it_takes_every_word_that_a_sweep_takes(
    words: list[str], layouts: list[str], seeds: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = status(capsys, "smoke", *words, "--runs", str(tmp_path))
    assert [(cell["name"][:4], cell["seed"]) for cell in found["cells"]] == [
        (layout, seed) for layout in layouts for seed in seeds
    ]


def test_a_study_of_the_users_own_is_followed_by_the_commands_that_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], repository: Path
) -> None:
    own, runs = tmp_path / "my choices", tmp_path / "runs"
    (own / "sweep").mkdir(parents=True)
    runs.mkdir()
    text = (repository / "sweeps" / "smoke.yaml").read_text().replace("study: smoke", "study: mine")
    (own / "sweep" / "mine.yaml").write_text(text)
    found = status(capsys, "mine", "--config-dir", str(own), "--runs", str(runs))
    (command,) = found["commands"]
    assert shlex.split(command)[2:] == [f"--config-dir={own}", "sweep=mine", f"paths.runs={runs}"]
    assert found["counts"]["missing"] == 4
    with pytest.raises(InputError, match="study=mine does not exist"):
        main(["mine"])


def test_a_donor_is_part_of_the_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = status(capsys, "transfer", "layout=CCTT", "--runs", str(tmp_path))
    assert [cell["name"].startswith("CCTT-relative-nano-fractals") for cell in found["cells"]].count(True) == 1
    assert found["counts"]["missing"] == 5


def test_without_a_study_there_is_a_line_for_each_and_all_shows_every_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "complete", *SMOKE)
    make(tmp_path, "failed", "seed=5")
    main(["--runs", str(tmp_path)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["smoke", "1"] in lines
    assert ["none", "1"] in lines
    main(["--all", "--runs", str(tmp_path)])
    assert "1 complete, 1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["smok"], "study=smok does not exist .did you mean smoke"), (["smoke", "layout=TCCC"], "layout=TCCC puts conv")],
)
def test_bad_words_are_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        main([*words, "--runs", str(tmp_path)])


@pytest.mark.slow
def test_torch_is_never_imported(repository: Path) -> None:
    code = (
        "import sys; from coatlab.status import main; main(['smoke', '--json']);"
        "import coatlab.sweep.sweeper, coatlab.upload;"
        "print([name for name in sys.modules if name.startswith('torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert compose([]).sweep.retry == "failed"


def test_clean_asks_before_it_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = make(tmp_path, "failed", *SMOKE)
    complete = make(tmp_path, "complete", *SMOKE, "layout=CTTT")
    words = ["--clean", "--runs", str(tmp_path)]
    with pytest.raises(InputError, match="nobody can answer here; add --yes"):
        main(words)
    with pytest.raises(InputError, match="--json is not valid with --clean"):
        main([*words, "--json"])
    with pytest.raises(InputError, match="seed=0 is not valid with --clean"):
        main(["smoke", "seed=0", *words])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in ("", "n", "what"):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        main(words)
        assert failed.is_dir()
    assert "nothing was removed" in capsys.readouterr().out
    monkeypatch.setattr("builtins.input", lambda _: "Y")
    main(words)
    assert not failed.exists()
    assert complete.is_dir()
    assert capsys.readouterr().out.splitlines() == [f"{failed}: failed: ZeroDivisionError: oh", "1 removed"]
    failed = make(tmp_path, "failed", *SMOKE)
    main([*words, "--yes"])
    main(words)
    assert capsys.readouterr().out.splitlines()[1:] == ["1 removed", f"nothing to remove in {tmp_path}"]
