"""A forecaster of dated series says what one of arrays says, in the form of y and with the dates that follow."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pylstm
from pylstm import LSTMForecaster
from pylstm.datasets import load_airline

AIRLINE = load_airline()
MONTHS = pd.date_range("1949-01", periods=len(AIRLINE), freq="MS")


def quick(**options):
    return LSTMForecaster(**{"horizon": 6, "max_iter": 1, "random_state": 0, **options})


def airline(n=132):
    return pd.Series(AIRLINE[:n].copy(), MONTHS[:n], name="passengers")


def panel(n=100):
    return pd.DataFrame(
        {
            "unique_id": np.repeat(["b", "a"], [n, n - 30]),
            "ds": [*MONTHS[:n], *MONTHS[30:n]],
            "y": [*AIRLINE[:n], *(AIRLINE[30:n] * 3 + 7)],
        }
    )


def test_a_series():
    dated, plain = quick().fit(airline()), quick().fit(AIRLINE[:132])
    forecast = dated.predict(8)
    assert_array_equal(forecast, plain.predict(8))
    assert_array_equal(forecast.index, MONTHS[132:140])
    assert forecast.name == "passengers"
    wide = dated.predict(8, return_std=True, quantiles=[0.05, 0.5])
    values, std, bounds = plain.predict(8, return_std=True, quantiles=[0.05, 0.5])
    assert list(wide) == ["passengers", "passengers_std", "passengers_q0.05", "passengers_q0.5"]
    assert_array_equal(wide.to_numpy().T, [values, std, *bounds])
    assert dated.score(airline(144)[132:]) == plain.score(AIRLINE[132:])
    following = airline(144)[132:140]
    assert_array_equal(dated.update(following).predict(2), plain.update(AIRLINE[132:140]).predict(2))
    assert_array_equal(dated.predict(2).index, MONTHS[140:142])


def test_a_panel():
    long = panel()
    dated, plain = quick().fit(long), quick().fit([long.y[:100].to_numpy(), long.y[100:].to_numpy()])
    forecast = dated.predict(7, quantiles=[0.9])
    assert list(forecast) == ["unique_id", "ds", "y", "y_q0.9"]
    assert forecast.unique_id.tolist() == ["b"] * 7 + ["a"] * 7
    assert_array_equal(forecast.y, np.concatenate(plain.predict(7)))
    assert_array_equal(forecast.ds[7:], MONTHS[100:107])
    with pytest.raises(ValueError, match="must have the series that fit had, got one more, 'c'"):
        dated.update(forecast[["unique_id", "ds", "y"]].replace({"a": "c"}))


@pytest.mark.parametrize("y", [airline(), panel(), airline().to_period("M"), {"u": airline(), "w": airline()[40:]}])
@pytest.mark.parametrize("way", [{}, {"horizon": None, "season_length": None, "cv": 2}])
def test_saved(y, way, tmp_path):
    forecaster = quick(calendar=["month"], **way).fit(y)
    path = tmp_path / "forecaster.safetensors"
    forecaster.save(path)
    for other in (pylstm.load(path), pickle.loads(pickle.dumps(forecaster))):
        ours, theirs = (each.predict(5, quantiles=[0.2]) for each in (forecaster, other))
        if isinstance(ours, dict):
            ours, theirs = pd.concat(ours), pd.concat(theirs)
        pd.testing.assert_frame_equal(ours, theirs, check_freq=False)


def test_a_time_zone_is_saved(tmp_path):
    y = pd.Series(AIRLINE, pd.date_range("2024-01-05", periods=144, freq="D", tz="Europe/Berlin"))
    forecaster = quick().fit(y)
    forecaster.save(tmp_path / "model.safetensors")
    forecast = pylstm.load(tmp_path / "model.safetensors").predict(3)
    assert_array_equal(forecast.index, pd.date_range("2024-05-28", periods=3, freq="D", tz="Europe/Berlin"))


def test_names_that_cannot_be_saved(tmp_path):
    forecaster = quick().fit({(1, 2): airline()})
    with pytest.raises(ValueError, match=r"names of series must be strings or integers to be saved, got \(1, 2\)"):
        forecaster.save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_calendar_is_X():
    """The calendar is what an X of the same columns is, and comes after a user's own."""
    features = np.column_stack(
        [np.sin(2 * np.pi * (MONTHS.month - 1) / 12), np.cos(2 * np.pi * (MONTHS.month - 1) / 12)]
    )
    own = pd.DataFrame({"price": np.arange(144.0)}, MONTHS)
    alone = quick(calendar=["month"]).fit(airline())
    assert alone.n_features_in_ == 2
    assert_allclose(alone.predict(5), quick().fit(AIRLINE[:132], features[:132]).predict(5, features[132:137]))
    both = quick(calendar=["month"]).fit(airline(), own)
    X = np.column_stack([np.arange(144.0), features])
    expected = quick().fit(AIRLINE[:132], X[:132]).predict(5, X[132:137])
    assert_allclose(both.predict(5, own), expected)
    assert_allclose(both.predict(5, np.arange(132.0, 137)), expected)  # without dates, what follows


