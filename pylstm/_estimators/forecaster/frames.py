"""Series with dates: reading the forms they come in, and giving forecasts the same form, with the dates that follow."""

import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._net.inputs import Array, as_array
from .dates import Grid, check_order, grid_of, kind_of

#: The columns of a long frame: whose value it is, of when, and the value. The first may be missing.
ID, DATE, VALUE = "unique_id", "ds", "y"


class One(NamedTuple):
    """A series as it was given."""

    name: Any
    dates: Any
    """A pandas Index."""
    values: Array
    """(n_steps,) or (n_steps, n_columns)."""


class Frames(NamedTuple):
    """The form that y had in fit, and where in time it ends."""

    kind: str
    """"series" or "frame", which have dates for index; "long", "long panel", "multi", "dict" or "list"."""
    is_polars: bool
    names: list[Any]
    """Of the series of a panel."""
    columns: list[Any]
    """Of the values of each: what a Series is called, or the columns of a frame."""
    levels: list[Any]
    """What a MultiIndex calls its two levels, or an index itself."""
    grid: Grid
    ends: npt.NDArray[np.intp]
    """(n_series,): the place in the grid of what follows each series."""

    @property
    def is_panel(self) -> bool:
        return self.kind in ("long panel", "multi", "dict", "list")

    def dates_after(self, n: int) -> list[Any]:
        """Return the n dates that follow, for each series."""
        indexes = {end: self.grid.dates(int(end), n) for end in np.unique(self.ends)}
        return [indexes[end] for end in self.ends]

    def later(self, n_steps: Array) -> "Frames":
        """Return the same, so many steps on for each series."""
        return self._replace(ends=self.ends + n_steps)


def has_dates(y: Any) -> bool:
    """Whether these are series with dates: of pandas or polars, a mapping of names, or a list of pandas Series."""
    if isinstance(y, dict):
        return True
    if isinstance(y, list | tuple):
        return len(y) > 0 and all(map(_is_indexed, y))
    return _is_indexed(y) or _is_polars(y)


def _is_indexed(y: Any) -> bool:
    pandas = sys.modules.get("pandas")  # which is there, if y is of it
    return pandas is not None and isinstance(y, pandas.Series | pandas.DataFrame) and y.ndim > 0


def _is_polars(y: Any) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(y, polars.DataFrame)


# ---- reading


def read_y(y: Any, *, fill: bool, like: Frames | None = None) -> tuple[Any, Frames]:
    """Return the values of y, an array or a list of them, and its form.

    Parameters
    ----------
    y : Series, DataFrame, dict or list
    fill : bool
        Whether steps that are missing are added, by a line from the value before to the one after.
    like : Frames, default=None
        The form of fit, where this is what follows it: then it has the same kind and names, and begins where they end.
        The form that is returned ends where this does.
    """
    kind, parts, columns, levels = _parts(y, "y")
    names = [part.name for part in parts]
    if like is None:
        grid = _common_grid(parts)
    else:
        grid = like.grid
        if kind != like.kind:
            raise ValueError(f"y must be of the form it had in fit, {like.kind}, got {kind}")
        parts = _in_order(parts, like, "y")
        names = like.names
        if columns != like.columns:
            raise ValueError(f"y must have the columns it had in fit, {like.columns}, got {columns}")
    values, ends = [], np.empty(len(parts), np.intp)
    for k, (part, places) in enumerate(zip(parts, _places(grid, parts), strict=True)):
        called = _called(part.name)
        if like is not None and places[0] != like.ends[k]:
            due, came = grid.dates(int(like.ends[k]), 1)[0], part.dates[0]
            raise ValueError(f"{called} must go on where the series known so far end, at {due}, got {came}")
        values.append(_filled(part.values, places) if fill else _complete(part.values, places, grid, called))
        ends[k] = places[-1] + 1
    form = Frames(kind, _is_polars(y), names, columns, levels, grid, ends)
    return (values if form.is_panel else values[0]), form


