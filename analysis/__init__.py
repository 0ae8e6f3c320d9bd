"""From run folders to tables. Never imports torch: a login node or a laptop without it can make every table."""
