import os
import shutil
import sys

# Before SciPy is imported: without this scikit-learn skips its check of array API input.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# Displays are tested without a display.
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest
from compilers import SOURCES, run

# A machine that does something else for a moment is no failure.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The C library as its users build it: not all bits are those of the extension where less is optimised."""
    if not shutil.which("make") or not shutil.which("cc"):
        pytest.skip("needs make and cc")
    build = tmp_path_factory.mktemp("library")
    run("make", "--silent", "-j2", "-C", SOURCES, f"BUILD={build}", build / "libpylstm.a")
    return build / "libpylstm.a"


@pytest.fixture(autouse=True)
def no_figure_left_open():
    """Close what a test has plotted: pyplot keeps figures, and warns when they are many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
