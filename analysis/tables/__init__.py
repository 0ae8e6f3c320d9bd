"""One file, one table: `table(runs) -> DataFrame of strings`."""
