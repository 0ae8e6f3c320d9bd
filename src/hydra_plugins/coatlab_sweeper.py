"""The sweeper where Hydra looks for plugins, which is in this namespace only. Its code is in coatlab.sweep."""

from coatlab.sweep import sweeper


class StudySweeper(sweeper.StudySweeper):
    """The sweeper of this project, under a name that Hydra takes."""
