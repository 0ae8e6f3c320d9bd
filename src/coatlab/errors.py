"""The errors that are meant for the user, and how the command line shows them.

An `InputError` or a `RunError` is one sentence and exit code 1. Everything else is a defect of ours and
keeps its traceback. `HYDRA_FULL_ERROR=1` in the environment gives the traceback of the former as well.
"""

import difflib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra.errors import MissingConfigException


# read once: below, Hydra is told to let every exception through to us
WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")


class InputError(ValueError):
    """A setting or a file that cannot be used: the message names the key, the value and what is valid."""


class RunError(RuntimeError):
    """A run folder that cannot be used now: held by another process, not writable, of a newer schema."""


class Stopped(BaseException):
    """A signal asked the run to stop, and its state is saved. A BaseException, so that it unwinds Lightning."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"stopped by signal {signal_number}")

    @property
    def exit_code(self) -> int:
        """Return the shell's convention for a process that a signal ended."""
        return 128 + self.signal_number


def not_one_of(key: str, value: object, valid: Iterable[object]) -> InputError:
    """Build the sentence for a value outside a closed list, with the nearest valid one as a hint."""
    return InputError(f"{key}={value} does not exist{_hint(value, valid)}")


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn errors meant for the user into one line on stderr and exit code 1; leave defects their traceback."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except Stopped as stopped:
        raise SystemExit(stopped.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        sentence = _sentence(error)
        if WANTS_TRACEBACK or sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before


def _sentence(error: BaseException) -> str | None:
    """Return the line to print for `error`, or None where only a traceback helps."""
    from hydra.errors import HydraException, InstantiationException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    ours = next((e for e in _causes(error) if isinstance(e, InputError | RunError)), None)
    if ours is not None:
        return " ".join(str(ours).split())
    if isinstance(error, InstantiationException):
        return None  # a constructor of ours that failed is a defect
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return str(missing_choice(error))
    if isinstance(error, HydraException | OmegaConfBaseException):
        text = " ".join(f"{error.args[0] if error.args else error}".split())
        if key := re.match(r"Could not override '([\w.]+)'", text):
            return _unknown_key(key[1]) or text
        if error.__cause__ is not None and not isinstance(error, OmegaConfBaseException):
            text += f" ({' '.join(str(error.__cause__).split())})"
        return text
    return None


def missing_choice(error: "MissingConfigException") -> InputError:
    """Word a group choice that has no file: `layout/XYZ` -> layout=XYZ does not exist; valid: ..."""
    from coatlab.layout import check_letters

    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    if group == "layout" and re.fullmatch("[CT]+", choice):
        try:
            check_letters(choice)  # TCCC: the rule it breaks says more than the list of files
        except InputError as broken:
            return broken
    return not_one_of(group or "config", choice, sorted(error.options or []))


def _unknown_key(key: str) -> str | None:
    """Word an override of a key that is not in the config, with the keys that are, for the groups chosen."""
    from omegaconf import DictConfig

    from coatlab.configs import compose, groups

    chosen = [word for word in sys.argv[1:] if word.partition("=")[0] in groups() and "," not in word]
    node: Any = compose(chosen)
    path = ""
    for name in key.split("."):
        if not isinstance(node, DictConfig) or name not in node:
            break
        node = node[name]
        path += f"{name}."
    if not isinstance(node, DictConfig):
        return None
    return str(not_one_of_keys(path + key[len(path) :].partition(".")[0], [path + str(name) for name in node]))


def not_one_of_keys(key: str, valid: Iterable[str]) -> InputError:
    """Build the sentence for a key that does not exist, with the nearest one as a hint."""
    return InputError(f"the key {key} does not exist{_hint(key, valid)}")


def _hint(value: object, valid: Iterable[object]) -> str:
    choices = [str(choice) for choice in valid]
    near = difflib.get_close_matches(str(value), choices, n=1)
    return (f" (did you mean {near[0]}?)" if near else "") + f"; valid: {', '.join(choices)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk an exception and what it was raised from: resolvers wrap ours into OmegaConf's."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
