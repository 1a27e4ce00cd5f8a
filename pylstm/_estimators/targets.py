"""What comes in as y and sample_weight: one target per sequence, or one per step."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d

from .._net.describe import Scaling
from .._net.inputs import (
    Array,
    Steps,
    as_array,
    as_floats,
    as_form,
    as_numbers,
    check_unmasked,
    described,
    holds_sequences,
)
from ..preprocessing._known import is_missing, pooled_known
from .scaling import as_scaled

#: Numbers of the net's dtype that targets have to span: fewer, and predictions are stairs.
LEAST_NUMBERS = 30
#: Below this part of their size, what targets differ by is their own rounding.
LEAST_SPAN = 1e-12


class Targets(NamedTuple):
    """The targets of all sequences, or of all their steps, one after the other."""

    values: Array
    """Labels (n,) of intp, or values (n, n_outputs)."""
    weights: npt.NDArray[np.float64] | None
    """(n,); None is all 1."""


def check_y_given(estimator: Any, y: Any) -> None:
    """Raise scikit-learn's error where y is None."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")


def refuse_per_step(y: Any, steps: Steps, kind: str) -> None:
    """Raise an error where y has, for each sequence, as many targets as it has steps; `kind` takes such."""
    try:
        counts = [len(targets) for targets in y] if np.ndim(y[0]) > 0 else []
    except (TypeError, LookupError, ValueError):  # what it is instead is said elsewhere
        return
    if counts == steps.lengths.tolist() and max(counts) > 1:
        raise ValueError(f"y must have one target for each sequence, got one for each step, which {kind} takes")


def indicators_per_sequence(y: Any, steps: Steps) -> Array | None:
    """Return y as (n_sequences, n_labels) of 0 and 1 where it is such a matrix, of which it may be a sparse one."""
    y = as_form(y, "y")
    check_unmasked(y, "y")
    try:
        indicators = y.toarray() if issparse(y) else np.asarray(y)
    except ValueError:  # lists of unequal lengths: what is wrong is said elsewhere
        return None
    if indicators.ndim != 2 or indicators.dtype.kind not in "biuf":
        return None
    assert_all_finite(indicators, input_name="y")
    if not type_of_target(indicators).startswith("multilabel"):
        return None
    _check_length(indicators, len(steps.lengths), "row of labels")
    wrong = indicators[(indicators != 0) & (indicators != 1)]
    if len(wrong):
        raise ValueError(f"y must hold 0 and 1 alone, in a column for each label, got {wrong[0]}")
    n_labels = indicators.shape[1]
    if (steps.lengths == n_labels).all():
        warnings.warn(
            f"y has a 0 or 1 for each of the {n_labels} steps of X's sequences, and is taken as {n_labels} labels of "
            "each sequence. LSTMTagger takes a label for each step",
            UserWarning,
            stacklevel=8,  # who called fit
        )
    return indicators


def labels_per_sequence(y: Any, n_sequences: int) -> Array:
    """Return y as labels (n_sequences,)."""
    y = as_form(y, "y")
    check_unmasked(y, "y")
    check_all_there(y, "y", "sequence")
    y = column_or_1d(y, warn=True)
    _check_length(y, n_sequences, "label")
    check_classification_targets(y)
    return y


def values_per_sequence(y: Any, n_sequences: int) -> Array:
    """Return y as values (n_sequences,) or (n_sequences, n_outputs), of float64 or float32."""
    dtypes = [np.float64, np.float32]
    y = as_form(y, "y")
    check_unmasked(y, "y")
    with as_floats("y"):
        y = check_array(y, dtype=dtypes, ensure_2d=False, allow_nd=False, input_name="y", estimator=None)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    _check_length(y, n_sequences, "value")
    return y


def check_all_there(labels: Any, name: str, what: str) -> None:
    """Raise an error where a label is None, NaN or NA, of which NumPy would make a string among strings."""
    if not isinstance(labels, list | tuple):
        labels = np.asarray(labels)
        if labels.dtype != object:
            return
    for index, label in enumerate(labels):
        if is_missing(label):
            raise ValueError(f"{name} must have a label for each {what}, got {label!r} for {what} {index}")


def as_read_by_net(values: Array, scaling: Scaling | None, dtype: npt.DTypeLike) -> Array:
    """Return values (n, n_outputs) scaled, in the dtype of the net; warn where that rounds too much away."""
    if scaling is not None:
        values = as_scaled(values, scaling, np.float64, "targets")
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)  # of those that are not NaN
    with np.errstate(over="ignore"):
        rounded = np.ascontiguousarray(values, dtype)
        size, span = np.maximum(-low, high), high - low
    if np.isinf(rounded).any():
        raise ValueError(f"y must be finite, got a value too large for {dtype}")
    apart = np.spacing(size.astype(dtype))
    is_rough = (span < LEAST_NUMBERS * apart) & (span > LEAST_SPAN * size)
    if is_rough.any():
        k = int(is_rough.argmax())
        called = "y" if len(span) == 1 else f"y (output {k})"
        warnings.warn(
            f"{called} is rounded to {dtype}: there, numbers near {size[k]:.3g} are {apart[k]:.2g} apart, while those "
            f"of y have a range of {span[k]:.2g}. Set normalize_y=True, or dtype='float64'",
            DataConversionWarning,
            stacklevel=9,  # who called fit
        )
    return rounded


