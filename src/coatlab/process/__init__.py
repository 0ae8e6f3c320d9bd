"""This process and its machine: signals, memory, parent, place among others."""
