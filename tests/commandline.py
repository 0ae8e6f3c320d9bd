"""The command line as a user has it, and a run small enough to be trained many times."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
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
]


class CommandLine:
    """`python src/train.py` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("WANDB_")},
            "COATLAB_RUNS": str(self.runs),
            "NETRC": str(folder / "no-netrc"),
            "COLUMNS": "100",
        }

    def start(self, *overrides: str, tiny: bool = True, **environment: str) -> subprocess.Popen[str]:
        flags = [word for word in overrides if word.startswith("--")]  # Hydra wants them first
        words = [*flags, *(TINY if tiny else []), *(word for word in overrides if word not in flags)]
        return subprocess.Popen(
            [sys.executable, "src/train.py", *words],
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


def kill(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Signal a process and everything it started; KILL is waited for."""
    os.killpg(process.pid, number)
    if number == signal.SIGKILL:
        process.communicate()


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until a condition holds and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise TimeoutError("the condition did not come true")
