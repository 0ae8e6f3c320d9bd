"""Every command of the README works, as written, on a run small enough to be trained here."""

import json
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from coatlab import create_model
from coatlab.training.checkpoints import save_weights
from tests.support import small_images
from tests.support.commandline import REPOSITORY, CommandLine, Forked, last_of_each_key
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow

# in the order in which their commands run: the first ones make the runs that the others report on
READMES = [REPOSITORY / folder / "README.md" for folder in ("", "conf", "sweeps", "analysis", "src", "tests")]
README = "\n".join(path.read_text() for path in READMES)
SMALL = ["data.train_size=128", "data.eval_size=100", "trainer.max_epochs=1", "trainer.threads=1"]
# `make study` has abundant images as well, which have no data.root
STUDY = [
    "layout=CCCC,CTTT",
    "trainer.max_epochs=1",  # one budget for each
    "data.train_size=128",
    "data.eval_size=100",
    "data.train_eval_size=100",
]

# what a study's table has in its first column after a command
LAYOUTS = ["ViT_REL", "CCCC", "CCCT", "CCTT", "CTTT"]
TABLES = {
    "make study": ["CCCC", "CTTT"],
    "make report STUDY=layouts": LAYOUTS,
}
RUNS = {"make study": 4, "make report STUDY=layouts": 5}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


LINES = [line.partition("   #")[0].strip() for block in blocks("bash") for line in block.splitlines() if line]
COMMANDS = list(dict.fromkeys(LINES))
BY_OTHER_TESTS = (
    "packing",
    "cells",
    "loop",
    "step",
    "coatlab.upload",
    "--publish",
    "--results",
    "tests.training.faults",
)


def test_every_folder_that_users_open_explains_itself() -> None:
    assert len(COMMANDS) >= 30
    assert all(path.read_text().startswith("# ") for path in READMES)


def written_commands() -> list[str]:
    """Return the commands of all that users read: READMEs, and the heads of configs and studies."""
    texts = [README, (REPOSITORY / "CONTRIBUTING.md").read_text()]
    texts += [path.read_text() for folder in ("conf", "sweeps") for path in (REPOSITORY / folder).rglob("*.yaml")]
    lines = [line.strip("# ").partition("   ")[0] for text in texts for line in text.splitlines()]
    return [line for line in lines if line.startswith("python ")]


def test_zsh_takes_the_commands_as_they_are_written() -> None:
    """Outside of quotes it looks for files where bash leaves brackets alone, and refuses what it does not find."""
    assert len(written_commands()) > 40
    unquoted = {command: re.sub(r"'[^']*'|\"[^\"]*\"", "", command) for command in written_commands()}
    assert not [command for command, rest in unquoted.items() if re.search(r"[\[\]{}()*?^#]|[ =]~|\s=", rest)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("readme"))


