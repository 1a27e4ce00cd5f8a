"""Which targets are known where there is one for each step: those that are neither None nor NaN nor NA."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils._missing import is_pandas_na, is_scalar_nan

from .._net.inputs import Array


def is_missing(label: Any) -> bool:
    """Whether a label is none."""
    return label is None or is_scalar_nan(label) or is_pandas_na(label)


def where_known(given: Any, part: Array) -> npt.NDArray[np.bool_]:
    """Return of which steps a sequence's targets are known, all of them or some; `part` is the array of them."""
    if part.ndim > 1:
        return np.logical_not(np.isnan(part).all(axis=1)) if part.dtype.kind == "f" else np.ones(len(part), bool)
    if part.dtype.kind == "O" or isinstance(given, list | tuple):  # of strings and NaN NumPy makes strings
        return np.array([not is_missing(label) for label in given], dtype=bool)
    return ~np.isnan(part) if part.dtype.kind == "f" else np.ones(len(part), bool)


def pooled_known(given: Any, parts: list[Array]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return the targets that are known of all sequences, one after the other, and of which steps they are.

    Numbers that came as objects, as those beside None do, are numbers again.

    Parameters
    ----------
    given : iterable of array-likes
        The targets of each sequence.
    parts : list of arrays (n_steps_i, ...)
        The same.
    """
    there = [where_known(targets, part) for targets, part in zip(given, parts, strict=True)]
    known = np.concatenate(there)
    if known.all():
        return np.concatenate(parts), known
    if not known.any():
        raise ValueError("y must have a target for at least one step, got none")
    # What is empty would have a say in the dtype.
    values = np.concatenate([part[at] for part, at in zip(parts, there, strict=True) if at.any()])
    if values.dtype == object:
        numbers = np.array(values.tolist())
        values = numbers if numbers.dtype.kind in "biuf" else values
    return values, known
