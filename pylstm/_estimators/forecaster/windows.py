"""Windows of series and the steps after them, as rows that a direct net reads; mini-batches of them.

A row has the value less the base, or 0 after the window; X; whether the step is after the window, and how far; and a
column for each view, 1 for its own.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..._net.inputs import Array, Steps
from ..targets import Targets
from ..training import Data

#: The shortest window that is learnt from, if the series is not shorter.
SHORTEST = 8
Indices = npt.NDArray[np.intp]


class Origins(NamedTuple):
    """Where windows end: (n,) each."""

    views: Indices
    series: Indices
    steps: Indices
    """Of the series, the last one of the window."""


def width(n_given: int, n_views: int) -> int:
    """Return how many columns rows have, of so many columns of y and X."""
    return n_given + 2 + n_views


class Panel(NamedTuple):
    """Series as they are read, one after the other."""

    values: npt.NDArray[np.float64]
    """(n_views, n_rows, n_columns)"""
    exogenous: npt.NDArray[np.float64]
    """(n_rows, n_features)"""
    lengths: Indices
    stops: Indices
    """How many steps of each series are learnt, from the first on."""
    lags: tuple[int, ...]
    """Of the views."""
    window: int
    horizon: int
    n_past: int = 0
    """Features, the last ones, that are not known after a window."""

    @property
    def width(self) -> int:
        """Columns of a row."""
        return width(self.values.shape[2] + self.exogenous.shape[1], len(self.lags))

    @property
    def starts(self) -> Indices:
        """The first row of each series."""
        return np.cumsum(self.lengths) - self.lengths

    def write(self, origins: Origins, rows: Array, n_ahead: int, targets: Targets | None = None) -> tuple[Indices, Any]:
        """Write windows and the steps after them.

        Parameters
        ----------
        origins : Origins
            Windows, for each as many rows as the longest has.
        rows : ndarray (n * (window + n_ahead), width)
            Written: those of a window from the first row of its stretch on. What is behind them stays what it was.
        n_ahead : int
        targets : Targets, default=None
            For each row, written: values less the base, and 1 for those after the window that the series has.

        Returns
        -------
        lengths : ndarray (n,)
            Rows of each.
        bases : ndarray (n, n_ahead, n_columns)
            Of the steps after the window.
        """
        n, size = len(origins.series), self.window + n_ahead
        n_columns, n_features = self.values.shape[2], self.exogenous.shape[1]
        lag = np.array(self.lags)[origins.views]
        lengths = np.clip(origins.steps + 1 - lag, 1, self.window)
        starts = self.starts[origins.series]
        last = starts + origins.steps
        at = (last - lengths + 1)[:, np.newaxis] + np.arange(size)
        ahead = at - last[:, np.newaxis]
        is_ahead = ahead > 0
        behind = lag[:, np.newaxis] * np.where(is_ahead, -(-ahead // np.maximum(lag, 1)[:, np.newaxis]), 1)
        base = np.where(lag[:, np.newaxis] > 0, at - behind, last[:, np.newaxis])
        base = np.maximum(base, starts[:, np.newaxis])
        at = np.minimum(at, (starts + self.lengths[origins.series])[:, np.newaxis] - 1)
        of_view = origins.views[:, np.newaxis]
        bases = self.values[of_view, np.minimum(base, last[:, np.newaxis])]
        values = self.values[of_view, at] - bases
        written = rows.reshape(n, size, self.width)
        written[:, :, :n_columns] = np.where(is_ahead[:, :, np.newaxis], 0, values)
        written[:, :, n_columns : n_columns + n_features] = self.exogenous[at]
        if self.n_past:
            written[:, :, n_columns + n_features - self.n_past : n_columns + n_features][is_ahead] = 0
        written[:, :, -2 - len(self.lags)] = is_ahead
        written[:, :, -1 - len(self.lags)] = np.where(is_ahead, ahead / self.horizon, 0)
        written[:, :, -len(self.lags) :] = of_view[:, :, np.newaxis] == np.arange(len(self.lags))
        if targets is not None and targets.weights is not None:
            stops = self.stops[origins.series]
            known = is_ahead & (ahead <= n_ahead) & (origins.steps[:, np.newaxis] + ahead < stops[:, np.newaxis])
            targets.values.reshape(values.shape)[...] = np.where(known[:, :, np.newaxis], values, 0)
            targets.weights.reshape(n, size)[...] = known
        after = lengths[:, np.newaxis] + np.arange(n_ahead)
        return lengths + n_ahead, np.take_along_axis(bases, after[:, :, np.newaxis], axis=1)


class MiniBatches(Data):
    """Windows drawn from a panel, each mini-batch written over the one before."""

    panel: Panel
    first: Indices
    """Of each view and series, one after the other: the first step that ends a window."""
    counts: Indices
    """And how many do."""
    n_batches: int
    waiting: npt.NDArray[np.int32]
    """Windows that are to come, counted over the stretches of `first`."""

    @classmethod
    def of(cls, panel: Panel, size: int, n_batches: int, dtype: npt.DTypeLike) -> Self:
        """Return what draws mini-batches of so many windows, and so many for an epoch."""
        n_rows = size * (panel.window + panel.horizon)
        steps = Steps(
            np.zeros((n_rows, panel.width), dtype), np.full(size, n_rows // size, dtype=np.intp), is_dense=False
        )
        batches = cls(steps, Targets(np.zeros((n_rows, panel.values.shape[2]), dtype), np.ones(n_rows)))
        batches.panel, batches.n_batches, batches.waiting = panel, n_batches, np.empty(0, np.int32)
        shortest = np.minimum(SHORTEST, panel.window) - 1
        first = [np.minimum(np.maximum(lag, shortest), np.maximum(lag, panel.stops - 2)) for lag in panel.lags]
        batches.first = np.concatenate(first)
        batches.counts = np.maximum(np.tile(panel.stops, len(panel.lags)) - 1 - batches.first, 0)
        return batches

    def batch_size(self, estimator: Any) -> int:
        """Return how many windows a mini-batch has."""
        return len(self.steps.lengths)

    def window(self, estimator: Any) -> None:
        """Return None: windows are trained on as wholes."""

    def batches(self, batch_size: int, random_state: np.random.RandomState | None) -> Iterator[Indices]:
        """Write one mini-batch after the other: each window once, before any is there again, in any order of theirs."""
        size = len(self.steps.lengths)
        ends = np.cumsum(self.counts)
        n_windows = int(ends[-1])
        for _ in range(self.n_batches):
            while len(self.waiting) < size:
                order = np.arange(n_windows) if random_state is None else random_state.permutation(n_windows)
                self.waiting = np.append(self.waiting, order.astype(np.int32))
            drawn, self.waiting = self.waiting[:size], self.waiting[size:]
            stretch = np.searchsorted(ends, drawn, side="right")
            steps = self.first[stretch] + drawn - (ends - self.counts)[stretch]
            view, series = np.divmod(stretch, len(self.panel.lengths))
            self.steps.lengths[:] = self.panel.write(
                Origins(view, series, steps), self.steps.rows, self.panel.horizon, self.targets
            )[0]
            yield np.arange(size, dtype=np.intp)
