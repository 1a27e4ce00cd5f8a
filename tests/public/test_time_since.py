"""`TimeSince`: times of steps become the time since the step before."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from pylstm import LSTMRegressor
from pylstm.preprocessing import TimeSince

X = [np.array([[1, 10.0], [2, 13], [3, 13]]), np.array([[4, -1.0], [5, 7]])]


@pytest.mark.parametrize("column", [1, -1])
def test_by_hand(column):
    got = TimeSince(column).fit_transform(X)
    assert_array_equal(got[0], [[1, 0], [2, 3], [3, 0]])
    assert_array_equal(got[1], [[4, 0], [5, 8]])
    assert X[0][0, 1] == 10


def test_forms():
    dense = np.stack([X[0], X[0] + 1])
    assert TimeSince(1).fit_transform(dense).shape == (2, 3, 2)
    assert_array_equal(TimeSince().fit_transform(np.array([[1, 2, 4], [3, 3, 9]])), [[0, 1, 2], [0, 0, 6]])
    objects = np.fromiter(X, object, 2)
    assert TimeSince(1).fit(X).transform(objects).dtype == object
    floats = TimeSince(1).fit_transform([x.astype(np.float32) for x in X])
    assert floats[0].dtype == np.float64


@pytest.mark.parametrize("unit", ["ns", "us", "s"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_dates_of_frames(unit, zone):
    times = pd.to_datetime(["2026-03-29 00:30:00", "2026-03-29 03:30:00", "2026-03-29 03:30:01"])
    times = (times if zone is None else times.tz_localize(zone)).as_unit(unit)
    frame = pd.DataFrame({"value": [1.0, 2, 3], "time": times})
    transformer = TimeSince("time").fit([frame])
    hours = 3 if zone is None else 2  # of which summer time takes one
    assert_array_equal(transformer.transform([frame])[0], [[1, 0], [2, hours * 3600], [3, 1]])
    assert transformer.get_feature_names_out().tolist() == ["value", "time"]


def test_dates_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"value": [1, 2], "time": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    assert_array_equal(TimeSince("time").fit_transform([frame])[0], [[1, 0], [2, 86400]])


def test_missing_times():
    got = TimeSince().fit_transform([[[np.nan], [2], [3]], [[1.0], [np.nan], [3]]])
    assert_array_equal(np.concatenate(got)[:, 0], [np.nan, np.nan, 1, 0, np.nan, np.nan])
    model = make_pipeline(TimeSince(), LSTMRegressor((3,), missing="indicator", max_iter=1))
    assert model.fit([[[np.nan], [2], [3]], [[1.0], [np.nan], [3]]], [0.0, 1.0]).predict([[[5.0]]]).shape == (1,)


@pytest.mark.parametrize(
    ("column", "given", "message"),
    [
        (2, X, "column must be one of the 2 features of X, got 2"),
        ("time", X, r"column must be one of the columns of X, \[\], got 'time'"),
        ("time", [pd.DataFrame({"a": [1]})], r"columns of X, \['a'\], got 'time'"),
        (0.5, X, "'column' parameter of TimeSince must be"),
    ],
)
def test_columns_that_are_not_there(column, given, message):
    with pytest.raises(ValueError, match=message):
        TimeSince(column).fit(given)


def test_what_is_no_number():
    frame = pd.DataFrame({"time": [1, 2], "value": ["a", "b"]})
    with pytest.raises(ValueError, match=r"feature 1 of X must hold numbers, got dtype .*'a'"):
        TimeSince().fit([frame]).transform([frame])


@pytest.mark.filterwarnings("ignore")
def test_check_estimator():
    check_estimator(TimeSince(), on_skip=None)
