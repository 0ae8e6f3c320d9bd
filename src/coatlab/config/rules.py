"""Bad settings are refused here, before a run folder is made and before torch is imported."""

from collections.abc import Callable, Mapping
from typing import Any

from coatlab.config.words import flatten
from coatlab.errors import InputError, not_one_of
from coatlab.model.layout import blueprint

Check = Callable[[str, Any], None]
MISSING = object()


def check(config: Mapping[str, Any]) -> None:
    """Check a resolved config key by key, and its layout, plan and image size against each other.

    Raises:
        InputError: one sentence naming the key, its value and what is valid.
    """
    data, recipe = config["data"], config["recipe"]
    _check_size_is_listed(recipe, config["size"]["name"])
    _check_randaugment(recipe["randaugment"])
    check_keys(config)
    for key in ("mean", "std"):
        if not isinstance(data[key], list) or len(data[key]) not in (1, data["channels"]):
            raise InputError(
                f"data.{key}={data[key]} is not valid for data.channels={data['channels']}; it must be a list of one "
                "number, or of one a channel"
            )
    if data["train_size"] is not None and data["train_size"] < data["batch_size"]:
        raise InputError(
            f"data.batch_size={data['batch_size']} is larger than "
            f"data.train_size={data['train_size']}; no batch would be full"
        )
    if data["train_size"] is None and data["name"] == "fractals":
        raise InputError("data.train_size=null is not valid for data=fractals; say how many new images an epoch has")
    if data.get("render") == "device" and (recipe["random_crop"] or recipe["horizontal_flip"] or recipe["randaugment"]):
        raise InputError(
            f"data.render=device is not valid with the augmentation of recipe={recipe['name']}; use data.render=loader"
        )
    if recipe["min_lr"] > recipe["lr"]:
        raise InputError(f"recipe.min_lr={recipe['min_lr']} is above recipe.lr={recipe['lr']}, the peak")
    if recipe["warmup_steps"] and recipe["warmup_epochs"]:
        raise InputError(
            f"recipe.warmup_steps={recipe['warmup_steps']} and recipe.warmup_epochs={recipe['warmup_epochs']} are two "
            "lengths of one warm-up; set one of them to 0"
        )
    blueprint(config["layout"], config["plan"], data["image_size"])


def check_keys(config: Mapping[str, Any]) -> None:
    """Check a config, or a part of it, key by key.

    Raises:
        InputError: as `check`.
    """
    for key, rule in RULES.items():
        node: Any = config
        for name in key.split("."):
            node = node.get(name, MISSING) if isinstance(node, Mapping) else MISSING
        if node is not MISSING:
            rule(key, node)


def _check_size_is_listed(recipe: Mapping[str, Any], size: str) -> None:
    """Check that every key that a recipe gives a size at a time has a value: the size's, or one by hand."""
    sizes: dict[str, list[str]] = {}
    for entry in flatten(recipe.get("per_size") or {}):
        key, _, name = entry.rpartition(".")
        sizes.setdefault(key, []).append(name)
    values = flatten(recipe)
    for key, listed in sizes.items():
        if key in values and values[key] is None:
            raise InputError(
                f"recipe={recipe['name']} has no {key} for size={size}, only for {', '.join(listed)}; "
                f"give recipe.{key}=... or choose another size"
            )


def _check_randaugment(value: Any) -> None:
    if value is not None and not (isinstance(value, Mapping) and set(value) == {"layers", "magnitude"}):
        raise InputError(f"recipe.randaugment={value} is not valid; valid: null or {{layers: 2, magnitude: 15}}")


def _whole(least: int, most: int | None = None) -> Check:
    def rule(key: str, value: Any) -> None:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or value < least
            or (most is not None and value > most)
        ):
            upper = "" if most is None else f" and at most {most}"
            raise InputError(f"{key}={value} is not valid; it must be a whole number of at least {least}{upper}")

    return rule


