"""A campaign of faults: `python -m tests.training.faults --faults 500 --seed 0`.

Each fault hits a copy of the folder of one interrupted run, which then goes on. The run must end with the weights and
the rows of an undisturbed one, bit for bit, or be refused in one sentence; anything else is printed, and its folder is
kept. Files are flipped, overwritten, cut, emptied, lengthened and deleted; signals come at random moments; calls to the
system fail or are the last that happens; attempts have the tracker in several modes, and its server goes away.
"""

import argparse
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from coatlab.cli import one_sentence_errors
from coatlab.runs.record import read_metrics, read_record
from coatlab.runs.spec import Spec
from tests.support.commandline import Forked, tiny_words, wait_for
from tests.support.specs import spec_of
from tests.tracking.live_server import live
from tests.tracking.test_repair import assert_as_in
from tests.tracking.wandb_server import ENTITY, PROJECT
from tests.training.failing import Failing

WORDS = tiny_words(
    "trainer.max_epochs=2", "trainer.checkpoint_every=0", "trainer.log_every=2", "trainer.progress=false",
    "recipe.stochastic_depth=0.3", "tracker=none",
)  # fmt: skip
DAMAGES = ("flip", "byte", "zeros", "cut", "empty", "append", "delete")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
CALLS = {"replace": 20, "fsync": 30, "write": 60, "open": 60}  # and about how many there are in a run that goes on
ERRORS = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "kill")
PATIENCE = 600  # seconds that a run may take, on a machine that does other things as well
OFTEN = ("damage", "damage", "damage", "signal", "call")
KINDS = ("damage", "signal", "call", "tracker")
AWAY = 0.15  # share of attempts in which W&B's server is away; each takes its patience
MEASURED = ("images_per_second", "peak_memory_mb")  # by a clock
FINE = ("equal", "refused")


class Attempt:
    """The command for a run, in a process that is forked as those of other tests are, and composes nothing."""

    def __init__(
        self,
        spec: Spec,
        failing: Failing | None = None,
        environment: Mapping[str, str] | None = None,
        uploads: bool = False,
    ) -> None:
        self._said = spec.folder.parent.with_suffix(".said")
        arguments = (spec, self._said, failing, dict(environment or {}), uploads)
        self.process = Forked.context.Process(target=_command, args=arguments)
        self.process.start()

    def end(self) -> "Attempt":
        """Wait for its end.

        Raises:
            TimeoutError: it does not end.
        """
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise TimeoutError(self.said)
        return self

    @property
    def said(self) -> str:
        return self._said.read_text() if self._said.exists() else ""  # it has not begun

    @property
    def clean(self) -> bool:
        """Whether it has worked, or ended with one sentence."""
        errors = [line for line in self.said.splitlines() if line.startswith("error: ")]
        code = self.process.exitcode
        return "Traceback" not in self.said and (code == 0 or (code == 1 and len(errors) == 1))


