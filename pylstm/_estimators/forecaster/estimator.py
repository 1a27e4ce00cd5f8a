"""`LSTMForecaster`: the next values of a series, or of several."""

import sys
import warnings
from functools import wraps
from numbers import Integral, Real
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ..._net.describe import Description
from ..._net.initialisation import NAMED
from ..._net.inputs import Array, as_probabilities, check_int
from ..._net.trace import Trace, trace_steps
from ..base import LSTMEstimator
from ..fits import Method, fits
from ..held_out import split_ends
from ..hyperparameters import Number, positional
from ..per_step import StepEstimator
from ..state import State
from ..targets import Targets, check_y_given
from ..training import Data
from . import direct, kept, recursive
from .backtest import BacktestEstimator
from .choices import RECURSIVE, Choices, choose, summary
from .dated import DatedEstimator, named
from .frames import DATE, Frames
from .live import ForecastStream
from .series import is_list, naive_error
from .windows import width


def _warns_of_order(fit: Method) -> Method:
    """Make `fit(y, X)` warn where, by place, it was given what looks like X and y: more columns before fewer."""

    @wraps(fit)
    def checked(forecaster: Any, *args: Any, **keywords: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").startswith("sklearn.model_selection"):
            warnings.warn(
                "scikit-learn's searches and cross-validation call fit(X, y), and so make a forecaster learn X as the "
                "series, in folds that need not follow one another. Use forecaster.tune(y, X, param_grid=..., "
                "n_steps=...) or forecaster.backtest(y, X, n_steps=...) instead",
                stacklevel=2,
            )
        elif len(args) == 2 and DATE not in getattr(args[0], "columns", ()):
            shapes = [getattr(each[0] if is_list(each) else each, "shape", ()) for each in args]
            if args[1] is not None and shapes[0][1:] > shapes[1][1:]:  # of a single column, without brackets: ()
                warnings.warn(
                    f"fit(y, X) takes what came first, {shapes[0]}, as the series to forecast, and what came second, "
                    f"{shapes[1]}, as known ahead of it. In scikit-learn's order, fit(X, y), it is the other way "
                    "round. Say which is meant by name: fit(y=..., X=...)",
                    stacklevel=2,
                )
        return fit(forecaster, *args, **keywords)

    return cast(Method, checked)


class LSTMForecaster(BacktestEstimator):
    """Forecast the next values of a series, or of several, by an LSTM.

    Two ways are there. The **direct** one reads a window of the past and says all steps of the `horizon` at once. The
    **recursive** one reads a value at each step and learns to say the next; its state after the last value is kept, and
    forecasts go on from there, each fed back. By default the season, the transforms and the way are found from y:
    direct, but for series without a season whose values come and go about a level, such as sunspots. `summary` tells
    what was found. To set `differences`, or ``horizon=None``, is to ask for the recursive way.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Units of each LSTM layer, the first next to the input. "auto" is 32, of little data 16, and 64 of the recursive
        way.
    horizon : int, "auto" or None, default="auto"
        How many steps are forecast at once. "auto" is a season, within 8 and 48 steps and a quarter of the series.
        Longer forecasts go on from shorter ones. None is for the recursive way. Series without a season whose values
        come back to a level are forecast recursively, whatever is said here; then `horizon_` is None.
    season_length : int, tuple of int, "auto" or None, default="auto"
        Steps after which a pattern comes again, or several of them, such as ``(24, 168)``. "auto" looks for what is the
        same in all repetitions, over all series; None is for no season.
    differences : int, tuple of int or "auto", default="auto"
        For the recursive way, lags at which the series is differenced before it is learnt, one after the other: 1 for a
        trend, the length of the season for a season that repeats, ``(12, 1)`` for both, ``()`` for none. Leave a cycle
        that varies in length to the network.
    transform : {"log", "sqrt", "auto"} or None, default="auto"
        What is done to y first: "log" (of positive y) where it varies in proportion to its level, "sqrt" (of y that is
        not negative) between that and None, as counts do. "auto" is "sqrt" for the level, as logarithms run away with a
        trend, and "log" for the change over a season, as far as y allows them.
    cv : int or None, default=5
        The recursive way cuts each series into so many blocks. For each, a network is trained with the others, and its
        errors there say how uncertain forecasts are. The direct way trains one network without the last horizon of
        each series, and takes its errors there; of less than 100 series it leaves out so many horizons, or a quarter.
        Of more it takes those on the horizon before as well.
        None does without, for a shorter `fit`; then `predict` gives forecasts only.
    n_paths : int, default=500
        Of `sample_paths`, from which the recursive way takes standard deviations and quantiles.
    calendar : tuple of str, default=()
        What the network reads of dates beside y: some of "month", "quarter", "week" (of the year), "day" (of the
        month), "weekday" and "hour", each as sine and cosine of where it is in its cycle.
    missing : {"error", "interpolate"}, default="error"
        What is done where a y with dates has NaN, or not all of them, and an X or X_past with dates has NaN.
        "interpolate" draws a line between the values beside a gap; of `update`, one before y too.
    window : int, "auto" or None, default="auto"
        The direct way reads so many values before the horizon: "auto" is 1.5 times the horizon or two seasons, at most
        48, whichever is more, and None all of the longest series. The recursive way trains by truncated
        back-propagation through time on so many steps at once, the state carried from window to window, an update for
        each: "auto" is 24, and None takes series whole.
    burn_in : int, default=0
        Steps at the start of each series that have no part in the recursive way's loss, while the state settles.
    dropout : float in [0, 1) or "auto", default="auto"
        Probability that an output of an LSTM layer is zeroed during training, the last layer's too. "auto" is 0.2, and
        0 for direct networks with much to learn from.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN's units; not read for others.
    forget_bias : float, "chrono", "mixed" or "uniform", default=1.0
        Initial bias of the forget gates. "chrono" spreads the spans that units remember up to the longest series
        (Tallec & Ollivier 2018); "mixed" does so for half of them, the others have 1. "uniform" draws
        the biases of all gates, of any cell, in +-1/sqrt(8).
    solver : {"adam", "sgd", "rmsprop"}, default="adam"
        What makes updates of gradients.
    alpha : float, default=0.0001
        Strength of the L2 penalty on the weights, divided by the mini-batch's total weight as in `MLPRegressor`.
    batch_size : int or "auto", default="auto"
        Series per mini-batch, or of the direct way windows; "auto" is ``min(16, n_series)``, and 64 windows, or of
        little data 16.
    learning_rate : {"auto", "constant", "invscaling", "adaptive", "cosine", "settling"}, default="cosine"
        Its course over the epochs, as for `LSTMRegressor`.
    learning_rate_init : float or "auto", default="auto"
        The learning rate of the first epoch. "auto" is 0.003, and 0.006 for direct networks with much to learn
        from.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=30
        Most epochs: how often each series is used. Of the direct way, an epoch is 64 mini-batches of windows, drawn at
        random, or 32 of little data, and fewer of long windows. Data are little below 1,000 windows, or 10,000 of a
        single series, counted for each season once more.
    shuffle : bool, default=True
        Whether a list of series is shuffled before each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of series, dropout and the sample paths. The same int gives the same
        fit and the same forecasts.
    tol : float, default=0.0001
        Training stops when the loss, or with `early_stopping` the validation score, has not become better by this for
        more than `n_iter_no_change` epochs.
    verbose : bool, default=False
        Whether to print a line per epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last one.
    momentum : float in [0, 1), default=0.9
        Of "sgd".
    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's momentum.
    early_stopping : bool, default=False
        Whether to hold out the last `validation_fraction` of each series, stop by the squared error of one-step
        forecasts there, and keep the best weights.
    validation_fraction : float in (0, 1), default=0.1
        See `early_stopping`.
    n_iter_no_change : int, default=20
        See `tol`.
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of Adam's estimates of the gradient and its square; the second is that of "rmsprop" too.
    epsilon : float, default=1e-8
        Numerical stability of "adam" and "rmsprop".
    max_grad_norm : float or None, default=1.0
        Global norm that gradients are scaled down to; None for never.
    n_jobs : int or None, default=None
        Threads that share a mini-batch, or the sample paths of a prediction; None is 1, -1 all cores. The fit depends
        on it in its last bits.
    dtype : {"float32", "float64"}, default="float32"
        Of weights and arithmetic of the network.

    Attributes
    ----------
    n_features_in_ : int
        Columns of X; 0 for a fit without.
    n_series_ : int
        Columns of y.
    season_length_ : int, tuple of int or None
        What was found, or given.
    horizon_ : int or None
        Steps that are forecast at once; None of the recursive way.
    transform_ : {"log", "sqrt"}, None, or tuple of them
        What is done to y first: of the direct way to the level, and to changes over each season.
    differences_ : tuple of int
        Lags at which the recursive way differences.
    n_iter_ : int
        Epochs run.
    n_updates_ : int
        Updates of the weights, one for each mini-batch or window; with `warm_start` those of the last `fit`.
    loss_ : float
        Mean training loss of the last epoch: the squared error of one-step forecasts of the scaled series, or of the
        direct way the absolute error over the horizon.
    loss_curve_ : list of float
        `loss_` after each epoch.
    best_loss_ : float or None
        The lowest `loss_`; None with `early_stopping`.
    validation_scores_ : list of float or None
        Validation score, the negated squared error, after each epoch; None without `early_stopping`.
    best_validation_score_ : float or None
        The highest of them.

    See Also
    --------
    LSTMSequenceRegressor : Values of steps that are not the series itself.
    pylstm.preprocessing.sliding_window : Windows of a series and what follows them, for `LSTMRegressor`.

    Notes
    -----
    A y of several columns is one series of vectors: the network reads and forecasts all columns together. A list has
    series of their own lengths, which one network learns; each has its own scale and, of the recursive way, state.

    What never varies, be it a column of y or its differences, is forecast as that, with a standard deviation of 0. The
    network does not read it.

    X holds what is known of each step ahead of it, such as the weekday or a price: row t of X belongs to row t of y,
    and the forecast of a step has read its X.

    The direct way reads a window in views. In that of the level, seasons are divided out where the test of the M4
    competition finds them in a series, late ones counting more, and values are less the window's last one. In that of a
    season, they are less those a season before. Each is in units of the series' mean absolute change. The steps of the
    horizon follow in the same sequence, with X but without a value, and the network says each. Forecasts of the views
    are averaged. Its intervals are of one size for all series at a step, in such units, and none is narrower than one
    before. Where 100 series or more changed more, or less, in the steps that errors are taken from than in all of a
    long past, errors count as that much smaller, or larger.

    The recursive forecast is what the network says when fed its own forecasts. For `return_std` and `quantiles` it is
    fed its own forecasts plus errors instead: errors that networks trained with the other blocks made in each of the
    `cv` blocks, drawn with a random sign. These paths and, before `transform` is undone, their mirror images about the
    forecast are the sample, so that the forecast is its median. That the weights themselves are uncertain is not in it,
    nor that the future may be unlike all of the past.

    Ctrl-C during `fit` ends it with the best weights so far and a warning, and without what `return_std` and
    `quantiles` need. scikit-learn's callbacks
    (1.9 and later) are taken by `set_callbacks`: each epoch is a task.

    Examples
    --------
    Two years of airline passengers, with the range that nine of ten months should be in:

    >>> from pylstm import LSTMForecaster
    >>> from pylstm.datasets import load_airline
    >>> y = load_airline()
    >>> forecaster = LSTMForecaster(horizon=24, random_state=0).fit(y[:-24])
    >>> forecaster.season_length_, forecaster.transform_
    (12, ('sqrt', 'log'))
    >>> forecast, (low, high) = forecaster.predict(24, quantiles=[0.05, 0.95])
    >>> forecast.shape
    (24,)
    >>> bool(abs(forecast - y[-24:]).mean() < 30)
    True
    >>> bool(((low <= y[-24:]) & (y[-24:] <= high)).mean() > 0.7)
    True

    A year later its observations are taken in, and nothing is trained again:

    >>> forecaster.update(y[-24:-12]).predict(12).shape
    (12,)
    """

    _loss = "squared_error"
    _score_name = "negated squared error"
    _choices: Choices
    _direct: direct.Direct
    _state: Any
    _stands_for: dict[str, Any]

    hidden_layer_sizes: Any = positional(default="auto", kw_only=False)
    horizon: int | str | None = "auto"
    season_length: Any = "auto"
    differences: Any = "auto"
    transform: str | None = "auto"
    cv: int | None = 5
    n_paths: int = 500
    window: Any = "auto"
    dropout: Any = "auto"
    forget_bias: float | str = 1.0
    learning_rate: str = "cosine"
    learning_rate_init: Any = "auto"
    max_iter: int = 30
    early_stopping: bool = False
    n_iter_no_change: int = 20

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LSTMEstimator._parameter_constraints,
        **StepEstimator._parameter_constraints,
        **DatedEstimator._parameter_constraints,
        "hidden_layer_sizes": [StrOptions({"auto"}), *LSTMEstimator._parameter_constraints["hidden_layer_sizes"]],
        "horizon": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "season_length": [Number(Integral, 2, None, closed="left"), tuple, list, StrOptions({"auto"}), None],
        "differences": [Number(Integral, 1, None, closed="left"), tuple, list, StrOptions({"auto"})],
        "transform": [StrOptions({"log", "sqrt", "auto"}), None],
        "window": [StrOptions({"auto"}), *StepEstimator._parameter_constraints["window"]],
        "dropout": [StrOptions({"auto"}), *LSTMEstimator._parameter_constraints["dropout"]],
        "learning_rate_init": [StrOptions({"auto"}), *LSTMEstimator._parameter_constraints["learning_rate_init"]],
        "cv": [Number(Integral, 2, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "forget_bias": [Number(Real, None, None, closed="neither"), StrOptions(set(NAMED))],
        "max_iter": [Number(Integral, 1, None, closed="left")],
        "n_iter_no_change": [Number(Integral, 1, None, closed="left")],
        "n_paths": [Number(Integral, 1, None, closed="left")],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        tags.target_tags.multi_output = True
        return tags

    def _n_outputs(self) -> int:
        return self.n_series_

    @_warns_of_order
    @fits
    def fit(self, y: Any, X: Any = None, *, X_past: Any = None, static: Any = None) -> Self:
        """Learn a series, or several.

        The series comes first, unlike in scikit-learn's ``fit(X, y)``.

        Parameters
        ----------
        y : array-like (n_steps,) or (n_steps, n_series), or list of them; or with dates
            The values, oldest first; finite. With dates: a pandas Series or DataFrame that has them for index, with a
            MultiIndex of series and date for several; a long DataFrame, of pandas or polars, with the columns
            ``unique_id``, ``ds`` and ``y``; a dict or list of pandas Series.
        X : array-like (n_steps,) or (n_steps, n_features), or list of them, or with dates, default=None
            What is known of each step ahead of it; finite. With dates it has the form of y, or one index of dates for
            all series, and may have more dates than y.
        X_past : as X, default=None
            What is known of each step, but not ahead of it. The direct way alone reads it.
        static : array-like (n_series, n_columns), DataFrame or dict, default=None
            Numbers that tell series apart. With names of series: a DataFrame that has them for index, or in the column
            ``unique_id``, or a dict.

        Returns
        -------
        self : LSTMForecaster
            The fitted estimator, ready to forecast what follows y.
        """
        return self._fit_series(X, y, X_past, static)

    @_warns_of_order
    @fits
    def partial_fit(self, y: Any, X: Any = None, *, X_past: Any = None, static: Any = None) -> Self:
        """Use the given series for one epoch, going on from what was learnt before. Forecasts then follow their ends.

        The first call, where there was no `fit`, finds the season, the transforms and the way from y, and makes the
        network. Those stay, as does what scales X. Each series is scaled by itself, as in `fit`: so give it with its
        past, of which `update` has no need. They may be others than before, and as many as you like.

        The solver keeps its memory between calls. The learning rate is `learning_rate_init`, whatever `learning_rate`
        says. Errors, of which standard deviations and quantiles are made, stay those of the last `fit`; of the
        recursive way as long as there are as many series. Without a `fit` there are none.

        Parameters
        ----------
        y, X, X_past, static
            As in `fit`.

        Returns
        -------
        self : LSTMForecaster
            The fitted estimator, ready to forecast what follows y.
        """
        return self._fit_series(X, y, X_past, static, is_partial=True)

    def _loss_and_parameter(self) -> tuple[str, float]:
        return self._losses()[0], 0.0

    def _losses(self) -> list[str]:
        return [self._loss if self._choices.horizon is None else "absolute_error"]

    def _fit_series(self, X: Any, y: Any, X_past: Any, static: Any, *, is_partial: bool = False) -> Self:
        check_y_given(self, y)
        if is_partial and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        is_fitted = hasattr(self, "_model")
        is_first, continues = not (is_partial and is_fitted), is_fitted and self.warm_start
        before = None if is_first else self._beside_y
        y, X = self._learn_form(y, X, X_past, static)
        if is_first:
            self._dtype = self.dtype
            series = self._read_y(y, reset=not continues, transforms=(self.transform,))
            exogenous = self._read_X(X, [len(values) for values in series], reset=not continues)
            self._choose(choose(self, series))
        else:
            series, exogenous = self._read_others(y, X, before)
        if self._n_past and self._choices.horizon is None:
            raise ValueError(
                "X_past is read by the direct way only: horizon must be 'auto' or an integer, and differences 'auto', "
                f"got {self.horizon} and {self.differences}"
            )
        self._naive_error = np.stack([naive_error(values, self._season()) for values in series])
        if is_partial:
            self._way.partial_fit(self, X, y, series, exogenous, is_first=is_first)
        else:
            self._way.fit(self, X, y, series, exogenous, continues=continues)
        if is_first:
            self._path_seed = self._random_state.randint(np.iinfo(np.int32).max)
        return self

    def _read_others(self, y: Any, X: Any, before: Any) -> tuple[list[Array], list[Array]]:
        """Return other series, and what is known beside them, read by what was found `before`."""
        series = self._read_y(y, reset=False)
        exogenous = self._read_X(X, [len(values) for values in series], reset=False)
        if self._beside_y != before:
            raise ValueError(f"X_past and static must have as many columns as before, {before}, got {self._beside_y}")
        return series, exogenous

    @property
    def _way(self) -> Any:
        """The file that has how series are forecast."""
        return recursive if self._choices.horizon is None else direct

    def _choose(self, choices: Choices) -> None:
        """Note how series are forecast."""
        self._choices = choices
        self._stands_for = RECURSIVE if choices.horizon is None else direct.FEW
        seasons, transforms = choices.seasons, choices.transforms
        self.season_length_ = seasons if len(seasons) > 1 else seasons[0] if seasons else None
        self.transform_ = transforms if len(set(transforms)) > 1 else transforms[0]
        self.differences_, self.horizon_ = choices.lags, choices.horizon

    def _as_read(self, data: Data, dtype: npt.DTypeLike) -> Data:
        return data  # it is read already

    def predict(
        self, n_steps: int, X: Any = None, *, return_std: bool = False, quantiles: npt.ArrayLike | None = None
    ) -> Any:
        """Forecast the steps that follow the series.

        Parameters
        ----------
        n_steps : int
            How many.
        X : array-like (n_steps,) or (n_steps, n_features), or list of them, default=None
            What is known of those steps; given if it was in `fit`.
        return_std : bool, default=False
            Whether to return how far the future is from the forecast, as a root mean square.
        quantiles : array-like (n_quantiles,), default=None
            Probabilities in (0, 1): the future is below their quantile that often.

        Returns
        -------
        forecast : ndarray (n_steps,) or (n_steps, n_series), or list of them
            Of the form of y in `fit`. Where that had dates, with those that follow; and all of the below in one
            DataFrame beside it, by columns ``y_std``, ``y_q0.05``, ..., with the name of y.
        std : ndarray or list
            Of the same form; only with `return_std`.
        bounds : ndarray (n_quantiles, n_steps) or (n_quantiles, n_steps, n_series), or list of them
            The quantiles; only with `quantiles`. So ``(low, high) = bounds`` are quantiles of one series, but of a list
            of two ``(low, high) = zip(*bounds)``; it warns where there are as many series as quantiles.
        """
        check_is_fitted(self, "_model")
        n_steps = check_int(n_steps, "n_steps", 1)
        probabilities = None if quantiles is None else as_probabilities(quantiles)
        X = self._known_ahead(X, n_steps)
        exogenous = self._read_X(X, [n_steps] * len(self._naive_error), reset=False)
        asked = self._ask(n_steps, exogenous, return_std, probabilities)
        if self._form is not None:
            return self._dated(n_steps, named(*asked, probabilities))
        results = [self._as_y(result) for result in asked if result is not None]
        if probabilities is not None and 1 < len(probabilities) == len(self._naive_error):
            n = len(probabilities)
            warnings.warn(
                f"bounds has an entry for each of the {n} series, not for each of the {n} quantiles: where "
                "quantiles are unpacked, as in `(low, high) = bounds`, write `zip(*bounds)`. Where series are, "
                "all is well, and one quantile more, such as 0.5, leaves nothing to mix up",
                stacklevel=2,
            )
        return results[0] if len(results) == 1 else tuple(results)

    def sample_paths(self, n_steps: int, X: Any = None) -> Any:
        """Return what may come, as paths: of a sum, a maximum or the like over several steps they say how sure it is.

        At each step they are spread as `predict` says by quantiles. A path of the recursive way has read itself. Of the
        direct way, its errors are large and small where those of one forecast were that the errors are taken from.

        Parameters
        ----------
        n_steps, X
            As in `predict`.

        Returns
        -------
        ndarray (2 * n_paths, n_steps) or (2 * n_paths, n_steps, n_series), or list of them
            `n_paths` paths and, behind them, their mirror images about the forecast, as far as the transform lets them
            be; the same at each call. Those of several series have nothing to do with each other. Where y had dates, a
            column for each path: ``y_path0``, ``y_path1``, ...
        """
        check_is_fitted(self, "_model")
        n_steps = check_int(n_steps, "n_steps", 1)
        exogenous = self._read_X(self._known_ahead(X, n_steps), [n_steps] * len(self._naive_error), reset=False)
        paths: list[Array] = self._way.paths(self, n_steps, exogenous)
        if self._form is None:
            return self._as_y(paths)
        return self._dated(n_steps, {f"_path{k}": [of[k] for of in paths] for k in range(len(paths[0]))})

    def _ask(
        self, n_steps: int, exogenous: list[Array], return_std: bool, probabilities: Array | None
    ) -> tuple[list[Array], list[Array] | None, list[Array] | None]:
        """Return forecasts and, where they are wanted, standard deviations and quantiles for each series."""
        said: tuple[list[Array], list[Array] | None, list[Array] | None]
        said = self._way.predict(self, n_steps, exogenous, return_std, probabilities)
        return said

    def update(self, y: Any, X: Any = None, *, X_past: Any = None) -> Self:
        """Take in what was observed since: forecasts then go on from there. Weights and scales stay as they are.

        Parameters
        ----------
        y : array-like (n_steps,) or (n_steps, n_series), or list of them
            The values that follow those known so far; of the form of y in `fit`.
        X : array-like (n_steps,) or (n_steps, n_features), or list of them, default=None
            What belongs to them; given if it was in `fit`.
        X_past : as X, default=None
            The same of what is not known ahead. None is what it was on average.

        Returns
        -------
        self : LSTMForecaster
            The same estimator, a few steps on.
        """
        check_is_fitted(self, "_model")
        return self._go_on(*self._follow_form(y, X, X_past))

    def _go_on(self, y: Any, X: Any, form: Frames | None) -> Self:
        """Take in what follows, as arrays or lists of them; its form ends where it does."""
        if self._choices.horizon is not None:
            self._direct = direct.observe(self, y, X)
        else:
            steps, last, tails = recursive.observe(self, y, X)
            self._state = self._model.predict(steps, self._state)[1]
            self._last, self._tails = last, tails
        self._form = form
        return self

    def _last_values(self) -> list[Array]:
        values: list[Array] = self._way.last_values(self)
        return values

    def stream(  # type: ignore[override]  # of series, not of steps
        self, y: Any = None, X: Any = None, *, X_past: Any = None, static: Any = None
    ) -> ForecastStream:
        """Return a `ForecastStream`, which goes on from here value by value; this object stays where it is.

        Parameters
        ----------
        y, X, X_past, static : default=None
            As in `fit`: other series, to go on from in place of those known so far. They are scaled by themselves, with
            seasons of their own, and nothing is learnt of them.

        Returns
        -------
        ForecastStream
        """
        check_is_fitted(self, "_model")
        live = ForecastStream(self)
        if y is not None:
            live._forecaster._begin(y, X, X_past, static)
        return live

    def _begin(self, y: Any, X: Any, X_past: Any, static: Any) -> None:
        """Go on from other series."""
        before = self._beside_y
        series, exogenous = self._read_others(*self._learn_form(y, X, X_past, static), before)
        self._naive_error = np.stack([naive_error(values, self._season()) for values in series])
        self._way.begin(self, series, exogenous)

    def summary(self) -> str:
        """Return what was found in the series, and how they are forecast."""
        check_is_fitted(self, "_model")
        return summary(self, self._choices, None if self._choices.horizon is None else self._direct.window)

    def trace(self, y: Any, X: Any = None, *, hold: Any = None) -> Trace:  # type: ignore[override]  # as in `fit`
        """Return what happens inside the network while it reads what follows the series known so far.

        Parameters
        ----------
        y, X
            As in `update`; but nothing is taken in. Of the direct way, the network reads the last window after that, in
            the view of the level.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        pylstm.Trace
            Of the layers, with a sequence for each series.
        """
        check_is_fitted(self, "_model")
        y, X, _ = self._follow_form(y, X)
        if self._choices.horizon is not None:
            windows = direct.last_windows(direct.observe(self, y, X), self._dtype)
            return trace_steps(self._model, windows._replace(is_dense=not self._given_as_list), None, hold)
        steps, _, _ = recursive.observe(self, y, X)
        return trace_steps(self._model, steps._replace(is_dense=not self._given_as_list), self._state, hold)

    def score(self, y: Any, X: Any = None) -> float:
        """Return the negated mean absolute scaled error (MASE) of the forecast of y.

        The mean absolute error, divided by that of the naive forecast within the series of `fit`: the value a season
        before, by `season_length_`, or where there is none the one `max(differences)` steps before, or the last. So -1
        is as good as naive forecasts of one season, or step, ahead, and 0 is perfect.

        Parameters
        ----------
        y : array-like (n_steps,) or (n_steps, n_series), or list of them
            The values that follow those known so far; in a list all of the same length.
        X : array-like (n_steps,) or (n_steps, n_features), or list of them, default=None
            What belongs to them; given if it was in `fit`.

        Returns
        -------
        float
            At most 0; the mean over all series and columns.
        """
        check_is_fitted(self, "_model")
        y, X, _ = self._follow_form(y, X)
        series = self._read_continuation(y)
        lengths = {len(values) for values in series}
        if len(lengths) > 1:
            raise ValueError(f"y must have series of the same length, got lengths {sorted(lengths)}")
        n_steps = lengths.pop()
        forecasts = self._ask(n_steps, self._read_X(X, [n_steps] * len(series), reset=False), False, None)[0]
        errors = [np.abs(f.reshape(v.shape) - v).mean(axis=0) for f, v in zip(forecasts, series, strict=True)]
        return -float(np.mean(np.stack(errors) / self._naive_error))

    def _season(self) -> int:
        """Return the lag by which naive forecasts repeat what was."""
        return max(self._choices.seasons[:1] or self._choices.lags, default=1)

    # ---- training

    def _hold_out(self, data: Data) -> tuple[Data, Data]:
        return split_ends(data, self.validation_fraction, self.burn_in)

    def _validation_score(self, outputs: Array, targets: Targets) -> float:
        held = targets.weights != 0
        return -float(np.mean(np.square(outputs[held] - targets.values[held])))

    def _describe(self) -> Description:
        described = super()._describe()  # says where there is none
        return described._replace(forecasts=self._way.described(self))

    # ---- save

    def __getstate__(self) -> dict[str, Any]:
        return kept.as_plain(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(kept.from_plain(state))

    def _read_input_state(self, state: State) -> int:
        n_given = super()._read_input_state(state)
        return n_given if self._choices.horizon is None else width(n_given, len(self._choices.transforms))

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values, arrays = super()._get_state()
        values |= {"path_seed": self._path_seed}
        arrays |= {"naive_error": self._naive_error}
        if self.n_features_in_ > 0:
            arrays |= {"X_mean": self._X_mean, "X_scale": self._X_scale}
        of_way = kept.direct_state if self._choices.horizon is not None else kept.recursive_state
        for more_values, more_arrays in (of_way(self), self._form_state()):
            values, arrays = values | more_values, arrays | more_arrays
        return values, arrays

    def _set_state(self, state: State) -> None:
        self._choose(kept.read_choices(state))
        if kept.read_is_much(state):
            self._stands_for = direct.MANY
        read = kept.read_recursive if self._choices.horizon is None else kept.read_direct
        super()._set_state(state)
        self._dtype = self._model.dtype.name
        self._path_seed = state.integer("path_seed", at_least=0, at_most=2**32 - 1)
        if self.n_features_in_ > 0:
            self._X_mean, self._X_scale = (
                state.array(name, ["float64"], (self.n_features_in_,)) for name in ("X_mean", "X_scale")
            )
        n_sequences = read(self, state)
        self._n_past = 0 if self._choices.horizon is None else self._direct.n_past
        self._naive_error = state.array("naive_error", ["float64"], (n_sequences, self.n_series_))
        self._read_form_state(state, n_sequences)
