"""What a fit holds out, to stop by and to keep the best weights: the caller's own data, or a part of those to learn."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.utils.validation import check_array

from .._net.inputs import Array, as_form, check_unmasked
from .state import short
from .targets import Targets, check_all_there
from .training import Data


def is_given(early_stopping: Any, X_val: Any, y_val: Any, sample_weight_val: Any) -> bool:
    """Whether the caller gave validation data; raise an error where some of them are missing, or not wanted."""
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    names = [name for name, values in given.items() if values is not None]
    if not names:
        return False
    if X_val is None or y_val is None:
        raise ValueError(f"X_val and y_val must be given together, got {' and '.join(names)} alone")
    if not early_stopping:
        raise ValueError(
            f"early_stopping must be 'auto' or True where X_val is given, got {early_stopping!r}: nothing reads it"
        )
    return True


@contextmanager
def said_of_validation() -> Iterator[None]:
    """Make errors about X, y and sample_weight say which of them are meant."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"of X_val, y_val and sample_weight_val: {error}") from None


def check_enough(targets: Targets, what: str, given: str) -> None:
    """Refuse held-out targets that are too few for a score."""
    n_scored = len(targets.values) if targets.weights is None else np.count_nonzero(targets.weights)
    if n_scored < 2:
        raise ValueError(f"{what} at least two targets to score, got {n_scored}{given}")


def groups_of(groups: Any, n_sequences: int) -> Array | None:
    """Return the group of each sequence as a number; None where none are given."""
    if groups is None:
        return None
    groups = as_form(groups, "groups")
    check_unmasked(groups, "groups")
    check_all_there(groups, "groups", "sequence")
    given = check_array(groups, dtype=None, ensure_2d=False, allow_nd=True, input_name="groups")
    if given.shape != (n_sequences,):
        raise ValueError(f"groups must have shape ({n_sequences},), a group for each sequence, got {given.shape}")
    try:
        return np.unique(given, return_inverse=True)[1]
    except TypeError:
        raise TypeError(f"groups must be of one type, which can be sorted, got {short(given.tolist())}") from None


def split(data: Data, fraction: float, labels: Array | None, random_state: np.random.RandomState) -> tuple[Data, Data]:
    """Split off a part of the sequences, whole ones; return the rest, and it.

    Parameters
    ----------
    data : Data
        Whose groups, if there are any, stay together.
    fraction : float
        Of the sequences, or groups.
    labels : ndarray or None
        One for each sequence. Without groups, their proportions are kept.
    random_state : RandomState
    """
    n_sequences = len(data.steps.lengths)
    n, what = (n_sequences, "sequences") if data.groups is None else (len(np.unique(data.groups)), "groups")
    n_held = int(np.ceil(fraction * n))
    held_out = f"validation_fraction={fraction} of {n}"
    if n_held == n:
        raise ValueError(
            f"early_stopping holds out whole {what}, and {held_out} leaves none to train on: give more, or X_val and "
            "y_val, or set early_stopping=False"
        )
    if data.groups is not None:
        splitter = GroupShuffleSplit(n_splits=1, test_size=n_held, random_state=random_state)
        kept, held = next(splitter.split(data.groups, groups=data.groups))
        if labels is not None and (missing := np.setdiff1d(labels, labels[kept])).size:
            raise ValueError(
                f"validation_fraction must leave sequences of each class to train on, but the groups held out are all "
                f"that have {short(missing.tolist())}: give other groups, another random_state, or X_val and y_val"
            )
    else:
        if labels is not None:
            _check_strata(labels, n_held, held_out)
        kept, held = train_test_split(
            np.arange(n_sequences), random_state=random_state, test_size=n_held, stratify=labels
        )
    part = data.take(held)
    check_enough(part.targets, "validation_fraction must hold out", f": {fraction} of {n} {what}")
    return data.take(kept), part


def _check_strata(labels: Array, n_held: int, held_out: str) -> None:
    """Refuse a split that can't have all labels on both sides."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        alone = short(classes[counts < 2].tolist())
        raise ValueError(
            "early_stopping holds out some of each class, which must have at least two sequences, got one of "
            f"{alone}: give more of them, or set early_stopping=False"
        )
    for n_there, what in ((n_held, "holds out"), (len(labels) - n_held, "leaves")):
        if n_there < len(classes):
            raise ValueError(
                f"{held_out} sequences {what} {n_there}, which is less than one of each of the {len(classes)} classes"
            )


def split_ends(data: Data, fraction: float, burn_in: int) -> tuple[Data, Data]:
    """Hold out the last steps of each sequence: return the data with no weight there, and with weight there alone."""
    steps, targets = data.steps, data.targets
    ends = np.cumsum(steps.lengths)
    is_held = np.zeros(len(steps.rows), dtype=bool)
    for end, length in zip(ends, steps.lengths, strict=True):
        is_held[end - int(np.ceil(fraction * length)) : end] = True
    weights: npt.NDArray[np.float64] = np.ones(len(is_held)) if targets.weights is None else targets.weights
    if not weights[~is_held].any():
        raise ValueError(f"validation_fraction={fraction} leaves no step to learn from, with burn_in={burn_in}")
    kept, held = (data._replace(targets=Targets(targets.values, weights * there)) for there in (~is_held, is_held))
    return kept, held
