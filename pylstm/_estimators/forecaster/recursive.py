"""Forecasts of one step after the other, each fed back: how the network is trained, asked, and goes on."""

from typing import Any

import numpy as np

from ..._net.describe import RecursiveForecasts
from ..._net.inputs import Array, Steps
from ..scaling import moments
from ..targets import Targets
from ..training import Data
from .paths import draw_errors, errors_in_blocks, run_on
from .series import TRANSFORMS, difference


def fit(forecaster: Any, X: Any, y: Any, series: list[Array], exogenous: list[Array], *, continues: bool) -> None:
    """Learn series, and note what forecasts go on from."""
    data = _read(forecaster, series, exogenous, n_blocks=forecaster.cv or 0)
    end = forecaster._fit_data(X, y, None, data, continues=continues)
    forecaster._state = forecaster._model.predict(data.steps)[1]
    forecaster._errors = None if forecaster.cv is None or end == "interrupt" else errors_in_blocks(forecaster, data)


def partial_fit(
    forecaster: Any, X: Any, y: Any, series: list[Array], exogenous: list[Array], *, is_first: bool
) -> None:
    """Learn series for an epoch, and note what forecasts go on from. Errors stay those that were made in `fit`."""
    data = _read(forecaster, series, exogenous, n_blocks=0)
    forecaster._partial_fit_data(X, y, None, data, is_first=is_first)
    _end(forecaster, data, errors=None if is_first else forecaster._errors)


def begin(forecaster: Any, series: list[Array], exogenous: list[Array]) -> None:
    """Go on from the ends of series, of which nothing is learnt."""
    _end(forecaster, _read(forecaster, series, exogenous, n_blocks=0), errors=forecaster._errors)


def _end(forecaster: Any, data: Data, errors: list[Array] | None) -> None:
    """Note the state of the net after all steps, and the errors, if there are as many series as they are of."""
    forecaster._state = forecaster._model.predict(data.steps)[1]
    forecaster._errors = None if errors is None or len(errors) != len(data.steps.lengths) else errors


def _read(forecaster: Any, series: list[Array], exogenous: list[Array], *, n_blocks: int) -> Data:
    """Return what is learnt of series, and note how they are read and where they end."""
    lags = forecaster._choices.lags
    forward = TRANSFORMS[forecaster._choices.transforms[0]][0]
    _check_long_enough(forecaster, series, lags, n_blocks)

    transformed = [forward(values) for values in series]
    differenced, forecaster._tails = zip(*(difference(values, lags) for values in transformed), strict=True)
    forecaster._mean, forecaster._scale = (np.stack(each) for each in zip(*map(moments, differenced), strict=True))
    scaled = forecaster._scaled(differenced)
    steps = forecaster._as_steps([values[:-1] for values in scaled], [x[sum(lags) + 1 :] for x in exogenous])
    forecaster._last = np.stack([values[-1] for values in scaled])
    values = np.concatenate([values[1:] for values in scaled]).astype(forecaster._dtype)
    return Data(steps, Targets(values, forecaster._step_weights(None, steps, np.ones(len(values), bool))))


def _check_long_enough(forecaster: Any, series: list[Array], lags: tuple[int, ...], n_blocks: int) -> None:
    """Refuse series that leave a block without a step to learn."""
    least = sum(lags) + 1 + forecaster.burn_in + max(2, n_blocks)
    of_blocks = f" and cv={n_blocks}" if n_blocks else ""
    for index, values in enumerate(series):
        if len(values) < least:
            called = f"y[{index}]" if forecaster._given_as_list else "y"
            raise ValueError(
                f"{called} must have at least {least} steps with differences={lags}, "
                f"burn_in={forecaster.burn_in}{of_blocks}, got {len(values)}"
            )


def predict(
    forecaster: Any, n_steps: int, exogenous: list[Array], return_std: bool, probabilities: Array | None
) -> tuple[list[Array], list[Array] | None, list[Array] | None]:
    """Return forecasts and, where they are wanted, standard deviations and quantiles for each series."""
    undo = TRANSFORMS[forecaster._choices.transforms[0]][1]
    centres = run_on(forecaster, n_steps, exogenous)
    forecasts = [undo(centre[:, 0]) for centre in centres]
    if not return_std and probabilities is None:
        return forecasts, None, None
    samples = _samples(forecaster, n_steps, exogenous, centres)
    std = quantiles = None
    if return_std:
        squares = [np.square(undo(sample) - undo(centre)) for centre, sample in zip(centres, samples, strict=True)]
        std = [np.sqrt(square.mean(axis=1)) for square in squares]
    if probabilities is not None:
        quantiles = [undo(np.quantile(sample, probabilities, axis=1)) for sample in samples]
    return forecasts, std, quantiles


def paths(forecaster: Any, n_steps: int, exogenous: list[Array]) -> list[Array]:
    """Return sample paths of each series (2 * n_paths, n_steps, n_columns); the same at each call."""
    undo = TRANSFORMS[forecaster._choices.transforms[0]][1]
    samples = _samples(forecaster, n_steps, exogenous, run_on(forecaster, n_steps, exogenous))
    return [undo(np.swapaxes(sample, 0, 1)) for sample in samples]


def _samples(forecaster: Any, n_steps: int, exogenous: list[Array], centres: list[Array]) -> list[Array]:
    """Return, transformed, paths and behind them their mirror images (n_steps, 2 * n_paths, n_columns)."""
    paths = run_on(forecaster, n_steps, exogenous, draw_errors(forecaster, n_steps))
    return [np.concatenate([path, 2 * centre - path], axis=1) for centre, path in zip(centres, paths, strict=True)]


def observe(forecaster: Any, y: Any, X: Any) -> tuple[Steps, Array, tuple[Any, ...]]:
    """Return the steps that the network reads of what follows, and what will be `_last` and `_tails` then."""
    series = forecaster._read_continuation(y)
    exogenous = forecaster._read_X(X, [len(values) for values in series], reset=False)
    differenced, tails = zip(
        *(
            difference(TRANSFORMS[forecaster._choices.transforms[0]][0](values), forecaster._choices.lags, tail)
            for values, tail in zip(series, forecaster._tails, strict=True)
        ),
        strict=True,
    )
    scaled = forecaster._scaled(differenced)
    read = [
        np.concatenate([last[np.newaxis], values[:-1]]) for last, values in zip(forecaster._last, scaled, strict=True)
    ]
    return forecaster._as_steps(read, exogenous), np.stack([values[-1] for values in scaled]), tails


def last_values(forecaster: Any) -> list[Array]:
    """Return the last value that is known of each series (n_columns,)."""
    f = forecaster
    undo, has_lags = TRANSFORMS[f._choices.transforms[0]][1], len(f._choices.lags) > 0
    transformed = [tails[0][-1] for tails in f._tails] if has_lags else f._last * f._scale + f._mean
    return [undo(values) for values in transformed]


def described(forecaster: Any) -> RecursiveForecasts:
    """Return how forecasts are made, and what they go on from."""
    f, choices = forecaster, forecaster._choices
    of_series = f._mean, f._scale, list(f._tails), f._last
    return RecursiveForecasts(choices.transforms[0], choices.lags, *of_series, f._scaling_of_X, f._state)
