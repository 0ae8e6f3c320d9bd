"""From conf/ to a checked dictionary."""
