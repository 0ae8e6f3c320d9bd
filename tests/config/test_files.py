"""The configs are found where they are, by group and choice."""

from coatlab.config.files import choices, conf_dir, groups


def test_a_checkout_has_its_configs_beside_its_source() -> None:
    assert (conf_dir() / "train.yaml").is_file()
    assert all((conf_dir() / group).is_dir() for group in groups())


def test_choices_are_the_files_of_a_group() -> None:
    assert choices("trainer") == ["auto", "cpu", "ddp", "gpu"]
    assert choices("sweep") == sorted(path.stem for path in (conf_dir().parent / "sweeps").glob("*.yaml"))
    assert choices("nothing") == []
