"""Speed and memory, measured: commands, never timed tests."""
