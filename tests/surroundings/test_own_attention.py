"""A user's own attention, in a module outside the repository, is trained, swept, reported and loaded like ours."""

from pathlib import Path

import pytest
import torch

from coatlab import load_run
from coatlab.create import attention_factory
from coatlab.errors import InputError
from tests.support.commandline import CommandLine, Forked

MODULE = """
import torch.nn.functional as F

from coatlab.model.attention.inner import InnerAttention


class Cosine(InnerAttention):
    def __init__(self, heads, head_size, grid, block, scale=10.0):
        super().__init__(heads, head_size, grid, block)
        self.scale = scale

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(F.normalize(q, dim=-1), F.normalize(k, dim=-1), v, scale=self.scale)


def function(q, k, v):
    return v
"""
TARGET = "attention._target_=their_lab.cosine.Cosine"


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a user's package and a user's choice of the group `attention`."""
    folder = tmp_path / "theirs"
    (folder / "their_lab").mkdir(parents=True)
    (folder / "their_lab" / "cosine.py").write_text(MODULE)
    (folder / "their_lab" / "broken.py").write_text("1 / 0\n")
    (folder / "conf" / "attention").mkdir(parents=True)
    (folder / "conf" / "attention" / "cosine.yaml").write_text(
        "name: cosine\n_target_: their_lab.cosine.Cosine\nscale: 10.0\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"_target_": "no.such.Thing"}, r"no\.such\.Thing cannot be imported \(No module named 'no'\); give module"),
        ({"_target_": "their_lab.broken.Thing"}, r"cannot be imported \(division by zero\)"),
        ({"_target_": "their_lab.cosine.Cosin"}, r"cannot be imported \(module .* has no attribute 'Cosin'"),
        ({"_target_": "Cosine"}, r"cannot be imported"),
        ({"_target_": "their_lab.cosine.function"}, r"must be a subclass of coatlab\.model\.attention\.inner"),
        ({"_target_": "collections.OrderedDict"}, r"must be a subclass of coatlab\.model\.attention\.inner"),
        ({"_target_": "their_lab.cosine.Cosine", "scael": 1}, r"unexpected keyword argument 'scael'.*attention\.scael"),
    ],
)
def test_a_class_that_cannot_be_an_attention_is_one_sentence(settings: dict, sentence: str, theirs: Path) -> None:
    with pytest.raises(InputError, match=f"attention._target_={sentence}" if sentence[0] == "n" else sentence):
        attention_factory({"name": "cosine", **settings})


def test_a_path_on_the_command_line_is_enough(theirs: Path, command: CommandLine) -> None:
    words = ["tracker=none", "trainer.max_epochs=1", "attention.name=cosine", TARGET]
    done = command.run(*words, "+attention.scale=4", PYTHONPATH=str(theirs))
    assert done.returncode == 0, done.stderr
    assert command.folder().name.startswith("CCTT-cosine-")
    run = load_run(command.folder())
    (scale,) = {attend.scale for attend in run.network.modules() if type(attend).__name__ == "Cosine"}
    assert scale == 4
    assert run.network(torch.zeros(1, 1, 32, 32)).shape == (1, 10)
    again = command.run(*words, "+attention.scale=4.0", PYTHONPATH=str(theirs))
    assert "already complete" in again.stdout
    wrong = command.run(*words, "+attention.scael=4", PYTHONPATH=str(theirs))
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: ")
    assert "Traceback" not in wrong.stderr


def test_it_is_a_choice_like_others_in_a_study_and_its_report(theirs: Path, command: CommandLine) -> None:
    words = ["sweep=attention", "attention=relative,cosine", f"hydra.searchpath=[file://{theirs}/conf]"]
    done = command.run(*words, "tracker=none", "trainer.max_epochs=1", PYTHONPATH=str(theirs))
    assert done.returncode == 0, done.stderr
    names = sorted(folder.name.split("-")[1] for folder in command.runs.glob("C*"))
    assert names == ["cosine", "relative"]
    environment = command.environment | {"COATLAB_REPORTS": str(theirs / "reports")}
    report = Forked(["-m", "analysis", "attention"], environment)
    out, err = report.communicate(timeout=200)
    assert report.returncode == 0, err
    assert "cosine" in out
