"""What is meant for the user is one line and exit code 1; a defect keeps its traceback."""

import sys
from pathlib import Path

import pytest
from hydra.errors import HydraException

from coatlab.cli import one_sentence_errors, sentence_of
from coatlab.config.composer import composed
from coatlab.config.files import conf_dir
from coatlab.errors import InputError, RunError, Stopped
from tests.support.commandline import CommandLine, Forked


@pytest.mark.parametrize("error", [InputError("seed=-1\n is wrong"), RunError("seed=-1 is wrong")])
def test_our_errors_are_a_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, one_sentence_errors():
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: seed=-1 is wrong\n"


def test_ours_inside_another_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_sentence_errors():
        try:
            raise InputError("the reason")
        except InputError as reason:
            raise RuntimeError("wrapped") from reason
    assert capsys.readouterr().err == "error: the reason\n"


def test_a_defect_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), one_sentence_errors():
        _ = 1 / 0


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Stopped(15), 143)])
def test_a_stop_has_the_shells_exit_code(error: BaseException, code: int) -> None:
    with pytest.raises(SystemExit) as ended, one_sentence_errors():
        raise error
    assert ended.value.code == code


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.sed=1"], "the key data.sed does not exist"),
        (
            ["data=fractals", "data.rendr=device"],
            "the key data.rendr does not exist with data=fractals (did you mean data.re",
        ),
        # another choice of the group has the key: adding it with + would not make it count
        (
            ["data=fractals", "data.root=/x"],
            "the key data.root does not exist with data=fractals, only with data=cifar10, ",
        ),
        (
            ["tracker=none", "tracker.project=x"],
            "the key tracker.project does not exist with tracker=none, only with tracker=wandb; v",
        ),
        (["tracker=csv", "tracker.mode=offline"], "the key tracker.mode does not exist with tracker=csv"),
        (["size=big,nano", "trainr.threads=1"], "the key trainr does not exist (did you mean trainer?); valid: "),
        (["seed=1", "+seed=2"], "seed is given twice, as seed=1 and +seed=2; give it once"),
        (["tracker=null"], "tracker=null is not valid; every run needs a choice of tracker"),
        (["layout=5"], "layout=5 does not exist; valid: CCCC"),
        (["seed=["], "seed=[ cannot be read: no viable alternative at input '['"),
        (["seed=1", "paths.runs=/a[b]"], "paths.runs=/a[b] has to be in quotes that reach the command; write 'paths."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_hydra_refuses_is_worded_by_the_words_of_the_command(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # a study that is named as a group is, an option, and the name of a file
    monkeypatch.setattr(sys, "argv", ["train.py", "attention", "--config-dir", "/tmp/a=b/c", *words])
    single = [word for word in words if "," not in word]
    with pytest.raises(SystemExit), one_sentence_errors():
        composed(conf_dir(), single)
    said = capsys.readouterr().err
    assert said.startswith(f"error: {sentence}")
    assert said.count("\n") == 1


def test_an_error_of_hydra_that_is_not_about_words_stays_as_it_is() -> None:
    assert sentence_of(HydraException("a\nline")) == "a line"
    assert sentence_of(ValueError("a defect")) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["+trainer.surprise=2"], "the key trainer.surprise does not exist with trainer=auto; valid"),
        (
            ["++trainer.max_epoch=3"],
            "the key trainer.max_epoch does not exist with trainer=auto (did you mean trainer.max",
        ),
        (["sweep=smoke", "+data.surprise=0,1"], "the key data.surprise does not exist with data=fashion_mnist; valid"),
        (
            ["seed=0", "seed=1"],
            "seed is given twice, as seed=0 and seed=1; give it once, or all of its values in one word",
        ),
        (["sweep=smoke", "seed=0", "seed=1"], "seed is given twice, as seed=0 and seed=1"),
        (
            ["tracker=null"],
            "tracker=null is not valid; every run needs a choice of tracker (tracker=none stands for none)",
        ),
        (["sweep=smoke", "tracker=null"], "tracker=null is not valid; every run needs a choice of tracker"),
        (["data.train_size=${b}"], "data.train_size=${b} cannot be resolved: Interpolation key 'b' not found\n"),
        (
            ["sweep=smoke", "data.train_size=${b}"],
            "data.train_size=${b} cannot be resolved: Interpolation key 'b' not ",
        ),
        (["paths.runs=${oc.env:NONE}"], "paths.runs=${oc.env:NONE} cannot be resolved: Environment variable 'NONE' n"),
        (["plan.blocks=[${b},1]"], "plan.blocks=[${b},1] cannot be resolved: Interpolation key 'b' not found"),
        (["seed=${layout}"], "seed={name:CCTT,stem:conv,stages:CCTT} is not valid; it must be a whole number"),
        (["~trainer.precision"], "~trainer.precision is not valid; keys cannot be removed"),
        (["sweep=smoke", "~seed"], "~seed is not valid; keys cannot be removed"),
        (["seed"], "seed has no value; write seed=VALUE"),
        (["--seed=1"], "--seed=1 is not an option; a setting is written without hyphens: seed=1"),
        (["--config-name", "mine"], "--config-name=mine does not exist: there is no mine.yaml"),
        (["seed=0,1"], "seed=0,1 gives several values, which needs --multirun\n"),
        (["sweep=smoke", "paths.runs=/a=b"], "paths.runs=/a=b has to be in quotes that reach the command; write 'pa"),
        # with a mistake in the command, Hydra does not see that it is a sweep's
        (["sweep=smoke", "seed=0,1", "layot=CCTT"], "the key layot does not exist (did you mean layout?); valid: "),
        (
            ["sweep=transfer", "init.pretrain={data.train_size:500}"],
            "init.pretrain={data.train_size:500} adds keys to init.pretrain, which sweep=transfer sets; write "
            "'++init.pretrain={data.train_size:500}'",
        ),
        (["sweep=smoke", "init.pretrain={data:fractals}"], "the key init.pretrain does not exist"),
        (["sweep=smoke", "seed=0,1", "lr=0.1"], "the key lr does not exist (did you mean recipe.lr?); valid: "),
        (["sweep=smoke", "seed=range(0,2)", "trainer.max_epoch=1"], "the key trainer.max_epoch does not exist ("),
        (["sweep=smoke", "seed=0,1", "tracker=foo"], "tracker=foo does not exist; valid: csv, none, tensor"),
        (["sweep=smok", "seed=0,1"], "sweep=smok does not exist (did you mean smoke?)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_makes_no_run_is_one_sentence(command: CommandLine, words: list[str], sentence: str) -> None:
    done = Forked(["src/train.py", *words], command.environment)
    _, err = done.communicate(timeout=120)
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1
    assert done.returncode == 1
    assert not list(command.runs.glob("*/record.json"))


def test_choices_of_the_users_own_are_found_by_the_run_and_by_its_donor(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "size").mkdir()
    text = (conf_dir() / "size" / "nano.yaml").read_text()
    (tmp_path / "size" / "own.yaml").write_text(text.replace("name: nano", "name: own\nextra: 1"))
    words = ["--config-dir", str(tmp_path), "size=own", "size.extra=2"]
    for more, sentence in {
        "trainer.max_epochs=0": "trainer.max_epochs=0 is not valid",
        "+size.more=1": "the key size.more does not exist with size=own",
        "init.pretrain={data.surprise:1}": "the key data.surprise does not exist",
    }.items():
        done = Forked(["src/train.py", *words, "init=finetune", more], command.environment)
        assert done.communicate(timeout=120)[1].startswith(f"error: {sentence}")
