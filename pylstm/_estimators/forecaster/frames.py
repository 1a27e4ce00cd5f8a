"""Series with dates: reading the forms they come in, and giving forecasts the same form, with the dates that follow."""

import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import assert_all_finite

from ..._net.inputs import Array, as_array, as_numbers
from .dates import Grid, check_order, grid_of, kind_of
from .series import is_list

#: The columns of a long frame: whose value it is, of when, and the value. The first may be missing.
ID, DATE, VALUE = "unique_id", "ds", "y"
#: Steps that are filled for each value that there is, at most: with more, the frequency is another one.
MOST_FILLED = 1000


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
    is_frame: bool
    """Whether what has the values is a DataFrame, or each of them in a dict or list."""
    is_polars: bool
    unit: str | None
    """Of dates of polars: "ms", "us", "ns", or "D" for days without a time."""
    names: list[Any]
    """Of the series of a panel."""
    columns: list[Any]
    """Of the values of each: what a Series is called, or the columns of a frame."""
    levels: list[Any]
    """What a MultiIndex calls its two levels, or an index itself."""
    grid: Grid
    ends: npt.NDArray[np.intp]
    """(n_series,): the place in the grid of what follows each series."""
    X_columns: list[Any] | None = None
    """Of the X of fit; None where it had no names."""

    @property
    def is_panel(self) -> bool:
        return self.kind in ("long panel", "multi", "dict", "list")

    def dates_after(self, n: int) -> list[Any]:
        """Return the n dates that follow, for each series."""
        indexes = {end: self.grid.dates(int(end), n) for end in np.unique(self.ends)}
        return [indexes[end] for end in self.ends]

    def dates_between(self, n_steps: Array) -> tuple[int, Any]:
        """Return the dates of the last `n_steps` of all series, and the place in the grid of the first of them."""
        first = int((self.ends - n_steps).min())
        return first, self.grid.dates(first, int(self.ends.max()) - first)

    def later(self, n_steps: Array) -> "Frames":
        """Return the same, so many steps on for each series."""
        return self._replace(ends=self.ends + n_steps)


def has_dates(y: Any) -> bool:
    """Whether these are series with dates: of pandas or polars, a mapping of names, or a list of pandas Series."""
    if isinstance(y, dict):
        return True
    if isinstance(y, list | tuple):
        return any(map(_is_indexed, y))
    # a Series of arrays is a list
    return (_is_indexed(y) and not is_list(y.to_numpy())) or (_is_polars(y) and DATE in y.columns)


def _is_indexed(y: Any) -> bool:
    pandas = sys.modules.get("pandas")  # which is there, if y is of it
    return pandas is not None and isinstance(y, pandas.Series | pandas.DataFrame) and y.ndim > 0


def _is_polars(y: Any) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(y, polars.DataFrame)


# ---- reading


def read_y(y: Any, *, fill: bool, like: Frames | None = None, last: list[Array] | None = None) -> tuple[Any, Frames]:
    """Return the values of y, an array or a list of them, and its form.

    Parameters
    ----------
    y : Series, DataFrame, dict or list
    fill : bool
        Whether steps that are missing are added, by a line from the value before to the one after.
    like : Frames, default=None
        The form of fit, where this is what follows it: then it has the same kind and names, and begins where they end.
        The form that is returned ends where this does.
    last : list of ndarray (n_columns,), default=None
        With `like`, the last value that is known of each series: a line from there fills what is missing before y.
    """
    kind, parts, columns, levels = _parts(y, "y")
    names = [_plain(part.name) for part in parts]
    if like is None:
        grid = _common_grid(parts)
    else:
        grid = like.grid
        if kind != like.kind:
            raise ValueError(f"y must be of the form it had in fit, {like.kind}, got {kind}")
        parts = _in_order(parts, like, "y")
        names = like.names
        if columns != like.columns and columns != [None]:
            raise ValueError(f"y must have the columns it had in fit, {like.columns}, got {columns}")
    values, ends = [], np.empty(len(parts), np.intp)
    for k, (part, places) in enumerate(zip(parts, _places(grid, parts), strict=True)):
        called, rows, n_before = _called(part.name), part.values, 0
        if fill and like is not None and last is not None and places[0] >= like.ends[k]:
            n_before = 1
            places = np.append(like.ends[k] - 1, places)
            rows = np.concatenate([last[k].reshape(1, *rows.shape[1:]), rows])
        elif like is not None and places[0] != like.ends[k]:
            due, came = grid.dates(int(like.ends[k]), 1)[0], part.dates[0]
            raise ValueError(f"{called} must go on where the series known so far end, at {due}, got {came}")
        of = _filled(rows, places, grid, called) if fill else _complete(rows, places, grid, called)
        values.append(of[n_before:])
        ends[k] = places[-1] + 1
    if like is not None:
        return (values if like.is_panel else values[0]), like._replace(ends=ends)
    form = Frames(kind, _is_frame(y), _is_polars(y), _unit_of(y), names, columns, levels, grid, ends)
    return (values if form.is_panel else values[0]), form


