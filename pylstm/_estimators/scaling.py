"""What is done to inputs and targets before the net reads them: less the mean, by the deviation."""

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler

from .._net.describe import Scaling
from .._net.inputs import Array

#: Means and deviations as near to 0 and 1 as this are taken for them: what is scaled already stays as it is.
NEAR = 1e-6
#: A deviation is rounding if it is a smaller part of the mean.
LEAST_DEVIATION = 10 * np.finfo(np.float64).eps
#: Rows that are scaled at once, so that the float64 values between stay in the cache.
BLOCK = 1024


def moments(values: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return mean and standard deviation (n_columns,) of values (n, n_columns), leaving out NaN; 0 where none vary.

    Of a column of NaN alone the mean is 0, too.

    Parameters
    ----------
    values : ndarray (n, n_columns) of float64
    weights : ndarray (n,), default=None
        None is 1 for all.
    """
    is_empty = np.isnan(values).all(axis=0)
    if is_empty.any():
        values = np.where(is_empty, 0.0, values)
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    size = np.ldexp(1.0, np.frexp(np.maximum(-low, high))[1] - 1)  # a power of two, so that no bit changes
    scaler = StandardScaler().fit(values / size, sample_weight=weights)
    varies = high > low  # by rounding is enough
    return np.where(varies, scaler.mean_ * size, low), np.where(varies, np.sqrt(scaler.var_) * size, 0)


def scaling_of(values: Array, weights: Array | None) -> Scaling:
    """Return what gives each column mean 0 and variance 1; of one that never varies, only the mean is taken.

    Parameters
    ----------
    values, weights
        As in `moments`; rows without weight have no part.
    """
    if weights is not None:
        counted = weights > 0
        values, weights = values[counted], weights[counted] / weights.max()  # sums of large ones would be infinite
    mean, deviation = moments(values, weights)
    scale = np.where(deviation > LEAST_DEVIATION * np.abs(mean), deviation, 1.0)
    is_near = (np.abs(mean) < NEAR) & (np.abs(scale - 1) < NEAR)
    return Scaling(np.where(is_near, 0.0, mean), np.where(is_near, 1.0, scale))


def check_width(values: Array, width: int, name: str) -> None:
    """Refuse values (n, n_columns) of another width than those from which it was learnt how they are read."""
    if values.shape[1] != width:
        raise ValueError(f"{name} must be (n, {width}), as in fit, got {values.shape}")


def as_scaled(values: Array, scaling: Scaling, dtype: npt.DTypeLike, name: str) -> Array:
    """Return values (n, n_columns) as the net reads them: scaled in float64, then cast; `name` is for errors."""
    check_width(values, len(scaling.mean), name)
    out = np.empty(values.shape, dtype)
    with np.errstate(over="ignore"):  # who calls looks for infinity
        for start in range(0, len(values), BLOCK):
            block = slice(start, start + BLOCK)
            out[block] = (values[block] - scaling.mean) / scaling.scale
    return out


def unscaled(outputs: Array, scaling: Scaling) -> npt.NDArray[np.float64]:
    """Return outputs (n, n_columns) in the units of the targets."""
    return outputs.astype(np.float64) * scaling.scale + scaling.mean
