"""What is done to time series before they are learnt and undone after: reading them, differences, transforms."""

import warnings
from typing import Any

import numpy as np
from sklearn.utils.validation import assert_all_finite

from ..._net.inputs import Array, as_array, as_numbers

#: What `transform` names, and how it is undone.
TRANSFORMS: dict[str | None, tuple[Any, Any]] = {
    None: (np.asarray, np.asarray),
    "log": (np.log, np.exp),
    "sqrt": (np.sqrt, lambda z: np.square(np.maximum(z, 0))),
}


def difference(values: Array, lags: tuple[int, ...], tails: list[Array] | None = None) -> tuple[Array, list[Array]]:
    """Subtract from each value the one `lag` steps before it, for one lag after the other.

    Parameters
    ----------
    values : ndarray (n_steps, n_series)
    lags : tuple of int
    tails : list of ndarray (lag, n_series), default=None
        What was returned for the values before these; without it the first ``sum(lags)`` steps have no difference.

    Returns
    -------
    differences : ndarray (n_steps, n_series) or (n_steps - sum(lags), n_series)
    tails : list of ndarray (lag, n_series)
        What has to be known to undo the differences that follow.
    """
    ends = []
    for k, lag in enumerate(lags):
        if tails is not None:
            values = np.concatenate([tails[k], values])
        ends.append(values[-lag:].copy())
        values = values[lag:] - values[:-lag]
    return values, ends


def integrate(differences: Array, lags: tuple[int, ...], tails: list[Array]) -> Array:
    """Undo `difference` for the steps that follow `tails`.

    Parameters
    ----------
    differences : ndarray (n_steps, n_paths, n_series)
    lags : tuple of int
    tails : list of ndarray (lag, n_series)

    Returns
    -------
    ndarray (n_steps, n_paths, n_series)
    """
    for lag, tail in reversed(list(zip(lags, tails, strict=True))):
        before = np.broadcast_to(tail[:, np.newaxis], (lag, *differences.shape[1:]))
        values = np.concatenate([before, differences])
        for t in range(lag, len(values)):
            values[t] += values[t - lag]
        differences = values[lag:]
    return differences


def is_list(values: Any) -> bool:
    """Whether `values` are several series: a list or 1-D object array of arrays, not of numbers."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and values.ndim == 1 and len(values) > 0 and np.ndim(values[0]) > 0
    return isinstance(values, list | tuple) and len(values) > 0 and np.ndim(values[0]) > 0


def read_series(values: Any, name: str) -> list[Array]:
    """Return one series or a list of them, each (n_steps,) or (n_steps, n_columns), as float64 arrays."""
    series: list[Array] = []
    several = is_list(values)
    for index, given in enumerate(values if several else [values]):
        called = f"{name}[{index}]" if several else name
        array = as_array(given, called)
        if array.ndim != 1:
            array = as_numbers(given, called, 2, "(n_steps,) or (n_steps, n_columns), or be a list of such", np.float64)
        array = as_numbers(array, called, array.ndim, "", np.float64)
        if array.size == 0:
            raise ValueError(f"{called} must have at least one step and column, got shape {array.shape}")
        if series and array.shape[1:] != series[0].shape[1:]:
            raise ValueError(
                f"{called} must have as many columns as {name}[0], {series[0].shape[1:]}, got {array.shape[1:]}"
            )
        assert_all_finite(array, input_name=called)
        series.append(array)
    return series


def scaled(values: Array, mean: Array, scale: Array, called: str) -> Array:
    """Return what the network reads of values (n_steps, n_columns): of a column that never varied in fit, zeros."""
    still = scale == 0
    if (still & ~np.isclose(values, mean, rtol=1e-9, atol=0)).any():
        warnings.warn(
            f"{called} varies in a column that never did in fit. The network does not read it: fit again", stacklevel=5
        )
    return np.divide(values - mean, scale, out=np.zeros_like(values), where=~still)


def naive_error(values: Array, lag: int) -> Array:
    """Return the mean absolute difference to `lag` steps before; 1 where that is 0, as nothing can be scaled by it.

    Of a series that is not so long, that to the step before.
    """
    if len(values) < 2:
        return np.ones(values.shape[1])
    lag = lag if len(values) > lag else 1
    error = np.abs(values[lag:] - values[:-lag]).mean(axis=0)
    return np.where(error == 0, 1.0, error)
