"""A forecaster of series with dates: they are taken off before it reads them, and put on what it forecasts."""

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ..._net.inputs import Array, as_form
from ..state import State
from .calendar import CYCLES, calendar_features
from .dates import grid_as_plain, grid_from_plain, kind_of
from .forms import SeriesEstimator
from .frames import Frames, has_dates, read_static, read_X, read_y, write
from .series import is_list, read_series

#: What a grid of dates is in plain words.
GRID = ("dates", "start", "zone", "step")
KINDS = ("series", "frame", "long", "long panel", "multi", "dict", "list")
UNITS = ("D", "ms", "us", "ns")


class DatedEstimator(SeriesEstimator):
    """Reads pandas and polars, with what the calendar says of their dates."""

    calendar: Any = ()
    missing: str = "error"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "calendar": [tuple, list],
        "missing": [StrOptions({"error", "interpolate"})],
    }

    _form: Frames | None
    #: (n_series, n_static); None where there is none.
    _static: Array | None
    #: Columns, the last ones of X, that are known up to now only.
    _n_past: int

    def _learn_form(self, y: Any, X: Any, X_past: Any, static: Any) -> tuple[Any, Any]:
        """Note the form of y, what tells its series apart, and how many columns are known up to now only.

        Returns
        -------
        y, X
            As arrays or lists of them. The columns of X are the user's, the calendar's, static ones, and those of
            X_past.
        """
        self._check_calendar()
        if len(self.calendar) and not has_dates(y):
            raise ValueError(f"calendar={self.calendar!r} needs a y with dates, got {type(y).__name__!r}")
        self._form, self._static, self._n_past = None, None, 0
        if has_dates(y):
            y, self._form = read_y(y, fill=self._fills)
        elif X_past is None and static is None:
            return y, X
        lengths = _lengths(y)
        if X is not None and self._form is not None and has_dates(X):
            X, columns = read_X(X, self._form, lengths, fill=self._fills)
            self._form = self._form._replace(X_columns=columns)
        if static is not None:
            self._static = read_static(static, self._form, len(lengths))
        past = self._read_columns(X_past, self._form, lengths, "X_past")
        if past is not None:
            self._n_past = past[0].shape[1]
        return y, self._known(X, past, self._form, lengths, is_list(y))

    def _follow_form(self, y: Any, X: Any, X_past: Any = None) -> tuple[Any, Any, Frames | None]:
        """Return what follows, y and X, as arrays or lists of them, and the form of y, which ends where this does.

        Without X_past its columns are what they are on average.
        """
        form = None
        if self._form is not None:
            if not has_dates(y):
                raise ValueError(f"y must have dates, as in fit, got {type(y).__name__!r}")
            y, form = read_y(y, fill=self._fills, like=self._form, last=self._last_values())
        elif X_past is None and not self._reads_more:
            return y, X, None
        lengths = _lengths(y)
        past = self._read_columns(X_past, form, lengths, "X_past")
        if past is not None and past[0].shape[1] != self._n_past:
            raise ValueError(f"X_past must have {self._n_past} columns, as in fit, got {past[0].shape[1]}")
        return y, self._known(X, past, form, lengths, is_list(y)), form

    def _known_ahead(self, X: Any, n_steps: int) -> Any:
        """Return X of the steps that follow, as an array or a list of them."""
        n_each = np.full(len(self._naive_error), n_steps)
        form = None if self._form is None else self._form.later(n_each)
        return self._known(X, None, form, n_each, self._given_as_list)

    def _check_calendar(self) -> None:
        """Refuse names that are none of the calendar's."""
        for name in self.calendar:
            if not isinstance(name, str) or name not in CYCLES:
                raise ValueError(f"calendar must name some of {', '.join(map(repr, CYCLES))}, got {name!r}")

    def _last_values(self) -> list[Array]:
        """Return the last value that is known of each series (n_columns,)."""
        raise NotImplementedError

    @property
    def _fills(self) -> bool:
        """Whether what is missing is filled."""
        return self.missing == "interpolate"

    @property
    def _beside_y(self) -> dict[str, int]:
        """How many columns of what stands beside y are no user's X."""
        return {"X_past": self._n_past, "static": 0 if self._static is None else self._static.shape[1]}

    @property
    def _reads_more(self) -> bool:
        """Whether the network reads more beside y than a user's X."""
        return len(self.calendar) > 0 or self._static is not None or self._n_past > 0

    def _known(self, X: Any, past: list[Array] | None, form: Frames | None, n_steps: Array, as_list: bool) -> Any:
        """Return all columns beside y of the last steps of a form."""
        if not self._reads_more:
            if X is None or form is None or not has_dates(X):
                return X
            return read_X(X, form, n_steps, fill=self._fills)[0]
        parts = [self._read_columns(X, form, n_steps, "X")]
        if len(self.calendar):
            self._check_calendar()  # it may have been set since the fit, or come out of a file
            if form is None:
                raise ValueError(f"calendar={self.calendar!r} needs dates, and the y of fit had none")
            if kind_of(form.grid.start) == "integers":
                raise ValueError(f"calendar={self.calendar!r} needs dates, got integers for steps")
            first, dates = form.dates_between(n_steps)
            of_all = calendar_features(dates, tuple(self.calendar))
            parts.append([of_all[end - n - first : end - first] for end, n in zip(form.ends, n_steps, strict=True)])
        if self._static is not None:
            parts.append([np.repeat(row[np.newaxis], n, axis=0) for row, n in zip(self._static, n_steps, strict=True)])
        if self._n_past:
            if past is None:
                past = [np.repeat(self._X_mean[np.newaxis, -self._n_past :], n, axis=0) for n in n_steps]
            parts.append(past)
        whole = [np.hstack(of) for of in zip(*(part for part in parts if part is not None), strict=True)]
        return whole if as_list else whole[0]

    def _read_columns(self, X: Any, form: Frames | None, n_steps: Array, name: str) -> list[Array] | None:
        """Return a user's columns of the last steps of each series, (n_steps, n_columns) each."""
        if X is None:
            return None
        if form is not None and has_dates(X):
            X = read_X(X, form, n_steps, name, fill=self._fills)[0]
        given = [values.reshape(len(values), -1) for values in read_series(X, name)]
        lengths = [len(values) for values in given]
        if lengths != n_steps.tolist():
            raise ValueError(f"{name} must have a row for each step of y, {n_steps.tolist()[:5]}, got {lengths[:5]}")
        return given

    def _dated(self, n_steps: int, parts: dict[str, list[Array]]) -> Any:
        """Return forecasts in the form of y: by what is added to names, arrays (n_steps, n_columns) for each series."""
        assert self._form is not None
        return write(self._form, n_steps, parts)

    # ---- in files

    def _form_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        form, arrays = self._form, {} if self._static is None else {"static": self._static}
        values = {"n_static": None if self._static is None else self._static.shape[1]}
        if form is None:
            return {**values, "form": None}, arrays
        named = {"names of series": form.names, "columns": form.columns, "levels": form.levels}
        for what, names in (named | {"columns of X": form.X_columns}).items():
            for name in names or ():
                if not _is_name(name):
                    raise ValueError(f"{what} must be strings or integers to be saved, got {name!r}")
        state = {
            "kind": form.kind,
            "is_frame": form.is_frame,
            "is_polars": form.is_polars,
            "unit": form.unit,
            "names": form.names,
            "columns": form.columns,
            "levels": form.levels,
            "X_columns": form.X_columns,
            **dict(zip(GRID, grid_as_plain(form.grid), strict=True)),
        }
        return {**values, "form": state}, {**arrays, "form_ends": form.ends.astype(np.int64)}

    def _read_form_state(self, state: State, n_series: int) -> None:
        self._form, self._static = None, None
        if "form" not in state.values:  # of older files
            return
        if not state.null("n_static"):
            n_static = state.integer("n_static", at_least=1, at_most=self.n_features_in_)
            self._static = state.array("static", ["float64"], (n_series, n_static))
        if state.null("form"):
            return
        of = state.inner("form")
        names, columns, levels = (
            of.value(key, "a list of strings, integers and null", lambda value: _are_names(value))
            for key in ("names", "columns", "levels")
        )
        X_columns = None if of.null("X_columns") else of.value("X_columns", "a list of names", _are_names)
        kind, start, step = of.choice("dates", ["dates", "periods", "integers"]), *_texts(of, "start", "step")
        zone = None if of.null("zone") else _texts(of, "zone")[0]
        try:
            grid = grid_from_plain(kind, start, zone, step)
            grid.dates(0, 2)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"form must have dates that pandas can read, got {start!r}, {step!r}, {zone!r}") from error
        ends = state.array("form_ends", ["int64"], (n_series,))
        if (ends < 0).any() or len(names) != n_series or len(columns) != self.n_series_:
            raise ValueError(f"form must be of {n_series} series of {self.n_series_} columns")
        self._form = Frames(
            kind=of.choice("kind", KINDS),
            is_frame=of.boolean("is_frame"),
            is_polars=of.boolean("is_polars"),
            unit=None if of.null("unit") else of.choice("unit", UNITS),
            names=names,
            columns=columns,
            levels=levels,
            grid=grid,
            ends=ends.astype(np.intp),
            X_columns=X_columns,
        )
        of.end()


def _lengths(y: Any) -> Array:
    return np.array([len(values) for values in read_series(as_form(y, "y"), "y")], np.intp)


def named(
    forecasts: list[Array], std: list[Array] | None, quantiles: list[Array] | None, probabilities: Array | None
) -> dict[str, list[Array]]:
    """Return forecasts, deviations and quantiles (n_quantiles, n_steps, n_columns) by what is added to names."""
    parts = {"": forecasts}
    if std is not None:
        parts["_std"] = std
    if quantiles is not None and probabilities is not None:
        parts |= {f"_q{p:.12g}": [of[k] for of in quantiles] for k, p in enumerate(probabilities)}
    return parts


def _is_name(name: Any) -> bool:
    return name is None or type(name) in (str, int)


def _are_names(value: Any) -> bool:
    return type(value) is list and all(map(_is_name, value))


def _texts(state: State, *keys: str) -> list[str]:
    return [state.value(key, "a string", lambda value: type(value) is str) for key in keys]
