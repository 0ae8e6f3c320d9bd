"""The launchers where Hydra looks for plugins, which is in this namespace only. Their code is in coatlab.cluster.

`cluster=<name>` chooses `hydra/launcher=coatlab_<name>`, the launcher that coatlab/cluster/<name>.py defines.
"""

from hydra.core.config_store import ConfigStore

from coatlab.cluster import launcher

for name, own in launcher.launchers().items():
    # a subclass, because Hydra takes no class whose module is elsewhere
    globals()[own.__name__] = type(own.__name__, (own,), {"__module__": __name__, "__doc__": own.__doc__})
    ConfigStore.instance().store(
        group="hydra/launcher",
        name=f"coatlab_{name}",
        node={"_target_": f"{__name__}.{own.__name__}"},  # all settings are keys of the group `cluster`
        provider="coatlab",
    )
