"""A real Slurm on this machine's loopback, in a folder of its own: started in seconds, gone afterwards.

Ports, munge socket and database are its own, so that a Slurm that is already on the machine is not disturbed. One node
with two partitions: jobs of `high` preempt those of `low`, which then are requeued. And two nodes of a core each, in
partition `pair`: daemons, steps and names of their own, although they are on one machine.
"""

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.programs import why_not as why_not_installed

PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "mariadb-install-db")

SLURM_CONF = """
ClusterName=coatlab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge.socket
JobRequeue=1
MaxArraySize=4
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}/state
NodeName={host} NodeAddr=127.0.0.1 Port={d_port} CPUs={cpus} RealMemory=2000 State=UNKNOWN
NodeName=first NodeHostname={host} NodeAddr=127.0.0.1 Port={first_port} CPUs=1 RealMemory=2000 State=UNKNOWN
NodeName=second NodeHostname={host} NodeAddr=127.0.0.1 Port={second_port} CPUs=1 RealMemory=2000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=15
PartitionName=high Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=pair Nodes=first,second MaxTime=INFINITE State=UP
"""
PORTS = ("ctld_port", "dbd_port", "d_port", "first_port", "second_port")
DBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={dbd_port}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
"""


def why_not() -> str | None:
    """Say why no Slurm can be started here; None: it can."""
    return "a real Slurm needs root" if os.geteuid() != 0 else why_not_installed(*PROGRAMS)


class Cluster:
    """The daemons of one Slurm; `environment` is what its commands need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "MYSQL_UNIX_PORT": str(folder / "mariadb.socket"),
            # a MariaDB that starts deletes the temporary tables that it finds, also those of another one
            "TMPDIR": str(folder / "tmp"),
        }
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start everything and wait until the node is idle."""
        folder = self.folder
        folder.chmod(0o755)  # munge wants no folder that others can write, and must be reached by its clients
        for name in ("state", "tmp"):
            (folder / name).mkdir()
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        host = socket.gethostname().partition(".")[0]
        values = {"folder": folder, "host": host, "cpus": os.cpu_count(), **ports}
        (folder / "slurm.conf").write_text(SLURM_CONF.format(**values))
        (folder / "slurmdbd.conf").write_text(DBD_CONF.format(**values))
        (folder / "slurmdbd.conf").chmod(0o600)
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        files = {"socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.out", "seed-file": "munge.seed"}
        self._daemon(
            "munged", "--foreground", "--force", f"--key-file={folder}/munge.key",
            *(f"--{option}={folder}/{name}" for option, name in files.items()),
        )  # fmt: skip
        data, place = f"--datadir={folder}/database", f"--socket={folder}/mariadb.socket"
        self._call("mariadb-install-db", "--no-defaults", "--user=root", "--skip-test-db", data)
        self._daemon(
            "mariadbd", "--no-defaults", "--user=root", "--skip-networking", data, place, f"--pid-file={folder}/db.pid"
        )
        until(lambda: self._try("mariadb", "--no-defaults", place, "-e", "create database if not exists slurm_acct_db"))
        self._daemon("slurmdbd", "-D")
        until(lambda: answers(ports["dbd_port"]))
        self.start_controller()
        for node in (host, "first", "second"):
            self._daemon("slurmd", "-D", "-N", node, name=f"slurmd-{node}")
        until(lambda: set(self.ask("sinfo", "--noheader", "--format=%T").split()) == {"idle"})

    def start_controller(self) -> None:
        self._daemon("slurmctld", "-D", "-i")
        until(lambda: self._try("scontrol", "ping"))

    def kill_controller(self) -> None:
        """Kill slurmctld with -9."""
        controller = self._daemons.pop("slurmctld")
        controller.kill()
        controller.wait()

    def stop(self) -> None:
        """End all jobs, then all daemons; nothing that was started here is left."""
        if self._try("scontrol", "ping"):
            with contextlib.suppress(TimeoutError):
                self.cancel_all()
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def cancel_all(self) -> None:
        """End all jobs, hard."""
        self._try("scancel", "--signal=KILL", "--full", "--user=root")
        self._try("scancel", "--user=root")
        until(lambda: not self.jobs(), seconds=120)

    def ask(self, *command: str) -> str:
        """Run a command of Slurm and return what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}\n{self.story()}"
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Return the state of each job that is queued, runs or is about to end."""
        lines = self.ask("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def hurry(self, job: str) -> None:
        """Let a requeued job start now, if it has not: Slurm makes it wait for two minutes."""
        until(lambda: self.jobs().get(job) == "PENDING")
        time.sleep(3)  # a start within the second in which the job was killed destroys it
        self._try("scontrol", "update", f"JobId={job}", "StartTime=now")

    def restarts(self, job: str) -> int:
        """Return how often Slurm says that it has requeued a job."""
        (number,) = re.findall(r" Restarts=(\d+) ", self.ask("scontrol", "--oneliner", "show", "job", job))
        return int(number)

    def starts(self, job: str) -> int:
        """Return how often the controller started a job, by its log: who looks now and then may miss a short one."""
        log = (self.folder / "slurmctld.log").read_text()
        return len(re.findall(rf": (?:Allocate|_start_job: Started) JobId={job} ", log))

    def story(self) -> str:
        """Return what the daemons wrote last, for a test that failed."""
        logs = sorted(self.folder.glob("slurm[dc]*.log"))
        tails = [f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-40:]) for log in logs]
        return "\n".join(tails)

    def _daemon(self, program: str, *arguments: str, name: str = "") -> None:
        with open(self.folder / f"{name or program}.log", "ab") as log:
            self._daemons[name or program] = subprocess.Popen(
                [program, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _call(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"

    def _try(self, *command: str) -> bool:
        return subprocess.run(command, env=self.environment, capture_output=True).returncode == 0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(port: int) -> bool:
    """Tell whether a program listens at a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true")
        time.sleep(0.1)
