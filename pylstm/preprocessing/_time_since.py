"""`TimeSince`, which makes of the time of each step the time since the step before."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._net.inputs import Array, Steps, as_given
from ._validation import validate_sequences


class TimeSince(TransformerMixin, BaseEstimator):
    """Replace the time of each step by the time since the step before.

    An LSTM reads steps as if they were equally far apart. Where they are not, let it know how far: absolute times only
    ever grow, beyond all that was learnt from, and their differences do not.

    Parameters
    ----------
    column : int or str, default=0
        Which feature is the time: its place, or of DataFrames its name. Numbers keep their unit; dates and times become
        seconds.

    Attributes
    ----------
    n_features_in_ : int
        Features per step; for a fit on 2-D X, the number of steps.
    feature_names_in_ : ndarray (n_features_in_,)
        Column names of a fit on a DataFrame.

    See Also
    --------
    PerStep : Any transformer of columns, step by step.

    Notes
    -----
    Of the first step of a sequence it is 0. A time that is missing (NaN) makes two differences that are.

    Examples
    --------
    >>> from pylstm.preprocessing import TimeSince
    >>> X = [[[10.0, 0.5], [12.0, 0.6], [17.0, 0.4]], [[3.0, 0.1], [4.5, 0.2]]]
    >>> for sequence in TimeSince().fit_transform(X):
    ...     print(sequence)
    [[0.  0.5]
     [2.  0.6]
     [5.  0.4]]
    [[0.  0.1]
     [1.5 0.2]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"column": [Integral, str]}

    def __init__(self, column: int | str = 0) -> None:
        self.column = column

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Note what X is.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The sequences. A 2-D X holds times alone.
        y : None
            Ignored.

        Returns
        -------
        self : TimeSince
            The fitted transformer.
        """
        steps = self._read(X, reset=True)
        self._place = self._place_in(steps)
        self._as_rows(steps)  # an error comes here, not in `transform`
        return self

    def transform(self, X: Any) -> Any:
        """Replace times by differences.

        Parameters
        ----------
        X : array-like or list
            Sequences, of the form that was fitted.

        Returns
        -------
        3-D array, list of 2-D arrays, 1-D object array of them, or 2-D array
            As X, of float64; of DataFrames a list of arrays.
        """
        check_is_fitted(self, "_place")
        steps = self._read(X, reset=False)
        rows = self._as_rows(steps)
        times = rows[:, self._place]
        rows[1:, self._place] = np.diff(times)
        rows[steps.starts, self._place] = np.where(np.isnan(times[steps.starts]), np.nan, 0)
        if self._fitted_on_2d:
            return rows.reshape(len(steps.lengths), -1)
        return as_given(rows, steps)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the features per step, which are those that came.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features that were fitted; None takes the column names, or "x0", "x1", ...

        Returns
        -------
        ndarray of str objects
            The names.
        """
        check_is_fitted(self, "_place")
        return _check_feature_names_in(self, input_features)

    def _read(self, X: Any, *, reset: bool) -> Steps:
        return validate_sequences(self, X, reset=reset, dtype=None, finite=False)

    def _as_rows(self, steps: Steps) -> Array:
        """Return all features of all steps (n_rows, n_features), of which times are not yet differences."""
        n_features = steps.rows.shape[1]
        return np.column_stack([_as_floats(steps, k, is_time=k == self._place) for k in range(n_features)])

    def _place_in(self, steps: Steps) -> int:
        n_features = steps.rows.shape[1]
        if isinstance(self.column, str):
            names = list(getattr(steps.rows, "columns", ()))
            if self.column not in names:
                raise ValueError(f"column must be one of the columns of X, {names}, got {self.column!r}")
            return names.index(self.column)
        if not -n_features <= self.column < n_features:
            raise ValueError(f"column must be one of the {n_features} features of X, got {self.column}")
        return int(self.column) % n_features


def _as_floats(steps: Steps, place: int, *, is_time: bool) -> Array:
    """Return a feature of all steps in float64; times as seconds since the sequence's first."""
    values = _feature(steps.rows, place)
    if values.dtype.kind == "M" and is_time:
        values = (values - np.repeat(values[steps.starts], steps.lengths)) / np.timedelta64(1, "s")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        kind = "numbers, or dates and times" if is_time else "numbers"
        raise type(error)(f"feature {place} of X must hold {kind}, got dtype {values.dtype}: {error}") from None


def _feature(rows: Any, place: int) -> Array:
    if not hasattr(rows, "columns"):
        return rows[:, place]
    column = rows[rows.columns[place]]
    # pandas would make objects of times in a zone.
    return column.to_numpy("datetime64[ns]") if getattr(column.dtype, "kind", "") == "M" else column.to_numpy()