def read_X(X: Any, form: Frames, n_steps: Array) -> Any:
    """Return what X says of the last `n_steps` of each series of a form, an array or a list of them.

    X has the form of y, or one index of dates for all series; it may have more dates than are asked for.
    """
    kind, parts, _, _ = _parts(X, "X")
    is_for_all = kind in ("series", "frame") and form.is_panel
    if not is_for_all and kind != form.kind and {kind, form.kind} > {"series", "frame"}:
        raise ValueError(f"X must be of the form of y, {form.kind}, or have one index of dates, got {kind}")
    parts = parts * len(form.names) if is_for_all else _in_order(parts, form, "X") if form.is_panel else parts
    values = []
    for part, end, n in zip(parts, form.ends, n_steps, strict=True):
        check_order(part.dates, _called(part.name, "X"))
        needed = form.grid.dates(int(end - n), int(n))
        rows = part.dates.get_indexer(needed)
        if (rows < 0).any():
            raise ValueError(
                f"{_called(part.name, 'X')} must have a row for {needed[int(np.argmax(rows < 0))]}, got rows from "
                f"{part.dates[0]} to {part.dates[-1]}"
            )
        values.append(part.values[rows])
    return values if form.is_panel else values[0]


def _parts(y: Any, name: str) -> tuple[str, list[One], list[Any], list[Any]]:
    """Return the kind of form, the series in it, the names of their columns, and those of levels of an index."""
    import pandas as pd

    if isinstance(y, dict | list | tuple):
        is_dict = isinstance(y, dict)
        if len(y) == 0:
            raise ValueError(f"{name} must have at least one series, got none")
        series = y.values() if is_dict else y
        of_each = [
            _parts(each if _is_indexed(each) else pd.Series(as_array(each, f"{name}[{key!r}]")), name)
            for key, each in zip(y, series, strict=True)
        ]
        names = list(y) if is_dict else list(range(len(y)))
        parts = [
            part._replace(name=key) for key, (_, inner, _, _) in zip(names, of_each, strict=True) for part in inner
        ]
        return "dict" if is_dict else "list", parts, of_each[0][2], of_each[0][3]
    if _is_polars(y):
        y = pd.DataFrame({column: y[column].to_numpy() for column in y.columns})
        if DATE not in y:
            raise ValueError(f"{name} of polars must have the column {DATE!r} with its dates, got {list(y)}")
    if isinstance(y, pd.DataFrame) and DATE in y:
        return _parts_of_long(y, name)
    if len(y) == 0:
        raise ValueError(f"{name} must have at least one step, got none")
    columns = [y.name] if isinstance(y, pd.Series) else list(y.columns)
    if isinstance(y.index, pd.MultiIndex):
        if y.index.nlevels != 2:
            raise ValueError(f"{name} must have two levels in its index, series and date, got {y.index.nlevels}")
        parts = [One(key, rows.index.get_level_values(1), rows.to_numpy()) for key, rows in y.groupby(level=0, sort=False)]
        return "multi", parts, columns, list(y.index.names)
    kind = "series" if isinstance(y, pd.Series) else "frame"
    return kind, [One(None, y.index, y.to_numpy())], columns, [y.index.name]


def _parts_of_long(y: Any, name: str) -> tuple[str, list[One], list[Any], list[Any]]:
    columns = [column for column in y if column not in (ID, DATE)]
    if name == "y" and columns != [VALUE]:
        raise ValueError(
            f"y must have the columns {ID!r}, {DATE!r} and {VALUE!r}, got {list(y)}: what is known ahead of it is X, "
            f"with {ID!r} and {DATE!r} of its own"
        )
    import pandas as pd

    if len(y) == 0:
        raise ValueError(f"{name} must have at least one row, got none")
    dates = pd.Index(y[DATE])
    values = y[columns[0]].to_numpy() if name == "y" else y[columns].to_numpy()
    if ID not in y:
        return "long", [One(None, dates, values)], columns, []
    codes, names = pd.factorize(y[ID])
    if (codes < 0).any():
        raise ValueError(f"{name} must have a {ID!r} in every row, got none in row {int(np.argmax(codes < 0))}")
    order = np.argsort(codes, kind="stable")
    cuts = np.cumsum(np.bincount(codes))[:-1]
    parts = [
        One(key, dates[rows], values[rows]) for key, rows in zip(names.tolist(), np.split(order, cuts), strict=True)
    ]
    return "long panel", parts, columns, []


def _common_grid(parts: list[One]) -> Grid:
    """Return the grid of all series: of their dates taken together, since one alone may have gaps or be short."""
    if len(parts) == 1:
        return grid_of(parts[0].dates, _called(parts[0].name))
    import pandas as pd

    kinds = sorted({kind_of(part.dates) for part in parts})
    if len(kinds) > 1:
        raise ValueError(f"y must have dates of one kind, got {' and '.join(kinds)}")
    longest = max(parts, key=lambda part: len(part.dates)).dates
    step = grid_of(longest, "y").step
    first = min(part.dates[0] for part in parts)
    return Grid(first if isinstance(first, pd.Timestamp | pd.Period) else int(first), step)


