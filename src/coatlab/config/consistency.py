"""Settings that must fit one another: each check is one sentence naming the keys, their values and what is valid."""

from collections.abc import Mapping
from typing import Any

from coatlab.config.kinds import invalid, is_number
from coatlab.config.words import flatten, written
from coatlab.errors import InputError


def check_data(data: Mapping[str, Any]) -> None:
    """Check the settings of the data that must fit one another."""
    for key in ("mean", "std"):
        values, channels = data[key], data["channels"]
        if not isinstance(values, list) or len(values) not in (1, channels) or not all(map(is_number, values)):
            raise InputError(
                f"data.{key}={written(values)} is not valid for data.channels={channels}; "
                "it must be a list of one number, or of one per channel"
            )
    if min(data["std"]) <= 0:
        raise invalid("data.std", data["std"], "above 0")
    if data["train_size"] is not None and data["train_size"] < data["batch_size"]:
        raise InputError(
            f"data.batch_size={data['batch_size']} is larger than "
            f"data.train_size={data['train_size']}; no batch would be full"
        )
    if data["train_size"] is None and data["name"] == "fractals":
        raise InputError(
            "data.train_size=null is not valid for data=fractals, which never ends; give the number of new images per "
            "epoch"
        )
    if data.get("render") == "device" and data["random_labels"]:
        raise InputError(
            "data.random_labels=true is not valid with data.render=device, which needs the true classes to render; use "
            "data.render=loader"
        )


def check_recipe(recipe: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Check the settings of the recipe that must fit one another, or the data."""
    augments = recipe["random_crop"] or recipe["horizontal_flip"] or recipe["randaugment"]
    if data.get("render") == "device" and augments:
        raise InputError(
            f"data.render=device is not valid with the augmentation of recipe={recipe['name']}; use data.render=loader"
        )
    if recipe["min_lr"] > recipe["lr"]:
        raise InputError(f"recipe.min_lr={recipe['min_lr']} is above recipe.lr={recipe['lr']}, the peak")
    lengths = {key: recipe[key] for key in ("warmup_steps", "warmup_epochs", "warmup_share") if recipe[key]}
    if len(lengths) > 1:
        listed = " and ".join(f"recipe.{key}={value}" for key, value in lengths.items())
        raise InputError(f"{listed} each set the length of the warm-up; set all but one of them to 0")


def check_size_is_listed(recipe: Mapping[str, Any], size: str) -> None:
    """Check that every key for which a recipe lists a value per size has one: the size's own, or one by hand."""
    sizes: dict[str, list[str]] = {}
    for entry in flatten(recipe.get("per_size") or {}):
        key, _, listed = entry.rpartition(".")
        sizes.setdefault(key, []).append(listed)
    values = flatten(recipe)
    for key, names in sizes.items():
        if key in values and values[key] is None:
            raise InputError(
                f"recipe={recipe['name']} has no {key} for size={size}, only for {', '.join(names)}; "
                f"give recipe.{key}=... or choose another size"
            )


def check_rate_is_listed(recipe: Mapping[str, Any], data: str, layout: str) -> None:
    """Check that a recipe with a learning rate per data set and layout has one for this run, or was given one."""
    rates = (recipe.get("per_layout") or {}).get("lr") or {}
    if rates and recipe["lr"] is None:
        known = f"layout={', '.join(rates[data])}" if rates.get(data) else f"data={', '.join(rates)}"
        raise InputError(
            f"recipe={recipe['name']} has no learning rate for data={data} and layout={layout}, only for {known}; find "
            f"one with sweep=tune data={data} layout={layout}, or give recipe.lr=..."
        )
