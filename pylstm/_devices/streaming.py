"""From a model to its `Stream`."""

from typing import TYPE_CHECKING, Any

from .._net.core import Sequence, Stream
from .._net.inputs import Array

if TYPE_CHECKING:
    Sizes = tuple[int, tuple[int, ...], int, str, str, str, str]
    Weights = tuple[Array, Array | None, Array | None]


def stream(model: Any, batch_size: int = 1) -> Stream:
    """Return a `Stream` of a model, which runs on step by step.

    Parameters
    ----------
    model : Sequence, estimator or Pipeline
        A `Sequence`; a fitted LSTM estimator; or a `Pipeline` of ``PerStep(StandardScaler())`` and one, whose scaling
        the stream then applies.
    batch_size : int, default=1
        Independent sequences that take their steps together.

    Returns
    -------
    Stream
        With a state of zeros, and a copy of the weights.

    Raises
    ------
    ValueError
        If the model is of a kind that needs all steps: two directions, or a mean or maximum over the steps.

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> X = np.random.default_rng(0).standard_normal((30, 8, 1))
    >>> tagger = pylstm.LSTMTagger((4,), max_iter=2, random_state=0).fit(X, X[:, :, 0].cumsum(axis=1) > 0)
    >>> live = pylstm.stream(tagger)
    >>> [live.step(x).shape for x in X[0, :2]]
    [(2,), (2,)]
    """
    sizes, weights = described(model)
    return Stream(sizes, weights, batch_size)


def described(model: Any, purpose: str = "streamed") -> "tuple[Sizes, Weights]":
    """Return a model's sizes and (weights, mean, scale).

    The sizes are (input_size, hidden_sizes, n_outputs, loss, dtype, cell, nonlinearity).

    `purpose` says in errors what the model can't be.
    """
    if isinstance(model, Sequence):
        _check_direction(model.bidirectional, purpose)
        cell = (model.cell, model.nonlinearity)
        sizes = (model.input_size, model.hidden_sizes, 0, "squared error", model.dtype.name, *cell)
        return sizes, (model.copy_weights(), None, None)
    from sklearn.utils.validation import check_is_fitted

    from .._estimators.models import parts, scaling_of

    per_step, estimator = parts(model)
    check_is_fitted(estimator, "_model")
    net, name = estimator._model, type(estimator).__name__
    made_with = net.configuration
    _check_direction(made_with["bidirectional"], purpose)
    if name == "LSTMForecaster":
        raise ValueError("model must not be an LSTMForecaster, which keeps its state itself: use update and predict")
    if made_with["pooling"] not in ("last", None):
        raise ValueError(
            f"model must have pooling='last' to be {purpose}, got {made_with['pooling']!r}: steps that go on have no "
            "end over which to pool"
        )
    mean, scale = (None, None) if per_step is None else scaling_of(per_step)
    head = (made_with["n_outputs"], made_with["loss"])
    sizes = (made_with["input_size"], net.hidden_sizes, *head, net.dtype.name, net.cell, net.nonlinearity)
    return sizes, (net.copy_weights(), mean, scale)


def _check_direction(bidirectional: bool, purpose: str) -> None:
    if bidirectional:
        raise ValueError(
            f"model must not be bidirectional to be {purpose}: its reverse direction starts at the last step"
        )