def test_columns_of_X_in_another_order(tmp_path):
    X = pd.DataFrame({"a": np.arange(144.0) % 5, "b": np.arange(144.0) % 3}, MONTHS)
    forecaster = quick().fit(airline(), X)
    forecaster.save(tmp_path / "model.safetensors")
    expected = forecaster.predict(3, X)
    for each in (forecaster, pylstm.load(tmp_path / "model.safetensors")):
        assert_array_equal(each.predict(3, X[["b", "a"]]), expected)
        with pytest.raises(ValueError, match="X must have the columns it had in fit"):
            each.predict(3, X.rename(columns={"a": "c"}))
        each.update(airline(140)[132:], X[["b", "a"]])


def test_days_of_polars_are_saved(tmp_path):
    pl = pytest.importorskip("polars")
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    forecaster = quick().fit(pl.DataFrame({"ds": days, "y": AIRLINE[: len(days)]}))
    forecaster.save(tmp_path / "model.safetensors")
    forecast = pylstm.load(tmp_path / "model.safetensors").predict(2)
    assert forecast.equals(forecaster.predict(2))
    assert forecast["ds"].dtype == pl.Date


def test_names_of_numpy_are_saved(tmp_path):
    y = pd.Series(AIRLINE[:80], pd.MultiIndex.from_product([[1, 2], range(40)], names=["k", "t"]))
    forecaster = quick().fit(y)
    forecaster.save(tmp_path / "model.safetensors")
    pd.testing.assert_series_equal(pylstm.load(tmp_path / "model.safetensors").predict(2), forecaster.predict(2))


def test_quantiles_that_are_close():
    forecast = quick().fit(airline()).predict(1, quantiles=[0.12345678, 0.12345679, 1 - 0.95])
    assert forecast.columns[1:].tolist() == ["passengers_q0.12345678", "passengers_q0.12345679", "passengers_q0.05"]


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({"calendar": ["month"]}, AIRLINE, r"calendar=\['month'\] needs a y with dates, got 'ndarray'"),
        ({"calendar": ["month"]}, pd.Series(AIRLINE), "needs dates, got integers"),
        ({"calendar": ["moon"]}, airline(), "calendar must name some of 'month', .* got 'moon'"),
        ({}, airline().drop(MONTHS[7]), "got none for 1949-08-01 00:00:00: missing='interpolate'"),
    ],
)
def test_bad_dates(options, y, message):
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(y)


