"""What was typed has an effect, or is refused: a setting that nothing uses would be asked for and not done.

In a sweep a setting may be without effect in some cells, which are then the same experiment, but not in all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.conf import HydraConf
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from coatlab.config.catalog import own_test
from coatlab.config.compose import compose, known_keys, resolve
from coatlab.config.composer import choices_of, folders_of
from coatlab.config.files import conf_dir, groups
from coatlab.config.targets import TARGET, is_ours
from coatlab.config.typed.reading import read
from coatlab.config.words import as_typed, flatten, is_below
from coatlab.errors import InputError
from coatlab.runs.identity import OPTED_OUT, PROCESSES, experiment, letters_of

OURS = "coatlab_"  # how the launchers begin that conf/cluster/ chooses
# What counts only where something else refers to it, among the keys outside of the identity.
BY_OTHERS = ("size", "recipe.epochs", "recipe.per_size", "recipe.per_layout")
# These do something themselves.
ASIDE = tuple(entry for entry in (*OPTED_OUT, *PROCESSES) if not entry.startswith(BY_OTHERS))
OF_SWEEPS = ("hydra.launcher", "hydra.sweeper", "hydra.sweep", "hydra/launcher", "hydra/sweeper")

Config = Mapping[str, Any]
Company = Callable[[Config, Config], str | None]


def _without_statistics(config: Config) -> str | None:
    """Say why there are no statistics of whole batches."""
    if _world(config) == 1:
        return "one process"
    if not config["trainer"]["sync_batchnorm"]:
        return None  # without GPUs it has to be false
    if "C" not in letters_of(config):
        return f"layout={config['layout']['name']}, which has no batch norm"
    norm = config["network"]["norm"]
    return f"network.norm={norm}" if norm != "batch" else None


def _typed_plan(config: Config, other: Config) -> str | None:
    """Say why neither budget's plan is used, where an attention has a plan of its own."""
    same = config["plan"] == other["plan"]
    own = "T" in letters_of(config) and config["attention"]["name"] != "relative"  # whose plan is the reference
    return "a plan whose blocks, widths and strides are typed" if same and own else None


def _divided(config: Config) -> str | None:
    """Say that there is nothing to pad; other stems than patches are refused elsewhere."""
    first, size = config["plan"]["strides"][0], config["data"]["image_size"]
    sides = [*(first if isinstance(first, list) else [first]), size]
    whole = all(isinstance(side, int) and side > 0 and size % side == 0 for side in sides)
    if not whole or config["layout"]["stem"] != "patch":
        return None
    return f"data.image_size={size}, which is a whole number of patches"


def _of_one_size(data: Config) -> str | None:
    """Say that nothing is cut off: images in memory are evaluated whole."""
    ours = "on_corrupt" not in data and is_ours("data", data.get(TARGET, data["name"]))
    return f"data={data['name']}, whose images have one size" if ours else None


def _fixed_places(config: Config) -> str | None:
    """Say why the number of GPUs does not decide how many cells run at the same time."""
    if (jobs := config["cluster"].get("jobs")) is not None:
        return f"cluster.jobs={jobs}"
    return "trainer.accelerator=cpu" if config["trainer"]["accelerator"] == "cpu" else None


def _beyond_the_end(config: Config) -> str | None:
    """Say that a run ends before it has seen one of the numbers of images."""
    batches, numbers = _batches(config), config["trainer"]["eval_at"]
    if batches is None or not isinstance(numbers, list):
        return None
    batch, epochs = config["data"]["batch_size"], config["trainer"]["max_epochs"]
    if not isinstance(batch, int) or not isinstance(epochs, int):  # which their rules refuse
        return None
    seen = batches * batch * epochs
    late = any(isinstance(number, int) and number > seen for number in numbers)
    return f"so few images: the run sees {seen}" if late else None


def _whole_epochs(config: Config) -> str | None:
    limit, batches = config["trainer"]["limit_train_batches"], _batches({**config, "trainer": {}})
    few = batches is not None and isinstance(limit, int) and limit >= batches
    return f"epochs of {batches} batches" if few else None


def _when(company: str, unused: Callable[[Config], bool]) -> Company:
    return lambda config, other: company if unused(config) else None


# Keys of the identity, or outside of it, that do nothing in some company: what the company is, for a config with the
# value that was typed and the same config without it.
UNUSED: dict[str, Company] = {
    "recipe.min_lr": _when("recipe.schedule=constant", lambda config: config["recipe"]["schedule"] == "constant"),
    "recipe.scale_lr": _when("recipe.batch_size=null", lambda config: config["recipe"]["batch_size"] is None),
    "recipe.batch_size": _when("recipe.scale_lr=false", lambda config: not config["recipe"]["scale_lr"]),
    "recipe.center_crop": lambda config, _: _of_one_size(config["data"]),
    "trainer.sync_batchnorm": lambda config, _: _without_statistics(config),
    "trainer.eval_at": lambda config, _: _beyond_the_end(config),
    "trainer.limit_train_batches": lambda config, _: _whole_epochs(config),
    "data.test_size": lambda config, _: own_test(config["data"]),
    "plan.pad": lambda config, _: _divided(config),
    "budget": _typed_plan,
    "cluster.per_gpu": lambda config, _: _fixed_places(config),
    "cluster.poll": _when("cluster.detach=true", lambda config: bool(config["cluster"].get("detach"))),
    "sweep.retry": _when("a single run", lambda config: True),
    "sweep.part": _when("a single run", lambda config: True),
}
# what has an effect on a sweep itself, not on its cells
OF_A_SWEEP = ("sweep", "study")


