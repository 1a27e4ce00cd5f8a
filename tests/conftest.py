import os
import shutil
import sys
from pathlib import Path

# Before SciPy is imported: without this scikit-learn skips its check of array API input.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# Displays are tested without a display.
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest
from compilers import SOURCES, run

from pylstm._net import core

# A machine that does something else for a moment is no failure.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def pytest_configure(config):
    of_long = "takes seconds, and finds out little that is peculiar to a machine: left out by `make test`, not by CI"
    config.addinivalue_line("markers", f"long: {of_long}")


def objects_of_extension():
    """What an editable install has compiled, with the flags of a release: none where that is not of these sources."""
    linked = Path(core.__file__)
    listed = SOURCES.parent / "build" / "checkout.objects"
    if not listed.exists():
        return []
    objects = [SOURCES.parent / line for line in listed.read_text().splitlines()]
    if not all(path.exists() for path in objects):
        return []
    written = max(path.stat().st_mtime for path in SOURCES.rglob("*.[ch]"))
    times = [path.stat().st_mtime for path in objects]
    return objects if written < min(times) and max(times) <= linked.stat().st_mtime else []


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The C library as its users build it: not all bits are those of the extension where less is optimised."""
    if not shutil.which("make") or not shutil.which("cc") or not shutil.which("ar"):
        pytest.skip("needs make, cc and ar")
    fcntl = pytest.importorskip("fcntl")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "library"  # of this run, all its workers
    folder.mkdir(exist_ok=True)
    archive, objects = folder / "libpylstm.a", objects_of_extension()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second waits, and finds it made
        if not archive.exists():
            if objects:
                run("ar", "qcs", archive, *objects)
            else:
                run("make", "--silent", "-j2", "-C", SOURCES, f"BUILD={folder}", archive)
    return archive


@pytest.fixture(autouse=True)
def no_figure_left_open():
    """Close what a test has plotted: pyplot keeps figures, and warns when they are many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
