"""What Hydra cannot read comes with the word to type, which a shell and Hydra read as the text that was meant."""

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatlab.config.typed.reading import at_home, read, several
from coatlab.errors import InputError


def value_of(word: str) -> object:
    (override,) = read([word])
    return override.value()


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("paths.runs=/data/a=b", """'paths.runs="/data/a=b"'"""),
        ("paths.runs=/data/a[b]", """'paths.runs="/data/a[b]"'"""),
        ("paths.runs=/data/a(b)", """'paths.runs="/data/a(b)"'"""),
        ("data.root=/größe", """'data.root="/größe"'"""),
        ("data.root=/日本語", """'data.root="/日本語"'"""),
        ("data.shards=train-{0000..0146}.tar", """'data.shards="train-{0000..0146}.tar"'"""),
        ("+study=it's", """'+study="it'"'"'s"'"""),
    ],
)
def test_what_needs_quotes_comes_with_them(word: str, advice: str) -> None:
    with pytest.raises(InputError) as refused:
        read(["seed=1", word])
    assert str(refused.value) == f"{word} has to be in quotes that reach the command; write {advice}"


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1).filter(lambda text: "${" not in text))
def test_the_advice_is_read_as_the_text_that_was_typed(text: str) -> None:
    try:
        read([f"study={text}"])
    except InputError as error:
        if advice := re.search("write (.*)", str(error)):
            (word,) = shlex.split(advice[1])
            assert value_of(word) == text


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("seed", "seed has no value; write seed=VALUE"),
        ("größe=5", "größe=5 cannot be read: größe is not the name of a key"),
        ("plan.blocks=[2,1", "plan.blocks=[2,1 cannot be read: "),
        ("init.pretrain={data:x", "init.pretrain={data:x cannot be read: "),
        ("seed=range(0,3", "seed=range(0,3 cannot be read: "),
        ("study='a", "study='a cannot be read: "),
    ],
)
def test_where_quotes_would_be_wrong_there_is_no_such_advice(word: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        read([word])
    assert str(refused.value).startswith(sentence)
    assert "quotes" not in str(refused.value)
    assert "hydra.cc" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "meant", "sentence"),
    [
        ("seed=0,1", None, "seed=0,1 gives several values, which needs --multirun"),
        ("plan.blocks=2,1", "list", "--multirun; if it is one list, write 'plan.blocks=[2,1]'"),
        ("paths.runs=/a,b", "text", """--multirun; if it is one text, write 'paths.runs="/a,b"'"""),
    ],
)
def test_several_values_without_a_sweep(word: str, meant: str | None, sentence: str) -> None:
    assert str(several(read([word])[0], meant)).endswith(sentence)


def test_a_tilde_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "größe [1]"
    monkeypatch.setenv("HOME", str(home))
    for word, meant in {
        "paths.runs=~": str(home),
        "data.root=~/a b=c": str(home / "a b=c"),
        "+data.root=~/x": str(home / "x"),
    }.items():
        assert value_of(at_home(word)) == meant
    for word in ("~seed", "seed=1", "study=a~", "study='~/a'"):
        assert at_home(word) == word