def read_X(
    X: Any, form: Frames, n_steps: Array, name: str = "X", *, fill: bool = False
) -> tuple[Any, list[Any] | None]:
    """Return what X says of the last `n_steps` of each series of a form, an array or a list of them, and its columns.

    X has the form of y, or one index of dates for all series; it may have more dates and series than are asked for.
    Columns may be in another order than in fit. Rows that are numbered from 0, as many as asked for, are those steps.
    With `fill`, what is missing (NaN) is on a line between the rows that have it; the first and the last hold beyond.
    """
    import pandas as pd

    kind, parts, columns, _ = _parts(X, name)
    order = _order(columns, form.X_columns) if name == "X" else None
    is_for_all = kind in ("series", "frame", "long") and form.is_panel
    if not is_for_all and kind != form.kind and {kind, form.kind} > {"series", "frame"}:
        raise ValueError(f"{name} must be of the form of y, {form.kind}, or have one index of dates, got {kind}")
    parts = parts * len(form.names) if is_for_all else _in_order(parts, form, name) if form.is_panel else parts
    values = []
    first, dates = form.dates_between(n_steps)
    for part, end, n in zip(parts, form.ends, n_steps, strict=True):
        called = _called(part.name, name)
        if fill:
            part = part._replace(values=_filled(part.values, np.arange(len(part.values)), form.grid, called))
        if isinstance(part.dates, pd.RangeIndex) and part.dates.equals(pd.RangeIndex(n)):
            values.append(part.values if order is None else part.values[:, order])
            continue
        if kind_of(part.dates) != kind_of(form.grid.start):
            raise ValueError(f"{called} must have {kind_of(form.grid.start)}, as y, got {kind_of(part.dates)}")
        check_order(part.dates, called)
        needed = dates[end - n - first : end - first]
        rows = part.dates.get_indexer(needed)
        if (rows < 0).any():
            raise ValueError(
                f"{called} must have a row for {needed[int(np.argmax(rows < 0))]}, got rows from "
                f"{part.dates[0]} to {part.dates[-1]}"
            )
        values.append(part.values[rows] if order is None else part.values[rows][:, order])
    return values if form.is_panel else values[0], None if columns == [None] else columns


def _order(columns: list[Any], of_fit: list[Any] | None) -> list[int] | None:
    """Return where the columns of fit are among those of X; None if they are in that order, or have no names."""
    if of_fit is None or columns in (of_fit, [None]):
        return None
    if len(columns) != len(of_fit) or set(columns) != set(of_fit):
        raise ValueError(f"X must have the columns it had in fit, {of_fit}, got {columns}")
    return [columns.index(column) for column in of_fit]


def read_static(static: Any, form: Frames | None, n_series: int) -> Array:
    """Return what tells series apart as (n_series, n_columns): by name where they have names, else in their order."""
    names = None if form is None or not form.is_panel else form.names
    if isinstance(static, dict) or _is_indexed(static):
        if names is None:
            raise ValueError("static must be an array (n_series, n_columns), as the series of y have no names")
        rows = static if isinstance(static, dict) else _rows_by_id(static)
        for name in names:
            if name not in rows:
                raise ValueError(f"static must have a row for each series, got none for {name!r}")
        static = [np.atleast_1d(as_array(rows[name], f"static[{name!r}]")) for name in names]
    shape = "(n_series, n_columns) of numbers; indicators make numbers of categories"
    values = as_numbers(static, "static", 2, shape, np.float64)
    if len(values) != n_series or values.shape[1] == 0:
        raise ValueError(f"static must have a row for each of {n_series} series, got shape {values.shape}")
    assert_all_finite(values, input_name="static")
    return values


