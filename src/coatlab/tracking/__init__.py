"""Weights & Biases (W&B), which mirrors a run's record and may fail at any time without stopping the run.

session.py opens a W&B run, which may fail. mirror.py is the logger that sends a run's metrics to it. content.py is what
W&B should have of a run, and repair.py brings it there. bounded.py: a time limit for calls of W&B.
"""
