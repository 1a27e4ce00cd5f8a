"""`sliding_window`, which cuts a series into pairs to learn from."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .._net.inputs import Array, as_array, check_int


def sliding_window(
    series: Any, window: int, *, horizon: int = 1, stride: int = 1, target: int | None = None
) -> tuple[Array, Array]:
    """Cut one long series into windows and what follows each, without copying.

    Parameters
    ----------
    series : array-like (n_steps,) or (n_steps, n_features)
        Values at equal distances in time, oldest first.
    window : int
        Steps per window.
    horizon : int, default=1
        How many of the steps after a window are its target.
    stride : int, default=1
        Steps from the start of one window to that of the next.
    target : int or None, default=None
        The column of `series` that targets are taken from; None takes all. Windows have all columns in any case.

    Returns
    -------
    X : ndarray (n_windows, window, n_features)
        The windows; n_features is 1 for a 1-D series, and n_windows is
        ``(n_steps - window - horizon) // stride + 1``.
    y : ndarray (n_windows[, horizon][, n_features])
        ``y[k]`` are the `horizon` steps that follow ``X[k]``. The axis of steps is there if `horizon` is more than 1,
        that of features if `series` is 2-D and `target` is None: so ``(n_windows,)`` for one step ahead of one feature,
        ``(n_windows, horizon)`` for several. A target further ahead alone is ``y[:, -1]``.

    Notes
    -----
    X and y are read-only views of `series`, whose memory they share: windows take no memory of their own.

    Neighbouring windows overlap, so shuffled cross-validation would test on what was trained on; split by time, as
    `sklearn.model_selection.TimeSeriesSplit` does.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm.preprocessing import sliding_window
    >>> X, y = sliding_window(np.arange(6.0), 3)
    >>> X.shape
    (3, 3, 1)
    >>> X[:, :, 0]
    array([[0., 1., 2.],
           [1., 2., 3.],
           [2., 3., 4.]])
    >>> y
    array([3., 4., 5.])
    >>> sliding_window(np.arange(6.0), 3, horizon=2)[1]
    array([[3., 4.],
           [4., 5.]])

    Two features, of which the first is to be forecast from both:

    >>> X, y = sliding_window(np.ones((100, 2)), 10, target=0)
    >>> X.shape, y.shape
    ((90, 10, 2), (90,))
    """
    values = as_array(series, "series")
    if values.ndim not in (1, 2):
        raise ValueError(
            f"series must have shape (n_steps,) or (n_steps, n_features), got {values.ndim}-D {values.shape}"
        )
    window = check_int(window, "window", 1)
    horizon = check_int(horizon, "horizon", 1)
    stride = check_int(stride, "stride", 1)
    if len(values) < window + horizon:
        raise ValueError(f"series must have at least window + horizon = {window + horizon} steps, got {len(values)}")
    targets = values[window:]
    if target is not None:
        n_columns = values.shape[1] if values.ndim == 2 else 0
        if check_int(target, "target", 0) >= n_columns:
            raise ValueError(f"target must be a column of series, which has shape {values.shape}, got {target}")
        targets = targets[:, target]
    columns = values if values.ndim == 2 else values[:, np.newaxis]
    X = sliding_window_view(columns[:-horizon], window, axis=0)[::stride].swapaxes(1, 2)
    y = np.moveaxis(sliding_window_view(targets, horizon, axis=0)[::stride], -1, 1)
    return X, y[:, 0] if horizon == 1 else y