def _rows_by_id(static: Any) -> dict[Any, Any]:
    if ID in getattr(static, "columns", ()):
        static = static.set_index(ID)
    return dict(zip(static.index.tolist(), static.to_numpy(), strict=True))


def _parts(y: Any, name: str) -> tuple[str, list[One], list[Any], list[Any]]:
    """Return the kind of form, the series in it, the names of their columns, and those of levels of an index."""
    import pandas as pd

    if isinstance(y, dict | list | tuple):
        is_dict = isinstance(y, dict)
        named = y if isinstance(y, dict) else dict(enumerate(y))
        if len(named) == 0:
            raise ValueError(f"{name} must have at least one series, got none")
        of_each = [_parts_of_one(each, f"{name}[{key!r}]") for key, each in named.items()]
        first, _, columns, levels = of_each[0]
        for key, (inner, _, others, _) in zip(named, of_each, strict=True):
            if inner != first or (inner == "frame" and others != columns):
                raise ValueError(
                    f"{name}[{key!r}] must have the form of the first series, a {first} of columns {of_each[0][2]}, "
                    f"got a {inner} of {others}"
                )
            if others != columns:
                columns = [None]  # each Series is called by a name of its own
        parts = [inner[0]._replace(name=key) for key, (_, inner, _, _) in zip(named, of_each, strict=True)]
        return "dict" if is_dict else "list", parts, columns, levels
    if _is_polars(y):
        y = pd.DataFrame({column: _column(y[column]) for column in y.columns})
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
        without = y.index.get_level_values(0).isna()
        if without.any():
            raise ValueError(
                f"{name} must have a name of a series in every row, got none in row {int(without.argmax())}"
            )
        parts = [
            One(key, rows.index.get_level_values(1), rows.to_numpy())
            for key, rows in y.groupby(level=0, sort=False, observed=True)
        ]
        return "multi", parts, columns, list(y.index.names)
    kind = "series" if isinstance(y, pd.Series) else "frame"
    return kind, [One(None, y.index, y.to_numpy())], columns, [y.index.name]


def _parts_of_one(y: Any, called: str) -> tuple[str, list[One], list[Any], list[Any]]:
    """Return the same of a series in a dict or list."""
    import pandas as pd

    if not _is_indexed(y):
        values = as_array(y, called)
        if values.ndim not in (1, 2):
            raise ValueError(f"{called} must be a Series, a DataFrame or an array (n_steps,), got {type(y).__name__!r}")
        y = pd.Series(values) if values.ndim == 1 else pd.DataFrame(values)
    of_one = _parts(y, called)
    if of_one[0] not in ("series", "frame"):
        raise ValueError(f"{called} must be one series with its dates for index, got a {of_one[0]} form")
    return of_one


def _column(values: Any) -> Any:
    """Return a column of polars as pandas reads it: days as dates, and with the time zone."""
    import pandas as pd

    array = values.to_numpy()
    if array.dtype.kind == "M":
        zone = getattr(values.dtype, "time_zone", None)
        dates = pd.DatetimeIndex(array.astype("datetime64[us]") if array.dtype == "datetime64[D]" else array)
        return dates if zone is None else dates.tz_localize("UTC").tz_convert(zone)
    return array


def _is_frame(y: Any) -> bool:
    each = next(iter(y.values() if isinstance(y, dict) else y)) if isinstance(y, dict | list | tuple) else y
    return len(getattr(each, "shape", ())) == 2


def _unit_of(y: Any) -> str | None:
    if not _is_polars(y):
        return None
    return "D" if str(y[DATE].dtype) == "Date" else getattr(y[DATE].dtype, "time_unit", None)


