"""The tree keeps its shape: floors, names that pair up, sizes of files and folders, every yaml composes."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices, conf_dir, groups
from coatlab.config.rules import check
from coatlab.config.targets import python_path
from tests.support.commandline import REPOSITORY

SOURCE, ANALYSIS, TESTS = REPOSITORY / "src" / "coatlab", REPOSITORY / "analysis", REPOSITORY / "tests"
# A package or a top-level module imports only what stands on a lower floor, lazily or not.
COATLAB = [
    ["errors"],
    ["output", "process"],
    ["model"],
    ["config"],
    ["cli", "create", "data", "runs"],
    ["budget", "load", "tracking"],
    ["training"],
    ["cluster"],
    ["sweep"],
    ["benchmark", "sheet", "status", "upload"],
]
REPORTS = [
    ["stats", "tabular", "words"],
    ["paper", "read"],
    ["compare"],
    ["claims"],
    ["figures"],
    ["tables"],
    ["studies"],
    ["report"],
    ["commands"],
]
TOP = {
    "src", "conf", "sweeps", "analysis", "tests", "pyproject.toml", "Makefile", "README.md",
    "LICENSE", "CITATION.cff", "CONTRIBUTING.md",
}  # fmt: skip
# what reads plans, records and tables, on a login node or before a training: torch takes seconds, and may not be there
WITHOUT_TORCH = [
    "analysis", "coatlab.config", "coatlab.process", "coatlab.output", "coatlab.runs", "coatlab.sweep",
    "coatlab.cluster", "coatlab.training.entry", "hydra_plugins.coatlab_launchers", "hydra_plugins.coatlab_sweeper",
    "coatlab.cli", "coatlab.status", "coatlab.upload", "coatlab.model.layout", "coatlab.tracking.session",
    "coatlab.data.files.class_folders", "coatlab.data.files.shards", "coatlab.sheet", "coatlab.budget.__main__",
    "coatlab.benchmark.__main__",
]  # fmt: skip
CHECKED_GROUPS = ["layout", "attention", "network", "data", "recipe", "init", "trainer", "cluster", "tracker"]
LONGEST_FILE, LARGEST_FOLDER, LONGEST_FUNCTION = 300, 14, 60


def modules(root: Path) -> list[Path]:
    return sorted(root.rglob("*.py"))


def imported(path: Path, root: str) -> Iterator[str]:
    """Yield the packages and top-level modules of a root that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == root:
                yield from (name.name for name in node.names)
            elif node.module.startswith(f"{root}."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (name.name.split(".")[1] for name in node.names if name.name.startswith(f"{root}."))


@pytest.mark.parametrize(("root", "floors"), [(SOURCE, COATLAB), (ANALYSIS, REPORTS)], ids=["coatlab", "analysis"])
def test_imports_go_down(root: Path, floors: list[list[str]]) -> None:
    floor = {name: number for number, names in enumerate(floors) for name in names}
    for path in modules(root):
        here = path.relative_to(root).parts[0].removesuffix(".py")
        if here == "__main__" or path == root / "__init__.py":
            continue
        wrong = {other for other in set(imported(path, root.name)) - {here} if floor[other] >= floor[here]}
        assert not wrong, f"{path.relative_to(root)} imports {', '.join(wrong)}"


def test_the_top_of_the_package_is_what_a_user_calls() -> None:
    assert {path.name for path in SOURCE.glob("*.py")} == {
        "__init__.py", "cli.py", "create.py", "errors.py", "load.py", "sheet.py", "status.py", "upload.py",
    }  # fmt: skip


@pytest.mark.slow
def test_some_packages_never_import_torch() -> None:
    code = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    inside = pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}.")
    for module in [name, *(found.name for found in inside)]:
        importlib.import_module(module)
        assert "torch" not in sys.modules, f"{module} imports torch"
