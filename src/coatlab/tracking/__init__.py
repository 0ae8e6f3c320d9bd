"""Weights & Biases (W&B), which mirrors a run's record and may fail at any time without stopping the run.

session.py opens a W&B run, which may fail. mirror.py is the logger that sends a run's metrics to it.
"""
