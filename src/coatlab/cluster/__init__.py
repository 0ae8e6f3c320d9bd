"""Where the cells of a sweep run: launchers for `cluster=local` and `cluster=slurm`."""
