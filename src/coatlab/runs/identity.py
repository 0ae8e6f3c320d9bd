"""Which settings make two runs the same experiment.

The fingerprint is a hash of the resolved config, less the keys that cannot change the result. Keys count
unless they are opted out below, so a new setting counts by default. Settings that a layout ignores are
dropped first: a layout without attention is one experiment whatever the attention.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from coatlab.config.words import flatten

# These say how fast, where and under which name, never what is trained: at most rounding depends on them.
OPTED_OUT = (
    "cluster",
    "hydra",
    "paths",
    "study",
    "sweep",
    "tracker",
    "budget",
    "size.plans",  # the plan in use is under `plan`; those of other layouts must not count
    "size.matched",
    "size.given",
    "size.budget",
    "size.shape",
    "size.local",  # the value in use is under `attention`
    "init.run",  # the fingerprint of the run that it names is under `init.donor`
    "init.pretrain",
    "init.pretrain_only",
    "recipe.epochs",  # the value in use is trainer.max_epochs
    "recipe.per_size",  # the values in use are under the recipe's own keys
    "recipe.per_layout",
    "attention.implementation",
    "data.root",
    "data.cache",
    "data.catalog",
    "data.workers",
    "data.render",
    "trainer.accelerator",
    "trainer.sync_batchnorm",
    "trainer.channels_last",
    "trainer.compile",
    "trainer.cuda_graphs",
    "trainer.fast_dev_run",
    "trainer.checkpoint_activations",
    "trainer.deterministic",
    "trainer.threads",
    "trainer.keep_freed_memory",
    "trainer.checkpoint_every",
    "trainer.log_every",
    "trainer.eval_every",
    "trainer.eval_at",
    "trainer.progress",
)
# Settings that came later. With the value named here a run is what it was before them, and keeps its fingerprint.
AS_BEFORE: dict[str, Any] = {
    "recipe.warmup_share": 0,
    "data.random_labels": False,
    "trainer.limit_train_batches": None,
}
# Settings of one kind of block, ignored by layouts that have none of that kind.
ONLY_WITH_CONVOLUTION = ("network.norm", "network.downsample", "network.squeeze")
PROCESSES = ("trainer.devices", "trainer.nodes")
PER_SEED = ("seed", "init.donor")  # what always differs between the seeds of one cell
SPLIT = "data.split_seed"  # may follow the seed; see `per_seed`
ONLY_WITH_ATTENTION = ("attention", "plan.head_size", "size.head_size")


def experiment(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what counts of a resolved config, as a flat dictionary from dotted key to value."""
    letters, flat = letters_of(config), flatten(config)
    dropped: tuple[str, ...] = OPTED_OUT
    if "T" not in letters:
        dropped += ONLY_WITH_ATTENTION
    if "C" not in letters:
        dropped += ONLY_WITH_CONVOLUTION
    if "T" in letters and "C" not in letters and config["plan"]["strides"][1:] == [1]:
        dropped += ("network.pool",)  # nothing is down-sampled behind a patch stem
    if not _normalizes_apart(config, letters):
        dropped += PROCESSES  # they share every batch and average their gradients: the result is the same
    else:  # only their number matters, not the nodes that they are on
        flat |= {"trainer.devices": flat.get("trainer.devices", 1) * flat.get("trainer.nodes", 1), "trainer.nodes": 1}
    if flat.get("attention.feature_map") != "favor":
        dropped += ("attention.features",)  # random features of one map
    if "data.classes_seed" in flat and not flat.get(SPLIT):
        dropped += (SPLIT,)  # images that are drawn: 0 draws those that there were before the key
    dropped += tuple(key for key, value in AS_BEFORE.items() if flat.get(key) == value)
    below = tuple(f"{drop}." for drop in dropped)
    return {
        key: _canonical(value)
        for key, value in sorted(flat.items())
        if key not in dropped and not key.startswith(below)
    }


def fingerprint(config: Mapping[str, Any]) -> str:
    """Hash what counts of a resolved config: 16 hexadecimal digits (64 bits), the same on every machine."""
    text = json.dumps(experiment(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def diff(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the keys in which two resolved configs are different experiments, with both values.

    A key that one of the two does not have shows as None there, or as AS_BEFORE has it. Empty: the same experiment.
    """
    left, right = (AS_BEFORE | experiment(config) for config in (one, other))
    keys = sorted(left.keys() | right.keys())
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def per_seed(configs: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the keys in which the seeds of one cell of some runs differ, so that they tell no cells apart.

    `data.split_seed` is among them if it equals the seed in every one of the runs: then each seed draws images of its
    own. In any other case it is a key like others, fixed for all seeds or crossed with them. Seed 0 with split 0 fits
    both; where the other runs are mixed, those with a fixed split and those whose split follows are not one cell.
    """
    follows = all(config["data"].get("split_seed", 0) == config["seed"] for config in configs)
    return (*PER_SEED, SPLIT) if follows else PER_SEED


def attention_name(config: Mapping[str, Any]) -> str:
    """Return the attention that a run really has: `none` for a layout without a T."""
    return str(config["attention"]["name"]) if "T" in letters_of(config) else "none"


def plan_name(config: Mapping[str, Any]) -> str:
    """Return whose plan a run has: reference, matched or, where blocks, widths or strides are other ones, typed."""
    size, layout = config["size"], config["layout"]["name"]
    matched = ((size.get("matched") or {}).get(config["attention"]["name"]) or {}).get(layout)
    own = (matched if config["budget"] == "matched" else None) or size["plans"].get(layout)
    same = own is not None and all(config["plan"][key] == own[key] for key in ("blocks", "widths", "strides"))
    return str(config["budget"]) if same else "typed"


def folder_name(config: Mapping[str, Any]) -> str:
    """Name the run's folder by its content: layout-attention-size-data-s<seed>-<fingerprint>."""
    parts = (
        config["layout"]["name"],
        attention_name(config),
        config["size"]["name"],
        config["data"]["name"],
        f"s{config['seed']}",
        fingerprint(config)[:8],
    )
    return "-".join(str(part) for part in parts)


def _normalizes_apart(config: Mapping[str, Any], letters: str) -> bool:
    """Whether several processes take batch statistics, each over its own share of a batch."""
    trainer = config.get("trainer", {})  # records before there were several processes have no such keys
    several = trainer.get("devices", 1) * trainer.get("nodes", 1) > 1
    return several and not trainer["sync_batchnorm"] and "C" in letters and config["network"]["norm"] == "batch"


def letters_of(config: Mapping[str, Any]) -> str:
    """Return C and T as the network will have them; a mixed stage adds a C to its T."""
    letters = str(config["layout"]["stages"])
    mixed = any(isinstance(entry, list | tuple) for entry in config["plan"]["blocks"])
    return letters + ("C" if mixed else "")


def _canonical(value: Any) -> Any:
    """Write equal numbers in one way (1.0 as 1), so that spelling does not change the identity."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list | tuple):
        return [_canonical(entry) for entry in value]
    return value
