"""Mutated model files, and `save` killed half-way: the short forms of what tests/slow has. A disk that is full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = Path(__file__).parents[1] / "slow"
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


@posix
def test_full_disk(tmp_path):
    # A limit on the size of files stands for the disk: the write fails half-way, as it does there.
    path = tmp_path / "model"
    program = f"""
import resource, signal
import numpy as np, pylstm
model = pylstm.LSTMRegressor((40,), max_iter=1, random_state=0).fit(np.ones((4, 3, 2)), np.ones(4))
small = pylstm.LSTMRegressor((2,), max_iter=1, random_state=0).fit(np.ones((4, 3, 2)), np.ones(4))
small.save({str(path)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for write in (lambda: model.save({str(path)!r}), lambda: pylstm.export_c(model, {str(path)!r} + ".c")):
    try:
        write()
    except OSError:
        print("refused")
assert (pylstm.load({str(path)!r}).predict(np.ones((1, 3, 2))) == small.predict(np.ones((1, 3, 2)))).all()
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", "refused"], done.stderr
    assert list(tmp_path.iterdir()) == [path]
