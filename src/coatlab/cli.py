"""How a command ends: one sentence and exit code 1 for what the user can fix, a traceback for our own defects.

`HYDRA_FULL_ERROR=1` in the environment, Hydra's own switch, shows the traceback in the first case as well.
"""

import errno
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException

from coatlab.config.compose import closed, known_keys
from coatlab.config.composer import composed, missing_choice, running_folders
from coatlab.config.files import choices, conf_dir, groups
from coatlab.config.keys import unknown_key
from coatlab.config.rules import takes
from coatlab.config.typed.arguments import words_of
from coatlab.config.typed.overrides import check_overrides
from coatlab.config.typed.reading import read, several, unreadable
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
# Hydra 1.3 of `seed=0,1` and of `seed=range(0,3)`, where no sweep was asked for, or where its config has a mistake
NO_SWEEP = ("Ambiguous value", "Sweep parameters")


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn errors meant for the user into one line on stderr and exit code 1; defects keep their traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: a name that the terminal lacks is no error
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
    if isinstance(error, OverrideParseException):
        return line(unreadable(error.override, error))
    if isinstance(error, HydraException | OmegaConfBaseException) or str(error).startswith(NOT_A_CHOICE):
        return _of_the_words() or _of_hydra(error)
    return None


def _of_the_words() -> str | None:
    """Word what is wrong with the words of the command line, if anything is, where Hydra says it in its own terms."""
    try:
        check_overrides(_typed())
    except InputError as error:
        return line(error)
    return None


def _of_hydra(error: BaseException) -> str:
    text = line(error.args[0] if error.args else error)
    if text.startswith("Could not override 'hydra."):
        return text.partition(" Key ")[0]
    if key := re.match(r"Could not (?:override|delete from config\.) '([\w.]+)'", text):
        return _added_to(key[1]) or _unknown_key(key[1]) or text
    if text.startswith(NO_SWEEP):
        return _of_several_values() or text
    if isinstance(error, InterpolationResolutionError | GrammarParseError):
        return line(_reference(error))
    if error.__cause__ is not None and not isinstance(error, OmegaConfBaseException):
        text += f" ({line(error.__cause__)})"
    return text


def _reference(error: OmegaConfBaseException) -> str:
    """Word a value that refers to another one which is not there, with the word that was typed."""
    key, text = error.full_key, str(error.args[0]).splitlines()[0]
    kind, raised, reason = text.partition(" raised while resolving interpolation: ")
    if raised and kind == InputError.__name__:  # a resolver of ours, whose error OmegaConf replaces
        return reason
    words = _typed()
    typed = next((word for word in words if key and word.lstrip("+").startswith(f"{key}=")), None)
    stated = typed or next((word for word in words if "${" in word), key)
    return f"{stated} cannot be resolved: {(reason or text).strip(chr(34))}"


def _of_several_values() -> str | None:
    """Word a mistake in a command with several values of a key: Hydra names these, whatever the mistake is."""
    overrides = read(_typed())
    sweeps = [override for override in overrides if override.is_sweep_override()]
    first = {
        f"{override.key_or_group}={next(override.sweep_string_iterator())}"
        if override in sweeps and override.is_discrete_sweep()
        else str(override.input_line)
        for override in overrides
        if not override.is_hydra_override()
    }
    try:
        closed(composed(conf_dir(), sorted(first), running_folders(conf_dir())))
    except InputError as error:
        return line(error)
    except (HydraException, OmegaConfBaseException) as error:
        return None if str(error).startswith(NO_SWEEP) else _of_hydra(error)
    if not sweeps:
        return None
    key, value = sweeps[0].key_or_group, str(sweeps[0].input_line).partition("=")[2]
    meant = "list" if takes(key, [1]) or takes(key, [""]) else "text" if takes(key, value) else None
    return line(several(sweeps[0], meant))


def _unknown_key(key: str) -> str | None:
    """Word a key that the config of the command line does not have, with the keys of its choices; None: it has it."""
    valid = _chosen(read(_typed()))
    known = known_keys(valid)
    return None if key in known else line(unknown_key(key, known, valid))


def _added_to(key: str) -> str | None:
    """Word a value that adds keys to what a study gives to one, which Hydra takes for a key that is not there."""
    typed = next((word for word in _typed() if word.startswith(f"{key}=")), None)
    study = [word for word in _typed() if word.startswith("sweep=")]
    if typed is None or not study or OmegaConf.select(composed(conf_dir(), study), key) is None:
        return None
    return f"{typed} adds keys to {key}, which {study[0]} sets; write {shlex.quote(f'++{typed}')}"


def _chosen(overrides: list[Override]) -> dict[str, str]:
    chosen = {each.key_or_group: str(each.value()) for each in overrides if not each.is_sweep_override()}
    return {group: chosen[group] for group in groups() if chosen.get(group) in choices(group) and group != "sweep"}


def _typed() -> list[str]:
    """Return the words of the command line that give a key a value, or remove it; a study, for one, is given bare."""
    return [word for word in words_of(sys.argv[1:]) if "=" in word or word.startswith("~")]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk an exception and what it was raised from: resolvers wrap our errors in OmegaConf's."""
    while error is not None:
        yield error
        error = error.__cause__
