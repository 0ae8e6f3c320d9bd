"""The launchers where Hydra finds them: it takes plugins from this namespace only. Their code is in coatlab.cluster."""

from hydra.core.config_store import ConfigStore

from coatlab.cluster import local, slurm


class LocalLauncher(local.LocalLauncher):
    """Cells in parallel as processes of this machine: `cluster=local`."""


class SlurmLauncher(slurm.SlurmLauncher):
    """Cells as jobs of Slurm: `cluster=slurm`."""


# all settings are keys of the group `cluster`
for name, launcher in {"coatlab_local": LocalLauncher, "coatlab_slurm": SlurmLauncher}.items():
    ConfigStore.instance().store(
        group="hydra/launcher",
        name=name,
        node={"_target_": f"{__name__}.{launcher.__name__}"},
        provider="coatlab",
    )
