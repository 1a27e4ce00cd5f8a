"""One mini-batch of training: by a loss that C knows, or by the caller's own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .._net.core import Gradient, Model, Solver
from .._net.describe import Scaling
from .._net.inputs import Array
from .scaling import unscaled
from .targets import Targets

#: Trains on a mini-batch, from a state; returns loss, weight, and the state after it.
Step = Callable[[npt.NDArray[np.intp], Any], tuple[float, float, Any]]
#: From targets, outputs (both (n, n_outputs)) and weights (n,) to a value and its gradient by the outputs.
Loss = Callable[[Array, Array, Array], tuple[float, Array]]
#: First row and length of each sequence, or window.
Stretches = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def step_of(
    model: Model, solver: Solver, gradient: Gradient, loss: Loss | None, targets: Targets, rows: Stretches | None
) -> Step:
    """Return what trains on a mini-batch.

    Parameters
    ----------
    model, solver, gradient : Model, Solver, Gradient
    loss : callable or None
        The caller's own, `in_units`; None is the model's.
    targets : Targets
    rows : pair of ndarrays or None
        Where the targets of a sequence, or window, are if each step has its own; None if each sequence has one.
    """
    if loss is None:
        return partial(gradient.step, solver)
    return partial(_step_by, model, solver, gradient, loss, targets, rows)


def _step_by(
    model: Model,
    solver: Solver,
    gradient: Gradient,
    loss: Loss,
    targets: Targets,
    rows: Stretches | None,
    indices: npt.NDArray[np.intp],
    state: Any,
) -> tuple[float, float, Any]:
    at = indices
    if rows is not None:
        at = np.concatenate([np.arange(rows[0][k], rows[0][k] + rows[1][k]) for k in indices])
    gradient.begin()
    outputs, weight, state = gradient.outputs(indices, state)
    if weight == 0:
        return 0.0, 0.0, state
    weights = np.ones(len(at)) if targets.weights is None else targets.weights[at]
    value, slope = loss(targets.values[at], outputs, weights)
    gradient.backward(slope)
    gradient.finish()
    return solver.update(model, gradient, weight, value), weight, state


def in_units(loss: Loss, scaling: Scaling | None) -> Loss:
    """Return the caller's loss as one of scaled targets and outputs; it is given them in the units of y."""
    return partial(_called, loss, scaling)


def _called(loss: Loss, scaling: Scaling | None, targets: Array, outputs: Array, weights: Array) -> tuple[float, Array]:
    """Return what the caller's loss says, checked."""
    if scaling is None:
        returned = loss(targets, outputs, weights)
    else:
        returned = loss(unscaled(targets, scaling), unscaled(outputs, scaling), weights)
    try:
        value, slope = returned
    except (TypeError, ValueError):
        raise TypeError(f"loss must return a pair (value, gradient), got {type(returned).__name__!r}") from None
    slope = np.asarray(slope)
    if slope.shape != outputs.shape:
        raise ValueError(
            f"the gradient that loss returns must have the shape of outputs {outputs.shape}, got {slope.shape}"
        )
    if np.isnan(targets).any() and not (np.isfinite(value) and np.isfinite(slope).all()):
        raise ValueError(
            f"loss must leave out targets that are NaN, as y has them: it returned {value}, and a gradient with "
            f"{np.count_nonzero(~np.isfinite(slope))} entries that are not finite"
        )
    if scaling is not None:
        slope = slope * scaling.scale
    return float(value), np.ascontiguousarray(slope, outputs.dtype)
