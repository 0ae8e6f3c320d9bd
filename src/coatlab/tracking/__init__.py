"""Weights & Biases, a mirror that may break."""
