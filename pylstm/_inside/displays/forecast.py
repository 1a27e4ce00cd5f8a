"""`ForecastDisplay`: a series, its forecast, and the interval that the future should be in."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..._net.inputs import Array, check_real
from .axes import BLACK, BLUE, RED, SKY, axes_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ForecastDisplay:
    """The forecast of a series, with an interval, after its past and beside what came.

    Parameters
    ----------
    forecast : array-like (n_steps,)
    bounds : (low, high), each array-like (n_steps,), default=None
        Of the interval.
    interval : float, default=None
        The probability that the future is in it.
    y : array-like (n_past,), default=None
        The series before the forecast.
    y_true : array-like (n_known,), default=None
        What came, at most as long as the forecast.
    times : array-like (n_past + n_steps,), default=None
        Numbers or dates, along the axis; None counts steps, the forecast's first one being 1.

    Attributes
    ----------
    forecast, bounds, interval, y, y_true, times
        The parameters, as arrays.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm import ForecastDisplay, LSTMForecaster
    >>> from pylstm.datasets import load_airline
    >>> y = load_airline()
    >>> forecaster = LSTMForecaster(horizon=24, random_state=0).fit(y[:-24])
    >>> months = np.datetime64("1949-01") + np.arange(len(y))
    >>> display = ForecastDisplay.from_estimator(forecaster, 24, y=y[:-24], y_true=y[-24:], times=months)
    >>> display.forecast.shape
    (24,)
    """

    def __init__(
        self,
        forecast: npt.ArrayLike,
        *,
        bounds: Any = None,
        interval: float | None = None,
        y: Any = None,
        y_true: Any = None,
        times: Any = None,
    ) -> None:
        self.forecast = column(forecast, "forecast")
        n_steps = len(self.forecast)
        self.bounds = None if bounds is None else np.asarray(bounds, np.float64)
        if self.bounds is not None and self.bounds.shape != (2, n_steps):
            raise ValueError(f"bounds must be two arrays ({n_steps},), as forecast, got shape {self.bounds.shape}")
        self.interval = interval
        self.y = column(() if y is None else y, "y")
        self.y_true = column(() if y_true is None else y_true, "y_true")
        if len(self.y_true) > n_steps:
            raise ValueError(f"y_true must have at most the forecast's {n_steps} steps, got {len(self.y_true)}")
        n_past = len(self.y)
        self._is_counted = times is None
        self.times = np.arange(1 - n_past, n_steps + 1) if times is None else np.asarray(times)
        if self.times.shape != (n_past + n_steps,):
            raise ValueError(
                f"times must have one entry for each of {n_past} steps of y and {n_steps} of the forecast, "
                f"got shape {self.times.shape}"
            )

    @classmethod
    def from_estimator(
        cls,
        forecaster: Any,
        n_steps: int,
        *,
        X: Any = None,
        interval: float | None = 0.9,
        y: Any = None,
        y_true: Any = None,
        times: Any = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Forecast with a fitted `LSTMForecaster` of one series, and plot it.

        Parameters
        ----------
        forecaster : LSTMForecaster
            Fitted to one series. Of several, forecast them and make a `ForecastDisplay` of each.
        n_steps : int
            How many.
        X : array-like, default=None
            What is known of those steps; given if it was in `fit`.
        interval : float in (0, 1) or None, default=0.9
            The probability that the future is in the interval shown; None shows none.
        y, y_true, times : array-like, default=None
            The past to show, what came, and the axis; as in the constructor.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ForecastDisplay
        """
        bounds = None
        if interval is None:
            forecast = forecaster.predict(n_steps, X)
        else:
            outside = 1 - check_real(interval, "interval", 0, 1)
            predicted = forecaster.predict(n_steps, X, quantiles=[outside / 2, 1 - outside / 2])
            forecast, bounds = (predicted, None) if hasattr(predicted, "iloc") else predicted
        if hasattr(forecast, "iloc"):  # of a forecaster of series with dates
            if times is None:
                times = forecast.index if y is None else y.index.append(forecast.index)
                times = times.to_timestamp() if hasattr(times, "to_timestamp") else times
            columns = np.asarray(forecast, np.float64)
            if columns.ndim == 2 and columns.shape[1] == 3:
                columns, bounds = columns[:, 0], columns[:, 1:].T
            forecast = columns
        if isinstance(forecast, list) or np.ndim(forecast) != 1:
            raise ValueError(
                "forecaster must be fitted to one series (n_steps,), got several: "
                "make a ForecastDisplay of each of its forecasts"
            )
        return cls(forecast, bounds=bounds, interval=interval, y=y, y_true=y_true, times=times).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Plot the forecast.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : ForecastDisplay
        """
        (self.ax_,) = axes_for("ForecastDisplay", ax, 1, (8, 4))
        self.figure_ = self.ax_.figure
        n_past = len(self.y)
        ahead = self.times[n_past:]
        if n_past:
            self.ax_.plot(self.times[:n_past], self.y, color=BLACK, linewidth=1, label="past")
        if self.bounds is not None:
            text = "interval" if self.interval is None else f"{self.interval:.0%} interval"
            self.ax_.fill_between(ahead, *self.bounds, color=SKY, alpha=0.45, linewidth=0, label=text)
        self.ax_.plot(ahead, self.forecast, color=BLUE, label="forecast")
        if len(self.y_true):
            came = ahead[: len(self.y_true)]
            self.ax_.plot(came, self.y_true, color=RED, linestyle="none", marker="x", markersize=5, label="what came")
        if self._is_counted:
            self.ax_.set_xlabel("step (the forecast begins with 1)")
        self.ax_.set_ylabel("value")
        self.ax_.set_title(f"Forecast of {len(self.forecast)} steps")
        self.ax_.legend()
        return self


def column(values: Any, name: str) -> Array:
    """Return values as an array (n,) of float64."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (n_steps,), got {array.shape}")
    return array