def check_launcher(config: DictConfig, hydra: HydraConf | DictConfig, sweeps: bool) -> None:
    """Check that a launcher fits the cluster, and has something to launch.

    Args:
        config: as composed.
        hydra: Hydra's own settings.
        sweeps: whether a sweep was asked for.

    Raises:
        InputError: the launcher or the settings of the cluster would be ignored.
    """
    launcher, cluster = str(hydra.runtime.choices["hydra/launcher"]), str(config.cluster.name)
    stated = f"hydra/launcher={launcher}" if cluster == "none" else f"cluster={cluster}"
    if not sweeps:
        if launcher != "basic":
            raise InputError(f"{stated} has no effect on a single run, which this process trains; add --multirun")
        return
    if launcher.startswith(OURS):
        name = launcher.removeprefix(OURS)
        needed = {key for key in known_keys({"cluster": name}) if key.startswith("cluster.")}
        if missing := needed - {f"cluster.{key}" for key in config.cluster}:
            raise InputError(
                f"hydra/launcher={launcher} needs the settings of cluster={name}, such as {min(missing)}; "
                f"use cluster={name} in its place"
            )
    elif settings := sorted(str(key) for key in config.cluster if key != "name"):
        raise InputError(
            f"hydra/launcher={launcher} would ignore the settings of cluster={cluster}, such as "
            f"cluster.{settings[0]}; use one of the two"
        )


def check_effect(config: DictConfig, hydra: HydraConf | DictConfig, words: Sequence[str]) -> None:
    """Check that every key that was typed for a single run has an effect.

    Args:
        config: as composed, with the keys of its choices and no other.
        hydra: Hydra's own settings.
        words: what was typed, without what begins with `hydra`.

    Raises:
        InputError: one has none.
    """
    if study := choices_of(hydra).get("sweep"):
        raise InputError(f"hydra.mode=RUN is not valid with sweep={study}, of which it would make a single run")
    for typed in as_typed(hydra.overrides.hydra):
        if typed.lstrip("+~").startswith(OF_SWEEPS):
            raise InputError(f"{typed} has no effect on a single run; add --multirun")
    chosen = {group: str(choice) for group, choice in choices_of(hydra).items() if group in groups() and choice}
    for override, company in _ignored(config, chosen, folders_of(hydra, conf_dir()), read(words)):
        raise InputError(f"{override.input_line} has no effect with {company}; leave it out")


def check_effect_on_cells(cells: Sequence[Sequence[str]], words: Sequence[str], folders: Sequence[str]) -> None:
    """Check that every key with one value for all cells of a sweep has an effect on at least one of them.

    Args:
        cells: the words of each.
        words: what was typed for the sweep.
        folders: where choices are looked for besides conf/.

    Raises:
        InputError: one has no effect on any.
    """
    fixed = [each for each in read(words) if not each.is_sweep_override()]
    typed = [each for each in fixed if not is_below(each.key_or_group, OF_A_SWEEP)]
    company = ""
    for cell in cells:
        if not typed:
            return
        chosen = {each.key_or_group: str(each.value()) for each in read(cell) if each.key_or_group in groups()}
        ignored = _ignored(compose(list(cell), folders=folders), chosen, folders, typed)
        typed, company = [override for override, _ in ignored], ignored[0][1] if ignored else ""
    if typed:
        raise InputError(
            f"{typed[0].input_line} has no effect on any run of this sweep (the last one has {company}); leave it out"
        )


def _ignored(
    config: DictConfig, chosen: Mapping[str, str], folders: Sequence[str], overrides: Sequence[Override]
) -> list[tuple[Override, str]]:
    """Return the words that have no effect on a run, each with the company in which it has none."""
    chosen = {group: choice for group, choice in chosen.items() if group != "sweep"}
    known, with_it = known_keys(chosen, folders), resolve(config.copy())
    try:
        counted, found = _counts(with_it), []
    except (TypeError, ValueError):
        return []  # a value is not valid, which its rule says
    for override in overrides:
        key = override.key_or_group
        if key not in known or (key in counted and key not in UNUSED):
            continue  # it counts: another value would be another experiment
        if company := _company(key, config, with_it, known[key]):
            found.append((override, company))
    return found


def _company(key: str, config: DictConfig, with_it: Config, default: Any) -> str | None:
    """Say with what a key has no effect; None: it has one, or was given the value that it has anyway."""
    aside = is_below(key, ASIDE)
    if aside and key not in UNUSED:
        return None
    plain = config.copy()
    OmegaConf.update(plain, key, default)
    without_it = resolve(plain)
    if flatten(with_it).get(key) == flatten(without_it).get(key):
        return None
    if key in UNUSED and (company := UNUSED[key](with_it, without_it)):
        return company
    if aside or _counts(with_it) != _counts(without_it):
        return None
    return f"layout={with_it['layout']['name']} and the other choices of this run"


def _counts(config: Config) -> dict[str, Any]:
    """Return what counts of a config, and does so by itself."""
    return {key: value for key, value in experiment(config).items() if key != "size.head_size"}  # `plan` has it


def _world(config: Config) -> int:
    devices, nodes = config["trainer"]["devices"], config["trainer"]["nodes"]
    return devices * nodes if isinstance(devices, int) and isinstance(nodes, int) else 0


def _batches(config: Config) -> int | None:
    """Return how many batches an epoch has; None: only the data can tell."""
    size, batch, limit = (
        config["data"]["train_size"],
        config["data"]["batch_size"],
        config["trainer"].get("limit_train_batches"),
    )
    known = [limit] if isinstance(limit, int) else []
    if isinstance(size, int) and isinstance(batch, int) and batch:
        known.append(size // batch)
    return min(known, default=None)
