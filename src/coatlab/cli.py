"""How a command ends: one sentence and exit code 1 for what the user can mend, a traceback for our defects.

`HYDRA_FULL_ERROR=1` in the environment, Hydra's own switch, gives the traceback of the former as well.
"""

import errno
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from coatlab.config.compose import compose, missing_choice
from coatlab.config.files import groups
from coatlab.errors import InputError, RunError, Stopped, not_one_of_keys

# read once: below, Hydra is told to let every exception through to us
WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")

# what a user mends outside of us: a full, read-only or forbidden place, or one below a file
DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn errors meant for the user into one line on stderr and exit code 1; leave defects their traceback."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except Stopped as stopped:
        name = signal.Signals(stopped.signal_number).name
        print(f"stopped by {name}; the state is saved, and the same command goes on from it", file=sys.stderr)
        raise SystemExit(stopped.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
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
    """Return the line to print for `error`, or None where only a traceback helps."""
    ours = next((e for e in _causes(error) if isinstance(e, InputError | RunError)), None)
    if ours is not None:
        return " ".join(str(ours).split())
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{place}; what was saved before is whole, and the same command goes on from it"
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


def _unknown_key(key: str) -> str | None:
    """Word an override of a key that is not in the config, with the keys that are, for the groups chosen."""
    chosen = [word for word in sys.argv[1:] if word.split("=")[0] in groups() and "=" in word and "," not in word]
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


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk an exception and what it was raised from: resolvers wrap ours into OmegaConf's."""
    while error is not None:
        yield error
        error = error.__cause__
