"""Published weights: the same run gives the same file; it says what the run is and not where it was."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from coatlab.errors import InputError
from coatlab.runs.identity import fingerprint
from coatlab.runs.weights import METADATA, publish_weights, published_record, read_published
from coatlab.training.checkpoints import save_weights
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run whose "network" is one layer, in channels-last memory as in a training."""
    made = make_run(tmp_path / "runs", hardware={"cpu": "a processor", "host": "secret-host"})
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to(
        memory_format=torch.channels_last
    )
    save_weights(made, network, json.loads((made / "record.json").read_text())["fingerprint"])
    return made


def test_a_published_file_has_the_weights_and_the_record_without_what_is_private(folder: Path, tmp_path: Path) -> None:
    path = publish_weights(folder, tmp_path / "weights")
    assert path == tmp_path / "weights" / f"{folder.name}.safetensors"
    record, weights = read_published(path)
    stored = torch.load(folder / "checkpoints/weights.pt", weights_only=True)
    assert weights.keys() == stored["network"].keys()
    assert all(torch.equal(one, stored["network"][name]) for name, one in weights.items())
    whole = json.loads((folder / "record.json").read_text())
    assert record == published_record(path)
    for key in ("fingerprint", "status", "final", "cost", "studies"):
        assert record[key] == whole[key]
    assert fingerprint(record["config"]) == whole["fingerprint"]  # it is still the same experiment
    assert b"secret-host" not in path.read_bytes()
    assert whole["config"]["paths"]["runs"].encode() not in path.read_bytes()
    assert load_file(path).keys() == weights.keys()  # as any other program reads it


def test_the_same_run_gives_the_same_file_and_a_full_disk_leaves_the_old_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = publish_weights(folder, tmp_path)
    content = path.read_bytes()
    assert publish_weights(folder, tmp_path / "again").read_bytes() == content

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        publish_weights(folder, tmp_path)
    assert path.read_bytes() == content
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_damaged_or_foreign_file_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    path = publish_weights(folder, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: its checksum does not match"):
        read_published(path)
    path.write_bytes(content[:-5])
    with pytest.raises(InputError, match="cannot be read as published weights"):
        read_published(path)
    for metadata in (None, {METADATA: "{}"}, {METADATA: '{"record": {"config": {}}, "sha256": ""}'}):
        save_file({"a": torch.zeros(1)}, path, metadata)
        with pytest.raises(InputError, match="cannot be read as published weights"):
            read_published(path)
    path.unlink()
    with pytest.raises(InputError, match="cannot be read as published weights"):
        read_published(path)


def test_only_a_complete_run_is_published(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no record\.json"):
        publish_weights(tmp_path, tmp_path)
    failed = make_run(tmp_path, status="failed")
    with pytest.raises(InputError, match="is failed; only a complete run has weights"):
        publish_weights(failed, tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_the_metadata_is_one_entry_of_json(folder: Path, tmp_path: Path) -> None:
    with safe_open(publish_weights(folder, tmp_path), framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == [METADATA]  # of several the order would not be fixed
    assert json.loads(metadata[METADATA])["record"]["config"]["layout"]["name"] == "CCTT"
