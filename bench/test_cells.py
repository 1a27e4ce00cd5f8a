"""Every (cell, library) as a benchmark, grouped by cell: pytest bench --benchmark-only -k train-32-64-32-100"""

from typing import Any

import peers
import pytest
from cells import SECTIONS, Cell

# Peers warn about their own business; the project's tests turn warnings into errors.
pytestmark = pytest.mark.filterwarnings("default")

ENTRIES = [(cell, name) for section in SECTIONS.values() for cell in section for name in peers.entrants(cell)]


@pytest.mark.parametrize(("cell", "library"), ENTRIES, ids=[f"{cell.name}-{name}" for cell, name in ENTRIES])
def test_cell(cell: Cell, library: str, benchmark: Any, pytestconfig: pytest.Config) -> None:
    absent = peers.missing(library)
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    call = peers.build(library, cell, pytestconfig.getoption("--threads"))
    benchmark.group = cell.name
    benchmark.extra_info["flops"] = cell.flops
    benchmark(call)
