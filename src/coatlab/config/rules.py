"""Bad settings are refused here, before a run folder is made and before torch is imported."""

from collections.abc import Mapping
from typing import Any

from coatlab.config.consistency import check_data, check_rate_is_listed, check_recipe, check_size_is_listed
from coatlab.config.kinds import (
    Rule,
    above,
    augmentation,
    each_of,
    invalid,
    label,
    name,
    number,
    odd,
    one_of,
    options,
    or_null,
    path,
    shards,
    tags,
    text,
    texts,
    whole,
    wholes,
)
from coatlab.errors import InputError
from coatlab.model.layout import blueprint

BOOLEAN = one_of(True, False)
MISSING = object()


def check(config: Mapping[str, Any]) -> None:
    """Check a resolved config key by key, and the keys that must fit one another.

    Raises:
        InputError: one sentence naming the key, its value and what is valid.
    """
    check_size_is_listed(config["recipe"], config["size"]["name"])
    check_rate_is_listed(config["recipe"], config["data"]["name"], config["layout"]["name"])
    check_keys(config)
    check_data(config["data"])
    check_recipe(config["recipe"], config["data"])
    blueprint(config["layout"], config["plan"], config["data"]["image_size"])


def check_keys(config: Mapping[str, Any]) -> None:
    """Check a config, or a part of it, key by key.

    Raises:
        InputError: as `check`.
    """
    for key, rule in RULES.items():
        node: Any = config
        for part in key.split("."):
            node = node.get(part, MISSING) if isinstance(node, Mapping) else MISSING
        if node is not MISSING:
            rule(key, node)


def takes(key: str, value: Any) -> bool:
    """Tell whether a value is one that a key can have, as far as its rule says."""
    if key in CHECKED_TOGETHER:
        return isinstance(value, list) and key.rpartition(".")[2] in ("blocks", "widths", "strides", "mean", "std")
    try:
        RULES.get(key, _none)(key, value)
    except InputError:
        return False
    return True


def _none(key: str, value: Any) -> None:
    raise invalid(key, value, "no key that has a rule")


# Keys without a rule of their own, and what checks them instead.
CHECKED_TOGETHER = {
    "layout.stages": "blueprint: letters that the paper's rule allows",
    "layout.stem": "blueprint",
    "plan.blocks": "blueprint: an entry per stage",
    "plan.widths": "blueprint: an entry per stage, divisible by the head size where there is attention",
    "plan.strides": "blueprint: their product divides the image",
    "plan.head_size": "blueprint: divides the widths",
    "data.mean": "check: a number, or one per channel",
    "data.std": "check: a number, or one per channel",
}

