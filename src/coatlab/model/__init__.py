"""The networks: layouts, attention variants, blocks. Nothing is imported here: config reads layouts without torch."""
