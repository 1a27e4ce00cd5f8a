"""What an exported model's code takes of a Cortex-M4."""

from typing import NamedTuple

from .cortex_m4_table import MEASURED


class Taken(NamedTuple):
    """Bytes of code and of stack, of a file that is compiled with -Os, and with -O2."""

    small_code: int
    fast_code: int
    small_stack: int
    fast_stack: int


def taken(kind: str, cell: str, features: dict[str, int]) -> Taken:
    """Return the sum of what was measured of a file's features.

    Parameters
    ----------
    kind : {"plain", "head", "all"}
        Whether the file learns, and what.
    cell : str
        As in pylstm.h.
    features : dict
        How often it has each.
    """
    measured = MEASURED[kind, cell]
    rows = [measured[""]]
    for feature, times in features.items():
        rows += times * [measured.get(feature, (0, 0, 0, 0))]  # what makes no difference is not listed
    return Taken(*(sum(column) for column in zip(*rows, strict=True)))
