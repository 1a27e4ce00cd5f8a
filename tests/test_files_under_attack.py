"""Mutated model files, and `save` killed half-way: the short forms of what tests/slow has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = Path(__file__).parent / "slow"
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and limits of POSIX")


def run(program, *arguments):
    """Run a program of tests/slow and return what it says; a crash is a failure, not the end of pytest."""
    command = [sys.executable, "-P", SLOW / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"return code {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    return done.stdout


@posix
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited by Linux's /proc")
def test_mutated_files():
    assert "10000 cases: " in run("fuzz_load.py", "--cases", "10000", "--seed", "0")


@posix
def test_killed_while_it_saves():
    assert run("kill_save.py", "--kills", "20").startswith("20 kills, ")
