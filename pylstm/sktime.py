"""`LSTMForecaster` as a forecaster of sktime: in its pipelines, tuning and benchmarks. Needs the extra `sktime`."""

from typing import Any, ClassVar, Self

import numpy as np

try:
    import pandas as pd
    from sktime.datatypes import update_data
    from sktime.forecasting.base import BaseForecaster

    from ._estimators.forecaster import LSTMForecaster as Forecaster
    from ._estimators.forecaster.frames import Frames
except ModuleNotFoundError as error:
    if (error.name or "").startswith("pylstm"):
        raise
    raise ModuleNotFoundError(
        f"pylstm.sktime needs {error.name}, which is not installed: pip install 'pylstm[sktime]'", name=error.name
    ) from error

__all__ = ["LSTMForecaster"]


class LSTMForecaster(BaseForecaster):
    """`pylstm.LSTMForecaster` for sktime.

    A panel or a hierarchy is learnt by one network, and series in it may be of unequal length. Several columns are
    forecast together. In-sample forecasts are not made.

    Parameters
    ----------
    hidden_layer_sizes : int, tuple of int or "auto", default="auto"
        Units of each LSTM layer.
    horizon : int, "auto" or None, default="auto"
        How many steps are forecast at once. "auto" is the last step of the `fh` that `fit` is given, if the longest
        series has more than twice as many. Without it is what it is for `pylstm.LSTMForecaster`. None is for the
        recursive way.
    season_length : int, tuple of int, "auto" or None, default="auto"
        Steps after which a pattern comes again.
    differences : int, tuple of int or "auto", default="auto"
        For the recursive way, lags at which the series is differenced.
    transform : {"log", "sqrt", "auto"} or None, default="auto"
        What is done to y first.
    window : int, "auto" or None, default="auto"
        How many values are read before the horizon.
    cv : int or None, default=5
        See `pylstm.LSTMForecaster`. None does without intervals; the tag ``capability:pred_int`` is False then.
    calendar : tuple of str, default=()
        What to read of dates: "month", "quarter", "week", "day", "weekday", "hour".
    missing : {"error", "interpolate"}, default="error"
        Whether values of y that are missing are filled by a line between those beside them. With "interpolate" the tag
        ``capability:missing_values`` is True.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are.
    dropout : float in [0, 1) or "auto", default="auto"
        Probability that an output of a layer is zeroed during training.
    learning_rate_init : float or "auto", default="auto"
        The learning rate of the first epoch.
    batch_size : int or "auto", default="auto"
        Windows, or series, per mini-batch.
    max_iter : int, default=30
        Most epochs.
    early_stopping : bool, default=False
        Whether to hold out the end of each series, and stop by it.
    random_state : int, RandomState instance or None, default=None
        The same int gives the same fit and the same forecasts.
    n_jobs : int or None, default=None
        Threads; None is 1, -1 all cores.
    verbose : bool, default=False
        Whether to print a line per epoch.
    options : dict, default=None
        More parameters of `pylstm.LSTMForecaster`, by name.

    Attributes
    ----------
    forecaster_ : pylstm.LSTMForecaster
        What was fitted. Its ``summary()`` says what was found.

    See Also
    --------
    pylstm.LSTMForecaster : All parameters, and what they do.

    Notes
    -----
    ``update(y)`` fits again, to all values up to the last one of y. ``update(y, update_params=False)`` takes in what
    follows, and nothing is trained: that is `pylstm.LSTMForecaster.update`.

    X is what is known of each step ahead of it. It may have more rows than are asked for; for `predict` it has one for
    each step from the next one to the last of `fh`.

    Examples
    --------
    >>> from pylstm.sktime import LSTMForecaster
    >>> from sktime.datasets import load_airline
    >>> y = load_airline()
    >>> forecaster = LSTMForecaster(random_state=0).fit(y, fh=range(1, 13))
    >>> forecaster.predict_interval(coverage=0.9).shape
    (12, 2)
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "the pylstm authors",
        "maintainers": "the pylstm authors",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": False,
        "capability:non_contiguous_X": False,
        "capability:categorical_in_X": False,
        "capability:update": True,
        "capability:unequal_length": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "requires-fh-in-fit": False,
        "X-y-must-have-same-index": False,
    }
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # by the base, which is to end; it is kept here

    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        horizon: int | str | None = "auto",
        season_length: Any = "auto",
        differences: Any = "auto",
        transform: str | None = "auto",
        window: Any = "auto",
        cv: int | None = 5,
        calendar: Any = (),
        missing: str = "error",
        cell: str = "lstm",
        dropout: Any = "auto",
        learning_rate_init: Any = "auto",
        batch_size: Any = "auto",
        max_iter: int = 30,
        early_stopping: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool = False,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.horizon = horizon
        self.season_length = season_length
        self.differences = differences
        self.transform = transform
        self.window = window
        self.cv = cv
        self.calendar = calendar
        self.missing = missing
        self.cell = cell
        self.dropout = dropout
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.options = options
        super().__init__()
        self._y = self._X = None
        self.set_tags(**{"capability:pred_int": cv is not None, "capability:missing_values": missing == "interpolate"})

    def _fit(self, y: Any, X: Any, fh: Any) -> Self:
        self._seen = y, X
        return self._learn(y, X, fh)

    def _learn(self, y: Any, X: Any, fh: Any) -> Self:
        parameters = self.get_params(deep=False)
        options = parameters.pop("options") or {}
        twice = sorted(options.keys() & parameters.keys())
        if twice:
            raise ValueError(f"options must not name what is a parameter of its own, got {twice[0]!r}")
        self._is_panel = isinstance(y.index, pd.MultiIndex)
        series = _by_name(y)
        if self.horizon == "auto" and fh is not None:
            last = int(fh.to_relative(self.cutoff).to_numpy().max())
            if max(map(len, series.values())) > 2 * last:
                parameters["horizon"] = last
        self.forecaster_ = Forecaster(**parameters, **options).fit(y=self._given(series), X=self._given(_by_name(X)))
        return self

    def _predict(self, fh: Any, X: Any) -> Any:
        forecasts, index = self._forecast(fh, X)
        return pd.DataFrame(forecasts, index, self._get_varnames())

    def _predict_quantiles(self, fh: Any, X: Any, alpha: list[float]) -> Any:
        forecasts, index = self._forecast(fh, X, alpha)
        quantiles = forecasts.reshape(len(index), -1, 1 + len(alpha))[:, :, 1:].reshape(len(index), -1)
        return pd.DataFrame(quantiles, index, self._get_columns(method="predict_quantiles", alpha=alpha))

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> Self:
        seen_y, seen_X = self._seen
        self._seen = update_data(seen_y, y), X if seen_X is None else update_data(seen_X, X)
        if update_params:
            seen_y, seen_X = self._seen
            return self._learn(seen_y[seen_y.index.get_level_values(-1) <= self.cutoff[0]], seen_X, self._fh)
        form = self._form
        series = {
            key: values[values.index > form.grid.dates(int(end) - 1, 1)[0]]
            for (key, values), end in zip(_by_name(y).items(), form.ends, strict=False)
        }
        if any(map(len, series.values())):
            self.forecaster_.update(self._given(series), self._given(_by_name(X)))
        return self

    @property
    def _form(self) -> Frames:
        assert self.forecaster_._form is not None
        return self.forecaster_._form

    def _given(self, series: dict[Any, Any] | None) -> Any:
        """Return what `pylstm.LSTMForecaster` is given: a frame by name for each series, or the one there is."""
        return series if self._is_panel or series is None else series[()]

    def _forecast(self, fh: Any, X: Any, quantiles: list[float] | None = None) -> tuple[Any, Any]:
        """Return forecasts (n_series * n_dates, n_columns), with quantiles behind each column, and their index."""
        form = self._form
        if fh.is_relative and not isinstance(form.grid.start, int):  # sktime knows no frequency of a panel's dates
            places = form.grid.places(self.cutoff)[0] + fh.to_numpy()
            dates = form.grid.dates(0, int(places.max()) + 1)[places]
        else:
            dates = fh.to_absolute_index(self.cutoff)
            places = form.grid.places(dates)
        if (places < 0).any():
            raise ValueError(
                f"fh must have dates as y has, of frequency {form.grid.step!r}, got {dates[places < 0][0]}"
            )
        if (places.min() < form.ends).any():
            raise NotImplementedError(
                f"{type(self).__name__} can not perform in-sample prediction: it has taken in values up to "
                f"{form.grid.dates(int(form.ends.max()) - 1, 1)[0]}, and was asked for {dates[0]}"
            )
        n_steps = int(places.max() - form.ends.min()) + 1
        known = None if X is None else self._given(self._to_last(_by_name(X), int(places.max()), n_steps))
        forecasts = self.forecaster_.predict(n_steps, known, quantiles=quantiles)
        each = forecasts.values() if self._is_panel else [forecasts]
        values = [np.asarray(of).reshape(n_steps, -1)[places - end] for of, end in zip(each, form.ends, strict=True)]
        if not self._is_panel:
            return values[0], dates
        indexes = [pd.DataFrame(index=dates)] * len(values)
        return np.concatenate(values), pd.concat(indexes, keys=form.names, names=self._seen[0].index.names).index

    def _to_last(self, X: dict[Any, Any], last: int, n_steps: int) -> dict[Any, Any]:
        """Return X with rows for so many steps: series that end later are forecast further than they need to be."""
        form = self._form
        whole = {}
        for (key, values), end in zip(X.items(), form.ends, strict=False):
            beyond = form.grid.dates(last + 1, n_steps - (last + 1 - int(end)))
            beyond = beyond[beyond > values.index[-1]]
            more = pd.DataFrame(np.repeat(values.to_numpy()[-1:], len(beyond), axis=0), beyond, values.columns)
            whole[key] = pd.concat([values, more]) if len(beyond) else values
        return whole

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return parameters for sktime's checks: of the direct way, the recursive one, and one without intervals.

        Parameters
        ----------
        parameter_set : str, default="default"
            There is one set.

        Returns
        -------
        list of dict
        """
        fast = {"hidden_layer_sizes": 4, "max_iter": 1, "random_state": 0}
        return [
            fast,
            {**fast, "horizon": None, "differences": 1, "cv": 2, "options": {"n_paths": 20}},
            {**fast, "season_length": 3, "transform": None, "missing": "interpolate", "cv": None, "cell": "gru"},
        ]


def _by_name(frame: Any) -> Any:
    """Return the frame of each series, with columns that are numbered; of a single one by the name ()."""
    if frame is None:
        return None
    frame = frame.set_axis(range(frame.shape[1]), axis=1)
    if not isinstance(frame.index, pd.MultiIndex):
        return {(): frame}
    levels = list(range(frame.index.nlevels - 1))
    groups = frame.groupby(level=levels[0] if len(levels) == 1 else levels, sort=False)
    return {key: of.droplevel(levels) for key, of in groups}
