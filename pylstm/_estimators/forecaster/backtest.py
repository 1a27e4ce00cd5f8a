"""How good a forecaster is: forecasts of what is known already, each from what came before it."""

import time
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from ..._net.inputs import Array, check_int
from .dated import DatedEstimator
from .errors import PROBABILITIES, Forecast, drift, errors_of, seasonal_naive
from .series import read_series

OURS, NAIVE = "LSTM", "seasonal naive"


class Given(NamedTuple):
    """Series, and what is known of their steps: lists of arrays (n_steps, n_columns), or None."""

    y: list[Array]
    X: list[Array] | None
    X_past: list[Array] | None

    def between(self, starts: list[int], ends: list[int]) -> "Given":
        """Return the steps from `starts` to `ends` of each series."""
        y, *known = (
            None if of is None else [values[a:b] for values, a, b in zip(of, starts, ends, strict=True)] for of in self
        )
        assert y is not None
        return Given(y, *known)


class BacktestEstimator(DatedEstimator):
    """Forecasts windows of series that are known, and chooses parameters by that."""

    def backtest(
        self,
        y: Any,
        X: Any = None,
        *,
        X_past: Any = None,
        static: Any = None,
        n_steps: int,
        n_windows: int = 3,
        step_size: int | None = None,
        refit: bool = False,
        verbose: bool = False,
    ) -> Any:
        """Forecast windows at the end of y from what came before each, and say how far that is off.

        This object is left as it is: a clone is fitted, to what comes before the first window. Needs pandas.

        Parameters
        ----------
        y, X, X_past, static
            As in `fit`.
        n_steps : int
            Steps of a window, that are forecast at once. It is the clone's horizon, if its own is "auto".
        n_windows : int, default=3
            How many; the last one ends where the series do.
        step_size : int, default=None
            From a window to the next; None is `n_steps`, so that they do not overlap.
        refit : bool, default=False
            Whether it is fitted again before each window, or takes in what there was since by `update`.
        verbose : bool, default=False
            Whether to print a line for each window.

        Returns
        -------
        pandas.DataFrame
            With a row for each window, counted from 0, and one for "all", of each of "LSTM", "seasonal naive" (each
            step as it was a season before) and "drift" (a line through the first and the last value):

            - MASE: the mean absolute error, by that of the seasonal naive method within what came before
            - sMAPE: in percent, from 0 to 200
            - WAPE: the sum of absolute errors by that of absolute values
            - pinball: the loss of the quantiles 0.05, 0.25, 0.75 and 0.95, in units as MASE
            - coverage_90, coverage_50: how often y is within the intervals that are to hold 90 and 50 %

        Examples
        --------
        >>> from pylstm import LSTMForecaster
        >>> from pylstm.datasets import load_airline
        >>> forecaster = LSTMForecaster(random_state=0)
        >>> table = forecaster.backtest(load_airline(), n_steps=12, n_windows=2)
        >>> overall = table[table.window == "all"].set_index("model")
        >>> bool(overall.MASE["LSTM"] < overall.MASE["seasonal naive"])
        True
        """
        import pandas as pd

        n_steps, n_windows = check_int(n_steps, "n_steps", 1), check_int(n_windows, "n_windows", 1)
        if self.cv is None:
            raise ValueError("cv must not be None for a backtest, which judges intervals too")
        step_size = n_steps if step_size is None else check_int(step_size, "step_size", 1)
        given = self._without_dates(y, X, X_past, static)
        horizon = n_steps if self.horizon == "auto" else self.horizon
        model = clone(self).set_params(calendar=(), missing="error", horizon=horizon)
        most = n_steps + (n_windows - 1) * step_size
        shortest = min(len(values) for values in given.y)
        if shortest <= most:
            raise ValueError(
                f"y must have more than {most} steps for n_windows={n_windows} of n_steps={n_steps}, step_size="
                f"{step_size} apart, got {shortest}"
            )
        rows = []
        for window in range(n_windows):
            began = time.perf_counter()
            starts = [len(values) - most + window * step_size for values in given.y]
            past = given.between([0] * len(starts), starts)
            if window == 0 or refit:
                model = clone(model).fit(past.y, past.X, X_past=past.X_past)
            else:
                since = given.between([start - step_size for start in starts], starts)
                model.update(since.y, since.X, X_past=since.X_past)
            future = given.between(starts, [start + n_steps for start in starts])
            known = model._read_X(model._known_ahead(future.X, n_steps), [n_steps] * len(starts), reset=False)
            values, _, quantiles = model._ask(n_steps, known, False, np.array(PROBABILITIES))
            forecasts = map(Forecast, values, quantiles)
            season = model._season()
            of = {
                OURS: list(forecasts),
                NAIVE: [seasonal_naive(values, n_steps, season) for values in past.y],
                "drift": [drift(values, n_steps) for values in past.y],
            }
            errors = {name: errors_of(past.y, future.y, of[name], season) for name in of}
            rows += [{"window": window, "model": name, **errors[name]} for name in of]
            if verbose:
                print(
                    f"window {window + 1} of {n_windows}: MASE {errors[OURS]['MASE']:.3f}, {NAIVE} "
                    f"{errors[NAIVE]['MASE']:.3f}, {time.perf_counter() - began:.1f} s",
                    flush=True,
                )
        table = pd.DataFrame(rows)
        overall = table.drop(columns="window").groupby("model", sort=False).mean().reset_index()
        overall.insert(0, "window", "all")
        return pd.concat([table.astype({"window": object}), overall], ignore_index=True)

    def _without_dates(self, y: Any, X: Any, X_past: Any, static: Any) -> "Given":
        """Return what a forecaster is given that knows of no dates, no calendar and no static columns but as X."""
        reader = clone(self)
        y, X = reader._learn_form(y, X, X_past, static)
        series = [values.reshape(len(values), -1) for values in read_series(y, "y")]
        known = reader._read_columns(X, None, np.array([len(values) for values in series]), "X")
        if known is None:
            return Given(series, None, None)
        n_known = known[0].shape[1] - reader._n_past
        return Given(
            series,
            [x[:, :n_known] for x in known] if n_known else None,
            [x[:, n_known:] for x in known] if reader._n_past else None,
        )

    def tune(
        self,
        y: Any,
        X: Any = None,
        *,
        X_past: Any = None,
        static: Any = None,
        param_grid: Any,
        n_steps: int,
        verbose: bool = False,
        **windows: Any,
    ) -> Self:
        """Take on those parameters that forecast best in a backtest, and fit them to all of y.

        Parameters
        ----------
        y, X, X_past, static
            As in `fit`.
        param_grid : dict or list of dict
            By the names of parameters, the values to try in all combinations: as scikit-learn's `ParameterGrid` takes
            them.
        n_steps : int
            As in `backtest`.
        verbose : bool, default=False
            Whether to print a line for each combination.
        **windows
            ``n_windows``, ``step_size`` and ``refit`` of `backtest`.

        Returns
        -------
        self : LSTMForecaster
            Fitted; with `tuning_results_`, a DataFrame with a row for each combination, the best first: its parameters,
            and the errors over all windows.

        Examples
        --------
        >>> from pylstm import LSTMForecaster
        >>> from pylstm.datasets import load_airline
        >>> forecaster, grid = LSTMForecaster(random_state=0, max_iter=2), {"transform": ["log", None]}
        >>> forecaster = forecaster.tune(load_airline(), param_grid=grid, n_steps=12, n_windows=1)
        >>> forecaster.tuning_results_.columns[:2].tolist()
        ['transform', 'MASE']
        """
        import pandas as pd

        rows, given = [], {"X_past": X_past, "static": static}
        combinations = list(ParameterGrid(param_grid))
        if not combinations:
            raise ValueError(f"param_grid must have at least one combination of parameters, got {param_grid!r}")
        for k, parameters in enumerate(combinations):
            table = clone(self).set_params(**parameters).backtest(y, X, n_steps=n_steps, **given, **windows)
            errors = table[(table.window == "all") & (table.model == OURS)].iloc[0].drop(["window", "model"])
            rows.append({**parameters, **errors})
            if verbose:
                print(f"{k + 1} of {len(combinations)}: {parameters}: MASE {errors.MASE:.3f}", flush=True)
        order = np.argsort([row["MASE"] for row in rows], kind="stable")
        self.set_params(**combinations[order[0]])
        self.fit(y, X, **given)
        self.tuning_results_ = pd.DataFrame([rows[k] for k in order])
        return self
