"""Runs and their histories, from folders or W&B."""
