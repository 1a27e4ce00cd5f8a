"""How far forecasts are off, and the two forecasts that any other is to be better than."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ..._net.inputs import Array

#: Probabilities of the quantiles that a backtest asks for: the ends of intervals of 90 and of 50 %.
PROBABILITIES = (0.05, 0.25, 0.75, 0.95)


class Forecast(NamedTuple):
    """Of one series: (n_steps, n_columns), and its quantiles (n_quantiles, n_steps, n_columns)."""

    values: Array
    quantiles: Array


def seasonal_naive(past: Array, n_steps: int, season: int) -> Forecast:
    """Return each step as it was a season before; Hyndman & Athanasopoulos 2021, 5.2 and 5.5."""
    season = min(season, len(past))
    steps = np.arange(n_steps)
    values = past[len(past) - season + steps % season]
    spread = _spread(past[season:] - past[:-season]) if len(past) > season else np.zeros(past.shape[1])
    return _with_quantiles(values, spread * np.sqrt(1 + steps // season)[:, np.newaxis])


def drift(past: Array, n_steps: int) -> Forecast:
    """Return the line through the first value and the last; Hyndman & Athanasopoulos 2021, 5.2 and 5.5."""
    steps, n = np.arange(1, n_steps + 1)[:, np.newaxis], max(len(past) - 1, 1)
    slope = (past[-1] - past[0]) / n
    return _with_quantiles(
        past[-1] + steps * slope, _spread(np.diff(past, axis=0) - slope) * np.sqrt(steps * (1 + steps / n))
    )


def _spread(errors: Array) -> Array:
    return np.sqrt(np.square(errors).mean(axis=0)) if len(errors) else np.zeros(errors.shape[1])


def _with_quantiles(values: Array, spread: Array) -> Forecast:
    return Forecast(values, values + ndtri(PROBABILITIES)[:, np.newaxis, np.newaxis] * spread)


def errors_of(pasts: list[Array], futures: list[Array], forecasts: list[Forecast], season: int) -> dict[str, float]:
    """Return errors of the forecasts of some series, means over all steps and columns, and over series.

    MASE and pinball loss are in units of the mean absolute difference over a season in the past (Hyndman & Koehler
    2006), sMAPE is in percent, of 0 to 200 (Makridakis & Hibon 2000), WAPE the sum of absolute errors by that of
    absolute values. The pinball loss is twice the mean over the quantiles, so that that of the median alone would be
    the absolute error.
    """
    rows = []
    absolute = total = 0.0
    for past, future, forecast in zip(pasts, futures, forecasts, strict=True):
        lag = season if len(past) > season else 1
        scale = np.abs(past[lag:] - past[:-lag]).mean(axis=0) if len(past) > lag else np.ones(past.shape[1])
        scale = np.where(scale > 0, scale, 1.0)
        error = np.abs(forecast.values - future)
        size = np.abs(forecast.values) + np.abs(future)
        below = future - forecast.quantiles
        probabilities = np.array(PROBABILITIES)[:, np.newaxis, np.newaxis]
        pinball = 2 * np.maximum(probabilities * below, (probabilities - 1) * below)
        low, lower, upper, high = forecast.quantiles
        rows.append(
            (
                (error / scale).mean(),
                200 * np.divide(error, size, out=np.zeros_like(error), where=size > 0).mean(),
                (pinball / scale).mean(),
                ((low <= future) & (future <= high)).mean(),
                ((lower <= future) & (future <= upper)).mean(),
            )
        )
        absolute += error.sum()
        total += np.abs(future).sum()
    mase, smape, pinball, in_90, in_50 = map(float, np.mean(rows, axis=0))
    return {
        "MASE": mase,
        "sMAPE": smape,
        "WAPE": absolute / total if total > 0 else np.nan,
        "pinball": pinball,
        "coverage_90": in_90,
        "coverage_50": in_50,
    }
