"""cluster=slurm where there is none, and a site's own settings; with a real Slurm: tests/cluster/slurm."""

from pathlib import Path

from omegaconf import OmegaConf

from tests.support.commandline import CommandLine


def test_without_slurm_it_is_one_sentence(command: CommandLine, tmp_path: Path) -> None:
    done = command.run("cluster=slurm", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "error: cluster=slurm is not valid here: this machine has no sbatch; valid: local, none\n"


def test_a_sites_settings_win_over_ours_and_lose_to_the_command_line(command: CommandLine, tmp_path: Path) -> None:
    site = tmp_path / "cluster" / "site" / "mine.yaml"
    site.parent.mkdir(parents=True)
    site.write_text("partition: gpu\nminutes: 60\nsetup: [module load cuda]\n")
    done = command.run(f"--config-dir={tmp_path}", "--cfg=job", "cluster=slurm", "cluster.minutes=30")
    assert done.returncode == 0, done.stderr
    cluster = OmegaConf.create(done.stdout).cluster
    assert (cluster.name, cluster.partition, cluster.minutes) == ("slurm", "gpu", 30)
    assert cluster.setup == ["module load cuda"]
    assert cluster.throttle is None