def _plain(name: Any) -> Any:
    """Return a name without NumPy's types."""
    return name.item() if isinstance(name, np.generic) else name


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
    longest = max(parts, key=lambda part: len(part.dates))
    step = grid_of(longest.dates, _called(longest.name)).step
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
    holes = _holes(values)
    if holes.any():
        raise ValueError(
            f"{called} must have a value for each step, got none (NaN) for "
            f"{grid.dates(int(places[int(np.argmax(holes))]), 1)[0]}: missing='interpolate' draws a line between the "
            "values beside it"
        )
    return values


def _holes(values: Array) -> npt.NDArray[np.bool_]:
    """Return which steps miss a value."""
    import pandas as pd

    return np.asarray(pd.isna(values).reshape(len(values), -1).any(axis=1))


def _filled(values: Array, places: npt.NDArray[np.intp], grid: Grid, called: str) -> Array:
    """Return a value for each step: on a line between those that there are; the first and the last hold beyond."""
    import pandas as pd

    n_steps = int(places[-1] - places[0]) + 1
    if n_steps > MOST_FILLED * len(values):
        raise ValueError(
            f"{called} must have a value for at least one in {MOST_FILLED} steps of its frequency, {grid.step!r}, got "
            f"{len(values)} for {n_steps}"
        )
    steps = np.arange(places[0], places[-1] + 1)
    values = np.where(pd.isna(values), np.nan, values)
    rows = as_numbers(values, called, values.ndim, "", np.float64).reshape(len(values), -1)
    filled = np.empty((n_steps, rows.shape[1]))
    for k, column in enumerate(rows.T):
        known = ~np.isnan(column)
        if not known.any():
            raise ValueError(f"{called} must have at least one value in each column, got NaN alone")
        filled[:, k] = np.interp(steps, places[known], column[known])
    return filled.reshape(n_steps, *values.shape[1:])


def _in_order(parts: list[One], form: Frames, name: str) -> list[One]:
    """Return the series in the order of fit."""
    by_name = {part.name: part for part in parts}
    known = set(form.names)
    for key in by_name:
        if key not in known and name == "y":
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

    names = ["y" if column is None else column for column in form.columns]
    columns = [f"{name}{suffix}" if suffix else name for name in names for suffix in parts]
    frames = []
    for k, index in enumerate(form.dates_after(n_steps)):
        values = np.stack([of[k][:, j] for j in range(len(names)) for of in parts.values()], axis=1)
        frames.append(pd.DataFrame(values, index.rename(form.levels[-1]) if form.levels else index))
        frames[-1].columns = pd.Index(columns, tupleize_cols=len(parts) == 1)
    if form.kind in ("long", "long panel"):
        whole = pd.concat(frames)
        whole.insert(0, DATE, whole.index)
        if form.kind == "long panel":
            ids = pd.Series(form.names, dtype=object).infer_objects()
            whole.insert(0, ID, ids.repeat(n_steps).to_numpy())
        whole = whole.reset_index(drop=True)
        return _as_polars(whole, form) if form.is_polars else whole
    if len(form.columns) == 1 and len(parts) == 1 and not form.is_frame:
        frames = [frame.iloc[:, 0].rename(form.columns[0]) for frame in frames]
    if form.kind == "multi":
        return pd.concat(frames, keys=form.names, names=form.levels)
    if form.kind == "dict":
        return dict(zip(form.names, frames, strict=True))
    return frames if form.kind == "list" else frames[0]


def _as_polars(frame: Any, form: Frames) -> Any:
    import polars as pl

    zone = getattr(frame[DATE].dtype, "tz", None)
    if zone is not None:
        frame = frame.assign(**{DATE: frame[DATE].dt.tz_convert("UTC").dt.tz_localize(None)})
    columns = {column: frame[column].to_numpy() for column in frame}
    whole = pl.DataFrame(columns)
    if zone is not None:
        whole = whole.with_columns(pl.col(DATE).dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone)))
    unit: Any = form.unit
    if unit is None:
        return whole
    return whole.with_columns(pl.col(DATE).cast(pl.Date) if unit == "D" else pl.col(DATE).dt.cast_time_unit(unit))
