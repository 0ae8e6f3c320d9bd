"""The donor of a fine-tuning run: the run whose weights it starts from, found and checked.

`init.run` names it, or `init.pretrain` describes it by the keys in which it differs from the defaults; layout,
attention, plan, network and seed are this run's. The fingerprint of a described donor is known before it exists.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, known_keys, resolve
from coatlab.config.composer import running_folders
from coatlab.config.files import choices, conf_dir, groups
from coatlab.config.keys import is_free_form, unknown_key
from coatlab.config.typed.reading import read
from coatlab.config.words import is_below, written
from coatlab.errors import InputError
from coatlab.runs.identity import diff, fingerprint, folder_name
from coatlab.runs.record import read_record, read_records

NETWORK = ("layout", "attention", "plan", "network", "size")  # must be equal for the weights to fit
SHARED = ("seed", "budget", "paths", "tracker", "cluster", "study", "sweep")  # with this run
SAME_MACHINE = (
    "accelerator",
    "threads",
    "channels_last",
    "compile",
    "cuda_graphs",
    "checkpoint_activations",
    "keep_freed_memory",
    "progress",
)


def pretraining(config: Mapping[str, Any]) -> list[str]:
    """Return the words of `init.pretrain`, as the command line has them.

    Raises:
        InputError: it is not a dictionary of keys and values.
    """
    keys = config["init"]["pretrain"]
    if not isinstance(keys, Mapping):
        raise InputError(f"init.pretrain={keys} is not valid; give keys, as in init.pretrain='{{data: fractals}}'")
    return [f"{key}={written(value)}" for key, value in keys.items()]


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the donor that `init.pretrain` describes.

    Raises:
        InputError: the words change the network, or start from a donor themselves.
    """
    words = pretraining(config)
    kept = (*NETWORK, *SHARED, "init", *(f"trainer.{key}" for key in SAME_MACHINE))
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if is_below(key, kept):
            raise InputError(f"init.pretrain changes {word}; a donor has this run's {_called(key)}")
    _check_known(words, config["size"]["name"])
    donor = with_content(resolve(compose([f"size={config['size']['name']}", *words])))
    shared = {key: config[key] for key in (*NETWORK, *SHARED)}
    trainer = donor["trainer"] | {key: config["trainer"][key] for key in SAME_MACHINE}
    return donor | shared | {"trainer": trainer}


def _called(key: str) -> str:
    group = key.partition(".")[0]
    return "network, seed and folder" if group in (*NETWORK, "seed", "init", "paths") else key


def _check_known(words: Sequence[str], size: str) -> None:
    """Refuse a key that the donor's choices do not have; Hydra would say so of this run's."""
    overrides = read(words)
    chosen = {each.key_or_group: str(each.value()) for each in overrides if each.key_or_group in groups()}
    if any(choice not in choices(group) for group, choice in chosen.items()):
        return  # it is refused when it is composed
    known = known_keys({"size": size, **chosen}, running_folders(conf_dir()))
    for override in overrides:
        key = override.key_or_group
        if key not in {*known, *groups()} and not is_free_form(key):
            raise unknown_key(key, known, chosen)


def find(config: Mapping[str, Any]) -> Path:
    """Return the folder of the complete run that a fine-tuning run starts from.

    Raises:
        InputError: no run is named or found, several match, or the one found is incomplete or has another network.
    """
    init, runs = config["init"], Path(config["paths"]["runs"])
    if (init["run"] is None) == (init["pretrain"] is None):
        raise InputError("init=finetune needs init.run (a complete run) or init.pretrain (the keys that make it)")
    folder = _named(str(init["run"]), runs) if init["run"] is not None else runs / folder_name(described(config))
    record = read_record(folder)
    if record is None or record["status"] != "complete":
        status = record["status"] if record else "not there"
        raise InputError(f"init.run={folder} is {status}; only a complete run can give its weights")
    _same_network(f"init.run={folder.name}", record["config"], config)
    return folder


def with_donor(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the config with its donor's fingerprint in it, and the config of the donor where one is described.

    The fingerprint makes the donor part of the run's identity. A run from random weights is returned unchanged.

    Raises:
        InputError: as `find`; a described donor need not exist.
    """
    if config["init"]["name"] != "finetune":
        return config, None
    if config["init"]["pretrain"] and config["init"]["run"] is None:
        first = described(config)
        _same_network("init.pretrain", first, config)
        mark = fingerprint(first)
    else:
        first, record = None, read_record(find(config))
        assert record is not None
        mark = str(record["fingerprint"])
    return config | {"init": config["init"] | {"donor": mark}}, first


def _same_network(name: str, donor: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    differing = {
        key: values
        for key, values in diff(donor, config).items()
        if key.partition(".")[0] in NETWORK or key == "data.channels"
    }
    if differing:
        listed = "; ".join(f"{key} is {there} there and {here} here" for key, (there, here) in differing.items())
        raise InputError(f"{name} has another network: {listed}")


def _named(name: str, runs: Path) -> Path:
    """Find a run by its folder, or by the beginning of its name or fingerprint."""
    if (Path(name) / "record.json").is_file():
        return Path(name)
    found = [
        folder
        for folder, record in read_records(runs)
        if folder.name.startswith(name) or record["fingerprint"].startswith(name)
    ]
    if len(found) != 1:
        what = f"{len(found)} runs: " + ", ".join(folder.name for folder in found) if found else "no run"
        raise InputError(
            f"init.run={name} names {what}; give a folder, or the beginning of the name or fingerprint of one run in "
            f"{runs}"
        )
    return found[0]
