"""Threads and core, decided before any test module imports a numerical library."""

import os

import pytest
from pinning import environment, pin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--threads", type=int, default=1, help="threads each library may use, and cores to pin to")


def pytest_configure(config: pytest.Config) -> None:
    threads = config.getoption("--threads")
    os.environ.update(environment(threads))
    pin(threads)
