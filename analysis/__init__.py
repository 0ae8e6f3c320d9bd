"""From run folders to tables, figures and verdicts, without torch: a login node or any laptop can make a report."""
