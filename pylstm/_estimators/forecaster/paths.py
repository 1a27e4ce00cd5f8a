"""How a forecaster goes on from its own forecasts, and the errors that make sample paths of them."""

from typing import Any

import numpy as np

from ..._net.inputs import Array, Steps
from ..targets import Targets
from ..training import Data
from .again import trained_again
from .series import integrate


def errors_in_blocks(forecaster: Any, data: Data) -> list[Array] | None:
    """Return, for each series, errors of one-step forecasts (n, n_series) by networks that did not learn them.

    None if Ctrl-C was pressed.
    """
    assert forecaster.cv is not None
    steps, targets = data.steps, data.targets
    block = np.full(len(steps.rows), -1)  # -1: burn_in, in no block
    for start, length in zip(steps.starts, steps.lengths, strict=True):
        n_settled = length - forecaster.burn_in
        block[start + forecaster.burn_in : start + length] = np.arange(n_settled) * forecaster.cv // n_settled
    errors = np.empty_like(targets.values)
    for k in range(forecaster.cv):
        weights = ((block != k) & (block >= 0)).astype(np.float64)
        model = trained_again(forecaster, Data(steps, Targets(targets.values, weights)))
        if model is None:
            return None
        errors[block == k] = (targets.values - model.predict(steps)[0])[block == k]
    return [
        errors[start + forecaster.burn_in : start + length]
        for start, length in zip(steps.starts, steps.lengths, strict=True)
    ]


def draw_errors(forecaster: Any, n_steps: int) -> Array:
    """Return errors (n_steps, n_sequences, n_paths, n_series) of either sign; the same at each call."""
    if forecaster._errors is None:
        raise ValueError(
            "return_std, quantiles and sample paths need a fit with cv that was not interrupted, got "
            f"cv={forecaster.cv}. partial_fit makes no errors of its own, and keeps those of as many series"
        )
    random_state = np.random.RandomState(forecaster._path_seed)
    shape = (n_steps, forecaster.n_paths)
    drawn = [errors[random_state.randint(len(errors), size=shape)] for errors in forecaster._errors]
    signs = random_state.choice([-1, 1], size=(n_steps, len(drawn), forecaster.n_paths, 1))
    return np.stack(drawn, axis=1) * signs


def run_on(forecaster: Any, n_steps: int, exogenous: list[Array], errors: Array | None = None) -> list[Array]:
    """Let the network go on from its own forecasts, plus `errors` where there are any.

    Returns, for each series, the transformed values (n_steps, n_paths, n_series).
    """
    n_paths, lags = 1 if errors is None else errors.shape[2], forecaster._choices.lags
    state = [tuple(np.repeat(values, n_paths, axis=1) for values in layer) for layer in forecaster._state]
    last = np.repeat(forecaster._last, n_paths, axis=0)
    known = np.repeat(np.stack(exogenous), n_paths, axis=0)
    varies = np.repeat(forecaster._scale > 0, n_paths, axis=0)
    run = np.empty((n_steps, *last.shape))
    lengths = np.ones(len(last), np.intp)
    for t in range(n_steps):
        rows = np.ascontiguousarray(np.hstack([last, known[:, t]]), dtype=forecaster._dtype)
        outputs, state = forecaster._model.predict(Steps(rows, lengths, True), state)
        run[t] = last = (outputs if errors is None else outputs + errors[t].reshape(outputs.shape)) * varies
    paths = run.reshape(n_steps, len(forecaster._last), n_paths, -1)
    return [
        integrate(paths[:, k] * forecaster._scale[k] + forecaster._mean[k], lags, forecaster._tails[k])
        for k in range(len(forecaster._last))
    ]
