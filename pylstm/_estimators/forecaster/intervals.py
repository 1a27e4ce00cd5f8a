"""How far the future is from forecasts of a whole horizon: sizes of errors by step, and quantiles of their ratios."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..._net.inputs import Array
from .series import TRANSFORMS

#: Quantiles that are kept, of errors without their sign.
N_KEPT = 200


class Errors(NamedTuple):
    """Of forecasts of values that were held out."""

    sizes: npt.NDArray[np.float64]
    """For each step of the horizon, over the spread of the series (n_steps,); none is less than one before."""
    quantiles: npt.NDArray[np.float64]
    """Of errors over their sizes, at even probabilities from 0 to 1 (N_KEPT,)."""

    def factors(self, probabilities: Array) -> Array:
        """Return how many sizes the quantiles of some probabilities are off, to either side (n,)."""
        grid = np.linspace(0, 1, len(self.quantiles))
        return np.sign(probabilities - 0.5) * np.interp(np.abs(2 * probabilities - 1), grid, self.quantiles)


#: A past of so many horizons says nothing yet of what is usual, and one of twice as many all; and how far from it the
#: steps of errors may have been.
SHORT_PAST, MOST_UNUSUAL = 5, 2.0
#: Where nothing ever varies.
NONE_ARE_MADE = Errors(np.zeros(1), np.zeros(N_KEPT))


def how_unusual(changes: Array, spread: Array, n_horizons: float) -> float:
    """Return how much larger errors are than they usually would be, by how much all series changed meanwhile.

    What follows a long past is like all of it, rather than like its last years. Of a short one nobody knows.

    Parameters
    ----------
    changes, spread : ndarray (n, n_columns)
        Mean absolute changes over the steps that were forecast, and over those before.
    n_horizons : float
        How long the past is.
    """
    varies = spread > 0
    if not varies.any():
        return 1.0
    ratio = np.clip(np.mean(changes[varies] / spread[varies]), 1 / MOST_UNUSUAL, MOST_UNUSUAL)
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
    errors = np.abs(forward(true) - forward(said))
    errors = np.divide(errors, spread[:, np.newaxis], out=np.full_like(errors, np.nan), where=spread[:, np.newaxis] > 0)
    if not np.isfinite(errors[:, 0]).any():
        return None
    means = np.nanmean(errors, axis=(0, 2))
    sizes = np.maximum.accumulate(np.maximum(means, np.finfo(float).tiny))
    ratios = errors / sizes[:, np.newaxis]
    return Errors(sizes, np.quantile(ratios[np.isfinite(ratios)], np.linspace(0, 1, N_KEPT)))


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
    forward, back = TRANSFORMS[transform]
    known = len(errors.sizes)
    steps = np.arange(1, len(centre) + 1)
    sizes = errors.sizes[np.minimum(steps, known) - 1] * np.sqrt(np.maximum(steps / known, 1))
    factors = errors.factors(probabilities)
    widths = sizes[:, np.newaxis] * spread
    return np.where(widths > 0, back(forward(centre) + factors[:, np.newaxis, np.newaxis] * widths), centre)


def deviations(centre: Array, spread: Array, errors: Errors, transform: str | None) -> Array:
    """Return root mean squares of the errors to come (n_steps, n_columns), by quantiles of them."""
    probabilities = (np.arange(N_KEPT) + 0.5) / N_KEPT
    squares = np.square(bounds(centre, spread, errors, probabilities, transform) - centre)
    return np.sqrt(np.moveaxis(squares, 0, -1).copy().mean(axis=-1))  # in an order that no number of steps changes
