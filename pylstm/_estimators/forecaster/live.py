"""`ForecastStream`: a fitted forecaster that lives on, value by value."""

from typing import Any

import numpy as np

from ..._net.describe import Description, describe
from ..._net.inputs import Array, as_numbers


class ForecastStream:
    """A forecaster that takes in a value at a time, made by `LSTMForecaster.stream`.

    It goes on from where the forecaster was, which stays there. It says what the forecaster says after an `update` with
    the same values, to the bit.

    Examples
    --------
    >>> from pylstm import LSTMForecaster
    >>> from pylstm.datasets import load_airline
    >>> y = load_airline()
    >>> stream = LSTMForecaster(max_iter=2, random_state=0).fit(y[:-12]).stream()
    >>> for value in y[-12:]:
    ...     stream.update(value)
    >>> stream.predict(3).shape
    (3,)
    """

    def __init__(self, forecaster: Any) -> None:
        self._forecaster = object.__new__(type(forecaster))
        vars(self._forecaster).update(vars(forecaster))  # an update puts others in place of what is there

    def update(self, value: Any, x: Any = None, *, x_past: Any = None) -> None:
        """Take in the next value of each series.

        Parameters
        ----------
        value : float, or array-like (n_series,), (n_columns,) or (n_series, n_columns)
            Of several series in the order of `fit`; finite.
        x : array-like (n_features,) or (n_series, n_features), default=None
            What X has for this step, if there was one in `fit`.
        x_past : as x, default=None
            The same of X_past. None is what it was on average.
        """
        forecaster = self._forecaster
        n_series, n_columns = len(forecaster._naive_error), forecaster.n_series_
        y = self._row(value, "value", n_series)
        if y.shape[1] != n_columns:
            raise ValueError(f"value must have {n_columns} for each of {n_series} series, got shape {np.shape(value)}")
        form, steps = forecaster._form, np.ones(n_series, np.intp)
        form = None if form is None else form.later(steps)
        as_list = forecaster._given_as_list
        given, past = (
            None if of is None else [row[np.newaxis] for row in self._row(of, name, n_series)]
            for of, name in ((x, "x"), (x_past, "x_past"))
        )
        if past is not None and past[0].shape[1] != forecaster._n_past:
            raise ValueError(f"x_past must have {forecaster._n_past} columns, as in fit, got {past[0].shape[1]}")
        given = given if given is None or as_list else given[0]
        known = forecaster._known(given, past, form, steps, as_list)
        forecaster._go_on(forecaster._as_y([row[np.newaxis] for row in y]), known, form)

    def predict(self, n_steps: int, X: Any = None, *, return_std: bool = False, quantiles: Any = None) -> Any:
        """Forecast the steps that follow, as `LSTMForecaster.predict` does."""
        return self._forecaster.predict(n_steps, X, return_std=return_std, quantiles=quantiles)

    def _row(self, values: Any, name: str, n_series: int) -> Array:
        """Return numbers of one step as (n_series, n)."""
        array = np.asarray(values)
        if array.ndim > 2 or array.size == 0 or array.size % n_series:
            raise ValueError(f"{name} must be numbers for each of {n_series} series, got shape {array.shape}")
        row = as_numbers(array.reshape(n_series, -1), name, 2, "(n_series, n)", np.float64)
        if not np.isfinite(row).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
        return row


@describe.register
def _describe(model: ForecastStream) -> Description:
    return describe(model._forecaster)
