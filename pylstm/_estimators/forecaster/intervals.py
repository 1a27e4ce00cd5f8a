"""How far the future is from forecasts of a whole horizon: sizes of errors by step, and quantiles of their ratios.

How errors of one forecast hang together is known by the order in which they stood among those of others.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..._net.inputs import Array
from .series import TRANSFORMS

#: Quantiles that are kept, of errors without their sign; and forecasts whose errors are, at most.
N_KEPT = 200


class Errors(NamedTuple):
    """Of forecasts of values that were held out."""

    sizes: npt.NDArray[np.float64]
    """For each step of the horizon, over the spread of the series (n_steps,); none is less than one before."""
    quantiles: npt.NDArray[np.float64]
    """Of errors over their sizes, at even probabilities from 0 to 1 (N_KEPT,)."""
    runs: npt.NDArray[np.float32] | None = None
    """Of some forecasts, what part of the errors at the step is smaller, negative where the future was lower
    (n, n_steps, n_columns). Files from before sample paths have none."""

    def factors(self, probabilities: Array) -> Array:
        """Return how many sizes the quantiles of some probabilities are off, to either side (of any shape)."""
        grid = np.linspace(0, 1, len(self.quantiles))
        return np.sign(probabilities - 0.5) * np.interp(np.abs(2 * probabilities - 1), grid, self.quantiles)


#: A past of so many horizons says nothing yet of what is usual, and one of twice as many all; and how far from it the
#: steps of errors may have been.
SHORT_PAST, MOST_UNUSUAL = 5, 2.0


def none_are_made(n_columns: int) -> Errors:
    """Return the errors where nothing ever varies."""
    return Errors(np.zeros(1), np.zeros(N_KEPT), np.zeros((1, 1, n_columns), np.float32))


def how_unusual(changes: Array, spread: Array, whole: Array, n_horizons: float) -> float:
    """Return how much larger errors are than they usually would be, by how much all series changed meanwhile.

    What follows a long past is like all of it, rather than like its last years. Of a short one nobody knows.

    Parameters
    ----------
    changes, spread, whole : ndarray (n, n_columns)
        Mean absolute changes over the steps that were forecast, over those before, and over all of the series, by which
        these two are counted: a mean of ratios of the one by the other would be above 1 by their chance alone.
    n_horizons : float
        How long the past is.
    """
    varies = (spread > 0) & (whole > 0)
    if not varies.any():
        return 1.0
    ratio = np.mean(changes[varies] / whole[varies]) / np.mean(spread[varies] / whole[varies])
    ratio = np.clip(ratio, 1 / MOST_UNUSUAL, MOST_UNUSUAL)
    return float(ratio ** np.clip(n_horizons / SHORT_PAST - 1, 0, 1))


def errors_of(said: Array, true: Array, spread: Array, transform: str | None) -> Errors | None:
    """Return the errors of forecasts.

    Parameters
    ----------
    said, true : ndarray (n, n_steps, n_columns)
        NaN where there is none.
    spread : ndarray (n, n_columns)
        Of each one's series; 0 where it never varies, which says nothing.
    transform : str or None
        In which errors are alike.
    """
    forward = TRANSFORMS[transform][0]
    errors = forward(true) - forward(said)
    errors = np.divide(errors, spread[:, np.newaxis], out=np.full_like(errors, np.nan), where=spread[:, np.newaxis] > 0)
    if not np.isfinite(errors[:, 0]).any():
        return None
    means = np.nanmean(np.abs(errors), axis=(0, 2))
    sizes = np.maximum.accumulate(np.maximum(means, np.finfo(float).tiny))
    ratios = errors / sizes[:, np.newaxis]
    quantiles = np.quantile(np.abs(ratios[np.isfinite(ratios)]), np.linspace(0, 1, N_KEPT))
    return Errors(sizes, quantiles, _runs(ratios))


def _runs(ratios: Array) -> npt.NDArray[np.float32]:
    """Return where errors of a forecast stand among those of all, at each step, with their signs.

    Behind a forecast's last known error that is taken to stay, and 0 where there is none.
    """
    ratios = ratios[np.isfinite(ratios[:, 0]).any(axis=1)]
    ratios = ratios[:: -(-len(ratios) // N_KEPT)]
    for step in range(1, ratios.shape[1]):
        ratios[:, step] = np.where(np.isfinite(ratios[:, step]), ratios[:, step], ratios[:, step - 1])
    ratios = np.nan_to_num(ratios)
    ranks = np.argsort(np.argsort(np.abs(ratios), axis=0), axis=0)
    return (np.where(ratios < 0, -1, 1) * (ranks + 0.5) / len(ratios)).astype(np.float32)


def bounds(centre: Array, spread: Array, errors: Errors, probabilities: Array, transform: str | None) -> Array:
    """Return quantiles of the future.

    Parameters
    ----------
    centre : ndarray (n_steps, n_columns)
        The forecast, which is the median: errors of either sign are alike.
    spread : ndarray (n_columns,)
    errors : Errors
        Beyond their steps they grow with the root of the steps.
    probabilities : ndarray (n,)
    transform : str or None

    Returns
    -------
    ndarray (n, n_steps, n_columns)
    """
    return _moved(centre, errors.factors(probabilities)[:, np.newaxis, np.newaxis], spread, errors, transform)


def sample_paths(
    centre: Array,
    spread: Array,
    errors: Errors,
    n_paths: int,
    random_state: np.random.RandomState,
    transform: str | None,
) -> Array:
    """Return what may come, of which at each step as much is below a quantile as `bounds` says.

    A path has errors that are as large, among all, as those of one forecast that was made; all of them, or none, with
    the other sign. Beyond the steps of these it goes on as at the last one.

    Returns
    -------
    ndarray (2 * n_paths, n_steps, n_columns)
        Behind all paths, their mirror images about the forecast, before the transform is undone.
    """
    assert errors.runs is not None
    runs = errors.runs[random_state.randint(len(errors.runs), size=n_paths)].astype(np.float64)
    runs = runs[:, np.minimum(np.arange(len(centre)), runs.shape[1] - 1)]
    factors = errors.factors((1 + np.concatenate([runs, -runs])) / 2)
    return _moved(centre, factors, spread, errors, transform)


def _moved(centre: Array, factors: Array, spread: Array, errors: Errors, transform: str | None) -> Array:
    """Return forecasts (n_steps, n_columns) moved by some sizes of errors, `factors` (n, n_steps, n_columns) or 1."""
    forward, back = TRANSFORMS[transform]
    known = len(errors.sizes)
    steps = np.arange(1, len(centre) + 1)
    sizes = errors.sizes[np.minimum(steps, known) - 1] * np.sqrt(np.maximum(steps / known, 1))
    widths = sizes[:, np.newaxis] * spread
    return np.where(widths > 0, back(forward(centre) + factors * widths), centre)


def deviations(centre: Array, spread: Array, errors: Errors, transform: str | None) -> Array:
    """Return root mean squares of the errors to come (n_steps, n_columns), by quantiles of them."""
    probabilities = (np.arange(N_KEPT) + 0.5) / N_KEPT
    squares = np.square(bounds(centre, spread, errors, probabilities, transform) - centre)
    return np.sqrt(np.moveaxis(squares, 0, -1).copy().mean(axis=-1))  # in an order that no number of steps changes
