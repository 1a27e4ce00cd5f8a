import os

# Before SciPy is imported: without this scikit-learn skips its check of array API input.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import hypothesis
import pytest
from compilers import SOURCES, run

# A machine that does something else for a moment is no failure.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The C library, with nothing optimised."""
    build = tmp_path_factory.mktemp("library")
    run("make", "--silent", "-j2", "-C", SOURCES, f"BUILD={build}", "CFLAGS=-O0", build / "libpylstm.a")
    return build / "libpylstm.a"
