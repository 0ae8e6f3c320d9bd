"""Freed memory is kept: repeated large allocations cause hardly any page faults."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODE = """
import resource, sys, torch
from coatlab.process.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for _ in range(5): torch.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50): torch.ones(16_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> tuple[bool, int]:
    done = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, check=True)
    kept, count = done.stdout.split()
    return kept == "True", int(count)


def test_page_faults_stop_where_the_c_library_is_glibc() -> None:
    kept, with_it = faults("keep")
    # each allocation has 64 MB: more than glibc ever keeps by itself
    assert kept == (platform.libc_ver()[0] == "glibc")
    if kept:
        assert with_it < faults("plain")[1] / 10
