"""Where the cells of a sweep run: launchers for `cluster=none`, `cluster=local` and `cluster=slurm`."""