def small(command: str) -> list[str]:
    """Return the words of a command of the README, with those that make its runs small enough."""
    program, *words = shlex.split(command)
    if program == "make":
        # the environment is this one; that it can be made is the gate's to show
        words += ["-o", ".venv/ready", f"BIN={Path(sys.executable).parent}"]
        return words + {
            "make study": ["SEEDS=0", f"ARGS={' '.join(STUDY)}"],
            "make test": ["ARGS=--collect-only -q -n 0 tests/model/test_layout.py"],
            "make check": ["ARGS=--collect-only -q -n 0 tests/model/test_layout.py"],
        }.get(command, [])
    if command == "python -m coatlab.budget solve --size nano":
        return [*words, "--help"]  # tests/budget/test_sizes.py runs it
    if "cluster=slurm" in words:
        return [words[0], "--cfg", "job", *words[1:]]  # tests/cluster/slurm runs it on a real one
    if set(BY_OTHER_TESTS) & set(words):
        return [*words, *(["--help"] if "--help" not in words else [])]
    if words[0] == "src/train.py" and not {"--help", "sweep.dry_run=true"} & set(words):
        if "trainer.limit_train_batches=2" in words:
            words.append("data.batch_size=32")  # else there are fewer
        images = ["data.test_size=100"] if "data=fractals" in words else small_images.WORDS
        return last_of_each_key([*words, *SMALL, *images])
    if words[1] == "coatlab.benchmark":
        words += ["--turns", "1", *(["--seconds", "0.1"] if "data" in words else ["--attention", "relative,linear"])]
    return words


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the README: `make` as it is, a Python program in a process that has torch already."""
    if not command.startswith("make"):
        process = Forked(small(command), environment)
        out, err = process.communicate(timeout=400)
        return subprocess.CompletedProcess(process.args, int(process.returncode or 0), out, err)
    # a make that runs these tests is not theirs: its variables would be
    of_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "ARGS", "STUDY")
    environment = {key: value for key, value in environment.items() if key not in of_make}
    return subprocess.run(
        ["make", *small(command)], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=400
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, shared: CommandLine, tmp_path: Path) -> None:
    environment = shared.environment | {"COATLAB_REPORTS": str(tmp_path)}
    if command == "make study":  # on other images than the commands that share their runs
        environment["COATLAB_RUNS"] = str(tmp_path / "runs")
    done = run(command, environment)
    assert done.returncode == 0, done.stderr
    if command in ("make study", "make report STUDY=layouts"):
        assert done.stdout.splitlines()[-1] == str(tmp_path / "layouts" / "report.html")
    if command in TABLES:
        (text,) = [path.read_text() for path in tmp_path.glob("*/table.md")]
        assert [line.replace("\\", "").split("|")[1].strip() for line in first_table(text)[2:]] == TABLES[command]
        assert f"{RUNS[command]} of {RUNS[command]} runs complete" in text


def first_table(text: str) -> list[str]:
    return re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()


def test_the_python_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the blocks one after the other, as a reader would, beside a run of the study that they name."""
    blocks_of_stages = [1, 1, 1, 1, 1]  # ONNX takes seconds for each
    folder = make_run(tmp_path / "runs", f"plan.blocks={blocks_of_stages}".replace(" ", ""), seed=0, accuracy=0.75)
    make_run(tmp_path / "runs", "layout=CCCC", seed=0, accuracy=0.5)
    plan = {"blocks": blocks_of_stages}
    network = create_model(size="nano", image_size=32, channels=1, num_classes=10, plan=plan)
    save_weights(folder, network, json.loads((folder / "record.json").read_text())["fingerprint"])
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"images": torch.randn(1, 3, 224, 224), "digits": torch.randn(2, 1, 32, 32)}
    for code in blocks("python"):
        if "torch.onnx" in code and find_spec("onnxscript") is None:
            code = code[: code.index("with sdpa_kernel")]  # the extra `onnx` is not installed
        exec(code, names)
    assert [tuple(m.shape[1:]) for m in names["maps"]] == [(96, 56, 56), (192, 28, 28), (384, 14, 14), (768, 7, 7)]
    assert names["classes"].shape == (2,)
    assert names["again"].path == Path("weights") / f"{folder.name}.safetensors"
    assert names["accuracy"].to_dict() == {"CCCC": pytest.approx(0.49), "CCTT": pytest.approx(0.74)}
    assert (names["channels"], names["strides"]) == ([96, 192, 384, 768], [4, 8, 16, 32])
    assert names["pooled"].shape == (1, 768)
    assert names["model"].num_classes == 10
    assert names["program"].module()(torch.zeros(5, 1, 32, 32)).shape == (5, 10)


def test_the_shell_completes(shared: CommandLine) -> None:
    process = Forked(["src/train.py", "-sc", "install=bash"], shared.environment)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "complete" in out


def test_the_picture_and_every_file_it_names_exist() -> None:
    for path in READMES:
        for name in re.findall(r"`((?:src|tests|conf|sweeps|analysis|\.)[\w./]*/?)`", path.read_text()):
            assert (REPOSITORY / name).exists() or name.startswith(".venv"), name
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert link.startswith("https://") or (path.parent / link).exists(), f"{path}: {link}"