# A key of a choice that is not chosen (`attention.window` of another attention) is absent, and not checked.
RULES: dict[str, Rule] = {
    "seed": whole(0, 2**32 - 1),  # numpy's bounds
    "study": or_null(text),
    "paths.runs": path,
    "paths.data": path,
    "sweep.retry": one_of("failed", "never"),
    "sweep.part": one_of("core", "rest"),
    "sweep.dry_run": BOOLEAN,
    "budget": one_of("reference", "matched"),
    "layout.name": name,
    "attention.name": name,
    "attention._target_": text,
    "attention.position": one_of("learned", "none"),
    "attention.window": whole(1),
    "attention.kernel_size": odd,
    "attention.implementation": one_of("auto", "flex", "tiles"),
    "attention.feature_map": one_of("elu", "softmax", "favor"),
    "attention.features": or_null(whole(1)),
    "size.name": name,
    "size.head_size": whole(1),
    "size.local.window": whole(1),
    "size.local.kernel_size": odd,
    "size.budget.parameters": whole(1),
    "size.budget.macs": whole(1),
    "size.budget.image_size": whole(1),
    "size.budget.channels": whole(1),
    "size.budget.num_classes": whole(1),
    "size.shape.blocks": wholes,
    "size.shape.strides": wholes,
    "size.shape.patch": whole(1),
    "size.shape.width_per_block": whole(1),
    "size.given": texts("[CCTT]"),
    "plan.pad": BOOLEAN,
    "network.norm": one_of("batch", "layer"),
    "network.downsample": one_of("expand_conv", "depthwise_conv"),
    "network.pool": one_of("max", "average"),
    "network.expansion": whole(1),
    "network.squeeze": number(0, 4),
    "network.dense_head": BOOLEAN,
    "data.name": name,
    "data._target_": text,
    "data.catalog": text,
    "data.root": or_null(path),
    "data.cache": path,
    "data.shards": or_null(shards),
    "data.test_shards": or_null(shards),
    "data.content": or_null(text),
    "data.train_size": or_null(whole(1)),
    "data.eval_size": whole(1),
    "data.train_eval_size": whole(1),
    "data.test_size": whole(1),
    "data.split_seed": whole(0, 2**32 - 1),
    "data.random_labels": BOOLEAN,
    "data.batch_size": whole(1),
    "data.image_size": whole(1),
    "data.classes_seed": whole(0),
    "data.num_classes": or_null(whole(2)),
    "data.train_files": whole(1),
    "data.val_files": whole(1),
    "data.on_corrupt": one_of("stop", "skip"),
    "data.shards_at_once": whole(1),
    "data.channels": one_of(1, 3),
    "data.pad": whole(0),
    "data.workers": or_null(whole(0)),
    "data.render": one_of("loader", "device"),
    "recipe.name": name,
    "recipe.loss": one_of("softmax", "sigmoid"),
    "recipe.label_smoothing": number(0, 1),
    "recipe.stochastic_depth": number(0, 1),
    "recipe.mixup_alpha": or_null(number(0.001)),
    "recipe.randaugment": augmentation,
    "recipe.randaugment.layers": whole(1),
    "recipe.randaugment.magnitude": whole(0, 30),  # torchvision's bins
    "recipe.random_crop": BOOLEAN,
    "recipe.horizontal_flip": BOOLEAN,
    "recipe.center_crop": BOOLEAN,
    "recipe.optimizer": one_of("AdamW"),
    "recipe.batch_size": or_null(whole(1)),
    "recipe.scale_lr": BOOLEAN,
    "recipe.lr": above(0),
    "recipe.min_lr": number(0),
    "recipe.schedule": one_of("cosine", "linear", "constant"),
    "recipe.warmup_steps": whole(0),
    "recipe.warmup_epochs": number(0),
    "recipe.warmup_share": number(0, 1),
    "recipe.weight_decay": number(0),
    "recipe.gradient_clip": or_null(above(0)),  # Lightning takes 0 for null
    "recipe.ema_decay": or_null(number(0, 1)),
    "recipe.epochs": whole(1),
    "init.name": name,
    "init.run": or_null(label),
    "init.donor": or_null(label),
    "init.pretrain_only": BOOLEAN,
    "trainer.accelerator": one_of("auto", "cpu", "gpu"),
    "trainer.precision": one_of("32-true", "bf16-mixed", "16-mixed", "64-true"),
    "trainer.max_epochs": whole(1),
    "trainer.accumulate": whole(1),
    "trainer.devices": whole(1),
    "trainer.nodes": whole(1),
    "trainer.sync_batchnorm": BOOLEAN,
    "trainer.channels_last": BOOLEAN,
    "trainer.limit_train_batches": or_null(whole(1)),
    "trainer.fast_dev_run": BOOLEAN,
    "trainer.compile": one_of(True, False, "reduce-overhead"),
    "trainer.cuda_graphs": one_of("auto", True, False),
    "trainer.checkpoint_activations": BOOLEAN,
    "trainer.deterministic": one_of(True, False, "warn"),
    "trainer.keep_freed_memory": BOOLEAN,
    "trainer.progress": BOOLEAN,
    "trainer.threads": or_null(whole(1)),
    "trainer.checkpoint_every": number(0),
    "trainer.log_every": whole(1),
    "trainer.eval_every": whole(1),
    "trainer.eval_at": or_null(wholes),
    "cluster.name": name,
    "cluster.jobs": or_null(whole(1)),
    "cluster.per_gpu": or_null(whole(1)),
    "cluster.partition": or_null(label),
    "cluster.account": or_null(label),
    "cluster.qos": or_null(label),
    "cluster.constraint": or_null(label),
    "cluster.gpus": whole(0),
    "cluster.cpus": whole(1),
    "cluster.memory_gb": or_null(number(0)),
    "cluster.minutes": whole(1),
    "cluster.throttle": or_null(whole(1)),
    "cluster.setup": texts("[module load cuda]"),
    "cluster.extra": or_null(options),
    "cluster.detach": BOOLEAN,
    "cluster.requeues": whole(0),
    "cluster.signal_seconds": whole(1),
    "cluster.poll": number(0.1),
    "tracker.name": one_of("wandb", "csv", "tensorboard", "none"),
    "tracker.also": each_of("csv", "tensorboard"),
    "tracker.mode": one_of("auto", "online", "offline"),
    "tracker.project": text,
    "tracker.entity": or_null(text),
    "tracker.group": or_null(text),
    "tracker.run_name": or_null(text),
    "tracker.tags": or_null(tags),
    "tracker.notes": or_null(text),
    "tracker.dir": or_null(path),
}
