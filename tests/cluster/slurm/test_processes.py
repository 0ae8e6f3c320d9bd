"""A run of several processes on a real Slurm: started by its leader or by srun, requeued and continued as one."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.cluster.slurm.cluster import Cluster
from tests.cluster.slurm.test_sweeps import LONG, ON_SLURM, finish, job_of, leave
from tests.support.commandline import REPOSITORY, TINY, CommandLine, last_of_each_key, wait_for
from tests.training.test_resume import assert_same_run, steps

pytestmark = pytest.mark.external

TWO = ["trainer=ddp", "trainer.sync_batchnorm=false", "trainer.threads=1", "tracker=none"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command = CommandLine(tmp_path_factory.mktemp("undisturbed"))
    done = command.run(*LONG, *TWO)
    assert done.returncode == 0, done.stderr
    return command


def test_a_requeued_run_of_two_processes_goes_on_where_it_was(
    slurm: Cluster, on_slurm: CommandLine, undisturbed: CommandLine
) -> None:
    process = on_slurm.start(*LONG, *TWO, *ON_SLURM, "cluster.cpus=2")
    wait_for(lambda: steps(on_slurm))
    job = job_of(slurm)
    leave(slurm, on_slurm, job, ["scontrol", "requeue", job])
    code, _, err = finish(process)
    assert code == 0, err
    assert [attempt["status"] for attempt in on_slurm.record()["attempts"]] == ["interrupted", "complete"]
    assert_same_run(on_slurm, undisturbed)


def test_tasks_of_srun_train_one_run(
    slurm: Cluster, on_slurm: CommandLine, undisturbed: CommandLine, tmp_path: Path
) -> None:
    words = last_of_each_key([*TINY, *LONG, *TWO, f"paths.runs={on_slurm.runs}"])
    words = [sys.executable, "src/train.py", *words]
    batch = [
        "sbatch",
        "--wait",
        "--ntasks-per-node=2",
        "--partition=low",
        f"--output={tmp_path}/log",
        f"--chdir={REPOSITORY}",
    ]
    slurm.ask(*batch, f"--wrap=srun {shlex.join(words)}")
    assert on_slurm.record()["hardware"]["devices"] == 2
    assert len(on_slurm.record()["attempts"]) == 1
    assert_same_run(on_slurm, undisturbed)


def test_a_requeued_run_over_two_nodes_goes_on_where_it_was(
    slurm: Cluster, on_slurm: CommandLine, undisturbed: CommandLine
) -> None:
    nodes = ["trainer.devices=1", "trainer.nodes=2", "cluster.partition=pair"]
    # the nodes have names that no name server knows
    process = on_slurm.start(*LONG, *TWO, *ON_SLURM, *nodes, "cluster.setup=['export MASTER_ADDR=127.0.0.1']")
    wait_for(lambda: steps(on_slurm))
    job = job_of(slurm)
    assert " NodeList=first,second " in slurm.ask("scontrol", "--oneliner", "show", "job", job)
    leave(slurm, on_slurm, job, ["scontrol", "requeue", job])
    code, _, err = finish(process)
    assert code == 0, err
    record = on_slurm.record()
    assert [attempt["status"] for attempt in record["attempts"]] == ["interrupted", "complete"]
    assert record["hardware"]["devices"] == 2
    assert_same_run(on_slurm, undisturbed)
