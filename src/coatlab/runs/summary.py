"""The short tables before and after a run."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from coatlab.config.files import choices
from coatlab.output.text import duration, shown
from coatlab.runs.identity import attention_name


def show_result(record: dict[str, Any], folder: Path, title: str) -> None:
    """Print layout, attention, cost, measures, time, the folder and what to do next."""
    config, final = record["config"], record["final"]
    # a study from --config-dir has no tables of its own
    study = next((name for name in reversed(record["studies"]) if name in choices("sweep")), "all")
    rows = {
        "layout": config["layout"]["name"],
        "attention": _attention(record),
        "parameters": f"{record['cost']['parameters'] / 1e6:.3f} M",
        "MACs": f"{record['cost']['macs'] / 1e6:.2f} M per image at {config['data']['image_size']} pixels",
        "epochs": f"{final['epoch']:.0f}, {final['images_per_second']:.0f} images/s",
        "train loss": f"{final['train_eval/loss']:.4f} (accuracy {final['train_eval/accuracy']:.2%}, evaluation mode)",
        "evaluation accuracy": f"{final['eval/accuracy']:.2%} (held out), {final['test/accuracy']:.2%} (test files)",
        "gap": f"{final['gap']:+.2%}",
        "time": duration(record["timings"]["seconds"]),
        "folder": shown(folder),
        "compare": shlex.join(["python", "-m", "analysis", study, "--runs", shown(folder.parent)]),
    }
    if start := record.get("init"):
        rows["starts from"] = f"{Path(start['folder']).name}, {len(start['resized'])} tables resized"
    if upload := _upload(record["tracker"], folder):
        rows["upload"] = upload
    _print(title, rows)


def show_start(record: dict[str, Any], folder: Path, title: str, images: int) -> None:
    """Print what is going to be trained: network and cost, images, steps, rates, regularization, device and folder.

    Args:
        record: of the run that is about to be trained.
        images: training images per epoch.
    """
    config, cost, used, device = record["config"], record["cost"], record["recipe"], record["hardware"]
    data, recipe, trainer = config["data"], config["recipe"], config["trainer"]
    accumulated = f" ({trainer['accumulate']} x {data['batch_size']})" if trainer["accumulate"] > 1 else ""
    rows = {
        "layout": f"{config['layout']['name']}, size {config['size']['name']}",
        "attention": _attention(record),
        "cost": f"{cost['parameters'] / 1e6:.3f} M parameters, {cost['macs'] / 1e6:.2f} M MACs per image",
        "images": f"{data['name']}: {images} of {data['num_classes']} classes, {data['image_size']} pixels",
        "steps": f"{used['steps_per_epoch']} per epoch, {used['steps']} in all",
        "batch": f"{used['batch']}{accumulated}",
        "learning rate": _rate(recipe, used),
        "recipe": f"{recipe['name']}: {recipe['loss']} loss, label smoothing {recipe['label_smoothing']:g}",
        "regularization": _regularization(recipe),
        "device": f"{device['gpu'] or device['device']}, {device['threads']} threads, {trainer['precision']}",
        "folder": shown(folder),
    }
    told = record.get("data") or {}
    rows |= {"found": told.get("found", ""), "left aside": "; ".join(told.get("aside") or [])}
    if left_out := (told.get("corrupt") or {}).get("count"):
        rows["left out"] = f"{left_out} images that cannot be used; record.json names them"
    rows = {name: text for name, text in rows.items() if text}
    if start := record.get("init"):
        rows["starts from"] = Path(start["folder"]).name
    _print(title, rows)


def _print(title: str, rows: Mapping[str, str]) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{title}[/]")
    for name, value in rows.items():
        console.print(f"[dim]{name:<20}[/] {escape(value)}", soft_wrap=True)


def _rate(recipe: Mapping[str, Any], used: Mapping[str, Any]) -> str:
    """Describe the learning rate over the run and, if the batch size has scaled it, what it was scaled from."""
    course = "" if recipe["schedule"] == "constant" else f" to {used['min_lr']:.3g}"
    share = f" ({recipe['warmup_share']:.3g} of all)" if recipe["warmup_share"] else ""
    warmup = f", {used['warmup_steps']} steps of warm-up{share}" if used["warmup_steps"] else ""
    scaled = f" ({recipe['lr']:g} is for a batch of {used['reference_batch']})" if used["scale"] < 1 else ""
    return f"{used['lr']:.3g}{course}, {recipe['schedule']}{warmup}{scaled}"


def _regularization(recipe: Mapping[str, Any]) -> str:
    """List the regularization in use, each with its strength."""
    augment = recipe["randaugment"]
    numbers = {
        "weight decay": recipe["weight_decay"],
        "stochastic depth": recipe["stochastic_depth"],
        "MixUp": recipe["mixup_alpha"],
        "RandAugment": augment and f"{augment['layers']} x {augment['magnitude']}",
        "EMA": recipe["ema_decay"],
    }
    on = [f"{name} {number}" for name, number in numbers.items() if number]
    on += [key.replace("_", " ") for key in ("random_crop", "horizontal_flip") if recipe[key]]
    return ", ".join(on) or "none"


def _attention(record: dict[str, Any]) -> str:
    """Name the attention and, if it is local, the field in each stage; a field that covers its grid is global."""
    name = attention_name(record["config"])
    parts = []
    for stage, entry in record.get("attention", {}).items():
        if entry["reach"] != "global":
            covers = ", so global" if entry["reach"] == "covering" else ""
            parts.append(f"{stage}: {_by(entry['field'])} on a {_by(entry['grid'])} grid{covers}")
    return f"{name} ({'; '.join(parts)})" if parts else name


def _by(sides: list[int]) -> str:
    return f"{sides[0]} x {sides[1]}"


def _upload(tracker: dict[str, Any], folder: Path) -> str | None:
    if tracker.get("mode") == "offline" or not tracker.get("ended", True):
        return shlex.join(["python", "-m", "coatlab.upload", "--runs", shown(folder.parent)])
    return tracker.get("url")
