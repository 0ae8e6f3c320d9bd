"""Which rows may be compared, and how they are named."""
