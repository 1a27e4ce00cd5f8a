"""A forecaster of series with dates: they are taken off before it reads them, and put on what it forecasts."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ..._net.inputs import Array
from ..state import State
from .calendar import CYCLES, calendar_features
from .dates import Grid, kind_of
from .forms import SeriesEstimator
from .frames import Frames, has_dates, read_X, read_y, write
from .series import is_list

KINDS = ("series", "frame", "long", "long panel", "multi", "dict", "list")


class DatedEstimator(SeriesEstimator):
    """Reads pandas and polars, with what the calendar says of their dates."""

    calendar: Any = ()
    missing: str = "error"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "calendar": [tuple, list],
        "missing": [StrOptions({"error", "interpolate"})],
    }

    _form: Frames | None

    def _learn_form(self, y: Any, X: Any) -> tuple[Any, Any, Frames | None]:
        """Return y and X of fit without dates, and the form of y."""
        unknown = [name for name in self.calendar if name not in CYCLES]
        if unknown:
            raise ValueError(f"calendar must name some of {', '.join(map(repr, CYCLES))}, got {unknown[0]!r}")
        if not has_dates(y):
            if len(self.calendar):
                raise ValueError(f"calendar={self.calendar!r} needs a y with dates, got {type(y).__name__!r}")
            return y, X, None
        values, form = read_y(y, fill=self.missing == "interpolate")
        return values, self._with_calendar(X, form, self._lengths(values, form)), form

    def _follow_form(self, y: Any, X: Any) -> tuple[Any, Any, Frames | None]:
        """Return what follows, y and X, without dates, and the form of y, which ends where this does."""
        if self._form is None:
            return y, X, None
        if not has_dates(y):
            raise ValueError(f"y must have dates, as in fit, got {type(y).__name__!r}")
        values, form = read_y(y, fill=self.missing == "interpolate", like=self._form)
        return values, self._with_calendar(X, form, self._lengths(values, form)), form

    def _known_ahead(self, X: Any, n_steps: int) -> Any:
        """Return X of the steps that follow without dates."""
        if self._form is None:
            return X
        n_each = np.full(len(self._form.ends), n_steps)
        return self._with_calendar(X, self._form.later(n_each), n_each)

    def _dated(self, n_steps: int, parts: dict[str, list[Array]]) -> Any:
        """Return forecasts in the form of y: by what is added to names, arrays (n_steps, n_columns) for each series."""
        assert self._form is not None
        return write(self._form, n_steps, parts)

    def _lengths(self, values: Any, form: Frames) -> Array:
        return np.array([len(each) for each in values] if form.is_panel else [len(values)])

    def _with_calendar(self, X: Any, form: Frames, n_steps: Array) -> Any:
        """Return X of the last steps of a form, and behind it what the calendar says of them."""
        if X is not None and has_dates(X):
            X = read_X(X, form, n_steps)
        if len(self.calendar) == 0:
            return X
        if kind_of(form.grid.start) == "integers":
            raise ValueError(f"calendar={self.calendar!r} needs dates, got integers for steps")
        features = [
            calendar_features(form.grid.dates(int(end - n), int(n)), tuple(self.calendar))
            for end, n in zip(form.ends, n_steps, strict=True)
        ]
        if X is not None:
            given = X if is_list(X) else [X] * len(features)
            if len(given) != len(features) or any(len(x) != len(of) for x, of in zip(given, features, strict=True)):
                raise ValueError(f"X must have a row for each step of y, {n_steps.tolist()}")
            features = [
                np.column_stack([np.asarray(x, np.float64), of]) for x, of in zip(given, features, strict=True)
            ]
        return features if form.is_panel else features[0]

    def _without_dates(self, y: Any, X: Any) -> tuple[Any, Any]:
        """Return y and X as a forecaster reads them that knows of no dates, and no calendar."""
        return self._learn_form(y, X)[:2]

    # ---- in files

    def _form_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        form = self._form
        if form is None:
            return {"form": None}, {}
        for names, what in ((form.names, "names of series"), (form.columns, "columns"), (form.levels, "levels")):
            for name in names:
                if not _is_name(name):
                    raise ValueError(f"{what} must be strings or integers to be saved, got {name!r}")
        start, zone, kind = form.grid.start, None, "integers"
        if not isinstance(start, int):
            zone, kind = (None, "periods") if hasattr(start, "freqstr") else (str(start.tz or "") or None, "dates")
        state = {
            "kind": form.kind,
            "is_polars": form.is_polars,
            "names": form.names,
            "columns": form.columns,
            "levels": form.levels,
            "dates": kind,
            "start": str(start),
            "zone": zone,
            "step": str(form.grid.step),
        }
        return {"form": state}, {"form_ends": form.ends.astype(np.int64)}

    def _read_form_state(self, state: State, n_series: int) -> None:
        if state.null("form"):
            self._form = None
            return
        import pandas as pd

        of = state.inner("form")
        names, columns, levels = (
            of.value(key, "a list of strings, integers and null", lambda value: _are_names(value))
            for key in ("names", "columns", "levels")
        )
        kind, start, step = of.choice("dates", ["dates", "periods", "integers"]), *_texts(of, "start", "step")
        zone = None if of.null("zone") else _texts(of, "zone")[0]
        make: dict[str, Callable[[], Grid]] = {
            "integers": lambda: Grid(int(start), int(step)),
            "periods": lambda: Grid(pd.Period(start, step), step),
            "dates": lambda: Grid(pd.Timestamp(start) if zone is None else pd.Timestamp(start).tz_convert(zone), step),
        }
        try:
            grid = make[kind]()
            grid.dates(0, 2)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"form must have dates that pandas can read, got {start!r}, {step!r}, {zone!r}") from error
        ends = state.array("form_ends", ["int64"], (n_series,))
        if (ends < 0).any() or len(names) != n_series or len(columns) != self.n_series_:
            raise ValueError(f"form must be of {n_series} series of {self.n_series_} columns")
        self._form = Frames(
            of.choice("kind", KINDS), of.boolean("is_polars"), names, columns, levels, grid, ends.astype(np.intp)
        )
        of.end()


def _is_name(name: Any) -> bool:
    return name is None or type(name) in (str, int)


def _are_names(value: Any) -> bool:
    return type(value) is list and all(map(_is_name, value))


def _texts(state: State, *keys: str) -> list[str]:
    return [state.value(key, "a string", lambda value: type(value) is str) for key in keys]
