"""`LSTMForecaster`: the next values of a series, or of several."""

import warnings
from functools import wraps
from numbers import Integral, Real
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ..._net.cells import STATES
from ..._net.describe import Description
from ..._net.initialisation import SPREAD
from ..._net.inputs import Array, Steps, as_numbers, check_int
from ..._net.trace import Trace, trace_steps
from ..base import LSTMEstimator
from ..fits import Method, fits
from ..held_out import split_ends
from ..hyperparameters import Number
from ..per_step import StepEstimator
from ..scaling import moments
from ..state import State
from ..targets import Targets, check_y_given
from ..training import Data
from .forms import SeriesEstimator
from .paths import draw_errors, errors_in_blocks, run_on
from .series import TRANSFORMS, difference, is_list, naive_error


def _warns_of_order(fit: Method) -> Method:
    """Make `fit(y, X)` warn where, by place, it was given what looks like X and y: more columns before fewer."""

    @wraps(fit)
    def checked(forecaster: Any, *args: Any, **keywords: Any) -> Any:
        if len(args) == 2:
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


class LSTMForecaster(SeriesEstimator):
    """Forecast the next values of a series, or of several, by an LSTM.

    The network reads a value at each step and learns to say the next one. Its state after the last value of the series
    is kept, and forecasts go on from there, each fed back as the next input: a step costs the same however long the
    series is. What it reads is the series transformed, differenced and scaled; forecasts are on the scale of y.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(64,)
        Units of each LSTM layer, the first next to the input.
    differences : int or tuple of int, default=()
        Lags at which the series is differenced before it is learnt, one after the other: 1 for a trend, the length of
        the season for a season that repeats, ``(12, 1)`` for both. Leave a cycle that varies in length to the network.
    transform : {"log", "sqrt"} or None, default=None
        What is done to y first: "log" (of positive y) where it varies in proportion to its level, "sqrt" (of y that is
        not negative) between that and None, as counts do.
    cv : int or None, default=5
        Blocks that each series is cut into; for each, a network is trained with the others, and its errors there say
        how uncertain forecasts are. None does without, for a shorter `fit`; then `predict` gives forecasts only.
    n_paths : int, default=500
        Sample paths that standard deviations and quantiles are taken from.
    window : int or None, default=24
        Train by truncated back-propagation through time on so many steps at once, the state carried from window to
        window, an update for each. None takes series whole.
    burn_in : int, default=0
        Steps at the start of each series that have no part in the loss, while the state settles.
    dropout : float in [0, 1), default=0.2
        Probability that an output of an LSTM layer is zeroed during training, the last layer's too.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN's units; not read for others.
    forget_bias : float, "chrono" or "mixed", default=1.0
        Initial bias of the forget gates. "chrono" spreads the spans that units remember up to the longest series
        (Tallec & Ollivier 2018); "mixed" does so for half of them, the others have 1.
    solver : {"adam", "sgd", "rmsprop"}, default="adam"
        What makes updates of gradients.
    alpha : float, default=0.0001
        Strength of the L2 penalty on the weights, divided by the mini-batch's total weight as in `MLPRegressor`.
    batch_size : int or "auto", default="auto"
        Series per mini-batch; "auto" is ``min(16, n_series)``.
    learning_rate : {"auto", "constant", "invscaling", "adaptive", "cosine", "settling"}, default="cosine"
        Its course over the epochs, as for `LSTMRegressor`.
    learning_rate_init : float, default=0.003
        The learning rate of the first epoch.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=30
        Most epochs: how often each series is used.
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
    n_iter_ : int
        Epochs run.
    n_updates_ : int
        Updates of the weights, one for each mini-batch or window; with `warm_start` those of the last `fit`.
    loss_ : float
        Mean training loss of the last epoch: the squared error of one-step forecasts of the scaled series.
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
    series of their own lengths, which one network learns; each has its own scale and its own state.

    What never varies, be it a column of y or its differences, is forecast as that, with a standard deviation of 0. The
    network does not read it.

    X holds what is known of each step ahead of it, such as the weekday or a price: row t of X belongs to row t of y,
    and the forecast of a step has read its X.

    The forecast is what the network says when fed its own forecasts. For `return_std` and `quantiles` it is fed its own
    forecasts plus errors instead: errors that networks trained with the other blocks made in each of the `cv` blocks,
    drawn with a random sign. These paths and, before `transform` is undone, their mirror images about the forecast are
    the sample, so that the forecast is its median. That the weights themselves are uncertain is not in it, nor that the
    future may be unlike all of the past.

    Ctrl-C during `fit` ends it with the best weights so far and a warning, and without what `return_std` and
    `quantiles` need. scikit-learn's callbacks
    (1.9 and later) are taken by `set_callbacks`: each epoch is a task.

    Examples
    --------
    Two years of airline passengers, with the range that nine of ten months should be in:

    >>> from pylstm import LSTMForecaster
    >>> from pylstm.datasets import load_airline
    >>> y = load_airline()
    >>> forecaster = LSTMForecaster(differences=12, transform="sqrt", random_state=0).fit(y[:-24])
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

    differences: Any = ()
    transform: str | None = None
    cv: int | None = 5
    n_paths: int = 500
    window: int | None = 24
    dropout: float = 0.2
    forget_bias: float | str = 1.0
    learning_rate: str = "cosine"
    learning_rate_init: float = 0.003
    max_iter: int = 30
    early_stopping: bool = False
    n_iter_no_change: int = 20

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LSTMEstimator._parameter_constraints,
        **StepEstimator._parameter_constraints,
        "differences": [Number(Integral, 1, None, closed="left"), tuple, list],
        "transform": [StrOptions({"log", "sqrt"}), None],
        "cv": [Number(Integral, 2, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "forget_bias": [Number(Real, None, None, closed="neither"), StrOptions(set(SPREAD))],
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
    def fit(self, y: Any, X: Any = None) -> Self:
        """Learn a series, or several.

        The series comes first, unlike in scikit-learn's ``fit(X, y)``.

        Parameters
        ----------
        y : array-like (n_steps,) or (n_steps, n_series), or list of them
            The values, oldest first; finite.
        X : array-like (n_steps,) or (n_steps, n_features), or list of them, default=None
            What is known of each step ahead of it; finite.

        Returns
        -------
        self : LSTMForecaster
            The fitted estimator, ready to forecast what follows y.
        """
        return self._fit_series(X, y)

    def _fit_series(self, X: Any, y: Any) -> Self:
        check_y_given(self, y)
        continues = self.warm_start and hasattr(self, "_model")
        self._lags = lags = self._read_differences()
        self._transform, self._dtype = self.transform, self.dtype
        series = self._read_y(y, reset=not continues)
        exogenous = self._read_X(X, [len(values) for values in series], reset=not continues)
        self._check_long_enough(series, lags)

        transformed = [TRANSFORMS[self._transform][0](values) for values in series]
        differenced, self._tails = zip(*(difference(values, lags) for values in transformed), strict=True)
        self._mean, self._scale = (np.stack(each) for each in zip(*map(moments, differenced), strict=True))
        scaled = self._scaled(differenced)
        steps = self._as_steps([values[:-1] for values in scaled], [x[sum(lags) + 1 :] for x in exogenous])
        values = np.concatenate([values[1:] for values in scaled]).astype(self._dtype)
        data = Data(steps, Targets(values, self._step_weights(None, steps, np.ones(len(values), bool))))

        end = self._fit_data(X, y, None, data, continues=continues)

        self._state = self._model.predict(steps)[1]
        self._last = np.stack([values[-1] for values in scaled])
        self._naive_error = np.stack([naive_error(values, max(lags, default=1)) for values in series])
        self._errors = None if self.cv is None or end == "interrupt" else errors_in_blocks(self, data)
        self._path_seed = self._random_state.randint(np.iinfo(np.int32).max)
        return self

    def _read_differences(self) -> tuple[int, ...]:
        lags = self.differences if isinstance(self.differences, tuple | list) else (self.differences,)
        return tuple(check_int(lag, "differences", 1) for lag in lags)

    def _check_long_enough(self, series: list[Array], lags: tuple[int, ...]) -> None:
        """Refuse series that leave a block without a step to learn."""
        least = sum(lags) + 1 + self.burn_in + max(2, self.cv or 0)
        for index, values in enumerate(series):
            if len(values) < least:
                called = f"y[{index}]" if self._given_as_list else "y"
                raise ValueError(
                    f"{called} must have at least {least} steps with differences={self.differences}, "
                    f"burn_in={self.burn_in} and cv={self.cv}, got {len(values)}"
                )

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
            Of the form of y in `fit`.
        std : ndarray or list
            Of the same form; only with `return_std`.
        bounds : ndarray (n_quantiles, n_steps) or (n_quantiles, n_steps, n_series), or list of them
            The quantiles; only with `quantiles`. So ``(low, high) = bounds`` are quantiles of one series, but of a list
            of two ``(low, high) = zip(*bounds)``; it warns where there are as many series as quantiles.
        """
        check_is_fitted(self, "_model")
        n_steps = check_int(n_steps, "n_steps", 1)
        probabilities = None if quantiles is None else as_numbers(quantiles, "quantiles", 1, "(n_quantiles,)", float)
        if probabilities is not None and not ((probabilities > 0) & (probabilities < 1)).all():
            raise ValueError(f"quantiles must be in (0, 1), got {quantiles!r}")
        exogenous = self._read_X(X, [n_steps] * len(self._last), reset=False)
        undo = TRANSFORMS[self._transform][1]
        centres = run_on(self, n_steps, exogenous)
        results = [self._as_y([undo(centre[:, 0]) for centre in centres])]
        if return_std or probabilities is not None:
            paths = run_on(self, n_steps, exogenous, draw_errors(self, n_steps))
            samples = [
                np.concatenate([path, 2 * centre - path], axis=1) for centre, path in zip(centres, paths, strict=True)
            ]
            if return_std:
                squares = [
                    np.square(undo(sample) - undo(centre)) for centre, sample in zip(centres, samples, strict=True)
                ]
                results.append(self._as_y([np.sqrt(square.mean(axis=1)) for square in squares]))
            if probabilities is not None:
                results.append(self._as_y([undo(np.quantile(sample, probabilities, axis=1)) for sample in samples]))
                if 1 < len(probabilities) == len(samples):
                    n = len(samples)
                    warnings.warn(
                        f"bounds has an entry for each of the {n} series, not for each of the {n} quantiles: where "
                        "quantiles are unpacked, as in `(low, high) = bounds`, write `zip(*bounds)`. Where series are, "
                        "all is well, and one quantile more, such as 0.5, leaves nothing to mix up",
                        stacklevel=2,
                    )
        return results[0] if len(results) == 1 else tuple(results)

    def update(self, y: Any, X: Any = None) -> Self:
        """Take in what was observed since: forecasts then go on from there. Weights and scales stay as they are.

        Parameters
        ----------
        y : array-like (n_steps,) or (n_steps, n_series), or list of them
            The values that follow those known so far; of the form of y in `fit`.
        X : array-like (n_steps,) or (n_steps, n_features), or list of them, default=None
            What belongs to them; given if it was in `fit`.

        Returns
        -------
        self : LSTMForecaster
            The same estimator, a few steps on.
        """
        check_is_fitted(self, "_model")
        steps, last, tails = self._observe(y, X)
        self._state = self._model.predict(steps, self._state)[1]
        self._last, self._tails = last, tails
        return self

    def _observe(self, y: Any, X: Any) -> tuple[Steps, Array, tuple[Any, ...]]:
        """Return the steps that the network reads of what follows, and what will be `_last` and `_tails` then."""
        series = self._read_continuation(y)
        exogenous = self._read_X(X, [len(values) for values in series], reset=False)
        differenced, tails = zip(
            *(
                difference(TRANSFORMS[self._transform][0](values), self._lags, tail)
                for values, tail in zip(series, self._tails, strict=True)
            ),
            strict=True,
        )
        scaled = self._scaled(differenced)
        read = [
            np.concatenate([last[np.newaxis], values[:-1]]) for last, values in zip(self._last, scaled, strict=True)
        ]
        return self._as_steps(read, exogenous), np.stack([values[-1] for values in scaled]), tails

    def trace(self, y: Any, X: Any = None, *, hold: Any = None) -> Trace:  # type: ignore[override]  # as in `fit`
        """Return what happens inside the network while it reads what follows the series known so far.

        Parameters
        ----------
        y, X
            As in `update`; but nothing is taken in.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        pylstm.Trace
            Of the layers, with a sequence for each series.
        """
        check_is_fitted(self, "_model")
        steps, _, _ = self._observe(y, X)
        return trace_steps(self._model, steps._replace(is_dense=not self._given_as_list), self._state, hold)

    def score(self, y: Any, X: Any = None) -> float:
        """Return the negated mean absolute scaled error (MASE) of the forecast of y.

        The mean absolute error, divided by that of the naive forecast within the series of `fit`: the last value, or
        the one `max(differences)` steps before. So -1 is as good as naive forecasts of one step, or season, ahead, and
        0 is perfect.

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
        series = self._read_continuation(y)
        lengths = {len(values) for values in series}
        if len(lengths) > 1:
            raise ValueError(f"y must have series of the same length, got lengths {sorted(lengths)}")
        forecast = self.predict(lengths.pop(), X)
        forecasts = forecast if self._given_as_list else [forecast]
        errors = [np.abs(f.reshape(v.shape) - v).mean(axis=0) for f, v in zip(forecasts, series, strict=True)]
        return -float(np.mean(np.stack(errors) / self._naive_error))

    # ---- training

    def _hold_out(self, data: Data) -> tuple[Data, Data]:
        return split_ends(data, self.validation_fraction, self.burn_in)

    def _validation_score(self, outputs: Array, targets: Targets) -> float:
        held = targets.weights != 0
        return -float(np.mean(np.square(outputs[held] - targets.values[held])))

    def _describe(self) -> Description:
        return super()._describe()._replace(state=self._state)

    # ---- save

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values, arrays = super()._get_state()
        values |= {"lags": list(self._lags), "transform": self._transform, "path_seed": self._path_seed}
        values["n_errors"] = None if self._errors is None else [len(errors) for errors in self._errors]
        arrays |= {"last": self._last, "mean": self._mean, "scale": self._scale, "naive_error": self._naive_error}
        if self.n_features_in_ > 0:
            arrays |= {"X_mean": self._X_mean, "X_scale": self._X_scale}
        if self._errors is not None:
            arrays["errors"] = np.concatenate(self._errors)
        for k, tails in enumerate(zip(*self._tails, strict=True)):
            arrays[f"tail_{k}"] = np.stack(tails)
        for layer, of_layer in enumerate(self._state):
            arrays |= {f"{letter}_l{layer}": values for letter, values in zip("hc", of_layer, strict=False)}
        return values, arrays

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._dtype = self._model.dtype.name
        self._lags = tuple(state.integers("lags", at_least=1))
        self._transform = state.choice("transform", TRANSFORMS)
        self._path_seed = state.integer("path_seed", at_least=0, at_most=2**32 - 1)
        self._last = state.array("last", ["float64"], (None, self.n_series_), at_least=1)
        n_sequences = len(self._last)
        if n_sequences > 1 and not self._given_as_list:
            raise ValueError(f"last must be of one series, as given_as_list is false, got {n_sequences}")
        each = (n_sequences, self.n_series_)
        self._mean, self._scale, self._naive_error = (
            state.array(name, ["float64"], each) for name in ("mean", "scale", "naive_error")
        )
        if self.n_features_in_ > 0:
            self._X_mean, self._X_scale = (
                state.array(name, ["float64"], (self.n_features_in_,)) for name in ("X_mean", "X_scale")
            )
        tails = [
            state.array(f"tail_{k}", ["float64"], (n_sequences, lag, self.n_series_))
            for k, lag in enumerate(self._lags)
        ]
        self._tails = tuple([tail[k] for tail in tails] for k in range(n_sequences))
        letters = STATES[self._model.cell]
        self._state = [
            tuple(state.array(f"{letter}_l{layer}", [self._dtype], (1, n_sequences, hidden)) for letter in letters)
            for layer, hidden in enumerate(self._model.hidden_sizes)
        ]
        self._errors = None
        if not state.null("n_errors"):
            lengths = state.integers("n_errors", at_least=1, exactly_long=n_sequences)
            errors = state.array("errors", [self._dtype], (sum(lengths), self.n_series_))
            self._errors = np.split(errors, np.cumsum(lengths)[:-1])
