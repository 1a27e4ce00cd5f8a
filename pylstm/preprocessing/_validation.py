"""The check of X that estimators and `PerStep` share: scikit-learn's for 2-D, that of `_inputs` for sequences."""

import warnings
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import assert_all_finite, validate_data

from .._net.inputs import Steps, as_floats, as_form, as_numbers, as_steps, check_unmasked, is_2d, is_ragged


def validate_sequences(
    estimator: Any, X: Any, *, reset: bool, dtype: npt.DTypeLike | None, finite: bool | str
) -> Steps:
    """Return X's steps; note on the estimator what fit was given, or check that X is of the same kind.

    Parameters
    ----------
    estimator : estimator
        Whose `n_features_in_`, `feature_names_in_` and `_fitted_on_2d` are meant.
    X : array-like, or list of array-likes or DataFrames
        What the user passed.
    reset : bool
        Whether this is fit.
    dtype : dtype or None
        Of the rows; None takes what comes, and the steps of DataFrames as one DataFrame.
    finite : bool or "or NaN"
        Whether values have to be finite, or may be missing too.
    """
    X = as_form(X, "X")
    on_2d = is_2d(X, None if reset else estimator._fitted_on_2d)
    if on_2d:
        check_unmasked(X, "X")
        if reset:
            _warn_of_table(X)
        with as_floats("X"):
            X = validate_data(estimator, X, reset=reset, dtype=dtype, ensure_all_finite=False)
        steps = as_steps(X[:, :, np.newaxis], 1, dtype)
    else:
        if is_ragged(X) and len(X) > 0 and all(hasattr(sequence, "columns") for sequence in X):
            steps = _stack_frames(X)
        else:
            steps = as_steps(X, None if reset else estimator.n_features_in_, dtype)
        validate_data(estimator, steps.rows, reset=reset, skip_check_array=True)
        if dtype is not None:
            steps = steps._replace(rows=as_numbers(steps.rows, "X", 2, "(n_steps, n_features)", dtype))
    if finite:
        check_finite(steps, allow_nan=finite == "or NaN")
    if reset:
        estimator._fitted_on_2d = on_2d
    return steps


def _warn_of_table(X: Any) -> None:
    """Warn where a table (n_sequences, n_steps) looks like the steps of one sequence: its columns or dates say so."""
    columns = getattr(X, "columns", ())
    # Names that only count, as "t0" and "t1" do, are those of steps.
    stems = {str(name).rstrip("0123456789") for name in columns}
    is_named = len(stems) > 1 or any(str(name) in stems for name in columns)
    is_dated = hasattr(getattr(X, "index", None), "freq")  # pandas' indices of times, periods and durations
    if is_named or is_dated:
        n_rows, n_columns = X.shape
        warnings.warn(
            f"X is a table with {'named columns' if is_named else 'a row for each time'}, taken as {n_rows} sequences "
            f"of {n_columns} steps with one feature. If that is right, say so by X.to_numpy(). One sequence of "
            f"{n_rows} steps with {n_columns} features is [X]; of several, one below the other, "
            "pylstm.preprocessing.from_long_frame makes a list",
            stacklevel=9,  # who called fit
        )


def warn_of_integers(X: Any) -> None:
    """Warn where X may be tokens: non-negative integers, one a step, of more than two values."""
    is_list = isinstance(X, list | tuple) or is_ragged(X)
    largest = 0
    for part in X if is_list else [X]:
        try:
            array = np.asarray(part)
        except ValueError:  # what is wrong with it is said where it is read
            return
        is_table = array.ndim == (1 if is_list else 2)
        if array.dtype.kind not in "iu" or array.size == 0 or not (is_table or array.shape[-1:] == (1,)):
            return
        if array.min() < 0:
            return
        largest = max(largest, int(array.max()))
    if largest > 1:
        warnings.warn(
            "X holds integers, one a step, which are read as magnitudes. If they are tokens, numbers that stand for "
            "words or categories, say so by embedding_size=64, or 'one-hot'; if they are counts or measurements, by "
            "X.astype(float)",
            stacklevel=8,  # who called fit
        )


def check_finite(steps: Steps, *, allow_nan: bool = False) -> Steps:
    """Return steps that are all finite, or raise an error that says where what is not finite is."""
    try:
        assert_all_finite(steps.rows, input_name="X", allow_nan=allow_nan)
    except ValueError as error:
        is_finite = np.isfinite(steps.rows) | (np.isnan(steps.rows) & allow_nan)
        row = int(np.argmin(is_finite.all(axis=1)))
        sequence = int(np.searchsorted(steps.starts, row, side="right")) - 1
        step = row - int(steps.starts[sequence])
        hint = ""
        if "NaN" in str(error):
            hint = (
                " Missing values are read with missing='indicator' or 'hold', or filled in before: "
                "make_pipeline(PerStep(SimpleImputer()), ...)"
            )
        raise ValueError(f"{error} The first is in sequence {sequence}, at step {step}.{hint}") from None
    return steps


def _stack_frames(frames: Any) -> Steps:
    """Return the steps of DataFrames; the rows are one frame."""
    columns = list(frames[0].columns)
    for index, frame in enumerate(frames):
        if list(frame.columns) != columns:
            raise ValueError(f"X[{index}] must have the columns of X[0], {columns}, got {list(frame.columns)}")
        if len(frame) == 0:
            raise ValueError(f"X[{index}] must have at least one step, got shape {frame.shape}")
    if hasattr(frames[0], "iloc"):
        rows = import_module("pandas").concat(list(frames), ignore_index=True)
    else:  # "relaxed": a column that is integer in one frame may be floating-point in another, as in pandas
        rows = import_module("polars").concat(list(frames), how="vertical_relaxed")
    lengths = np.array([len(frame) for frame in frames], dtype=np.intp)
    return Steps(rows, lengths, False, isinstance(frames, np.ndarray))
