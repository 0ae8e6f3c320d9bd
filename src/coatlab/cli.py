"""How a command ends: one sentence and exit code 1 for what the user can fix, a traceback for our own defects.

`HYDRA_FULL_ERROR=1` in the environment, Hydra's own switch, shows the traceback in the first case as well.
"""

import errno
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from coatlab.config.compose import known_keys
from coatlab.config.composer import missing_choice
from coatlab.config.files import choices, groups
from coatlab.config.keys import unknown_key
from coatlab.config.overrides import check_overrides
from coatlab.errors import InputError, RunError, Stopped
from coatlab.output.text import line

# read once: one_sentence_errors tells Hydra to let every exception through to us
WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")

# what a user fixes outside of coatlab: a place that is full, read-only, forbidden or broken, or that lies below a file
DISK_TROUBLE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EIO,
    errno.ESTALE,
)  # fmt: skip

NOT_A_CHOICE = "Config group override must be a string"  # Hydra 1.3 of `tracker=null`, as a plain ValueError


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn errors meant for the user into one line on stderr and exit code 1; defects keep their traceback."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except Stopped as stopped:
        name = signal.Signals(stopped.signal_number).name
        print(f"stopped by {name}; the state is saved, and the same command resumes from it", file=sys.stderr)
        raise SystemExit(stopped.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; the same command resumes from the last checkpoint", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        sentence = sentence_of(error)
        if WANTS_TRACEBACK or sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before


def sentence_of(error: BaseException) -> str | None:
    """Return the line to print for an error, or None where only a traceback helps."""
    ours = next((e for e in _causes(error) if isinstance(e, InputError | RunError)), None)
    if ours is not None:
        return line(ours)
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{place}; what was saved before is intact, and the same command resumes from it"
    if isinstance(error, InstantiationException):
        return None  # a constructor of ours that failed is a defect
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return line(missing_choice(error))
    if isinstance(error, HydraException | OmegaConfBaseException) or str(error).startswith(NOT_A_CHOICE):
        return _of_the_words() or _of_hydra(error)
    return None


def _of_the_words() -> str | None:
    """Word what is wrong with the words of the command line, if anything is, where Hydra says it in its own terms."""
    try:
        check_overrides([str(override.input_line) for override in _typed()])
    except InputError as error:
        return line(error)
    return None


def _of_hydra(error: BaseException) -> str:
    text = line(error.args[0] if error.args else error)
    if key := re.match(r"Could not (?:override|delete from config\.) '([\w.]+)'", text):
        return line(_unknown_key(key[1])) if key[1] not in known_keys({}) else text
    if error.__cause__ is not None and not isinstance(error, OmegaConfBaseException):
        text += f" ({line(error.__cause__)})"
    return text


def _unknown_key(key: str) -> InputError:
    """Word a key that the config of the command line does not have, with the keys of its choices."""
    chosen = {override.key_or_group: str(override.value()) for override in _typed() if not override.is_sweep_override()}
    valid = {group: chosen[group] for group in groups() if chosen.get(group) in choices(group) and group != "sweep"}
    return unknown_key(key, known_keys(valid), valid)


def _typed() -> list[Override]:
    """Return the overrides of the command line: its words, but for options, names of files and what cannot be read."""
    overrides = []
    for word in sys.argv[1:]:
        if not word.startswith("-") and ("=" in word or word.startswith("~")):
            with suppress(HydraException):
                overrides.append(OverridesParser.create().parse_override(word))
    return overrides


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk an exception and what it was raised from: resolvers wrap our errors in OmegaConf's."""
    while error is not None:
        yield error
        error = error.__cause__
