"""What a forecaster is given, as arrays of one form, and the form in which forecasts go out."""

from typing import Any

import numpy as np

from ..._net.describe import Scaling
from ..._net.inputs import Array, Steps, as_form
from ..base import Fitted
from ..per_step import StepEstimator
from ..scaling import moments
from ..state import State
from .choices import Choices
from .series import is_list, read_series, scaled


class FittedForms(Fitted):
    """What `fit` notes of y and X, and where it has got to in them."""

    n_series_: int
    _given_as_list: bool
    _columns: tuple[int, ...]
    _X_mean: Array
    _X_scale: Array
    _choices: Choices
    _dtype: str
    _naive_error: Array
    _mean: Array
    _scale: Array
    _last: Array


class SeriesEstimator(FittedForms, StepEstimator):
    """Reads series, of which one or several may be given, each of one column or several."""

    def _read_y(self, y: Any, *, reset: bool, transforms: tuple[str | None, ...] | None = None) -> list[Array]:
        """Return each series as (n_steps, n_series); `transforms` have to take it, without them those of `fit`."""
        y = as_form(y, "y")
        series = read_series(y, "y")
        columns = series[0].shape[1:]
        if reset:
            self._given_as_list, self._columns = is_list(y), columns
            self.n_series_ = columns[0] if columns else 1
        elif columns != self._columns or is_list(y) != self._given_as_list:
            expected = "(n_steps,)" if not self._columns else f"(n_steps, {self._columns[0]})"
            raise ValueError(
                f"y must be {'a list of series' if self._given_as_list else 'one series'} of shape {expected}, as in "
                f"fit, got {'a list of series' if is_list(y) else 'one series'} of shape {series[0].shape}"
            )
        least = min(float(values.min()) for values in series)
        for transform in self._choices.transforms if transforms is None else transforms:
            if (transform == "log" and least <= 0) or (transform == "sqrt" and least < 0):
                kind = "positive" if transform == "log" else "at least 0"
                raise ValueError(f"y must be {kind} with transform={transform!r}, got {least}")
        return [values.reshape(len(values), -1) for values in series]

    def _read_continuation(self, y: Any) -> list[Array]:
        """Return what follows each series of `fit` as (n_steps, n_series)."""
        series = self._read_y(y, reset=False)
        if len(series) != len(self._naive_error):
            raise ValueError(f"y must have {len(self._naive_error)} series, as in fit, got {len(series)}")
        return series

    def _read_X(self, X: Any, lengths: list[int], *, reset: bool) -> list[Array]:
        """Return X of each series as (n_steps, n_features), scaled; without columns where there is none."""
        if X is None:
            if reset:
                self.n_features_in_ = 0
            elif self.n_features_in_ > 0:
                raise ValueError(f"X must be given, with {self.n_features_in_} features per step, as in fit; got None")
            return [np.empty((length, 0)) for length in lengths]
        X = as_form(X, "X")
        exogenous = [values.reshape(len(values), -1) for values in read_series(X, "X")]
        n_features = exogenous[0].shape[1]
        if reset:
            self.n_features_in_ = n_features
            self._X_mean, self._X_scale = moments(np.concatenate(exogenous))
        elif n_features != self.n_features_in_:
            raise ValueError(f"X must have {self.n_features_in_} features per step, as in fit, got {n_features}")
        if is_list(X) != self._given_as_list or len(exogenous) != len(lengths):
            raise ValueError(
                f"X must be {f'a list of {len(lengths)}' if self._given_as_list else 'one array'}, as y in fit, got "
                f"{f'a list of {len(exogenous)}' if is_list(X) else 'one array'}"
            )
        for index, (values, length) in enumerate(zip(exogenous, lengths, strict=True)):
            if len(values) != length:
                called = f"X[{index}]" if self._given_as_list else "X"
                raise ValueError(f"{called} must have one row for each of {length} steps, got {len(values)}")
        return [scaled(values, self._X_mean, self._X_scale, "X") for values in exogenous]

    @property
    def _scaling_of_X(self) -> Scaling | None:
        return Scaling(self._X_mean, self._X_scale) if self.n_features_in_ > 0 else None

    def _scaled(self, differenced: Any) -> list[Array]:
        return [
            scaled(d, mean, scale, "y") for d, mean, scale in zip(differenced, self._mean, self._scale, strict=True)
        ]

    def _as_steps(self, values: list[Array], exogenous: list[Array]) -> Steps:
        """Return what the network reads: each value, and X of the step after it."""
        rows = np.hstack([np.concatenate(values), np.concatenate(exogenous)])
        lengths = np.array([len(v) for v in values], dtype=np.intp)
        return Steps(np.ascontiguousarray(rows, dtype=self._dtype), lengths, False)

    def _as_y(self, series: list[Array]) -> Any:
        """Give arrays (..., n_series), one for each series, the form that y had in `fit`."""
        series = [values.reshape(*values.shape[:-1], *self._columns) for values in series]
        return series if self._given_as_list else series[0]

    def _input_state(self) -> dict[str, Any]:
        return {
            "n_features_in_": self.n_features_in_,
            "given_as_list": self._given_as_list,
            "columns": list(self._columns),
        }

    def _read_input_state(self, state: State) -> int:
        self.n_features_in_ = state.integer("n_features_in_", at_least=0)
        self._given_as_list = state.boolean("given_as_list")
        self._columns = tuple(state.integers("columns", at_least=1, at_most_long=1))
        self.n_series_ = self._columns[0] if self._columns else 1
        return self.n_series_ + self.n_features_in_
