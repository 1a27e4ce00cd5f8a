"""What is to be said of a fit that has ended: that it has learnt nothing, or that it was still learning."""

from typing import Any, NamedTuple

import numpy as np

from .._net.core import Model
from .._net.inputs import Array
from .targets import Targets
from .training import Data, End

#: A loss still falls fast if the mean of the last tenth of the epochs is below that of the tenth before by such a part.
FALLING = 0.1


class Constant(NamedTuple):
    """The best answer that is always the same."""

    outputs: Array
    """(n_outputs,)"""
    name: str


class Judged(NamedTuple):
    """How good a model is, beside the constant answer."""

    score: float
    of_constant: float
    gain: float
    """What part it is of the way from the constant answer to a perfect one."""
    luck: float
    """A gain that can be chance."""


def remark(
    estimator: Any, end: End, model: Model, data: Data, held: Data | None, losses: list[float], scores: list[float]
) -> str | None:
    """Return what a warning has to say; None if all is well.

    Parameters
    ----------
    estimator : estimator
        Which says what the constant answer is, and how good answers are.
    end : End
    model : Model
        Trained.
    data : Data
        Learnt from.
    held : Data or None
        Held out.
    losses, scores : list of float
        Of each epoch of this fit; no scores where nothing was held out.
    """
    if end == "interrupt" or not _vary(data.targets):  # one has a warning already, the other no need
        return None
    constant = estimator._constant(data.targets)
    judged = None if constant is None else _judge(estimator, model, data if held is None else held, constant)
    if constant is not None and judged is not None and judged.gain <= judged.luck:
        where = "the training data" if held is None else "what was held out"
        text = (
            f"nothing was learnt: {estimator._score_name} on {where} is {judged.score:.3g}, that of always answering "
            f"{constant.name} is {judged.of_constant:.3g}. Try {', '.join(estimator._advice())}. Or X says nothing of y"
        )
    elif end == "max_iter" and (means := _falling(losses, scores)):
        text = (
            f"the loss was still falling when max_iter={len(losses)} ended the fit: its mean is {means[1]:.3g} over "
            f"the last tenth of the epochs, {means[0]:.3g} over the tenth before. Try max_iter={2 * len(losses)}"
        )
    else:
        return None
    if constant is not None and held is not None:
        judged = _judge(estimator, model, data, constant)
    return None if judged is not None and judged.gain >= estimator._gain_of_all else text  # by heart is learnt, too


def _falling(losses: list[float], scores: list[float]) -> tuple[float, float] | None:
    """Return the mean loss of the last tenth but one, and of the last, if it falls fast; None if not, or in vain."""
    n = max(1, len(losses) // 10)
    if len(losses) < 2 or (scores and int(np.argmax(scores)) < len(scores) - n):
        return None
    before, last = float(np.mean(losses[-2 * n : -n])), float(np.mean(losses[-n:]))
    return (before, last) if before - last > FALLING * abs(before) else None


def _vary(targets: Targets) -> bool:
    """Whether there is more than one class, or value."""
    values = targets.values if targets.weights is None else targets.values[targets.weights > 0]
    return bool((np.fmax.reduce(values) > np.fmin.reduce(values)).any())  # of those that are not NaN


def _judge(estimator: Any, model: Model, data: Data, constant: Constant) -> Judged | None:
    """Return how good a model is on data; None if the constant answer is perfect there."""
    values, weights = data.targets
    n = float(len(values))
    if weights is not None:
        weights = weights / weights.max()  # the squares of some would be too large
        n = float(weights.sum() ** 2 / np.square(weights).sum())  # so many of the same weight say as much
    targets = Targets(values, weights)
    always = np.broadcast_to(constant.outputs, (len(values), len(constant.outputs)))
    of_constant = estimator._validation_score(always, targets)
    way = estimator._perfect_score - of_constant
    if not (_vary(targets) and way > 0):
        return None
    outputs = model.predict(data.steps)[0]
    score = estimator._validation_score(outputs, targets) if np.isfinite(outputs).all() else -np.inf
    return Judged(score, of_constant, (score - of_constant) / way, estimator._gain_by_luck(of_constant, n))
