"""The paper's numbers, as printed."""
