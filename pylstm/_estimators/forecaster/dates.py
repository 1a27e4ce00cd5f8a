"""The dates of series: how far apart they are, whether any is missing, and which ones follow. Needs pandas."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

#: Dates that a frequency is looked for in at a time, where those of the whole series have none.
RUN = 8


class Grid(NamedTuple):
    """Dates that are a step apart, from a first one on."""

    start: Any
    """The first: a Timestamp, a Period or an int."""
    step: Any
    """The frequency as pandas writes it, or of integers their difference."""

    def dates(self, first: int, n: int) -> Any:
        """Return n dates from place `first` on, as a pandas Index."""
        import pandas as pd

        if isinstance(self.start, int):
            return pd.Index(self.start + self.step * np.arange(first, first + n))
        if isinstance(self.start, pd.Period):
            return pd.period_range(self.start + first, periods=n)
        return pd.date_range(self.start, periods=first + n, freq=self.step)[first:]

    def places(self, dates: Any) -> npt.NDArray[np.intp]:
        """Return where dates of an Index stand, -1 for those that are none of these."""
        import pandas as pd

        if isinstance(self.start, int):
            steps, rest = np.divmod(np.asarray(dates, np.int64) - self.start, self.step)
            return np.where((rest == 0) & (steps >= 0), steps, -1).astype(np.intp)
        offset = None if isinstance(self.start, pd.Period) else pd.tseries.frequencies.to_offset(self.step)
        if isinstance(offset, pd.offsets.Tick) and not isinstance(offset, pd.offsets.Day):  # of fixed length
            since, length = dates - self.start, pd.Timedelta(offset)
            return np.where(
                (since % length == pd.Timedelta(0)) & (since >= pd.Timedelta(0)), since // length, -1
            ).astype(np.intp)
        n = 1 + (0 if len(dates) == 0 else self._most_steps(dates.max()))
        return np.asarray(self.dates(0, n).get_indexer(dates), np.intp)

    def _most_steps(self, last: Any) -> int:
        """Return a number of steps within which a date is, if it is one of these."""
        import pandas as pd

        if isinstance(self.start, pd.Period):
            return max(0, last.ordinal - self.start.ordinal)
        return max(0, len(pd.date_range(self.start, last, freq=self.step)))


def grid_as_plain(grid: Grid) -> tuple[str, str, str | None, str]:
    """Return a grid in words: the kind of its dates, its start, their time zone, and its step."""
    start = grid.start
    if isinstance(start, int):
        return "integers", str(start), None, str(grid.step)
    if hasattr(start, "freqstr"):
        return "periods", str(start), None, str(grid.step)
    return "dates", str(start), None if start.tz is None else str(start.tz), str(grid.step)


def grid_from_plain(kind: str, start: str, zone: str | None, step: str) -> Grid:
    """Return a grid that `grid_as_plain` took apart."""
    import pandas as pd

    if kind == "integers":
        return Grid(int(start), int(step))
    if kind == "periods":
        return Grid(pd.Period(start, step), step)
    return Grid(pd.Timestamp(start) if zone is None else pd.Timestamp(start).tz_convert(zone), step)


def kind_of(dates: Any) -> str:
    """Return what dates of an Index, or a date, are: periods of a frequency, dates of a time zone, or integers."""
    import pandas as pd

    if isinstance(dates, pd.PeriodIndex | pd.Period):
        return f"periods of frequency {dates.freqstr}"
    if isinstance(dates, pd.DatetimeIndex | pd.Timestamp):
        return "dates without a time zone" if dates.tz is None else f"dates in {dates.tz}"
    return "integers"


def grid_of(dates: Any, called: str) -> Grid:
    """Return the grid of an Index of dates, or say what is wrong with them.

    Raises
    ------
    ValueError
        If they are not in order, twice there, or not evenly apart; a few of them may be missing.
    TypeError
        If they are none: neither dates, periods nor integers.
    """
    import pandas as pd

    if not isinstance(dates, pd.DatetimeIndex | pd.PeriodIndex) and not pd.api.types.is_integer_dtype(dates.dtype):
        raise TypeError(
            f"{called} must have dates (a DatetimeIndex or PeriodIndex) or integers for its steps, got {dates.dtype}: "
            "pandas.to_datetime makes dates of text"
        )
    check_order(dates, called)
    if isinstance(dates, pd.PeriodIndex):
        return Grid(dates[0], dates.freqstr)
    if not isinstance(dates, pd.DatetimeIndex):
        steps = np.diff(dates)
        return Grid(int(dates[0]), int(steps.min()) if len(steps) else 1)
    if dates.freq is not None:
        return Grid(dates[0], dates.freqstr)
    return Grid(dates[0], _frequency(dates, called))


def check_order(dates: Any, called: str) -> None:
    """Refuse dates that are missing, unsorted or there twice."""
    if dates.hasnans:
        raise ValueError(f"{called} must have a date for every step, got NaT at step {int(np.argmax(dates.isna()))}")
    if not dates.is_monotonic_increasing:
        at = int(np.argmax(dates[1:] < dates[:-1])) + 1
        raise ValueError(
            f"{called} must be sorted by date, the oldest first, got {dates[at]} after {dates[at - 1]}: sort it, by "
            "sort_index or sort_values"
        )
    if not dates.is_unique:
        twice = dates[dates.duplicated()][0]
        raise ValueError(f"{called} must have each date once, got {twice} twice: keep one of them, or their mean")


def _frequency(dates: Any, called: str) -> str:
    """Return the frequency of sorted dates, of which some may be missing."""
    import pandas as pd

    if len(dates) < 3:
        raise ValueError(
            f"{called} must have at least 3 dates for their frequency to be inferred, got {len(dates)}: say it, by "
            "y.asfreq(...)"
        )
    found = pd.infer_freq(dates)
    if found is not None:
        return str(found)
    for size in (RUN, 3):  # the second for dates of which many are missing
        every = max(1, size // 2, len(dates) // 1000)
        runs = [pd.infer_freq(dates[k : k + size]) for k in range(0, len(dates) - 2, every)]
        names, counts = np.unique([run for run in runs if run is not None], return_counts=True)
        for name in names[np.argsort(-counts)]:
            if (Grid(dates[0], str(name)).places(dates) >= 0).all():
                return str(name)
    raise ValueError(
        f"{called} must have dates that are evenly apart, as each day or month, got no frequency that fits "
        f"{dates[0]}, {dates[1]}, {dates[2]}, ...: resample it, as y.resample('D').mean() does, or take "
        "periods, as y.to_period('M') does with a day of each month"
    )
