"""Dates in, dates out: what forms a forecaster reads, what is wrong with dates, and which ones follow."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pylstm._estimators.forecaster.calendar import calendar_features
from pylstm._estimators.forecaster.dates import grid_of
from pylstm._estimators.forecaster.frames import has_dates, read_X, read_y, write

FREQUENCIES = ["D", "MS", "ME", "QE", "QS-FEB", "W-SUN", "W-WED", "h", "15min", "YE", "2D"]


def index(freq="MS", n=24, start="2020-03-01"):
    """Return dates that do not say their frequency."""
    return pd.DatetimeIndex(pd.date_range(start, periods=n, freq=freq).values)


def series(n=24, freq="MS", name="sales"):
    return pd.Series(np.arange(float(n)), index(freq, n), name=name)


def long_frame():
    dates = index()
    return pd.DataFrame(
        {"unique_id": np.repeat(["x", "a"], [24, 10]), "ds": [*dates, *dates[:10]], "y": np.arange(34.0)}
    )


@pytest.fixture
def long():
    return long_frame()


# ---- dates


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_frequencies_are_found(freq):
    dates = pd.date_range("2020-03-01", periods=40, freq=freq)
    plain = pd.DatetimeIndex(dates.values)
    grid = grid_of(plain[:30], "y")
    assert_array_equal(grid.dates(30, 10), dates[30:])
    assert_array_equal(grid.places(plain), np.arange(40))
    gaps = plain[:30].delete([5, 17])
    assert_array_equal(grid_of(gaps, "y").places(gaps), np.delete(np.arange(30), [5, 17]))


def test_summer_time():
    for freq in ("D", "h"):
        dates = pd.date_range("2024-10-20", periods=400, freq=freq, tz="Europe/Berlin")
        grid = grid_of(pd.DatetimeIndex(list(dates[:390])), "y")
        assert_array_equal(grid.dates(390, 10), dates[390:])


def test_periods_and_integers():
    assert grid_of(pd.period_range("2020-01", periods=5, freq="M"), "y").dates(5, 1)[0] == pd.Period("2020-06", "M")
    assert_array_equal(grid_of(pd.Index([3, 5, 7, 11]), "y").dates(3, 2), [9, 11])
    assert_array_equal(grid_of(pd.RangeIndex(4), "y").dates(4, 2), [4, 5])


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2020-01-02", "2020-01-01", "2020-01-03"], "sorted by date, the oldest first, got 2020-01-01 .* after"),
        (["2020-01-01", "2020-01-01", "2020-01-03"], "each date once, got 2020-01-01 00:00:00 twice"),
        (["2020-01-01", "2020-01-07", "2020-02-28", "2020-03-03"], "evenly apart, .* no frequency that fits"),
        (["2020-01-01", "2020-01-02"], "at least 3 dates for their frequency to be inferred, got 2"),
        (["2020-01-01", None, "2020-01-03"], "a date for every step, got NaT at step 1"),
    ],
)
def test_bad_dates(dates, message):
    with pytest.raises(ValueError, match=message):
        grid_of(pd.DatetimeIndex(dates), "y")
    with pytest.raises(TypeError, match=r"must have dates .* got (object|str): pandas.to_datetime"):
        grid_of(pd.Index(["Jan", "Feb"]), "y")


# ---- forms


def forms(long):
    s = series()
    return {
        "series": s,
        "frame": pd.DataFrame({"a": s, "b": s + 1}),
        "periods": s.to_period("M"),
        "long": long[["ds", "y"]][:24],
        "panel": long,
        "multi": long.set_index(["unique_id", "ds"])["y"],
        "dict": {"u": s, "w": s[:9]},
        "list": [s, s[3:]],
        "numbers": pd.Series(np.arange(24.0)),
        "arrays by name": {"u": [1.0, 2, 3], "w": np.ones(5)},
    }


@pytest.mark.parametrize("kind", forms(long_frame()))
def test_forecasts_have_the_form_of_y(kind, long):
    y = forms(long)[kind]
    assert has_dates(y)
    values, form = read_y(y, fill=False)
    each = values if form.is_panel else [values]
    flat = [np.asarray(v).reshape(len(v), -1) for v in each]
    out = write(form, 3, {"": [v[-3:] for v in flat]})
    assert type(out) is (pd.DataFrame if isinstance(y, pd.DataFrame) else type(y))
    # what was written goes on where y ended, and is read as such
    again, later = read_y(out, fill=False, like=form)
    assert_array_equal(later.ends, form.ends + 3)
    for v, w in zip(flat, again if form.is_panel else [again], strict=True):
        assert_array_equal(np.asarray(w).reshape(3, -1), v[-3:])
    wide = write(form, 3, {"": [v[-3:] for v in flat], "_q0.05": [v[-3:] - 1 for v in flat]})
    first = wide["u"] if isinstance(wide, dict) else wide[0] if isinstance(wide, list) else wide
    assert isinstance(first, pd.DataFrame)
    assert sum(str(column).endswith("_q0.05") for column in first) == (2 if kind == "frame" else 1)


def test_polars(long):
    pl = pytest.importorskip("polars")
    values, form = read_y(pl.DataFrame({column: long[column].to_numpy() for column in long}), fill=False)
    assert [len(v) for v in values] == [24, 10]
    out = write(form, 2, {"": [np.zeros((2, 1))] * 2, "_q0.5": [np.ones((2, 1))] * 2})
    assert isinstance(out, pl.DataFrame)
    assert out.columns == ["unique_id", "ds", "y", "y_q0.5"]
    assert out["unique_id"].to_list() == ["x", "x", "a", "a"]
    assert str(out["ds"][0])[:10] == "2022-03-01"
    with pytest.raises(ValueError, match="polars must have the column 'ds'"):
        read_y(pl.DataFrame({"y": [1.0]}), fill=False)


def test_what_is_no_dated_form():
    for y in (np.ones(3), [1.0, 2.0], [np.ones(3), np.ones(4)], [], pd.Series([np.ones(3), np.ones(4)])):
        assert not has_dates(y)


def test_order_of_a_panel_is_that_of_fit(long):
    _, form = read_y(long, fill=False)
    out = write(form, 2, {"": [np.zeros((2, 1)), np.ones((2, 1))]})
    values, _ = read_y(out[::-1].sort_values(["unique_id", "ds"]), fill=False, like=form)
    assert_array_equal(values, [[0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "got none for 'a'|go on where|must have"),
        (lambda y: y.assign(unique_id="new"), "must have the series that fit had, got one more, 'new'"),
        (lambda y: y.assign(ds=y.ds + pd.Timedelta(days=40)), "must have dates of the frequency|go on where"),
        (lambda y: y.set_index(["unique_id", "ds"])["y"], "must be of the form it had in fit, long panel, got multi"),
    ],
)
def test_what_does_not_follow(change, message, long):
    _, form = read_y(long, fill=False)
    out = write(form, 1, {"": [np.zeros((1, 1))] * 2})
    with pytest.raises(ValueError, match=message):
        read_y(change(out), fill=False, like=form)


def test_gaps():
    y = series().drop(index()[[4, 9, 10]])
    with pytest.raises(ValueError, match="got none for 2020-07-01 00:00:00: missing='interpolate' draws"):
        read_y(y, fill=False)
    y.iloc[1] = np.nan
    values, form = read_y(y, fill=True)
    assert_allclose(values, np.arange(24.0))
    assert form.ends == [24]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ({"a": series(), "b": series().tz_localize("UTC")}, "dates of one kind, got dates in UTC and dates without"),
        ({"a": series(30), "b": series(20, "D")}, "must have dates of the frequency|Series of another frequency"),
        (pd.DataFrame({"ds": index(), "y": 1.0, "price": 2.0}), "what is known ahead of it is X"),
        (pd.DataFrame({"unique_id": [None], "ds": ["2020-01-01"], "y": [1.0]}), "in every row, got none in row 0"),
        ({}, "must have at least one series, got none"),
        ({"a": long_frame()}, r"y\['a'\] must be one series with its dates for index, got a long panel form"),
        ({"a": {"b": series()}}, r"y\['a'\] must be a Series, a DataFrame or an array \(n_steps,\), got 'dict'"),
        ({"a": series(), "b": series().to_frame()}, r"y\['b'\] must have the form of the first series"),
        ({"a": series().to_frame("p"), "b": series().to_frame("q")}, r"y\['b'\] must have the form of the first"),
        ([series(), np.ones(9)], "must have dates of one kind, got dates without a time zone and integers"),
        (series() * np.nan, r"got none \(NaN\) for 2020-03-01"),
        (
            pd.Series([1.0], pd.MultiIndex.from_tuples([(None, 1)])),
            "a name of a series in every row, got none in row 0",
        ),
        (long_frame()[::-1], r"y\['x'\] must be sorted by date"),
        (series()[:0], "must have at least one step, got none"),
    ],
)
def test_bad_forms(y, message):
    with pytest.raises(ValueError, match=message):
        read_y(y, fill=False)


def written(y, n=2, fill=False):
    """Return zeros in the form of y."""
    _, form = read_y(y, fill=fill)
    return write(form, n, {"": [np.zeros((n, len(form.columns)))] * len(form.ends)})


def panel_of(ids, n=5):
    dates = list(pd.date_range("2024-01-01", periods=n, freq="D"))
    return pd.DataFrame({"unique_id": [name for name in ids for _ in dates], "ds": dates * len(ids), "y": 1.0})


@pytest.mark.parametrize("ids", [("a", 2), (7, 3), (1.5, 2.0), (True, False), tuple(pd.to_datetime(["2020", "2021"]))])
def test_names_of_series_come_back_as_they_were(ids):
    y = panel_of(ids)
    if len(set(map(type, ids))) == 1:
        y = y.astype({"unique_id": pd.Series(ids).dtype})
    assert written(y).unique_id.tolist() == [ids[0], ids[0], ids[1], ids[1]]


def test_categories_and_extension_dtypes_as_names():
    for dtype in ("category", "string", "Int64"):
        ids = (1, 2) if dtype == "Int64" else ("b", "a")
        y = panel_of(ids).astype({"unique_id": dtype})
        assert written(y).unique_id.tolist() == [ids[0], ids[0], ids[1], ids[1]]
        multi = y.set_index(["unique_id", "ds"])["y"]
        assert written(multi[multi.index.get_level_values(0) == ids[0]]).index.get_level_values(0).unique() == [ids[0]]


def test_a_frame_comes_back_as_a_frame():
    multi = panel_of("ab").set_index(["unique_id", "ds"])
    assert isinstance(written(multi), pd.DataFrame)
    assert isinstance(written(multi["y"]), pd.Series)
    assert isinstance(written({"a": series().to_frame()})["a"], pd.DataFrame)
    assert isinstance(written([series().to_frame()])[0], pd.DataFrame)
    assert written({"a": np.ones((9, 2))})["a"].shape == (2, 2)


def test_columns_that_are_called_alike():
    y = pd.DataFrame(np.ones((9, 2)), index(n=9), columns=["a", "a"])
    assert written(y).columns.tolist() == ["a", "a"]
    y.columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    pd.testing.assert_index_equal(written(y).columns, y.columns)


def test_series_with_names_of_their_own():
    wide = pd.DataFrame({"p": series(), "q": series()})
    out = written(dict(wide.items()))
    assert (list(out), [each.name for each in out.values()]) == (["p", "q"], [None, None])
    assert written({"a": series(), "b": series()})["b"].name == "sales"


def test_what_follows_may_be_without_a_name():
    _, form = read_y(series(), fill=False)
    read_y(pd.Series([1.0], form.dates_after(1)[0]), fill=False, like=form)


@pytest.mark.parametrize("dtype", ["Float64", "Int64", object])
def test_dtypes_with_missing_values(dtype):
    y = series().astype(dtype)
    y.iloc[4] = None if dtype is object else pd.NA
    with pytest.raises(ValueError, match=r"got none \(NaN\) for 2020-07-01 00:00:00: missing='interpolate'"):
        read_y(y, fill=False)
    assert_allclose(read_y(y, fill=True)[0], np.arange(24.0))


def test_polars_days_and_time_zones():
    pl = pytest.importorskip("polars")
    days = pl.DataFrame({"ds": np.arange("2024-03-25", "2024-04-04", dtype="datetime64[D]"), "y": np.ones(10)})
    assert days["ds"].dtype == pl.Date
    out = written(days)
    assert out["ds"].dtype == pl.Date
    assert str(out["ds"][0]) == "2024-04-04"
    for unit in ("ms", "us", "ns"):
        times = days.with_columns(pl.col("ds").cast(pl.Datetime(unit)))
        assert written(times)["ds"].dtype == times["ds"].dtype
    zoned = days.with_columns(pl.col("ds").cast(pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin"))
    out = written(zoned)  # over the change of the clocks
    assert out["ds"].dtype == zoned["ds"].dtype
    assert str(out["ds"][0]) == "2024-04-04 00:00:00+02:00"


def test_few_values_far_apart():
    """None of these takes memory for the steps between."""
    second = pd.DatetimeIndex(["2020-01-01 00:00:00", "2020-01-01 00:00:01", "2020-01-01 00:00:02", "2060-01-01"])
    for dates in (pd.Index([0, 1, 2, 10**12]), second):
        y = pd.Series(np.ones(4), dates)
        with pytest.raises(ValueError, match=r"got none for|no frequency"):
            read_y(y, fill=False)
        with pytest.raises(ValueError, match=r"at least one in 1000 steps|no frequency"):
            read_y(y, fill=True)


# ---- what is known ahead


def test_X_by_its_dates(long):
    X = pd.DataFrame({"price": np.arange(40.0)}, index("MS", 40))
    values, form = read_y(series(), fill=False)
    assert_array_equal(read_X(X, form, np.array([len(values)]))[0].ravel(), np.arange(24))
    assert_array_equal(read_X(X, form.later(3), np.array([3]))[0].ravel(), [24, 25, 26])
    with pytest.raises(ValueError, match="X must have a row for 2022-03-01 00:00:00, got rows from 2020-03-01"):
        read_X(X[:24], form.later(3), np.array([3]))
    _, panel = read_y(long, fill=False)
    shared = read_X(X, panel.later(2), np.array([2, 2]))[0]  # one calendar for all
    assert_array_equal(np.ravel(shared), [24, 25, 10, 11])
    own = pd.DataFrame({"unique_id": np.repeat(["a", "x"], 40), "ds": [*X.index] * 2, "price": np.arange(80.0)})
    assert_array_equal(np.ravel(read_X(own, panel.later(2), np.array([2, 2]))[0]), [64, 65, 10, 11])
    with pytest.raises(ValueError, match="got none for 'x'"):
        read_X(own[:40], panel.later(2), np.array([2, 2]))
    more = pd.concat([own, own[:40].assign(unique_id="of no use")])
    assert_array_equal(np.ravel(read_X(more, panel.later(2), np.array([2, 2]))[0]), [64, 65, 10, 11])
    for_all = X.rename_axis("ds").reset_index()
    assert_array_equal(np.ravel(read_X(for_all, panel.later(2), np.array([2, 2]))[0]), [24, 25, 10, 11])
    with pytest.raises(ValueError, match="X must have dates without a time zone, as y, got dates in UTC"):
        read_X(X.tz_localize("UTC"), form, np.array([24]))


def test_rows_of_X_that_are_numbered():
    _, form = read_y(series(), fill=False)
    X = pd.DataFrame({"price": np.arange(3.0)})
    assert_array_equal(read_X(X, form.later(3), np.array([3]))[0].ravel(), [0, 1, 2])
    with pytest.raises(ValueError, match="X must have dates without a time zone, as y, got integers"):
        read_X(X, form.later(2), np.array([2]))


def test_columns_of_X_are_those_of_fit():
    X = pd.DataFrame({"a": np.arange(30.0), "b": -np.arange(30.0)}, index("MS", 30))
    _, form = read_y(series(), fill=False)
    values, columns = read_X(X, form, np.array([24]))
    assert columns == ["a", "b"]
    form = form._replace(X_columns=columns)
    assert_array_equal(read_X(X[["b", "a"]], form, np.array([24]))[0], values)
    for other in (X.rename(columns={"b": "c"}), X[["a"]], X.assign(c=1.0)):
        with pytest.raises(ValueError, match=r"X must have the columns it had in fit, \['a', 'b'\], got \['a'"):
            read_X(other, form, np.array([24]))


def test_calendar():
    dates = pd.DatetimeIndex(["2021-01-01", "2021-04-01", "2021-12-31 18:00"])
    features = calendar_features(dates, ("month", "hour"))
    assert features.shape == (3, 4)
    assert_allclose(features[0], [0, 1, 0, 1], atol=1e-12)
    assert_allclose(features[1], [1, 0, 0, 1], atol=1e-12)
    assert_allclose(features[2, 2:], [-1, 0], atol=1e-12)
