"""Where the configs are: the folder conf/, its groups, and the choices of each group."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def conf_dir() -> Path:
    """Return the folder of the configs: conf/ of the checkout, or the copy inside an installed wheel."""
    checkout = _PACKAGE.parents[1] / "conf"
    return checkout if (checkout / "train.yaml").is_file() else _PACKAGE / "conf"


def choices(group: str) -> list[str]:
    """List the choices of a group: the names of its files."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """List the groups: the folders of conf/."""
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())