def test_what_is_missing_is_filled_if_asked():
    y = airline()
    y.iloc[3] = np.nan
    y = y.drop(MONTHS[[50, 51]])
    filled = quick(missing="interpolate").fit(y)
    expected = AIRLINE[:132].astype(float)
    for gap in ([3], [50, 51]):
        expected[gap] = np.interp(gap, [gap[0] - 1, gap[-1] + 1], expected[[gap[0] - 1, gap[-1] + 1]])
    assert_array_equal(filled.predict(4), quick().fit(expected).predict(4))
    with pytest.raises(ValueError, match=r"NaN"):
        quick().fit(np.where(np.arange(132) == 3, np.nan, AIRLINE[:132]))


def test_what_is_missing_in_X_is_filled_if_asked():
    """On a line as well, within the rows that X has; the first and the last hold beyond."""
    prices = pd.DataFrame(
        {"price": np.arange(150.0) % 11, "fuel": np.arange(150.0) ** 2}, [*MONTHS, *MONTHS[-6:].shift(6)]
    )
    holes = prices.copy()
    holes.iloc[[0, 1, 30, 31, 135], 0] = np.nan
    holes.iloc[148:, 1] = np.nan
    filled = holes.interpolate(limit_direction="both")
    options = {"missing": "interpolate", "max_iter": 2}
    expected = (
        quick(**options).fit(airline(), filled, X_past=filled[:132]).update(airline(144)[132:], filled, X_past=filled)
    )
    forecaster = (
        quick(**options).fit(airline(), holes, X_past=holes[:132]).update(airline(144)[132:], holes, X_past=holes)
    )
    pd.testing.assert_series_equal(forecaster.predict(6, holes), expected.predict(6, filled))
    with pytest.raises(ValueError, match=r"X contains NaN"):
        quick().fit(airline(), holes)
    with pytest.raises(ValueError, match="X must have at least one value in each column, got NaN alone"):
        quick(**options).fit(airline(), holes * np.nan)


@pytest.mark.parametrize("way", [{}, {"horizon": None, "cv": 2}, {"differences": (), "cv": 2}])
def test_an_update_after_a_gap(way):
    """The line begins at the last value that is known; of each series at its own."""
    later = airline(144)[132:]
    gap = later.copy()
    gap.iloc[:3] = np.interp([1, 2, 3], [0, 4], [AIRLINE[131], later.iloc[3]])
    whole = quick(missing="interpolate", **way).fit(airline()).update(gap)
    absent = later.mask(np.arange(12) < 3)
    for given in (later[3:], absent, absent[1:]):
        forecaster = quick(missing="interpolate", **way).fit(airline()).update(given)
        pd.testing.assert_series_equal(forecaster.predict(4), whole.predict(4), rtol=1e-6)
    with pytest.raises(
        ValueError, match=r"y must go on where the series known so far end, at 1960-01-01 .*, got 1960-04"
    ):
        quick(**way).fit(airline()).update(later[3:])
    with pytest.raises(
        ValueError, match=r"y must go on where the series known so far end, at 1961-01-01 .*, got 1960-12"
    ):
        whole.update(later[11:])


def test_an_update_after_a_gap_in_one_series_of_several():
    long = panel()
    later = panel(104)[lambda rows: rows.ds >= MONTHS[100]]
    forecaster = quick(missing="interpolate").fit(long)
    expected = [np.append(np.interp([1, 2], [0, 3], [AIRLINE[99], AIRLINE[102]]), AIRLINE[102:104])]
    expected.append(AIRLINE[100:104] * 3.0 + 7)
    plain = quick().fit([long.y[:100].to_numpy(), long.y[100:].to_numpy()]).update(expected)
    assert_allclose(forecaster.update(later.iloc[2:]).predict(3).y, np.concatenate(plain.predict(3)))


def test_a_refused_update_changes_nothing():
    forecaster = quick().fit(airline())
    before = forecaster.predict(3)
    for bad in (airline(140)[133:], airline(140)[132:] * np.inf, AIRLINE[132:], airline(140)[132:].to_frame()):
        with pytest.raises(ValueError, match=r"."):
            forecaster.update(bad)
    pd.testing.assert_series_equal(forecaster.predict(3), before)


