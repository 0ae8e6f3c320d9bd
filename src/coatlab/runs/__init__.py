"""One run: what it is, its folder, its lock, its record."""
