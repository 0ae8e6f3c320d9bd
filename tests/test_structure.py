"""The tree keeps its shape: import order, names that pair up, every yaml composes."""

import ast
import importlib
import subprocess
from pathlib import Path

import pytest

from coatlab.checks import check
from coatlab.conf_files import choices, conf_dir, groups
from coatlab.configs import compose, resolve

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "coatlab"
# A module imports only modules of lower levels. A folder stands for its files.
LEVELS = [
    ["errors"],
    [
        "expand", "layout", "records", "identity", "environment", "allocator", "signals", "markdown", "recipe",
        "content", "parent", "wandb_run", "conf_files",
    ],
    ["targets"],
    ["configs", "attention", "data", "checks", "ranks"],
    ["cli", "blocks", "optim", "metrics", "checkpoints", "run"],
    ["network", "task", "tracker", "summary", "sheet", "donor", "follow"],
    ["budget", "callbacks", "benchmark", "transfer", "cells", "cluster", "expected"],
    ["progress", "plan", "status", "upload"],
    ["fit", "sweeper"],
]  # fmt: skip
TOP = {"src", "conf", "sweeps", "analysis", "tests", "pyproject.toml", "Makefile", "README.md"}


def level(module: str) -> int:
    (found,) = [number for number, modules in enumerate(LEVELS) if module in modules]
    return found


def imported(path: Path) -> set[str]:
    """Return the modules below coatlab that a file imports when it is imported itself."""
    tree = ast.parse(path.read_text())
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return {node.module.split(".")[1] for node in nodes if node.module and node.module.startswith("coatlab.")}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    here = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if here == "__init__":
        assert not imported(path)
        return
    for other in imported(path) - {here}:
        assert level(other) < level(here), f"{here} imports {other}"


def test_files_have_one_job() -> None:
    files = [*SOURCE.rglob("*.py"), *(REPOSITORY / "analysis").rglob("*.py")]
    assert not [path for path in files if len(path.read_text().splitlines()) > 300]


def test_only_analysis_is_free_of_torch_in_name_and_deed() -> None:
    for path in (REPOSITORY / "analysis").rglob("*.py"):
        assert "torch" not in {
            name.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for name in node.names
        }


def test_the_top_level_holds_what_a_user_needs() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in listed.splitlines()}
    assert {name for name in top if not name.startswith(".")} == TOP


@pytest.mark.parametrize(
    "group", ["layout", "attention", "network", "data", "recipe", "init", "trainer", "cluster", "tracker"]
)
def test_every_choice_composes_and_is_valid(group: str) -> None:
    assert choices(group)
    for choice in choices(group):
        check(resolve(compose([f"{group}={choice}"])))


@pytest.mark.parametrize("size", choices("size"))
def test_every_plan_of_every_size_is_valid(size: str) -> None:
    image_size = 224 if size.startswith("coatnet") else 32
    for layout in compose([f"size={size}"]).size.plans:
        check(resolve(compose([f"size={size}", f"layout={layout}", f"data.image_size={image_size}"])))


@pytest.mark.parametrize("sweep", choices("sweep"))
def test_every_sweep_composes_and_says_its_command(sweep: str) -> None:
    config = resolve(compose([f"sweep={sweep}"]))
    check(config)
    assert config["study"] == sweep
    assert f"python src/train.py sweep={sweep}" in (REPOSITORY / "sweeps" / f"{sweep}.yaml").read_text()


def test_names_pair_up() -> None:
    for group in ("layout", "attention", "size", "data", "recipe", "init", "tracker"):
        for choice in choices(group):
            assert compose([f"{group}={choice}"])[group].name == choice
    for choice in choices("attention"):
        assert (SOURCE / "attention" / f"{choice}.py").is_file()
        assert (REPOSITORY / "tests" / f"test_{choice}.py").is_file()
    for choice in choices("data"):
        module = str(compose([f"data={choice}"]).data["_target_"]).rpartition(".")[0]
        assert importlib.import_module(module).__name__.startswith("coatlab.data.")
    without_sweep = {"cost", "family"}  # the one is of every study, the other of no training
    for table in (REPOSITORY / "analysis" / "tables").glob("[a-z]*.py"):
        assert table.stem in without_sweep or (REPOSITORY / "sweeps" / f"{table.stem}.yaml").is_file()


@pytest.mark.parametrize(
    "path", sorted(path for path in SOURCE.rglob("*.py") if path.stem != "__init__"), ids=lambda path: path.stem
)
def test_every_module_has_a_test(path: Path) -> None:
    covered_elsewhere = {  # through the command line or the networks they are part of
        "errors", "__main__", "stem", "shortcut", "mbconv", "transformer",  # test_timm, test_network
        "parts",  # test_solver
        "follow", "parent", "process",  # test_ranks, test_local
        "wandb_run",  # test_tracker, test_report_upload
        "image_data", "in_memory", "splits", "content",  # test_encoded, test_folder
        "callbacks", "progress", "fit", "summary", "configs", "environment", "conf_files", "targets",
    }  # fmt: skip
    assert path.stem in covered_elsewhere or (REPOSITORY / "tests" / f"test_{path.stem}.py").is_file()


def test_the_configs_are_found_by_group() -> None:
    assert conf_dir() == REPOSITORY / "conf"
    assert {
        "layout",
        "attention",
        "size",
        "network",
        "data",
        "recipe",
        "init",
        "trainer",
        "cluster",
        "tracker",
        "sweep",
    } == set(groups())


def test_no_registry_address_and_no_loose_end_is_committed() -> None:
    words = ["index" + "-url", "find" + "-links", "TO" + "DO", "FIX" + "ME"]
    for word in words:
        found = subprocess.run(["git", "grep", "-nIF", word, "--", "."], cwd=REPOSITORY, capture_output=True, text=True)
        assert found.stdout == ""