# ---- what else is known


def panel_and_more(n=80, seed=0):
    """Return series at levels of their own, of which a column says the next change; that column, and the levels."""
    rng = np.random.default_rng(seed)
    past = rng.standard_normal((4, n))
    level = np.arange(4.0)[:, np.newaxis]
    y = [level[k, 0] * 10 + np.concatenate([[0], past[k, :-1].cumsum()]) for k in range(4)]
    return y, list(past[:, :, np.newaxis]), level


def test_X_past_is_read_and_not_ahead():
    y, past, _ = panel_and_more()
    options = {"horizon": 2, "season_length": None, "max_iter": 20, "cv": None, "random_state": 0}
    errors = []
    for reads in (True, False):
        forecaster = LSTMForecaster(**options).fit(
            [v[:60] for v in y], X_past=[x[:60] for x in past] if reads else None
        )
        of_steps = []
        for t in range(60, 80):
            of_steps.append([np.abs(f[0] - v[t]) for f, v in zip(forecaster.predict(1), y, strict=True)])
            now = slice(t, t + 1)
            forecaster.update([v[now] for v in y], X_past=[x[now] for x in past] if reads else None)
        errors.append(np.mean(of_steps))
    assert errors[0] < 0.7 * errors[1]  # the next value is what the column has now
    knowing = LSTMForecaster(**options).fit([v[:70] for v in y], X_past=[x[:70] for x in past])
    before = knowing.predict(5)
    other = LSTMForecaster(**options).fit([v[:70] for v in y], X_past=[x[:70] for x in past])
    assert_array_equal(before, other.predict(5))
    assert_array_equal(np.array(before)[:, :2], knowing.predict(2))
    knowing.update([v[70:75] for v in y], X_past=[x[70:75] for x in past])
    whole = other.update([v[70:73] for v in y], X_past=[x[70:73] for x in past])
    whole.update([v[73:75] for v in y], X_past=[x[73:75] for x in past])
    assert_array_equal(knowing.predict(3), whole.predict(3))
    with pytest.raises(ValueError, match="X_past must have 1 columns, as in fit, got 2"):
        knowing.update([v[75:76] for v in y], X_past=[np.ones((1, 2))] * 4)
    with pytest.raises(ValueError, match="X_past must have a row for each step of y"):
        knowing.update([v[75:77] for v in y], X_past=[x[75:76] for x in past])
    with pytest.raises(ValueError, match="X_past is read by the direct way only"):
        LSTMForecaster(horizon=None).fit(y[0], X_past=past[0])


