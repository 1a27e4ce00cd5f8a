"""How a direct net reads series: each in views, transformed, scaled, and less a base that forecasts are added to again.

There is a view of the level, without seasons, whose base is the last value of a window. And there is one for each
season, or of changes from step to step, whose base is the value a season before. Forecasts of all views are averaged.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..._net.inputs import Array
from .season import is_seasonal, late_indices, tiled
from .series import TRANSFORMS


class Views(NamedTuple):
    """The views, of all series alike."""

    lags: tuple[int, ...]
    """Steps back to the base; 0 for that of the level."""
    transforms: tuple[str | None, ...]
    seasons: tuple[int, ...]
    """That are taken from the level."""

    def __len__(self) -> int:
        return len(self.lags)


class Reading(NamedTuple):
    """What is known of each of the n series: by it they are read, and forecasts put together again."""

    scales: npt.NDArray[np.float64]
    """Mean size of changes (n_views, n, n_columns); 1 where nothing changes."""
    varies: npt.NDArray[np.bool_]
    """Whether a column does (n, n_columns)."""
    spread: npt.NDArray[np.float64]
    """Of the level's transform, by which errors are counted (n, n_columns)."""
    indices: list[npt.NDArray[np.float64]]
    """For each season (n, season, n_columns), beginning with the step after the last."""


def views_of(seasons: tuple[int, ...], transforms: tuple[str | None, ...]) -> Views:
    """Return the views for some seasons: that of the level first."""
    return Views((0, *(seasons or (1,))), transforms, seasons)


def read(series: Sequence[Array], views: Views) -> Reading:
    """Return how series (n_steps, n_columns) are read."""
    n_columns = series[0].shape[1]
    scales = np.ones((len(views), len(series), n_columns))
    spread = np.zeros((len(series), n_columns))
    indices = [np.zeros((len(series), season, n_columns)) for season in views.seasons]
    for k, values in enumerate(series):
        level = TRANSFORMS[views.transforms[0]][0](values)
        spread[k] = spread_of(values, views)
        for season, of_all in zip(views.seasons, indices, strict=True):
            for column in range(n_columns):
                if is_seasonal(level[:, column], season):
                    found = late_indices(level[:, column], season)
                    of_all[k, :, column] = np.roll(found, -len(values))
            level = level - tiled(np.roll(of_all[k], len(values), axis=0), len(level))
        scales[0, k] = _change(level, 1)
        for view in range(1, len(views)):
            changed = TRANSFORMS[views.transforms[view]][0](values)
            scales[view, k] = _change(changed, views.lags[view])
    varies = np.stack([values.max(axis=0) > values.min(axis=0) for values in series])
    return Reading(np.where(scales > 0, scales, 1.0), varies, spread, indices)


def spread_of(values: Array, views: Views) -> Array:
    """Return the mean absolute change of the level's transform, over the first season or a step (n_columns,)."""
    return _change(TRANSFORMS[views.transforms[0]][0](values), views.lags[1])


def _change(values: Array, lag: int) -> Array:
    """Return the mean absolute change over a lag, or where a series is shorter over one step; 0 for a single step."""
    lag = lag if len(values) > lag else 1
    return np.abs(values[lag:] - values[:-lag]).mean(axis=0) if len(values) > lag else np.zeros(values.shape[1])


def as_read(values: Array, k: int, views: Views, reading: Reading) -> Array:
    """Return the last values of series k (n_steps, n_columns), up to its end, in all views (n_views, ...)."""
    out = np.empty((len(views), *values.shape))
    for view, transform in enumerate(views.transforms):
        out[view] = TRANSFORMS[transform][0](values)
    for indices in reading.indices:
        out[0] -= tiled(np.roll(indices[k], len(values), axis=0), len(values))
    return out / reading.scales[:, k, np.newaxis]


def as_given(forecasts: Array, series: Array, first: Array, views: Views, reading: Reading) -> Array:
    """Return forecasts in all views (n_views, n, n_steps, n_columns) in the units of the series.

    Parameters
    ----------
    forecasts : ndarray
    series : ndarray (n,)
        Which each is of.
    first : ndarray (n,)
        How many steps after the end of the series each begins: 0 with the next step.
    views, reading : Views, Reading
    """
    forecasts = forecasts * reading.scales[:, series, np.newaxis]
    steps = first[:, np.newaxis] + np.arange(forecasts.shape[2])
    for indices in reading.indices:
        forecasts[0] += indices[series[:, np.newaxis], steps % indices.shape[1]]
    return np.stack([TRANSFORMS[t][1](values) for t, values in zip(views.transforms, forecasts, strict=True)])


def moved(reading: Reading, n_steps: Array) -> Reading:
    """Return how series are read that go on for some steps (n,)."""
    every = np.arange(len(n_steps))[:, np.newaxis]
    indices = []
    for of_all in reading.indices:
        steps = np.arange(of_all.shape[1]) + n_steps[:, np.newaxis]
        indices.append(of_all[every, steps % of_all.shape[1]])
    return reading._replace(indices=indices)
