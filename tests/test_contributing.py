"""CONTRIBUTING.md, followed in a copy of the repository: each example is written, and the commands that prove it run.

And a module can be renamed in such a copy without any run becoming another experiment.
"""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.commandline import REPOSITORY

pytestmark = pytest.mark.slow

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()
SECTIONS = dict(re.findall(r"^## (An? .*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
# a line with a path, and perhaps where in that file, then a fence
BLOCK = re.compile(r"^( *)`([\w./-]+)`(, at the end|, in `\w+`)?:\n\n\1```\w+\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ADDED = ["TTTT", "cosine", "stripes", "pooling", "accuracies", "polite"]  # one of each kind, in the order of the text
SMALL = [
    "data.train_size=128", "data.eval_size=100", "data.train_eval_size=100", "data.batch_size=64", "seed=0",
    "trainer.max_epochs=1", "trainer.threads=1", "recipe.warmup_steps=1", "tracker=none",
]  # fmt: skip


class Block(NamedTuple):
    """A file of the text, or a part of one."""

    path: Path
    where: str
    content: str


def blocks(text: str) -> Iterator[Block]:
    for indent, path, where, content in BLOCK.findall(text):
        yield Block(Path(path), where, re.sub(f"^{indent}", "", content, flags=re.MULTILINE))


def commands(text: str) -> list[str]:
    fences = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for fence in fences for line in fence.splitlines()]


class Copy:
    """The working tree as it is, without what git ignores, in a folder and a repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if os.path.lexists(REPOSITORY / name):  # else it was deleted and not committed
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
        self.run("git", "init", "--quiet")
        self.run("git", "add", "--all")

    def run(self, *words: str) -> str:
        """Run a command in the copy, and return what it printed."""
        kept = {key: value for key, value in os.environ.items() if key not in ("COATLAB_RUNS", "COATLAB_REPORTS")}
        paths = os.pathsep.join([str(self.folder / "src"), str(self.folder)])
        done = subprocess.run(
            [sys.executable if word == "python" else word for word in words],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, block: Block) -> None:
        """Write a block where the text says."""
        path = self.folder / block.path
        if not block.where:
            assert not path.exists(), f"{block.path} is there already"
            assert path.parent.is_dir(), f"{block.path.parent} does not exist"
            path.write_text(block.content)
        elif block.where == ", at the end":
            path.write_text(path.read_text() + block.content)
        else:
            name = block.where.removeprefix(", in ").strip("`")
            found, times = re.subn(
                rf"^{name}\b.*\{{\n", lambda line: line[0] + block.content, path.read_text(), flags=re.M
            )
            assert times == 1, f"{block.path} has {times} places called {name}"
            path.write_text(found)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with one more of each kind."""
    copy = Copy(tmp_path_factory.mktemp("grown"))
    for block in blocks(TEXT):
        copy.write(block)
    (solve,) = [command for command in commands(SECTIONS["A layout"]) if "coatlab.budget solve" in command]
    copy.run(*shlex.split(solve), "--size=nano")
    return copy


def test_the_text_has_every_kind_and_touches_no_list_but_rules_and_claims() -> None:
    kinds = ["layout", "attention variant", "data set", "study, with its table and claim", "figure", "launcher"]
    assert [title.partition(" ")[2] for title in SECTIONS] == kinds
    for text, added in zip(SECTIONS.values(), ADDED, strict=True):
        assert added in {block.path.stem for block in blocks(text)}
        assert any("pytest" in command for command in commands(text))
    touched = {str(block.path) for block in blocks(TEXT) if block.where}
    assert touched == {"src/coatlab/config/rules.py", "analysis/claims/claims.yaml"}


def test_the_tree_is_complete_and_every_path_and_target_exists() -> None:
    (tree,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    listed, above = set(), ""
    for line in tree.splitlines():
        name = line.split()[0]
        above = above if line.startswith(" ") else name
        listed.add(above + name if line.startswith(" ") else name)
    packages = {
        f"{root}{path.parent.name}/"
        for root in ("src/coatlab/", "analysis/")
        for path in (REPOSITORY / root).glob("*/__init__.py")
    }
    tops = {"src/train.py", "src/hydra_plugins/", "src/coatlab/", "analysis/", "conf/", "sweeps/", "tests/"}
    assert listed == tops | packages
    added = {str(block.path) for block in blocks(TEXT) if not block.where}
    for name in re.findall(r"`((?:src|tests|conf|sweeps|analysis)/[\w./]*)`", TEXT):
        assert name in added or (REPOSITORY / name).exists(), name
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", TEXT)) <= targets


def test_the_examples_are_in_the_projects_style(grown: Copy) -> None:
    added = [str(block.path) for block in blocks(TEXT) if block.path.suffix == ".py"]
    grown.run("python", "-m", "ruff", "check", "--no-cache", *added)
    grown.run("python", "-m", "ruff", "format", "--check", "--no-cache", *added)


def test_the_tests_that_prove_them_pass(grown: Copy) -> None:
    """Of the tests that the text names: those of the structure, and those of what was added."""
    grown.run("git", "add", "--all")
    proofs = [shlex.split(command) for command in commands(TEXT)]
    named = sorted({word for words in proofs if "pytest" in words for word in words if word.startswith("tests/")})
    assert not [name for name in named if not (grown.folder / name).exists()]
    of_added = " or ".join(ADDED)
    others = "every_plan or every_choice or every_sweep"  # of choices that were there before
    chosen = f"(test_structure and not ({others})) or ({of_added})"
    told = grown.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", "-k", chosen, *named)
    passed = [line for line in told.splitlines() if line.startswith("PASSED")]
    assert any("test_every_module_has_a_test_in_the_same_place" in line for line in passed)
    for name in ADDED:
        assert any(line.endswith(f"{name}]") for line in passed), name


def test_one_command_uses_all_of_them(grown: Copy) -> None:
    """The commands of the text that train, as one: a small sweep of the new study, and its report."""
    trained = [shlex.split(command)[2:] for command in commands(TEXT) if "src/train.py" in command]
    words = [word for each in trained for word in each if word.partition("=")[2] in ADDED]
    assert sorted(words) == sorted(
        ["layout=TTTT", "attention=cosine", "data=stripes", "sweep=pooling", "cluster=polite"]
    )
    runs, reports = grown.folder / "runs", grown.folder / "reports"
    grown.run("python", "src/train.py", *words, *SMALL, f"paths.runs={runs}")
    records = [json.loads(path.read_text()) for path in runs.glob("*/record.json")]
    assert [record["status"] for record in records] == ["complete"] * 2
    assert {record["config"]["network"]["pool"] for record in records} == {"max", "average"}
    assert all(path.parent.name.startswith("TTTT-cosine-nano-stripes-s0-") for path in runs.glob("*/record.json"))
    told = grown.run("python", "-m", "analysis", "pooling", f"--runs={runs}", f"--reports={reports}")
    assert "max ≈ average" in told
    assert (reports / "pooling" / "figures" / "accuracies.svg").is_file()


def test_renaming_a_module_changes_no_fingerprint(tmp_path: Path) -> None:
    copy, old, new = Copy(tmp_path), "coatlab.model.attention.window", "coatlab.model.attention.panes"
    source = copy.folder / "src" / "coatlab" / "model" / "attention"
    (source / "window.py").rename(source / "panes.py")
    users = [path for end in ("py", "yaml") for path in copy.folder.rglob(f"*.{end}") if old in path.read_text()]
    assert copy.folder / "conf" / "attention" / "window.yaml" in users
    for path in users:
        path.write_text(path.read_text().replace(old, new))
    with (REPOSITORY / "tests" / "runs" / "fingerprints.csv").open() as file:
        golden = {
            row["words"]: row["fingerprint"] for row in csv.DictReader(file) if "attention=window" in row["words"]
        }
    assert len(golden) >= 3
    code = """
import json, shlex, sys
from coatlab.config.compose import compose, resolve
from coatlab.config.targets import python_path
from coatlab.runs.identity import fingerprint
configs = {words: resolve(compose(shlex.split(words))) for words in sys.argv[1:]}
paths = {python_path("attention", config["attention"]) for config in configs.values()}
print(json.dumps([sorted(paths), {words: fingerprint(config) for words, config in configs.items()}]))
"""
    paths, found = json.loads(copy.run("python", "-c", code, *golden))
    assert paths == [f"{new}.WindowAttention"]
    assert found == golden
