"""`LSTMForecaster.stream(y)`: other series than those of `fit`, of which nothing is learnt."""

import numpy as np
import pytest

from pylstm import LSTMForecaster

WAYS = {"direct": {"horizon": 6}, "recursive": {"horizon": None}}
ways = pytest.mark.parametrize("way", WAYS)


def quick(way, **options):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 2, "cv": 2, "n_paths": 10, "random_state": 0}
    return LSTMForecaster(**defaults | WAYS[way] | options)


def series(n_steps=60, seed=0, level=20.0):
    rng, t = np.random.default_rng(seed), np.arange(n_steps)
    return level * (1 + 0.2 * np.sin(np.pi * t / 3) + rng.normal(0, 0.02, n_steps))


def panel(n_series=5):
    return [series(seed=k, level=20.0 + 10 * k) for k in range(n_series)]


@ways
def test_those_of_the_fit_are_where_the_forecaster_is(way):
    y = panel()
    forecaster = quick(way).fit(y)
    live, other = forecaster.stream(), forecaster.stream(y)
    for stream in (live, other):
        stream.update([20.0] * 5)
    for a, b in zip(live.predict(8, quantiles=[0.1, 0.9]), other.predict(8, quantiles=[0.1, 0.9]), strict=True):
        np.testing.assert_array_equal(a, b)


@ways
@pytest.mark.parametrize("level", [1.0, 5000.0])
def test_a_new_series_is_forecast_in_its_own_units(way, level):
    forecaster = quick(way, max_iter=10, learning_rate_init=0.01).fit(panel(20))
    before, new = forecaster.predict(3), series(66, seed=99, level=level)
    stream = forecaster.stream([new[:50]])
    for value in new[50:60]:
        stream.update([value])
    (forecast,) = stream.predict(6)
    assert np.abs(forecast - new[60:]).mean() < np.abs(np.diff(new)).mean() / 2
    np.testing.assert_array_equal(forecaster.predict(3), before)


def test_as_many_as_there_are():
    forecaster = quick("direct").fit(panel())
    assert np.shape(forecaster.stream(panel(8)).predict(4)) == (8, 4)
    assert np.shape(forecaster.stream(panel(1)).predict(4, quantiles=[0.1, 0.5, 0.9])[1]) == (1, 3, 4)
    recursive = quick("recursive").fit(panel())
    assert np.shape(recursive.stream(panel(8)).predict(4)) == (8, 4)
    with pytest.raises(ValueError, match="of as many series"):
        recursive.stream(panel(8)).predict(4, quantiles=[0.1, 0.9])


@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_brief_ones(n_steps):
    forecaster = quick("direct").fit(panel())
    assert np.isfinite(forecaster.stream([series(n_steps)]).predict(14)[0]).all()
    if n_steps == 7:
        assert np.isfinite(quick("recursive", season_length=None).fit(panel()).stream([series(7)]).predict(14)[0]).all()


def test_what_stands_beside_them_is_read():
    y, X = panel(3), [np.arange(60.0) % 5] * 3
    forecaster = quick("direct").fit(y, X, static=np.arange(3.0)[:, np.newaxis])
    stream = forecaster.stream(y[:1], X[:1], static=np.array([[1.0]]))
    stream.update([20.0], [2.0])
    assert stream.predict(2, [np.ones(2)])[0].shape == (2,)
    with pytest.raises(ValueError, match=r"X must be given, with 2 features per step, as in fit"):
        forecaster.stream(y)
    with pytest.raises(ValueError, match=r"X_past and static must have as many columns as before"):
        forecaster.stream(y, [np.stack([x, x], axis=1) for x in X])


def test_dates_follow():
    pd = pytest.importorskip("pandas")
    dates = pd.date_range("2024-01-01", periods=60, freq="D")
    forecaster = quick("direct").fit(pd.Series(series(), dates, name="sold"))
    later = pd.date_range("2026-03-01", periods=30, freq="D")
    stream = forecaster.stream(pd.Series(series(30, seed=1), later, name="sold"))
    stream.update(20.0)
    assert stream.predict(2).index[0] == later[-1] + pd.Timedelta(days=2)


@ways
def test_what_is_refused(way):
    forecaster = quick(way).fit(panel())
    with pytest.raises(ValueError, match="y must be a list of series"):
        forecaster.stream(series())
    with pytest.raises(ValueError, match=r"must be (positive|at least 0)"):
        forecaster.stream([-series()])
    with pytest.raises(ValueError, match=r"y\[0\] contains NaN"):
        forecaster.stream([np.full(30, np.nan)])
    if way == "recursive":
        with pytest.raises(ValueError, match="must have at least 9 steps with differences"):
            forecaster.stream([series(8)])