"""
    done = subprocess.run([sys.executable, "-c", code, *WITHOUT_TORCH], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_files_folders_and_functions_are_small() -> None:
    files = [*modules(SOURCE), *modules(ANALYSIS)]
    assert not [path for path in files if len(path.read_text().splitlines()) > LONGEST_FILE]
    assert not [path for path in modules(TESTS) if len(path.read_text().splitlines()) > LONGEST_FILE]
    folders = Counter(path.parent for path in [*files, *modules(TESTS)] if path.stem != "__init__")
    assert not {folder: number for folder, number in folders.items() if number > LARGEST_FOLDER}
    long = [
        f"{path.relative_to(REPOSITORY)}: {node.name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.slow
def test_the_top_level_holds_what_a_user_needs() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in listed.splitlines()}
    assert {name for name in top if not name.startswith(".")} == TOP


@pytest.mark.parametrize("group", CHECKED_GROUPS)
def test_a_group_has_choices(group: str) -> None:
    assert choices(group)


# what a choice needs where the defaults are not what it is for: rates were tuned on fractals alone
BESIDE = {"recipe=tuned": ["data=fractals"]}


@pytest.mark.parametrize("choice", [f"{group}={choice}" for group in CHECKED_GROUPS for choice in choices(group)])
@pytest.mark.slow
def test_every_choice_composes_and_is_valid(choice: str) -> None:
    check(resolve(compose([choice, *BESIDE.get(choice, [])])))


@pytest.mark.parametrize("size", choices("size"))
@pytest.mark.slow
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
            assert OmegaConf.load(conf_dir() / group / f"{choice}.yaml").name == choice
    for choice in choices("attention"):
        assert python_path("attention", {"name": choice}).startswith(f"coatlab.model.attention.{choice}.")
        assert (TESTS / "model" / "attention" / f"test_{choice}.py").is_file()
    for choice in choices("data"):
        assert python_path("data", {"name": choice}).startswith(f"coatlab.data.{choice.rstrip('0123456789')}.")
    for study in (ANALYSIS / "studies").glob("[a-z]*.py"):
        assert (REPOSITORY / "sweeps" / f"{study.stem}.yaml").is_file()


# through the command line, or the networks they are part of; a folder stands for all modules in it
TESTED_ELSEWHERE = {
    "coatlab": {
        "create",  # model/test_network
        "process/parent", "process/place",  # test_train, training/distributed/test_leader
        "output/files",  # runs/test_record
        "runs/lock", "runs/summary",  # runs/test_run
        "sweep/standing",  # test_status
        "config/consistency",  # config/test_rules
        "data/image_data",  # data/test_fashion_mnist
        "model/blocks/stem", "model/blocks/shortcut", "model/blocks/mbconv", "model/blocks/transformer",  # test_timm
        "benchmark/commands",  # benchmark/test_step and others
        "budget/commands",  # budget/test_sizes
        "budget/parts", "budget/family",  # budget/test_solver, analysis/tables/test_family
        "tracking/session",  # tracking/test_mirror
        "training/entry", "training/distributed/follower",
        "training/start",  # test_train, training/distributed/test_leader
        "cluster/fork",  # cluster/test_local
    },
    "analysis": {
        "studies", "figures",  # studies/test_studies and figures/test_figures run over all there are
        "tabular", "compare/design", "compare/hardware", "compare/labels", "compare/panels", "tables/verdicts",
        "compare/measure",  # tables/test_dots and others
        "report/contents",  # analysis/test_main
    },
}  # fmt: skip


@pytest.mark.parametrize("root", [SOURCE, ANALYSIS], ids=lambda root: root.name)
def test_every_module_has_a_test_in_the_same_place(root: Path) -> None:
    under = TESTS if root == SOURCE else TESTS / "analysis"
    elsewhere = TESTED_ELSEWHERE[root.name]
    untested = set()
    for path in modules(root):
        place = path.relative_to(root)
        if path.stem not in ("__init__", "__main__") and not (under / place.with_name(f"test_{path.name}")).is_file():
            folder = str(place.parent)
            untested.add(folder if folder in elsewhere else str(place.with_suffix("")))
    assert untested == elsewhere


def test_the_configs_are_found_by_group() -> None:
    assert conf_dir() == REPOSITORY / "conf"
    assert set(groups()) == {
        "layout", "attention", "size", "network", "data", "recipe", "init", "trainer", "cluster", "tracker", "sweep",
    }  # fmt: skip


@pytest.mark.slow
def test_no_registry_address_and_no_loose_end_is_committed() -> None:
    words = ["index" + "-url", "find" + "-links", "TO" + "DO", "FIX" + "ME"]
    for word in words:
        found = subprocess.run(["git", "grep", "-nIF", word, "--", "."], cwd=REPOSITORY, capture_output=True, text=True)
        assert found.stdout == ""