def _number(low: float, high: float = float("inf")) -> Check:
    def rule(key: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            upper = "" if high == float("inf") else f" and at most {high:g}"
            raise InputError(f"{key}={value} is not valid; it must be a number of at least {low:g}{upper}")

    return rule


def _one_of(*valid: Any) -> Check:
    def rule(key: str, value: Any) -> None:
        if value not in valid:
            raise not_one_of(key, value, valid)

    return rule


def _text(key: str, value: Any) -> None:
    if not isinstance(value, str):
        raise InputError(
            f"{key}={value} is not valid; it must be text, in two pairs of quotes if need be: {key}='\"5\"'"
        )


def _lines(key: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or not all(isinstance(line, str) for line in value):
        raise InputError(f"{key}={value} is not valid; it must be a list of shell lines, as in [module load cuda]")


def _options(key: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise InputError(f"{key}={value} is not valid; it must name options of sbatch, as in {{exclude: node7}}")


def _or_null(check_value: Check) -> Check:
    def rule(key: str, value: Any) -> None:
        if value is not None:
            check_value(key, value)

    return rule


def _odd(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or value % 2 == 0:
        raise InputError(f"{key}={value} is not valid; it must be an odd whole number: a neighborhood has a middle")


# A key of a choice that is not chosen (`attention.window` of another attention) is not there, and not checked.
RULES: dict[str, Check] = {
    "seed": _whole(0, 2**32 - 1),  # numpy's bounds
    "study": _or_null(_text),
    "paths.runs": _text,
    "sweep.retry": _one_of("failed", "never"),
    "init.pretrain_only": _one_of(True, False),
    "budget": _one_of("reference", "matched"),
    "data.train_size": _or_null(_whole(1)),
    "data.eval_size": _whole(1),
    "data.train_eval_size": _whole(1),
    "data.split_seed": _whole(0),
    "data.batch_size": _whole(1),
    "data.image_size": _whole(1),
    "data.test_size": _whole(1),
    "data.classes_seed": _whole(0),
    "data.num_classes": _or_null(_whole(2)),
    "data.train_files": _whole(1),
    "data.val_files": _whole(1),
    "data.on_corrupt": _one_of("stop", "skip"),
    "data.shards_at_once": _whole(1),
    "data.channels": _one_of(1, 3),
    "data.pad": _whole(0),
    "data.workers": _or_null(_whole(0)),
    "data.render": _one_of("loader", "device"),
    "recipe.loss": _one_of("softmax", "sigmoid"),
    "recipe.label_smoothing": _number(0, 1),
    "recipe.stochastic_depth": _number(0, 1),
    "recipe.mixup_alpha": _or_null(_number(0.001)),
    "recipe.randaugment.layers": _whole(1),
    "recipe.randaugment.magnitude": _whole(0, 30),  # torchvision's bins
    "recipe.random_crop": _one_of(True, False),
    "recipe.horizontal_flip": _one_of(True, False),
    "recipe.center_crop": _one_of(True, False),
    "recipe.optimizer": _one_of("AdamW"),
    "recipe.batch_size": _or_null(_whole(1)),
    "recipe.scale_lr": _one_of(True, False),
    "recipe.lr": _number(0),
    "recipe.min_lr": _number(0),
    "recipe.schedule": _one_of("cosine", "linear", "constant"),
    "recipe.warmup_steps": _whole(0),
    "recipe.warmup_epochs": _number(0),
    "recipe.weight_decay": _number(0),
    "recipe.gradient_clip": _or_null(_number(0)),
    "recipe.ema_decay": _or_null(_number(0, 1)),
    "attention.position": _one_of("learned", "none"),
    "attention.window": _whole(1),
    "attention.kernel_size": _odd,
    "attention.implementation": _one_of("auto", "flex", "tiles"),
    "attention.feature_map": _one_of("elu", "softmax", "favor"),
    "attention.features": _or_null(_whole(1)),
    "network.norm": _one_of("batch", "layer"),
    "network.downsample": _one_of("expand_conv", "depthwise_conv"),
    "network.pool": _one_of("max", "average"),
    "network.expansion": _whole(1),
    "network.squeeze": _number(0, 4),
    "network.dense_head": _one_of(True, False),
    "trainer.accelerator": _one_of("auto", "cpu", "gpu"),
    "trainer.precision": _one_of("32-true", "bf16-mixed", "16-mixed", "64-true"),
    "trainer.max_epochs": _whole(1),
    "trainer.accumulate": _whole(1),
    "trainer.devices": _whole(1),
    "trainer.nodes": _whole(1),
    "trainer.sync_batchnorm": _one_of(True, False),
    "trainer.channels_last": _one_of(True, False),
    "trainer.compile": _one_of(True, False),
    "trainer.deterministic": _one_of(True, False, "warn"),
    "trainer.keep_freed_memory": _one_of(True, False),
    "trainer.progress": _one_of(True, False),
    "trainer.threads": _or_null(_whole(1)),
    "trainer.checkpoint_every": _number(0),
    "trainer.log_every": _whole(1),
    "cluster.jobs": _or_null(_whole(1)),
    "cluster.per_gpu": _whole(1),
    "cluster.gpus": _whole(0),
    "cluster.cpus": _whole(1),
    "cluster.memory_gb": _number(0),
    "cluster.minutes": _whole(1),
    "cluster.throttle": _or_null(_whole(1)),
    "cluster.setup": _lines,
    "cluster.extra": _or_null(_options),
    "cluster.detach": _one_of(True, False),
    "cluster.requeues": _whole(0),
    "cluster.signal_seconds": _whole(1),
    "cluster.poll": _number(0.1),
    "tracker.name": _one_of("wandb", "none"),
    "tracker.mode": _one_of("auto", "online", "offline"),
}
