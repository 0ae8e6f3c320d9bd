"""Keys are closed: a config has exactly the keys of its choices, whatever asks for another one.

Hydra refuses `trainer.max_epoch=3`, but not `+trainer.max_epoch=3`, nor the same in a study's yaml: a key that nothing
reads would train the whole run under a fingerprint of its own. Known are the keys that conf/ gives to the choices of
the run when nothing else is asked for. Open are only the nodes that name what no yaml can list, and the settings of a
class that is none of ours: its signature decides.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from coatlab.config.files import choices, conf_dir
from coatlab.config.targets import TARGET, is_ours
from coatlab.config.words import is_below, written
from coatlab.errors import InputError, not_one_of_keys

# Nodes below which any key may stand, and why.
FREE_FORM = {
    "init.pretrain": "overrides of the donor, checked when it is composed; a study sets them for init=scratch, too",
    "cluster.extra": "options of sbatch",
    "recipe.randaugment": "null or two keys, which have rules",
    "recipe.per_size": "a value per size, a user's own included; the one in use stands under the recipe's own key",
    "recipe.per_layout": "a value per data set and layout, as recipe.per_size",
    "size.plans": "a plan per layout, a user's own included; the one in use stands under `plan`",
    "size.matched": "a plan per attention and layout; the one in use stands under `plan`",
    "data.sha256": "a sum per file",
}

FEW = 3
# What a name that other programs use is here. `recipe.epochs` and `recipe.batch_size` are those that the rates are for.
MEANT = {
    **dict.fromkeys(("epochs", "epoch", "num_epochs", "n_epochs", "max_epoch"), "trainer.max_epochs"),
    **dict.fromkeys(("batch_size", "batch", "bs", "batchsize", "train_batch_size"), "data.batch_size"),
    **dict.fromkeys(("learning_rate", "base_lr", "max_lr", "peak_lr"), "recipe.lr"),
    **dict.fromkeys(("wd", "decay"), "recipe.weight_decay"),
    **dict.fromkeys(("num_workers", "n_workers"), "data.workers"),
    **dict.fromkeys(("random_seed", "manual_seed"), "seed"),
    **dict.fromkeys(("gpus", "num_gpus", "n_gpus"), "trainer.devices"),
    **dict.fromkeys(("img_size", "resolution", "input_size"), "data.image_size"),
    **dict.fromkeys(("grad_clip", "clip_grad", "gradient_clip_val"), "recipe.gradient_clip"),
    **dict.fromkeys(("drop_path", "drop_path_rate"), "recipe.stochastic_depth"),
    **dict.fromkeys(("data_dir", "data_path", "dataset_path"), "data.root"),
    **dict.fromkeys(("output_dir", "out_dir", "save_dir", "runs"), "paths.runs"),
    **dict.fromkeys(("model", "arch", "architecture"), "layout"),
    "dataset": "data",
    "accumulate_grad_batches": "trainer.accumulate",
    "amp": "trainer.precision",
    "device": "trainer.accelerator",
}


def check_closed(config: Mapping[str, Any], known: Mapping[str, Any], choices: Mapping[str, str]) -> None:
    """Check that a config has every key that is known and no other.

    Args:
        config: nested, resolved or not, without Hydra's own settings.
        known: the keys that its choices have, dotted, with their values before any override.
        choices: the choice of each group, for the sentence.

    Raises:
        InputError: a key that does not exist, with the nearest that do; or one that is missing.
    """
    there = dict(leaves(config))
    for key, value in there.items():
        if key in known or is_free_form(key) or _is_open(key, there, known):
            continue
        if below := _below(key, known):
            raise InputError(f"{key}={written(value)} is not valid; its keys are {', '.join(below)}")
        if not any(ancestor in known for ancestor in _ancestors(key)):  # of a known key the rule looks at the value
            raise unknown_key(key, known, choices)
    for key in known:
        if key in there:
            continue
        needed = next((node for node in FREE_FORM if key.startswith(f"{node}.")), key)
        if needed not in there and not _below(needed, there):
            raise InputError(f"the key {needed} is missing; keys cannot be removed, only given another value")


def unknown_key(key: str, known: Iterable[str], chosen: Mapping[str, str]) -> InputError:
    """Word a key that does not exist: the part of it that is not there, and the keys that could have been meant."""
    every, names = list(known), key.split(".")
    depth = next(i for i, node in enumerate([*_ancestors(key), key]) if not _below(node, every))
    prefix = "".join(f"{name}." for name in names[:depth])
    where = f" with {names[0]}={chosen[names[0]]}" if depth and names[0] in chosen else ""
    elsewhere = [entry for entry in every if entry.endswith(f".{names[-1]}")]
    elsewhere = elsewhere if len(elsewhere) <= FEW else []  # every group has a `name`
    elsewhere = [MEANT[names[-1]]] if MEANT.get(names[-1]) in {*every, *_below("", every)} else elsewhere
    if others := _choices_with(names[0], ".".join(names[1:])):
        where, elsewhere = f"{where}, only with {names[0]}={', '.join(others)}", []
    return not_one_of_keys(prefix + names[depth], _below(prefix[:-1], every), where, elsewhere)


def _choices_with(group: str, key: str) -> list[str]:
    """List the choices of a group that have a key."""
    found = []
    for choice in choices(group) if key else ():
        plain = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{choice}.yaml"))
        own = (
            plain.get(group, plain) if isinstance(plain, dict) else {}
        )  # in the package _global_ it is below the group
        found += [choice] if isinstance(own, dict) and key in dict(leaves(own)) else []
    return found


def is_free_form(key: str) -> bool:
    """Tell whether a key is a free-form node or stands below one."""
    return is_below(key, FREE_FORM)


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of a nested config that hold no further keys, with their values."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _ancestors(key: str) -> list[str]:
    """Return the nodes above a key, the outermost first."""
    names = key.split(".")
    return [".".join(names[:depth]) for depth in range(1, len(names))]


def _below(node: str, keys: Iterable[str]) -> list[str]:
    """Return what stands directly below a node ("" for the top), by its dotted key."""
    prefix = f"{node}." if node else ""
    found = (prefix + key[len(prefix) :].partition(".")[0] for key in keys if key.startswith(prefix))
    return list(dict.fromkeys(found))


def _is_open(key: str, there: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a key is a setting of a class that was typed by hand and is none of ours."""
    group = key.partition(".")[0]
    target = f"{group}.{TARGET}"
    both = target in known and target in there
    return both and there[target] != known[target] and not is_ours(group, str(there[target]))
