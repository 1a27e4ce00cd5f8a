"""`BacktestDisplay`: the errors of a backtest, window by window, beside those of naive forecasts."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .axes import LINES, axes_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class BacktestDisplay:
    """An error of a forecaster in each window of a backtest, and of the forecasts it is to be better than.

    Parameters
    ----------
    table : pandas.DataFrame
        What `LSTMForecaster.backtest` returns.
    error : str, default="MASE"
        Which of its columns.

    Attributes
    ----------
    table, error
        The parameters.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from pylstm import BacktestDisplay, LSTMForecaster
    >>> from pylstm.datasets import load_airline
    >>> forecaster = LSTMForecaster(random_state=0)
    >>> display = BacktestDisplay.from_estimator(forecaster, load_airline(), n_steps=12, n_windows=2)
    >>> [line.get_label() for line in display.ax_.lines]
    ['LSTM', 'seasonal naive', 'drift']
    """

    def __init__(self, table: Any, *, error: str = "MASE") -> None:
        columns = list(getattr(table, "columns", ()))
        if not {"window", "model"} <= set(columns):
            raise ValueError("table must be a DataFrame that `LSTMForecaster.backtest` returns")
        if error not in columns[2:]:
            raise ValueError(f"error must be one of {', '.join(columns[2:])}, got {error!r}")
        self.table, self.error = table, error

    @classmethod
    def from_estimator(
        cls, forecaster: Any, y: Any, X: Any = None, *, error: str = "MASE", ax: "Axes | None" = None, **windows: Any
    ) -> Self:
        """Make a backtest of an `LSTMForecaster`, and plot it.

        Parameters
        ----------
        forecaster : LSTMForecaster
            It is left as it is.
        y, X
            As for its `backtest`.
        error : str, default="MASE"
            Which error.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **windows
            ``n_steps`` and the other arguments of `backtest`.

        Returns
        -------
        BacktestDisplay
        """
        return cls(forecaster.backtest(y, X, **windows), error=error).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Plot the errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : BacktestDisplay
        """
        (self.ax_,) = axes_for("BacktestDisplay", ax, 1, (8, 4))
        self.figure_ = self.ax_.figure
        of_windows = self.table[self.table["window"] != "all"]
        for (colour, marker), name in zip(LINES, of_windows["model"].unique(), strict=False):
            errors = of_windows.loc[of_windows["model"] == name, self.error].to_numpy(np.float64)
            self.ax_.plot(np.arange(1, len(errors) + 1), errors, color=colour, marker=marker, label=name)
        self.ax_.set_xlabel("window")
        self.ax_.set_ylabel(self.error)
        self.ax_.set_ylim(bottom=0)
        self.ax_.set_xticks(1 + np.unique(of_windows["window"].astype(int)))
        self.ax_.set_title("Backtest")
        self.ax_.legend()
        return self
