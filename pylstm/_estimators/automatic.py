"""What "auto" stands for among the hyperparameters; docs/design/choices.md has the figures that it was chosen by."""

from typing import Any

import numpy as np

from .._net.inputs import Steps

#: The most epochs for the updates that a net is given.
MOST_EPOCHS = 400
#: So many times the updates are made at most where the loss is still high.
LONGER = 1.6
#: Updates without an improvement after which a fit may end, and the fewest epochs for them.
PATIENCE, LEAST_PATIENCE = 400, 30


def of(estimator: Any, name: str) -> Any:
    """Return a hyperparameter; where it is "auto", what the estimator's fit has found that it stands for."""
    value = getattr(estimator, name, None)
    return estimator._stands_for[name] if isinstance(value, str) and value == "auto" else value


def batch_size(estimator: Any, n_sequences: int) -> int:
    """Return how many sequences a mini-batch has."""
    return min(n_sequences, 16 if estimator.batch_size == "auto" else int(estimator.batch_size))


def updates_per_epoch(estimator: Any, steps: Steps) -> int:
    """Return how many updates an epoch has: one for each mini-batch, or each of its windows."""
    size = batch_size(estimator, len(steps.lengths))
    window = of(estimator, "window")
    if window is None:
        return -(-len(steps.lengths) // size)
    counts = np.sort(-(-steps.lengths // window))[::-1]  # sequences of a mini-batch are of similar length
    return int(counts[::size].sum())


def max_iter(estimator: Any, steps: Steps) -> int:
    """Return the most epochs."""
    if estimator.max_iter != "auto":
        return int(estimator.max_iter)
    n_epochs = min(-(-estimator._updates // updates_per_epoch(estimator, steps)), MOST_EPOCHS)
    return max(min(n_epochs, estimator._most_steps // len(steps.rows)), estimator._least_epochs)


def learning_rate(estimator: Any) -> str:
    """Return the course of the learning rate."""
    if estimator.learning_rate != "auto":
        return str(estimator.learning_rate)
    return "settling" if estimator.max_iter == "auto" else "constant"


def longest(estimator: Any, steps: Steps) -> int:
    """Return how many epochs there are at most where the loss is still high."""
    n_epochs = max_iter(estimator, steps)
    if estimator.max_iter != "auto" or learning_rate(estimator) != "settling":
        return n_epochs
    return max(n_epochs, min(int(LONGER * n_epochs), estimator._most_steps // len(steps.rows)))


def n_iter_no_change(estimator: Any, steps: Steps, *, holds_out: bool) -> int:
    """Return after how many epochs without an improvement a fit ends.

    The loss of the training data can rest on a plateau for hundreds of updates and fall then. So it ends no fit whose
    epochs are counted by updates, unless the learning rate waits for it.
    """
    if estimator.n_iter_no_change != "auto":
        return int(estimator.n_iter_no_change)
    if estimator.max_iter == "auto" and not holds_out and estimator.learning_rate != "adaptive":
        return longest(estimator, steps)
    return max(LEAST_PATIENCE, -(-PATIENCE // updates_per_epoch(estimator, steps)))


def forget_bias(estimator: Any, pooling: str | None) -> Any:
    """Return the forget gates' initial bias, or how it is spread."""
    if estimator.forget_bias != "auto":
        return estimator.forget_bias
    return "mixed" if pooling not in ("mean", "max") and estimator.cell == "lstm" else 1.0
