"""Reads runs and their histories, from run folders or from W&B."""
