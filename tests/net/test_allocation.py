"""Every allocation of many actions fails once: MemoryError, nothing that C has is leaked, the object is as it was."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compilers import run

HERE = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="preloads over glibc's malloc"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("preloaded") / "failing_allocations.so"
    run("cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", HERE / "c/failing_allocations.c", "-o", path)
    return str(path)


def fail(kind, **environment):
    done = subprocess.run(
        [sys.executable, "-P", HERE / "failing_allocations.py", kind],
        capture_output=True, text=True, check=False, timeout=600, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"return code {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    return dict(line.removesuffix(" allocations").rsplit(": ") for line in done.stdout.splitlines())


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 itself crashes then")
def test_allocations_of_the_extension(library):
    n_failed = fail("c", LD_PRELOAD=library)
    assert len(n_failed) == 17
    assert all(int(n) >= 2 for n in n_failed.values())
    assert int(n_failed["two threads"]) > int(n_failed["forward"])  # pthread_create too


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="CPython's PYTHONMALLOC")
def test_allocations_of_python_objects(library):
    n_failed = fail("python", LD_PRELOAD=library, PYTHONMALLOC="malloc")
    assert all(int(n) >= 5 for n in n_failed.values())
