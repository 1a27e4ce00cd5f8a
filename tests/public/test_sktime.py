"""`pylstm.sktime`: sktime's own checks, and that it says what `pylstm.LSTMForecaster` says.

All checks of all sets of parameters take a minute or two: ``check_estimator(pylstm.sktime.LSTMForecaster)``.
"""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pylstm

pytest.importorskip("sktime")
from sktime.forecasting.base import ForecastingHorizon
from sktime.utils.estimator_checks import check_estimator

from pylstm.datasets import load_airline
from pylstm.sktime import LSTMForecaster

AIRLINE = pd.Series(load_airline(), pd.period_range("1949-01", periods=144, freq="M"), name="passengers")
FAST = {"hidden_layer_sizes": 4, "max_iter": 1, "random_state": 0}
DEFAULT, RECURSIVE, WITHOUT_INTERVALS = LSTMForecaster.get_test_params()


def panel(n=60, m=50):
    dates = pd.date_range("2020-01", periods=n, freq="MS")
    index = [("b", date) for date in dates] + [("a", date) for date in dates[:m]]
    values = np.random.default_rng(0).random(n + m) + 5
    return pd.DataFrame({"sales": values}, pd.MultiIndex.from_tuples(index, names=["shop", "month"]))


@pytest.mark.filterwarnings("ignore")  # theirs, of many kinds
@pytest.mark.long
def test_checks():
    longest = "test_update_predict_predicted_index"
    check_estimator(LSTMForecaster(**DEFAULT), raise_exceptions=True, verbose=0, tests_to_exclude=longest)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("parameters", [RECURSIVE, WITHOUT_INTERVALS])
@pytest.mark.long
def test_checks_of_other_ways(parameters):
    tests = ["test_predict_quantiles", "test_predict_interval", "test_update_predict_single", "test_fit_idempotent"]
    check_estimator(LSTMForecaster(**parameters), raise_exceptions=True, verbose=0, tests_to_run=tests)


def test_says_what_pylstm_says():
    y, future = AIRLINE[:-24], AIRLINE[-24:-12]
    ours = pylstm.LSTMForecaster(horizon=6, **FAST).fit(y)
    theirs = LSTMForecaster(**FAST).fit(y, fh=[1, 3, 6])
    assert theirs.forecaster_.horizon_ == 6
    pd.testing.assert_series_equal(theirs.predict(), ours.predict(6).iloc[[0, 2, 5]], check_freq=False)
    quantiles = theirs.predict_quantiles(alpha=[0.9, 0.1])
    assert list(quantiles) == [("passengers", 0.9), ("passengers", 0.1)]
    expected = ours.predict(6, quantiles=[0.9, 0.1]).iloc[[0, 2, 5], 1:]
    assert_array_equal(quantiles, expected)
    following = theirs.update(future, update_params=False).predict()
    pd.testing.assert_series_equal(following, ours.update(future).predict(6).iloc[[0, 2, 5]], check_freq=False)


def test_update_fits_again():
    forecaster = LSTMForecaster(**FAST).fit(AIRLINE[:-24], fh=[1, 2])
    forecaster.update(AIRLINE[-24:-20])
    assert_array_equal(forecaster.predict(), LSTMForecaster(**FAST).fit(AIRLINE[:-20], fh=[1, 2]).predict())
    forecaster.update(AIRLINE[90:100])  # back in time: without what came later
    assert_array_equal(forecaster.predict(), LSTMForecaster(**FAST).fit(AIRLINE[:100], fh=[1, 2]).predict())
    with pytest.raises(
        NotImplementedError, match=r"can not perform in-sample .* up to 1957-04, and was asked for 1955-04"
    ):
        forecaster.update(AIRLINE[60:75], update_params=False).predict()


def test_update_with_values_that_are_known_in_part():
    once, twice = (LSTMForecaster(**FAST).fit(AIRLINE[:-24]) for _ in range(2))
    once.update(AIRLINE[-24:-20], update_params=False)
    twice.update(AIRLINE[-40:-22], update_params=False).update(AIRLINE[-30:-20], update_params=False)
    assert_array_equal(twice.predict(fh=[1, 5]), once.predict(fh=[1, 5]))
    assert_array_equal(twice.update(AIRLINE[-30:-20], update_params=False).predict(fh=[1, 5]), once.predict(fh=[1, 5]))


def test_a_panel_whose_series_end_on_other_days():
    y = panel()
    X = pd.DataFrame({"ds": np.arange(140) % 7.0}, panel(70, 70).index)
    forecaster = LSTMForecaster(calendar=("month",), **FAST).fit(y, X)
    forecast = forecaster.predict(fh=[1, 3], X=X)
    due = [pd.Timestamp("2025-01-01"), pd.Timestamp("2025-03-01")]
    assert forecast.index.tolist() == [("b", due[0]), ("b", due[1]), ("a", due[0]), ("a", due[1])]
    assert forecast.index.names == ["shop", "month"]
    later = {key: X.ds.loc[key] for key in "ba"}
    ours = pylstm.LSTMForecaster(calendar=("month",), **FAST).fit({"b": y.loc["b"], "a": y.loc["a"]}, later)
    later["b"] = pd.concat([later["b"], later["b"][:10].set_axis(pd.date_range("2025-11", periods=10, freq="MS"))])
    expected = ours.predict(13, later)
    assert_allclose(
        forecast.sales, [*expected["b"].to_numpy().ravel()[[0, 2]], *expected["a"].to_numpy().ravel()[[10, 12]]]
    )
    # rows of X after the last step that is asked for change nothing
    needed = X[X.index.get_level_values(1) <= due[1]]
    pd.testing.assert_frame_equal(forecaster.predict(fh=[1, 3], X=needed), forecast)
    with pytest.raises(ValueError, match=r"X\['b'\] must have a row for 2025-03-01"):
        forecaster.predict(fh=[1, 3], X=X[X.index.get_level_values(1) < due[1]])


def test_dates_given():
    y = AIRLINE.to_timestamp()
    fh = ForecastingHorizon(pd.DatetimeIndex(["1961-01-01", "1961-04-01"]), is_relative=False)
    given = LSTMForecaster(**FAST).fit(y, fh=fh)
    assert given.forecaster_.horizon_ == 4
    assert_array_equal(given.predict(), LSTMForecaster(horizon=4, **FAST).fit(y).predict(fh=[1, 4]))


def test_tags_are_of_the_parameters():
    for missing, cv in (("interpolate", None), ("error", 5)):
        forecaster = LSTMForecaster(missing=missing, cv=cv)
        assert forecaster.get_tag("capability:missing_values") == (missing == "interpolate")
        assert forecaster.get_tag("capability:pred_int") == (cv is not None)
    y = AIRLINE.copy()
    y.iloc[5] = np.nan
    assert LSTMForecaster(missing="interpolate", **FAST).fit(y, fh=1).predict().notna().all()
    with pytest.raises(ValueError, match="missing"):
        LSTMForecaster(**FAST).fit(y)


def test_options():
    forecaster = LSTMForecaster(options={"tol": 0.5}, **FAST).fit(AIRLINE)
    assert forecaster.forecaster_.tol == 0.5
    with pytest.raises(ValueError, match="options must not name what is a parameter of its own, got 'cv'"):
        LSTMForecaster(options={"cv": 2}).fit(AIRLINE)


def test_without_sktime():
    code = "import sys; sys.modules['sktime'] = None; import pylstm.sktime"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: pylstm.sktime needs sktime" in done.stderr
    assert "pip install 'pylstm[sktime]'" in done.stderr
