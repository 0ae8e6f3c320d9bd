"""Where the repository and the configs lie: the folder conf/, its groups and the choices of each."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def repository() -> Path | None:
    """Return the checkout that this code is part of; None for an installed wheel."""
    checkout = _PACKAGE.parents[1]
    return checkout if all((checkout / path).exists() for path in ("conf/train.yaml", "src/train.py")) else None


def conf_dir() -> Path:
    """Return the folder of the configs: conf/ of the repository, or the copy inside an installed wheel."""
    return (repository() or _PACKAGE) / "conf"


def choices(group: str) -> list[str]:
    """List the choices of a group: the names of its files."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """List the groups: the folders of conf/."""
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())