def _command(spec: Spec, said: Path, failing: Failing | None, environment: dict[str, str], uploads: bool) -> None:
    os.environ |= environment
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests were started in the background
    with open(said, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if failing:
        failing.install()
    from coatlab.training.entry import run
    from coatlab.upload import main as upload

    with one_sentence_errors():
        upload(["--runs", str(spec.folder.parent)]) if uploads else run(spec)


class Campaign:
    """One undisturbed run and one that was interrupted near its end, in a folder; faults hit copies of the latter."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number, self.spec = folder, 0, spec_of(*WORDS)
        whole, self.cut = self.place("whole"), self.place("cut")
        assert Attempt(whole).end().clean
        self.expected = outcome(whole.folder)
        attempt = Attempt(self.cut)
        wait_for(lambda: not attempt.process.is_alive() or len(read_metrics(self.cut.folder)) > 7)
        attempt.process.kill()
        assert attempt.process.join() or attempt.process.exitcode == -signal.SIGKILL, "it ended before it was killed"

    def hit(self, chance: random.Random, only: str | None = None) -> tuple[str, str]:
        """Let one fault happen; return it in words, and how it ended: `equal`, `refused` or what went wrong.

        Args:
            chance: decides which.
            only: of this kind, one of KINDS.
        """
        self.number += 1
        spec = self.place(f"fault{self.number}")
        shutil.copytree(self.cut.folder.parent, spec.folder.parent)
        kind = getattr(self, f"_{only or chance.choice(OFTEN)}")
        try:
            words = kind(spec, chance)
            said = self._verdict(spec, damaged=kind.__name__ == "_damage")
        except TimeoutError as error:
            return kind.__name__, f"it hangs: {error}"
        except AssertionError as error:
            return kind.__name__, str(error)
        if said in FINE:
            shutil.rmtree(spec.folder.parent)
        return words, said

    def place(self, name: str) -> Spec:
        """Return the run in a folder of runs of its own."""
        runs = self.folder / name
        config = {**copy.deepcopy(dict(self.spec.config)), "paths": {**self.spec.config["paths"], "runs": str(runs)}}
        return replace(self.spec, config=config, folder=runs / self.spec.folder.name)

    def _damage(self, spec: Spec, chance: random.Random) -> str:
        folder = spec.folder
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        often = [folder / "metrics.jsonl", folder / "record.json", *sorted(folder.glob("checkpoints/*.ckpt"))]
        done = []
        for path in chance.sample(chance.choice((files, often)), chance.choice((1, 1, 1, 2))):
            how = chance.choice(DAMAGES)
            damage(path, how, chance)
            done.append(f"{how} {path.relative_to(folder)}")
        return " and ".join(done)

    def _signal(self, spec: Spec, chance: random.Random) -> str:
        if chance.random() < 0.3:
            shutil.rmtree(spec.folder)  # from the beginning
        attempt, wait, number = Attempt(spec), chance.uniform(0, 3), chance.choice(SIGNALS)
        attempt.process.join(wait)
        if attempt.process.is_alive():
            os.kill(attempt.process.pid or 0, number)
        attempt.end()
        return f"{number.name} after {wait:.2f} s"

    def _call(self, spec: Spec, chance: random.Random) -> str:
        call, how = chance.choice(list(CALLS)), chance.choice(ERRORS)
        number = chance.randint(1, CALLS[call])
        attempt = Attempt(spec, Failing(call, number, how, spec.folder)).end()
        words = f"{call} {number} {how}"
        if not attempt.clean and attempt.process.exitcode != -signal.SIGKILL:
            raise AssertionError(f"{words}: exit code {attempt.process.exitcode}: {attempt.said}")
        return words

    def _tracker(self, spec: Spec, chance: random.Random) -> str:
        """Stop attempts of several modes, with the server there or away, and bring it to the state of the folder."""
        with live() as server:
            account = {
                "WANDB_API_KEY": "0" * 40,
                "WANDB_BASE_URL": server.url,
                "COATLAB_REPORTS": str(self.folder / "no"),
            }
            done = []
            for turn in range(chance.randint(1, 3), -1, -1):
                mode = chance.choice(("online", "offline", "none") if turn else ("online", "offline"))
                server.away = chance.random() < AWAY
                attempt = Attempt(tracked(spec, mode), environment=account)
                done.append(mode + " without server" * server.away)
                if turn:
                    attempt.process.join(chance.uniform(0, 4))
                    server.away |= chance.random() < AWAY
                    attempt.process.join(chance.uniform(0, 1))
                    number = chance.choice(SIGNALS)
                    if attempt.process.is_alive():
                        os.kill(attempt.process.pid or 0, number)
                    done[-1] += f" until {number.name}" + " and no server" * server.away
                attempt.end()
            words = ", ".join(done)
            if not attempt.clean or attempt.process.exitcode:
                raise AssertionError(f"{words}: exit code {attempt.process.exitcode}: {attempt.said}")
            server.away = False
            for upload in (Attempt(spec, environment=account, uploads=True).end() for _ in range(2)):
                if upload.process.exitcode:
                    raise AssertionError(f"{words}: {upload.said}")
            untracked = read_record(spec.folder)["tracker"]["name"] == "none"  # it ended before it was to be stopped
            if not upload.said.startswith(f"0 uploaded, {0 if untracked else 1} uploaded before"):
                raise AssertionError(f"{words}: a second upload finds something to do: {upload.said}")
            if untracked:
                return words
            try:
                (run,) = server.runs.values()
                assert_as_in(spec.folder, run)
            except (AssertionError, ValueError, KeyError) as error:
                raise AssertionError(f"{words}: W&B has something else: {error}") from error
        return words

    def _verdict(self, spec: Spec, damaged: bool) -> str:
        attempt = Attempt(spec).end()
        code = attempt.process.exitcode
        if not attempt.clean or (code and not damaged):
            return f"exit code {code}: {attempt.said}"
        if code:
            return "refused"
        return "equal" if outcome(spec.folder) == self.expected else f"ANOTHER RESULT: {attempt.said}"


def tracked(spec: Spec, mode: str) -> Spec:
    """Return a run with W&B in a mode, or with none."""
    tracker = (
        {"name": "none"} if mode == "none" else {"name": "wandb", "mode": mode, "project": PROJECT, "entity": ENTITY}
    )
    return replace(spec, config={**spec.config, "tracker": tracker})


def damage(path: Path, how: str, chance: random.Random) -> None:
    """Damage a file."""
    content = bytearray(path.read_bytes())
    place = chance.randrange(max(1, len(content)))
    if how == "delete":
        path.unlink()
        return
    if how == "flip" and content:
        content[place] ^= 1 << chance.randrange(8)
    elif how == "byte" and content:
        content[place] = chance.randrange(256)
    elif how == "zeros":
        end = min(len(content), place + chance.choice((1, 8, 512, 4096)))
        content[place:end] = bytes(end - place)
    elif how == "append":
        content += chance.randbytes(chance.choice((1, 8, 512)))
    elif how in ("cut", "empty"):
        del content[0 if how == "empty" else place :]
    path.write_bytes(content)


def outcome(folder: Path) -> tuple[object, ...]:
    """Return what must be the same: the weights, the rows less what a clock measured, the final measures."""
    record = read_record(folder)
    assert record is not None
    network = torch.load(folder / "checkpoints" / "weights.pt", weights_only=True)["network"]
    course = [{key: value for key, value in row.items() if key not in MEASURED} for row in read_metrics(folder)]
    final = {key: value for key, value in record["final"].items() if key not in MEASURED}
    left = sorted(path.name for path in (folder / "checkpoints").iterdir())
    bits = {key: tensor.numpy().tobytes() for key, tensor in network.items()}
    return record["status"], left, bits, course, final


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.training.faults", description="Inject faults into runs.")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first fault; each is made of seed and number"
    )
    parser.add_argument("--only", choices=KINDS, help="faults of this kind; default: of all kinds but the tracker's")
    chosen = parser.parse_args(words)
    folder, count = Path(tempfile.mkdtemp(prefix="coatlab-faults-")), Counter[str]()
    campaign = Campaign(folder)
    for number in range(chosen.first, chosen.first + chosen.faults):
        what, how = campaign.hit(random.Random(chosen.seed * 1_000_003 + number), chosen.only)
        count[how if how in FINE else "wrong"] += 1
        print(f"{number}: {what}: {how}", flush=True)
    print(f"{chosen.faults} faults: " + ", ".join(f"{number} {how}" for how, number in sorted(count.items())))
    if not count["wrong"]:
        shutil.rmtree(folder)
    return int(bool(count["wrong"]))


if __name__ == "__main__":
    from tests.support import small_images

    small_images.write()
    sys.exit(main(sys.argv[1:]))
