"""Run the command line as a user does, with a network and data so small that a run takes seconds."""

import contextlib
import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import small_images

REPOSITORY = Path(__file__).resolve().parents[2]
# a CCTT of 21 k parameters on 640 real images: trains in two seconds
TINY = [
    "plan.blocks=[1,1,1,1,1]",
    "plan.widths=[8,8,16,16,32]",
    "data.train_size=640",
    "data.eval_size=200",
    "data.train_eval_size=200",
    "data.batch_size=64",
    "trainer.max_epochs=3",
    "trainer.threads=1",
    "trainer.log_every=5",
    "recipe.warmup_steps=5",
    *small_images.WORDS,
]


def last_of_each_key(words: Sequence[str]) -> list[str]:
    """Return words without those that a later one for the same key replaces: a command takes each key once."""
    last = {word.partition("=")[0].lstrip("+"): number for number, word in enumerate(words)}
    return [word for number, word in enumerate(words) if number in last.values()]


def tiny_words(*others: str) -> list[str]:
    """Return the words of a tiny run, with others; its small images only where the run is not on other ones."""
    ours = [word for word in others if word.startswith("data=")]
    tiny = [word for word in TINY if not ours or word not in small_images.WORDS]
    return last_of_each_key([*tiny, *others])


class Forked:
    """`python WORDS` in a process forked from one that has imported everything already; can replace a Popen.

    The words begin with a file, as src/train.py, or with -m and a module.

    Starting Python and importing torch and W&B takes a core eight seconds, and the tests start the command hundreds of
    times (preload.py).
    """

    context = multiprocessing.get_context("forkserver")  # a process has one fork server, so all tests share this one
    context.set_forkserver_preload(["tests.support.preload"])

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.args = list(words)
        self._files = [tempfile.NamedTemporaryFile("w+", prefix=f"{name}-") for name in ("stdout", "stderr")]  # noqa: SIM115
        self.stdout, self.stderr = (open(file.name) for file in self._files)  # noqa: SIM115
        arguments = (self.args, dict(environment), [file.name for file in self._files])
        self._process = self.context.Process(target=_command, args=arguments)
        self._process.start()
        self.pid = int(self._process.pid or 0)
        with contextlib.suppress(ProcessLookupError, TimeoutError):  # it has ended already
            wait_for(lambda: os.getpgid(self.pid) == self.pid, 60)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self._process.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout or 0, self.stdout.read(), self.stderr.read())
        return self.stdout.read(), self.stderr.read()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def _command(words: list[str], environment: dict[str, str], files: list[str]) -> None:
    """Become the command in this process: set its session, environment, folder, arguments and output, then run it."""
    os.setsid()
    # a child of a fork server starts its own children from another one, which would import everything again
    multiprocessing.set_start_method(None, force=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests were started in the background
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(REPOSITORY)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    for number, name in enumerate(files, start=1):
        with open(name, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.modules.pop(f"{words[1]}.__main__", None)  # preload.py has imported it, of which runpy warns
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str((REPOSITORY / words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")


# variables that a command reads only when it runs, or that `Forked` follows; others have an effect on imports
READ_LATE = {"COATLAB_RUNS", "COATLAB_DATA", "COATLAB_REPORTS", "IMAGENET_DIR", "CUDA_VISIBLE_DEVICES"}
READ_LATE |= {"PATH", "PYTHONPATH"}


class CommandLine:
    """Runs `python src/train.py` with a folder of its own for its runs."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("WANDB_")},
            "COATLAB_RUNS": str(self.runs),
            "NETRC": str(folder / "no-netrc"),
            "COLUMNS": "100",
        }

    def start(self, *overrides: str, tiny: bool = True, **environment: str) -> "subprocess.Popen[str] | Forked":
        """Start the command; of several words for one key the last counts, so that tests can put lists together."""
        flags = [word for word in overrides if word.startswith("--")]  # Hydra wants them first
        others = [word for word in overrides if word not in flags]
        words = ["src/train.py", *flags, *(tiny_words(*others) if tiny else last_of_each_key(others))]
        if environment.keys() <= READ_LATE:
            return Forked(words, self.environment | environment)
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=REPOSITORY,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *overrides: str, tiny: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*overrides, tiny=tiny, **environment)
        out, err = process.communicate(timeout=400)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def folder(self) -> Path:
        """Return the only run folder."""
        (folder,) = [path for path in self.runs.iterdir() if not path.name.startswith(".")]
        return folder

    def record(self) -> dict[str, Any]:
        return dict(json.loads((self.folder() / "record.json").read_text()))


def kill(process: subprocess.Popen[str] | Forked, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process and everything it started; after KILL, wait until it has ended."""
    os.killpg(process.pid, number)
    if number == signal.SIGKILL:
        process.communicate()


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait until a condition is true and return its value.

    Raises:
        TimeoutError: it is still false after some seconds.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise TimeoutError("the condition did not become true")
