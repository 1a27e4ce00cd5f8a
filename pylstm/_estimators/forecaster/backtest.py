"""How good a forecaster is: forecasts of what is known already, each from what came before it."""

import time
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from ..._net.inputs import Array, check_int
from .errors import PROBABILITIES, Forecast, drift, errors_of, seasonal_naive
from .forms import SeriesEstimator

OURS = "LSTM"


class BacktestEstimator(SeriesEstimator):
    """Forecasts windows of series that are known, and chooses parameters by that."""

    def backtest(
        self,
        y: Any,
        X: Any = None,
        *,
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
        y, X
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
        step_size = n_steps if step_size is None else check_int(step_size, "step_size", 1)
        model, series, exogenous, in_form = self._for_backtest(y, X, n_steps)
        most = n_steps + (n_windows - 1) * step_size
        shortest = min(len(values) for values in series)
        if shortest <= most:
            raise ValueError(
                f"y must have more than {most} steps for n_windows={n_windows} of n_steps={n_steps}, step_size="
                f"{step_size} apart, got {shortest}"
            )
        rows, of_all = [], {}
        for window in range(n_windows):
            began = time.perf_counter()
            starts = [len(values) - most + window * step_size for values in series]
            before = [0 if window == 0 or refit else start - step_size for start in starts]
            known = in_form([values[a:b] for values, a, b in zip(series, before, starts, strict=True)])
            known_X = None if exogenous is None else in_form(
                [x[a:b] for x, a, b in zip(exogenous, before, starts, strict=True)]
            )
            if window == 0 or refit:
                model = clone(model).fit(known, known_X)
            else:
                model.update(known, known_X)
            ahead = None if exogenous is None else in_form(
                [x[start : start + n_steps] for x, start in zip(exogenous, starts, strict=True)]
            )
            forecasts = _forecasts(model, n_steps, ahead, len(series), is_list=known is not None and isinstance(known, list))
            pasts = [values[:start] for values, start in zip(series, starts, strict=True)]
            futures = [values[start : start + n_steps] for values, start in zip(series, starts, strict=True)]
            season = model._season()
            naive = [seasonal_naive(past, n_steps, season) for past in pasts]
            by_model = {OURS: forecasts, "seasonal naive": naive, "drift": [drift(past, n_steps) for past in pasts]}
            for name, of in by_model.items():
                errors = errors_of(pasts, futures, of, season)
                rows.append({"window": window, "model": name, **errors})
                of_all.setdefault(name, []).append(list(errors.values()))
            if verbose:
                print(
                    f"window {window + 1} of {n_windows}: MASE {of_all[OURS][-1][0]:.3f}, seasonal naive "
                    f"{of_all['seasonal naive'][-1][0]:.3f}, {time.perf_counter() - began:.1f} s",
                    flush=True,
                )
        columns = list(rows[0])[2:]
        for name, of_windows in of_all.items():
            means = np.mean(of_windows, axis=0).tolist()
            rows.append({"window": "all", "model": name, **dict(zip(columns, means, strict=True))})
        return pd.DataFrame(rows)

    def tune(self, y: Any, X: Any = None, *, param_grid: Any, n_steps: int, verbose: bool = False, **windows: Any) -> Self:
        """Take on those parameters that forecast best in a backtest, and fit them to all of y.

        Parameters
        ----------
        y, X
            As in `fit`.
        param_grid : dict or list of dict
            By the names of parameters, the values to try in all combinations: as `sklearn.model_selection.ParameterGrid`
            takes them.
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
        >>> forecaster = LSTMForecaster(random_state=0, max_iter=2)
        >>> forecaster = forecaster.tune(load_airline(), param_grid={"transform": ["log", None]}, n_steps=12, n_windows=1)
        >>> forecaster.tuning_results_.columns[:2].tolist()
        ['transform', 'MASE']
        """
        import pandas as pd

        rows = []
        combinations = list(ParameterGrid(param_grid))
        for k, parameters in enumerate(combinations):
            table = clone(self).set_params(**parameters).backtest(y, X, n_steps=n_steps, **windows)
            errors = table[(table.window == "all") & (table.model == OURS)].iloc[0].drop(["window", "model"])
            rows.append({**parameters, **errors})
            if verbose:
                print(f"{k + 1} of {len(combinations)}: {parameters}: MASE {errors.MASE:.3f}", flush=True)
        order = np.argsort([row["MASE"] for row in rows], kind="stable")
        self.set_params(**combinations[order[0]])
        self.fit(y, X)
        self.tuning_results_ = pd.DataFrame([rows[k] for k in order])
        return self


def _forecasts(model: Any, n_steps: int, X: Any, n_series: int, *, is_list: bool) -> list[Forecast]:
    values, quantiles = model.predict(n_steps, X, quantiles=PROBABILITIES)
    if not is_list:
        values, quantiles = [values], [quantiles]
    return [
        Forecast(v.reshape(n_steps, -1), q.reshape(len(PROBABILITIES), n_steps, -1))
        for v, q in zip(values, quantiles, strict=True)
    ]
