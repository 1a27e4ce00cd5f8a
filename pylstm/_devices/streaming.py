"""From a model to its `Stream`."""

from typing import Any

from .._net.core import Stream


def stream(model: Any, batch_size: int = 1) -> Stream:
    """Return a `Stream` of a model, which runs on step by step.

    Parameters
    ----------
    model : Sequence, estimator or Pipeline
        A `Sequence`; a fitted LSTM estimator; a `Pipeline` of ``PerStep(StandardScaler())`` and one, whose scaling
        the stream then applies: in float64, to the bits of the pipeline's predictions; or one of `TokenEncoder` and an
        estimator of tokens, whose stream takes the texts of tokens too. With ``pooling="mean"`` or ``"max"`` each
        answer is that for the steps so far.
    batch_size : int, default=1
        Independent sequences that take their steps together.

    Returns
    -------
    Stream
        With a state of zeros, and a copy of the weights.

    Raises
    ------
    ValueError
        If the model is of a kind that needs all steps: two directions, of which one starts at the last.

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> X = np.random.default_rng(0).standard_normal((30, 8, 1))
    >>> tagger = pylstm.LSTMTagger((4,), max_iter=2, random_state=0).fit(X, X[:, :, 0].cumsum(axis=1) > 0)
    >>> live = pylstm.stream(tagger)
    >>> [live.step(x).shape for x in X[0, :2]]
    [(2,), (2,)]
    """
    return Stream(model, batch_size)
