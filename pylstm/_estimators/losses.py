"""The losses of regressors by name, where Python asks for them; training has them in C (`src_c/kernels/losses.h`)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import r2_score

from .targets import Targets

#: By name, from errors (outputs less targets) and the parameter that it reads, if it reads one.
LOSSES: dict[str, Callable[[npt.NDArray[np.float64], float], npt.NDArray[np.float64]]] = {
    "squared_error": lambda r, _: r**2 / 2,
    "absolute_error": lambda r, _: np.abs(r),
    "huber": lambda r, delta: np.where(np.abs(r) <= delta, r**2 / 2, delta * (np.abs(r) - delta / 2)),
    "quantile": lambda r, quantile: np.where(r < 0, -quantile * r, (1 - quantile) * r),
}


def without_values(targets: Targets) -> npt.NDArray[np.intp]:
    """Return the outputs that have no value of any weight."""
    return np.flatnonzero(~_counted(targets).any(axis=0))


def starting_point(loss: str, parameter: float, targets: Targets) -> Any:
    """Return the constant that is best by a loss, or near that: a net that starts there has the deviations to learn."""
    if loss in ("absolute_error", "quantile"):
        return np.nanquantile(targets.values, parameter if loss == "quantile" else 0.5, axis=0)
    if targets.weights is None:
        return np.nanmean(targets.values, axis=0, dtype=np.float64)  # float32 would add up its rounding, row by row
    return np.average(np.nan_to_num(targets.values), axis=0, weights=_counted(targets))


def r2_of_known(values: Any, outputs: Any, weights: npt.NDArray[np.float64] | None) -> float:
    """Return R², uniform average over the outputs, each scored where its values (n,) or (n, n_outputs) are not NaN."""
    if not np.isnan(values).any():
        return float(r2_score(values, outputs, sample_weight=weights))
    values, outputs = (each.reshape(len(values), -1) for each in (values, outputs))
    scores = []
    for k, counted in enumerate((_counted(Targets(values, weights)) > 0).T):
        if np.count_nonzero(counted) >= 2:
            of_known = None if weights is None else weights[counted]
            scores.append(r2_score(values[counted, k], outputs[counted, k], sample_weight=of_known))
    if not scores:
        raise ValueError("y must have at least two values of an output to score, got less")
    return float(np.mean(scores))


def score(loss: str, parameter: float, outputs: Any, targets: Targets) -> float:
    """Return how good outputs are by a loss, higher is better: R² for the squared error, else the negated loss."""
    if loss == "squared_error":
        values, outputs = (np.asarray(each, np.float64) for each in (targets.values, outputs))  # sums of squares, too
        return r2_of_known(values, outputs, targets.weights)
    errors = np.subtract(outputs, targets.values, dtype=np.float64)
    errors[np.isnan(targets.values)] = 0
    return -float(np.average(LOSSES[loss](errors, parameter), weights=_counted(targets)))


def _counted(targets: Targets) -> npt.NDArray[np.float64]:
    """Return the weight of each value (n, n_outputs): 0 of those that are NaN."""
    known = ~np.isnan(targets.values)
    return known * (1.0 if targets.weights is None else targets.weights[:, np.newaxis])