def test_static_is_a_column_that_stays():
    y, _, level = panel_and_more()
    of_steps = [np.repeat(row[np.newaxis], 80, axis=0) for row in level]
    told = quick().fit(y, static=level)
    by_X = quick().fit(y, of_steps)
    assert_allclose(told.predict(4), by_X.predict(4, [x[:4] for x in of_steps]))
    assert told.n_features_in_ == 1
    names = ["d", "b", "c", "a"]
    dated = {name: pd.Series(v, MONTHS[:80]) for name, v in zip(names, y, strict=True)}
    frame = pd.DataFrame({"level": level[:, 0]}, index=names)[::-1]
    for static in (frame, frame.rename_axis("unique_id").reset_index(), dict(zip(names, level, strict=True))):
        by_name = quick().fit(dated, static=static).predict(4)
        assert_array_equal([by_name[name] for name in names], told.predict(4))
    for bad, message in (
        (frame[:2], "static must have a row for each series, got none for"),
        (np.ones((3, 1)), "static must have a row for each of 4 series, got shape"),
        (np.full((4, 1), np.nan), "static contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            quick().fit(dated, static=bad)


def test_all_at_once_saved_and_in_a_backtest(tmp_path):
    y, past, level = panel_and_more()
    names = ["d", "b", "c", "a"]
    dated = {name: pd.Series(v, MONTHS[:80]) for name, v in zip(names, y, strict=True)}
    dated_past = {name: pd.Series(x[:, 0], MONTHS[:80]) for name, x in zip(names, past, strict=True)}
    price = pd.Series(np.arange(144.0), MONTHS)
    static = dict(zip(names, level, strict=True))
    forecaster = quick(calendar=["month"]).fit(dated, price, X_past=dated_past, static=static)
    assert forecaster.n_features_in_ == 1 + 2 + 1 + 1
    forecaster.save(tmp_path / "model.safetensors")
    for other in (pylstm.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(forecaster))):
        for name, values in forecaster.predict(9, price).items():
            assert_array_equal(other.predict(9, price)[name], values)
    given = {"X_past": dated_past, "static": static, "n_steps": 4, "n_windows": 2}
    table = forecaster.backtest(dated, price, **given)
    assert np.isfinite(table.MASE).all()
    assert len(forecaster.predict(2, price)["a"]) == 2  # as it was
    tuned = quick().tune(dated, price, param_grid={"calendar": [(), ("month",)]}, **given)
    assert tuned.n_features_in_ in (3, 5)


# ---- value by value


@pytest.mark.parametrize("way", [{}, {"horizon": None, "cv": 2}])
def test_a_stream_is_update_by_update(way):
    forecaster = quick(**way).fit(AIRLINE[:132])
    stream, before = forecaster.stream(), forecaster.predict(4)
    for value in AIRLINE[132:136]:
        stream.update(value)
    assert_array_equal(forecaster.predict(4), before)
    assert_array_equal(stream.predict(4), forecaster.update(AIRLINE[132:136]).predict(4))
    for bad in (np.nan, [1.0, 2.0], "abc", None, []):
        with pytest.raises((ValueError, TypeError), match=r"value|could not convert"):
            stream.update(bad)
    dated = quick(calendar=["month"], **way).fit(airline())
    stream = dated.stream()
    stream.update(AIRLINE[132])
    pd.testing.assert_series_equal(stream.predict(3), dated.update(airline(144)[132:133]).predict(3))


def test_a_stream_of_a_panel():
    y, past, level = panel_and_more()
    known = np.arange(320.0).reshape(4, 80, 1)
    forecaster = quick().fit([v[:70] for v in y], list(known[:, :70]), X_past=[x[:70] for x in past], static=level)
    stream = forecaster.stream()
    for t in range(70, 73):
        stream.update([v[t] for v in y], known[:, t], x_past=[x[t] for x in past])
    now = slice(70, 73)
    forecaster.update([v[now] for v in y], list(known[:, now]), X_past=[x[now] for x in past])
    ahead = list(known[:, 73:76])
    assert_array_equal(stream.predict(3, ahead), forecaster.predict(3, ahead))


def test_scikit_learn_search_is_told_of_tune():
    from sklearn.model_selection import GridSearchCV

    with pytest.warns(UserWarning, match="Use forecaster.tune"):
        GridSearchCV(quick(horizon=None, cv=None), {"max_iter": [1]}, cv=2).fit(AIRLINE, AIRLINE)


@pytest.mark.filterwarnings("error:fit.y, X.")
def test_a_long_frame_before_X_is_no_mistake():
    X = pd.DataFrame({"price": np.arange(144.0)}, MONTHS)
    assert quick().fit(panel(), X).n_features_in_ == 1


@pytest.mark.parametrize("bad", [5, None, "abc", [], [[1.0, 2.0], 3.0], np.ones((2, 3, 4)), object()])
def test_what_is_no_series(bad):
    """It is said in the same words whatever comes with it."""
    messages = set()
    for more in ({}, {"static": [[1.0]]}, {"X_past": np.ones(9)}):
        with pytest.raises((ValueError, TypeError)) as error:
            quick().fit(bad, **more)
        messages.add(str(error.value))
    assert len(messages) == 1, messages
    assert "y" in messages.pop()
