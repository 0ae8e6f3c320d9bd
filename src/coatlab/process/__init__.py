"""This process and its machine.

signals.py: signals as a flag. watch.py: the end of a process that does not react to them.
memory.py: what glibc does with freed memory. imports.py: importing what is large.
parent.py: ending with the parent process. place.py: the rank among the processes of a run.
machine.py: versions and hardware.
"""
