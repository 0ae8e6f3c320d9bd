"""Programs that are no Python packages: `.ci/prepare` installs them; what needs one that is missing is skipped."""

import shutil


def why_not(*needed: str) -> str | None:
    """Say which programs are missing; None: none."""
    missing = [program for program in needed if shutil.which(program) is None]
    return f"{', '.join(missing)} not found; .ci/prepare installs what tests need" if missing else None