def _places(grid: Grid, parts: list[One]) -> list[npt.NDArray[np.intp]]:
    """Return where the steps of each series are in the grid."""
    for part in parts:
        if kind_of(part.dates) != kind_of(grid.start):
            raise ValueError(f"{_called(part.name)} must have {kind_of(grid.start)}, got {kind_of(part.dates)}")
        check_order(part.dates, _called(part.name))
    dates = parts[0].dates.append([part.dates for part in parts[1:]])
    cuts = np.cumsum([len(part.dates) for part in parts])[:-1]
    places = np.split(grid.places(dates), cuts)
    for part, at in zip(parts, places, strict=True):
        if (at < 0).any():
            raise ValueError(
                f"{_called(part.name)} must have dates of the frequency {grid.step!r} from {grid.start} on, as there "
                f"are before and beside it, got {part.dates[int(np.argmax(at < 0))]}"
            )
    return places


def _complete(values: Array, places: npt.NDArray[np.intp], grid: Grid, called: str) -> Array:
    """Return the values, or say which step is missing."""
    jumps = np.diff(places) != 1
    if jumps.any():
        gap = grid.dates(int(places[int(np.argmax(jumps))]) + 1, 1)[0]
        raise ValueError(
            f"{called} must have a value for each step of its frequency, {grid.step!r}, got none for {gap}: "
            "missing='interpolate' draws a line between the values beside a gap. Series of another frequency than the "
            "longest of them take a forecaster of their own"
        )
    return values


def _filled(values: Array, places: npt.NDArray[np.intp]) -> Array:
    """Return a value for each step: on a line between those that there are; the first and the last hold beyond."""
    steps = np.arange(places[0], places[-1] + 1)
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    filled = np.empty((len(steps), rows.shape[1]))
    for k, column in enumerate(rows.T):
        known = ~np.isnan(column)
        filled[:, k] = np.interp(steps, places[known], column[known]) if known.any() else np.nan
    return filled.reshape(len(steps), *values.shape[1:])


def _in_order(parts: list[One], form: Frames, name: str) -> list[One]:
    """Return the series in the order of fit."""
    by_name = {part.name: part for part in parts}
    for key in by_name:
        if key not in form.names:
            raise ValueError(f"{name} must have the series that fit had, got one more, {key!r}: fit again with it")
    for key in form.names:
        if key not in by_name:
            raise ValueError(f"{name} must have the series that fit had, got none for {key!r}")
    return [by_name[key] for key in form.names]


def _called(key: Any, name: str = "y") -> str:
    return name if key is None else f"{name}[{key!r}]"


# ---- writing


def write(form: Frames, n_steps: int, parts: dict[str, list[Array]]) -> Any:
    """Return forecasts in the form of y.

    Parameters
    ----------
    form : Frames
    n_steps : int
    parts : dict of list of ndarray (n_steps, n_columns)
        By what is added to a column's name, for each series; the forecast itself by "". With more than that a Series
        becomes a DataFrame.
    """
    import pandas as pd

    dates = form.dates_after(n_steps)
    names = ["y" if column is None else column for column in form.columns]
    frames = []
    for k, index in enumerate(dates):
        columns = {
            f"{name}{suffix}" if suffix else name: of[k][:, j]
            for j, name in enumerate(names)
            for suffix, of in parts.items()
        }
        frames.append(pd.DataFrame(columns, index=index.rename(form.levels[-1]) if form.levels else index))
    if form.kind in ("long", "long panel"):
        whole = pd.concat(frames)
        whole.insert(0, DATE, whole.index)
        if form.kind == "long panel":
            whole.insert(0, ID, np.repeat(np.array(form.names), n_steps))
        whole = whole.reset_index(drop=True)
        if form.is_polars:
            import polars as pl

            return pl.DataFrame({column: whole[column].to_numpy() for column in whole})
        return whole
    is_series = len(form.columns) == 1 and len(parts) == 1 and form.kind != "frame"
    if is_series:
        frames = [frame[names[0]].rename(form.columns[0]) for frame in frames]
    if form.kind == "multi":
        return pd.concat(frames, keys=form.names, names=form.levels)
    if form.kind == "dict":
        return dict(zip(form.names, frames, strict=True))
    return frames if form.kind == "list" else frames[0]
