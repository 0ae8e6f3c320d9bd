"""Starting the other processes that train a run together, and waiting for them.

One process, rank 0 (the leader), opens the run, holds its lock and writes its record; the others follow it. If a
cluster has started all of them (srun with several tasks, torchrun), each finds its rank in the environment. Otherwise
rank 0 starts the others on its own machine: `trainer.devices` processes in all.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from select import select

from coatlab.errors import RunError

GRACE = 20  # seconds that followers have to end by themselves
LOOK_SECONDS = 0.2
READY = "COATLAB_READY"  # environment variable with a follower's pipe to its leader

Meet = Callable[[Callable[[], None]], None]


@contextmanager
def followers(folder: Path, count: int) -> Iterator[Meet]:
    """Start `count` followers of a run on this machine; they end when the leader does.

    Yields a function `meet(check)` that every process calls before it first communicates with the others. In it the
    leader waits for its followers, because torch would wait half an hour for one that has died and ignore signals
    meanwhile. `check` is called repeatedly during that wait and may raise to end it.

    Raises:
        RunError: a follower failed, and therefore the leader did.
    """
    if not count:
        yield _tell_leader
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "LOCAL_RANK": "0"}
    logs = [folder / f"rank{rank}.log" for rank in range(1, count + 1)]
    started = [_start(folder, rank, count + 1, log) for rank, log in enumerate(logs, start=1)]
    processes = [process for process, _ in started]
    through, patience = False, GRACE
    try:
        yield lambda look: _await(dict(started), look)
        through = True
    except Exception as error:
        _wait(processes, patience)
        patience = 0
        for process, log in zip(processes, logs, strict=True):
            if process.returncode:
                raise RunError(f"a process of the run ended: {_why(process.returncode, log)} ({log})") from error
        raise
    finally:
        _wait(processes, patience)
        for process in processes:
            process.kill()
            process.wait()
        for log in logs if through else []:
            log.unlink()  # after a good run they hold only chatter of libraries
        for _, pipe in started:
            os.close(pipe)
        for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK"):
            os.environ.pop(name, None)


def _start(folder: Path, rank: int, world: int, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a follower; return it and the end of a pipe that becomes readable when it is ready or has ended."""
    told, tells = os.pipe()
    ranks = {"COATLAB_RANK": str(rank), "COATLAB_WORLD": str(world), "LOCAL_RANK": str(rank), READY: str(tells)}
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "coatlab.training.distributed.follower", str(folder)],
            env=os.environ | ranks,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=[tells],
        )
    os.close(tells)
    return process, told


def _why(code: int, log: Path) -> str:
    """Return why a follower ended: its own sentence, the signal that killed it, or what it said last."""
    said = log.read_text(errors="replace").strip().splitlines()
    ours = [text.removeprefix("error: ") for text in said if text.startswith("error: ")]
    if ours:
        return ours[-1]
    if code < 0:
        return f"it was killed by {signal.Signals(-code).name}"
    return said[-1] if said else "it said nothing"


def _tell_leader(look: Callable[[], None]) -> None:
    """Tell the leader, if it has started this process, that this process is ready."""
    if pipe := os.environ.pop(READY, None):
        os.write(int(pipe), b"!")
        os.close(int(pipe))


def _await(started: Mapping[subprocess.Popen[bytes], int], look: Callable[[], None]) -> None:
    """Wait until all followers are ready.

    Raises:
        RunError: one has ended.
    """
    waiting = set(started.values())
    while waiting:
        try:
            look()
        except BaseException:
            for process in started:
                process.kill()  # otherwise they would wait for the leader
            raise
        for pipe in select(waiting, [], [], LOOK_SECONDS)[0]:
            waiting.remove(pipe)
            if not os.read(pipe, 1):
                raise RunError("a process of the run ended before training")


def _wait(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """Wait until all have ended, but at most some seconds."""
    end = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return
