"""The help of the command is the one that Hydra prints, with any choices."""

import pytest

from coatlab.config.typed.help import asks_for_help, help_text
from coatlab.errors import InputError
from tests.support.commandline import CommandLine


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], True),
        (["layout=CCTT", "-h"], True),
        ([], False),
        (["layout=CCTT"], False),
        (["--help", "--cfg", "job"], False),
        (["--hydra-help"], False),
        (["--help", "hydra.searchpath=[file:///mine]"], False),
    ],
)
def test_only_help_alone_is_answered_here(arguments: list[str], expected: bool) -> None:
    assert asks_for_help(arguments) is expected


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["sweep=layouts", "size=tiny"]])
def test_it_is_hydras_text(words: list[str], command: CommandLine) -> None:
    by_hydra = command.run("--help", "--resolve", *words, tiny=False)  # an option that only Hydra knows
    assert by_hydra.returncode == 0
    assert help_text(words) + "\n" == by_hydra.stdout
    assert command.run("--help", *words, tiny=False).stdout == by_hydra.stdout


def test_words_that_do_not_compose_are_refused() -> None:
    with pytest.raises(InputError, match="layout=CCC does not exist"):
        help_text(["layout=CCC"])
