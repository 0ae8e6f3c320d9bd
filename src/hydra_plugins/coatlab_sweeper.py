"""Where Hydra looks for plugins: it finds every class in the namespace package hydra_plugins, and takes no other."""

from coatlab.sweep import sweeper


class StudySweeper(sweeper.StudySweeper):
    """The sweeper of this project, by a name that Hydra takes."""
