"""Weights from a donor (sec. 4.1, fine-tuning): the classifier is new, tables are resized, the rest must fit.

Bias tables and position embeddings resize themselves when they are loaded (App. A.1). Of the head only the last layer,
the classifier, is new: normalization and dense layer count as features. The random features of linear attention are
taken over with the weights that were trained on them. The optimizer starts afresh.
"""

from pathlib import Path
from typing import Any

from coatlab.errors import InputError
from coatlab.model.attention.bias import RelativeBias
from coatlab.model.attention.position import PositionEmbedding
from coatlab.model.network import Network
from coatlab.runs.weights import read_weights


def transfer(network: Network, folder: Path, fingerprint: str) -> dict[str, Any]:
    """Load the weights of a complete run into a network, except for the classifier.

    Args:
        network: gets the weights.
        folder: of the run that gives them.
        fingerprint: of that run.

    Returns:
        for the record: the donor's fingerprint, what was replaced, and the tables that were resized.

    Raises:
        InputError: the file cannot be read, is damaged or of another run, or a weight is missing, unknown or of another
            shape; all are listed.
    """
    weights = read_weights(folder, fingerprint)
    own = network.state_dict()
    classifier = f"head.{len(list(network.head.children())) - 1}."
    tables = {
        f"{name}.table": 1 if isinstance(module, RelativeBias) else 2  # leading dimensions, before rows and columns
        for name, module in network.named_modules()
        if isinstance(module, RelativeBias | PositionEmbedding)
    }
    wrong = [f"{name} is missing" for name in own if name not in weights and not name.startswith(classifier)]
    wrong += [f"{name} is unknown" for name in weights if name not in own]
    for name in (name for name in own if name in weights and not name.startswith(classifier)):
        fixed = tables.get(name)
        if weights[name].shape[:fixed] != own[name].shape[:fixed] or weights[name].dim() != own[name].dim():
            wrong.append(f"{name} is {tuple(weights[name].shape)} there and {tuple(own[name].shape)} here")
    if wrong:
        raise InputError(f"the weights of {folder} do not fit: " + "; ".join(wrong))
    replaced = [name for name in own if name.startswith(classifier)]
    resized = [name for name in tables if weights[name].shape != own[name].shape]
    network.load_state_dict(weights | {name: own[name] for name in replaced})
    return {"donor": fingerprint, "folder": str(folder), "replaced": replaced, "resized": resized}
