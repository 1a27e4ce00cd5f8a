"""Sequences from the forms in which other libraries keep them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .._net.inputs import Array, as_array, as_form, as_numbers, is_ragged


def from_channels_first(X: Any) -> Array | list[Array]:
    """Turn sequences with features before steps around, as aeon and sktime keep them ("numpy3D", "np-list").

    Parameters
    ----------
    X : array-like (n_sequences, n_features, n_steps), or list or 1-D object array of (n_features, n_steps_i)
        Features are what aeon calls channels and sktime variables.

    Returns
    -------
    ndarray (n_sequences, n_steps, n_features) or list of ndarray (n_steps_i, n_features)
        Views: no values are copied.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm.preprocessing import from_channels_first
    >>> from_channels_first(np.zeros((10, 3, 50))).shape
    (10, 50, 3)
    >>> [x.shape for x in from_channels_first([np.zeros((3, 50)), np.zeros((3, 20))])]
    [(50, 3), (20, 3)]
    """
    X = as_form(X, "X")
    if is_ragged(X):
        return [
            as_numbers(sequence, f"X[{index}]", 2, "(n_features, n_steps)", None).T for index, sequence in enumerate(X)
        ]
    panel = as_numbers(X, "X", 3, "(n_sequences, n_features, n_steps), or be a list of 2-D arrays", None)
    return panel.swapaxes(1, 2)


def from_padded(X: Any, lengths: Any) -> list[Array]:
    """Cut padding off the ends of sequences.

    Parameters
    ----------
    X : array-like (n_sequences, n_steps, n_features)
        Sequences followed by padding, whatever its value.
    lengths : array-like of int (n_sequences,)
        Steps of each sequence before its padding, at least 1.

    Returns
    -------
    list of ndarray (lengths[i], n_features)
        Views: no values are copied.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm.preprocessing import from_padded
    >>> [x.shape for x in from_padded(np.zeros((3, 50, 2)), [50, 7, 20])]
    [(50, 2), (7, 2), (20, 2)]
    """
    padded = as_numbers(X, "X", 3, "(n_sequences, n_steps, n_features)", None)
    counts = as_array(lengths, "lengths")
    if counts.shape != padded.shape[:1] or counts.dtype.kind not in "iu":
        raise ValueError(
            f"lengths must be an integer for each of the {len(padded)} sequences of X, "
            f"got shape {counts.shape} and dtype {counts.dtype}"
        )
    wrong = np.flatnonzero((counts < 1) | (counts > padded.shape[1]))
    if len(wrong):
        raise ValueError(
            f"lengths must be from 1 to the {padded.shape[1]} steps of X, got {counts[wrong[0]]} at {wrong[0]}"
        )
    return [sequence[:count] for sequence, count in zip(padded, counts, strict=True)]


def from_nan_padded(X: Any) -> list[Array]:
    """Cut trailing steps that are all NaN off sequences, as tslearn pads them.

    Parameters
    ----------
    X : array-like (n_sequences, n_steps, n_features)
        Sequences followed by steps of NaN.

    Returns
    -------
    list of ndarray (n_steps_i, n_features)
        Views: no values are copied. Other NaNs stay: steps of NaN before the last number, and single NaNs.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm.preprocessing import from_nan_padded
    >>> nan = float("nan")
    >>> X = np.array([[[1.0], [2.0], [3.0]], [[4.0], [nan], [nan]], [[nan], [5.0], [nan]]])
    >>> [x.shape for x in from_nan_padded(X)]
    [(3, 1), (1, 1), (2, 1)]
    """
    padded = as_numbers(X, "X", 3, "(n_sequences, n_steps, n_features)", None)
    if padded.dtype.kind != "f":
        raise TypeError(f"X must have a floating-point dtype, for NaN to be padding, got {padded.dtype}")
    present = np.any(~np.isnan(padded), axis=2)
    empty = np.flatnonzero(~np.any(present, axis=1))
    if len(empty):
        raise ValueError(f"X[{empty[0]}] must have at least one step that is not all NaN, got shape {padded.shape[1:]}")
    return from_padded(padded, padded.shape[1] - present[:, ::-1].argmax(axis=1))


def from_long_frame(
    frame: Any, *, id: Any, time: Any, columns: Any = None, target: Any = None, per_step: bool = False
) -> tuple[Any, ...]:
    """Collect the sequences of a long DataFrame, one row per step.

    Parameters
    ----------
    frame : pandas or polars DataFrame
        Rows in any order.
    id : str
        The column that tells which sequence a row belongs to.
    time : str
        The column that orders the rows of a sequence. Rows of equal time keep their order.
    columns : list of str or None, default=None
        The features; None takes all columns but `id`, `time` and `target`.
    target : str or None, default=None
        The column of what is to be learnt, which has the same value in all rows of a sequence.
    per_step : bool, default=False
        Whether each row has a target of its own.

    Returns
    -------
    X : list of ndarray (n_steps_i, n_features)
        The sequences, float64; missing values are NaN.
    y : ndarray (n_sequences,), or with `per_step` list of ndarray (n_steps_i,)
        The targets; only where `target` is given.
    ids : ndarray (n_sequences,)
        Their values of `id`, sorted: for labels in a Series with ids as index, ``y = labels.loc[ids]``.

    Notes
    -----
    Features must be numbers. What is text or a category is best encoded in the long frame, by scikit-learn's
    `OneHotEncoder` or `ColumnTransformer`, before it is cut into sequences.

    Examples
    --------
    >>> import pandas as pd
    >>> from pylstm.preprocessing import from_long_frame
    >>> frame = pd.DataFrame({"trip": ["b", "a", "a"], "second": [0, 1, 0], "speed": [3.0, 2.0, 1.0]})
    >>> X, ids = from_long_frame(frame, id="trip", time="second")
    >>> X
    [array([[1.],
           [2.]]), array([[3.]])]
    >>> ids
    array(['a', 'b'], dtype=object)

    With what is to be learnt:

    >>> frame["by_bus"] = [False, True, True]
    >>> X, y, ids = from_long_frame(frame, id="trip", time="second", target="by_bus")
    >>> y
    array([ True, False])
    """
    if not hasattr(frame, "columns"):
        raise TypeError(f"frame must be a pandas or polars DataFrame, got {type(frame).__name__}")
    if len(frame) == 0:
        raise ValueError(f"frame must have at least one row, got shape {frame.shape}")
    others = [id, time] if target is None else [id, time, target]
    features = [name for name in frame.columns if name not in others] if columns is None else list(columns)
    if not features:
        raise ValueError(f"columns must name at least one column of frame, got none; frame has {list(frame.columns)}")
    named = [*zip(("id", "time", "target"), others, strict=False), *(("columns", name) for name in features)]
    for role, name in named:
        if name not in frame.columns:
            raise ValueError(f"{role} must name a column of frame, one of {list(frame.columns)}, got {name!r}")
    ids, group = _ranks(frame, id, "id")
    order = np.lexsort((_ranks(frame, time, "time")[1], group))
    table = frame[features]
    if hasattr(table, "iloc"):
        # pandas, whose own kind of missing value is no number; pandas 2.1 can put NaN into no array of integers
        own = not all(isinstance(dtype, np.dtype) for dtype in table.dtypes)
        table = table.astype(object).to_numpy(na_value=np.nan) if own else table.to_numpy()
    rows = as_numbers(table, "columns of frame", 2, "(n_rows, n_features)", np.float64)
    starts = np.cumsum(np.bincount(group)) - np.bincount(group)
    X = np.split(rows[order], starts[1:])
    if target is None:
        return X, ids
    values, rank = _ranks(frame, target, "target")
    rank = rank[order]
    if per_step:
        return X, np.split(values[rank], starts[1:]), ids
    differing = np.flatnonzero(rank != rank[starts][group[order]])
    if len(differing):
        raise ValueError(
            f"target must have one value in each sequence, got several of {target!r} where {id!r} is "
            f"{ids[group[order][differing[0]]]!r}: with per_step=True there is one for each step"
        )
    return X, values[rank[starts]], ids


def _ranks(frame: Any, name: Any, role: str) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return the distinct values of a column, sorted, and for each row the position of its own among them."""
    column = frame[name]
    missing = column.isna() if hasattr(column, "isna") else column.is_null()  # pandas, polars
    if missing.any():
        raise ValueError(f"{role} must be known in every row of frame, got missing values in {name!r}")
    return np.unique(np.asarray(column), return_inverse=True)
