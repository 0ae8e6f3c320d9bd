"""What a user types, before it is a config: arguments, overrides, and a run's saved config."""