def _check_length(y: Array, n_sequences: int, what: str) -> None:
    if len(y) != n_sequences:
        raise ValueError(
            f"y must have one {what} for each of the {n_sequences} sequences of X, got {len(y)}: "
            "inconsistent numbers of samples"
        )


def entries_per_step(given: Any, steps: Steps, name: str, *, most_ndim: int = 1) -> list[Array]:
    """Return what was given for each step of X's sequences, as an array (n_steps_i,) or (n_steps_i, n_outputs) each.

    Parameters
    ----------
    given : array-like (n_sequences, n_steps[, n_outputs]), or list of (n_steps_i,) or (n_steps_i, n_outputs)
    steps : Steps
        Those of X.
    name : str
        What the caller calls it.
    most_ndim : {1, 2}
        Dimensions that a sequence's entry may have.
    """
    shape = "(n_steps_i,)" if most_ndim == 1 else "(n_steps_i,) or (n_steps_i, n_outputs)"
    given = as_form(given, name)
    if not isinstance(given, list | tuple):
        given = as_array(given, name)  # a DataFrame would give its columns
    n_sequences = len(steps.lengths)
    if len(given) != n_sequences:
        raise ValueError(f"{name} must have an entry for each of the {n_sequences} sequences of X, got {len(given)}")
    parts: list[Array] = []
    for index, (sequence, length) in enumerate(zip(given, steps.lengths.tolist(), strict=True)):
        part = as_array(sequence, f"{name}[{index}]")
        if not 1 <= part.ndim <= most_ndim:
            got = part.shape if part.ndim else described(sequence)
            hint = "; LSTMClassifier and LSTMRegressor take one for each sequence" if part.ndim == 0 else ""
            raise ValueError(f"{name}[{index}] must have shape {shape}, an entry for each step, got {got}{hint}")
        if len(part) != length:
            raise ValueError(f"{name}[{index}] must have as many steps as X[{index}], {length}, got {len(part)}")
        if parts and part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"{name}[{index}] must have as many outputs as {name}[0], shape {parts[0].shape[1:]}, got "
                f"{part.shape[1:]}"
            )
        parts.append(part)
    return parts


def labels_per_step(y: Any, steps: Steps) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return the labels that are known, and of which of the steps (n_rows,) they are."""
    y = as_form(y, "y")
    return pooled_known(y if isinstance(y, list | tuple) else as_array(y, "y"), entries_per_step(y, steps, "y"))


def values_per_step(y: Any, steps: Steps) -> Array:
    """Return y as values (n_rows,) or (n_rows, n_outputs), of float64 or float32; those that are not known are NaN."""
    values = np.concatenate(entries_per_step(y, steps, "y", most_ndim=2))
    if values.dtype != np.float32:
        with as_floats("y"):
            values = values.astype(np.float64, copy=False)
    if np.isinf(values).any():
        raise ValueError("y must hold finite numbers, or NaN where there is none, got infinity")
    return values


def weights_of(sample_weight: Any, n_sequences: int, *, or_else: str = "") -> npt.NDArray[np.float64] | None:
    """Return the weight of each sequence; None where none are given. `or_else` says what they might be instead."""
    if sample_weight is None:
        return None
    given = as_form(sample_weight, "sample_weight")
    shape = f"({n_sequences},), one weight for each sequence{or_else}"
    if len(getattr(given, "shape", ())) < 2 and holds_sequences(given):
        raise ValueError(f"sample_weight must have shape {shape}; got an array for each")
    weights = as_numbers(given, "sample_weight", 1, shape, np.float64)
    if len(weights) != n_sequences:
        raise ValueError(f"sample_weight must have shape {shape}; got {weights.shape}")
    return _checked(weights)


def weights_per_step(sample_weight: Any, steps: Steps) -> npt.NDArray[np.float64] | None:
    """Return the weight of each step, its own or its sequence's; None where none are given."""
    if sample_weight is None:
        return None
    given = as_form(sample_weight, "sample_weight")
    if holds_sequences(given):
        rows = np.concatenate(entries_per_step(given, steps, "sample_weight"))
        return _checked(as_numbers(rows, "sample_weight", 1, "(n_steps,)", np.float64))
    or_else = ", which all its steps take, or as y one for each step"
    weights = weights_of(given, len(steps.lengths), or_else=or_else)
    return None if weights is None else np.repeat(weights, steps.lengths)


def _checked(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    wrong = weights[~((weights >= 0) & (weights < np.inf))]
    if len(wrong):
        raise ValueError(f"sample_weight must be finite and not negative, got {wrong[0]}")
    return weights


def with_class_weight(
    class_weight: Any, classes: Array, indices: Array, weights: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """Multiply weights by those of the classes; `indices` into them are the labels."""
    if class_weight is None:
        return weights
    if weights is None:
        weights = np.ones(len(indices))
    if class_weight == "balanced":  # by weights, so that a sample of weight 2 is one that is there twice
        totals = np.bincount(indices, weights, minlength=len(classes))
        occurs = totals > 0
        by_class = np.divide(totals.sum() / np.count_nonzero(occurs), totals, where=occurs, out=np.zeros_like(totals))
    else:
        for label, weight in class_weight.items():
            if not 0 <= weight < np.inf:
                raise ValueError(f"class_weight must be finite and not negative, got {weight!r} for {label!r}")
        with as_floats("class_weight"):
            by_class = compute_class_weight(class_weight, classes=classes, y=classes[indices])
    return weights * by_class[indices]
