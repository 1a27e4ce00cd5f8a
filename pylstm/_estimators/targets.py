"""What comes in as y and sample_weight: one target per sequence, or one per step."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import compute_class_weight
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d

from .._net.inputs import (
    Array,
    Steps,
    as_array,
    as_floats,
    as_form,
    as_numbers,
    check_unmasked,
    described,
    is_ragged,
    is_sequence,
)

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


def labels_per_sequence(y: Any, n_sequences: int) -> Array:
    """Return y as labels (n_sequences,)."""
    y = as_form(y, "y")
    check_unmasked(y, "y")
    check_all_there(y, "y", "sequence")
    if not is_ragged(y) and type_of_target(y).startswith("multilabel"):
        raise ValueError(
            "y must hold one label per sequence, got a multilabel indicator matrix: "
            "fit one classifier per column, as sklearn.multioutput.MultiOutputClassifier does"
        )
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
        if label is None or is_scalar_nan(label) or is_pandas_na(label):
            raise ValueError(f"{name} must have a label for each {what}, got {label!r} for {what} {index}")


def as_read_by_net(values: Array, dtype: npt.DTypeLike) -> Array:
    """Return values (n, n_outputs) in the dtype of the net; warn where that, or its outputs, round too much away."""
    low, high = values.min(axis=0), values.max(axis=0)
    with np.errstate(over="ignore"):
        rounded = np.ascontiguousarray(values, dtype)
        size, span = np.maximum(-low, high), high - low
    if not np.isfinite(rounded).all():
        raise ValueError(f"y must be finite, got a value too large for {dtype}")
    apart = np.spacing(size.astype(dtype))
    is_rough = (span < LEAST_NUMBERS * apart) & (span > LEAST_SPAN * size)
    if is_rough.any():
        k = int(is_rough.argmax())
        called = "y" if len(span) == 1 else f"y (output {k})"
        warnings.warn(
            f"{called} is rounded to {dtype}: there, numbers near {size[k]:.3g} are {apart[k]:.2g} apart, while those "
            f"of y have a range of {span[k]:.2g}. Subtract the mean, and add it to predictions, as "
            "sklearn.compose.TransformedTargetRegressor does, or set dtype='float64'",
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


def per_step(y: Any, steps: Steps, *, most_ndim: int = 1) -> Array:
    """Return y, of the same sequences and steps as X, as (n_rows,) or (n_rows, n_outputs).

    Parameters
    ----------
    y : array-like (n_sequences, n_steps) or (n_sequences, n_steps, n_outputs), or list of (n_steps_i,) or (n_steps_i,
        n_outputs)
    steps : Steps
        Those of X.
    most_ndim : {1, 2}
        Dimensions that a sequence's y may have.
    """
    shape = "(n_steps_i,)" if most_ndim == 1 else "(n_steps_i,) or (n_steps_i, n_outputs)"
    y = as_form(y, "y")
    if not isinstance(y, list | tuple):
        y = as_array(y, "y")  # a DataFrame would give its columns
    if len(y) != len(steps.lengths):
        raise ValueError(f"y must have an entry for each of the {len(steps.lengths)} sequences of X, got {len(y)}")
    parts: list[Array] = []
    for index, (sequence, length) in enumerate(zip(y, steps.lengths.tolist(), strict=True)):
        part = as_array(sequence, f"y[{index}]")
        if not 1 <= part.ndim <= most_ndim:
            got = part.shape if part.ndim else described(sequence)
            hint = "; LSTMClassifier and LSTMRegressor take one for each sequence" if part.ndim == 0 else ""
            raise ValueError(f"y[{index}] must have shape {shape}, an entry for each step, got {got}{hint}")
        if most_ndim == 1:  # labels
            check_all_there(sequence, f"y[{index}]", "step")
        if len(part) != length:
            raise ValueError(f"y[{index}] must have as many steps as X[{index}], {length}, got {len(part)}")
        if parts and part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"y[{index}] must have as many outputs as y[0], shape {parts[0].shape[1:]}, got {part.shape[1:]}"
            )
        parts.append(part)
    return np.concatenate(parts)


def values_per_step(y: Any, steps: Steps) -> Array:
    """Return y as values (n_rows,) or (n_rows, n_outputs), of float64 or float32."""
    values = per_step(y, steps, most_ndim=2)
    if values.dtype != np.float32:
        with as_floats("y"):
            values = values.astype(np.float64, copy=False)
    assert_all_finite(values, input_name="y")
    return values


def weights_of(
    sample_weight: Any, n_sequences: int, *, lengths: npt.NDArray[np.intp] | None = None
) -> npt.NDArray[np.float64] | None:
    """Return the weight of each sequence or, with `lengths`, of each step; None where none are given."""
    if sample_weight is None:
        return None
    given = as_form(sample_weight, "sample_weight")
    shape = f"({n_sequences},), one weight for each sequence, which all its steps take"
    holds_objects = isinstance(given, list | tuple) or getattr(given, "dtype", None) == np.dtype(object)
    if holds_objects and any(map(is_sequence, given)):
        raise ValueError(f"sample_weight must have shape {shape}; got an array for each")
    weights = as_numbers(given, "sample_weight", 1, shape, np.float64)
    if len(weights) != n_sequences:
        raise ValueError(f"sample_weight must have shape {shape}; got {weights.shape}")
    wrong = weights[~((weights >= 0) & (weights < np.inf))]
    if len(wrong):
        raise ValueError(f"sample_weight must be finite and not negative, got {wrong[0]}")
    return weights if lengths is None else np.repeat(weights, lengths)


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
