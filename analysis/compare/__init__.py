"""Which runs may be compared, and how they are grouped, named and ordered."""
