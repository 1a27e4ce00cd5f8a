"""What can be read in two ways: it is said how it was read, and how to say which is meant."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMTagger
from pylstm.preprocessing import PerStep

VALUES = np.random.default_rng(0).standard_normal((30, 3))
SERIES = {"hidden_layer_sizes": 2, "max_iter": 1, "cv": 2, "n_paths": 4, "random_state": 0}
NAMES = ["open", "high", "low"]
DAYS = pd.date_range("2020-01-01", periods=30)

# ---- a table: sequences by steps, or steps by features

TABLES = {
    "named": pd.DataFrame(VALUES, columns=NAMES),
    "letters": pd.DataFrame(VALUES, columns=list("abc")),
    "one name": pd.DataFrame(VALUES[:, :1], columns=["open"]),
    "polars": pl.DataFrame(VALUES, schema=NAMES),
    "days": pd.DataFrame(VALUES, index=DAYS),
    "days in a zone": pd.DataFrame(VALUES, index=DAYS.tz_localize("UTC")),
    "months": pd.DataFrame(VALUES, index=pd.period_range("2020-01", periods=30, freq="M")),
    "both": pd.DataFrame(VALUES, columns=NAMES, index=DAYS),
    "numbered": pd.DataFrame(VALUES, columns=["t0", "t1", "t2"], index=DAYS),
}
COUNTED = {
    "array": VALUES,
    "frame": pd.DataFrame(VALUES),
    "t": pd.DataFrame(VALUES, columns=["t0", "t1", "t2"]),
    "polars": pl.DataFrame(VALUES),
}


def says_both(n_columns):
    return (
        rf"X is a table with .*, taken as 30 sequences of {n_columns} steps with one feature\. If that is right, "
        rf"say so by X\.to_numpy\(\)\. One sequence of 30 steps with {n_columns} features is \[X\]"
    )


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize(
    "estimator",
    [LSTMRegressor((2,), max_iter=1), LSTMClassifier((2,), max_iter=1), PerStep(StandardScaler())],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_a_table_with_names_or_times(table, estimator, fit):
    estimator, y = clone(estimator), VALUES[:, 0] > 0
    more = {"classes": [False, True]} if fit == "partial_fit" and isinstance(estimator, LSTMClassifier) else {}
    with pytest.warns(UserWarning, match=says_both(table.shape[1])):
        getattr(estimator, fit)(table, y, **more)
    (estimator.transform if isinstance(estimator, PerStep) else estimator.predict)(table)  # a warning is an error here
    getattr(clone(estimator), fit)(table.to_numpy(), y, **more)


@pytest.mark.parametrize("table", COUNTED.values(), ids=COUNTED)
def test_a_table_of_steps(table):
    LSTMRegressor((2,), max_iter=1).fit(table, VALUES[:, 0])  # a warning is an error here
    make_pipeline(PerStep(StandardScaler()), LSTMRegressor((2,), max_iter=1)).fit(table, VALUES[:, 0])


def test_a_table_as_one_sequence():
    """As the warning says it is given."""
    tagger = LSTMTagger((2,), max_iter=1).fit([TABLES["both"]], [VALUES[:, 0] > 0])
    assert tagger.n_features_in_ == 3
    assert tagger.predict([TABLES["both"]])[0].shape == (30,)


def test_a_table_as_a_series():
    """A forecaster has one reading for it."""
    assert LSTMForecaster(**SERIES).fit(TABLES["both"]).predict(2).shape == (2, 3)


# ---- fit(y, X) or fit(X, y)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("second", [VALUES[:, 0], VALUES[:, :1], TABLES["named"]["open"], TABLES["one name"]])
@pytest.mark.parametrize("table", [VALUES, TABLES["named"], TABLES["polars"]])
def test_a_forecaster_in_the_order_of_scikit_learn(table, second, several):
    first, second = ([table, table], [second, second]) if several else (table, second)
    message = r"takes what came first, \(30, 3\), as the series .* second, \(30,.*by name: fit\(y=\.\.\., X=\.\.\.\)"
    with pytest.warns(UserWarning, match=message):
        LSTMForecaster(**SERIES).fit(first, second)
    LSTMForecaster(**SERIES).fit(first, X=second)  # a warning is an error here
    LSTMForecaster(**SERIES).fit(y=first, X=second)


@pytest.mark.parametrize("y", [VALUES[:, 0], list(VALUES[:, 0]), [VALUES[:, 0]]], ids=["array", "numbers", "list"])
def test_a_series_before_what_is_known_ahead(y):
    X = [VALUES] if isinstance(y, list) and np.ndim(y) == 2 else VALUES
    LSTMForecaster(**SERIES).fit(y, X)


def test_one_feature_in_the_order_of_scikit_learn():
    with pytest.warns(UserWarning, match="the other way round"):
        LSTMForecaster(**SERIES).fit(VALUES[:, :1], VALUES[:, 0])


def test_tables_whose_order_is_plain():
    LSTMForecaster(**SERIES).fit(VALUES)
    LSTMForecaster(**SERIES).fit(VALUES, None)
    LSTMForecaster(**SERIES).fit(VALUES[:, :2], VALUES)
    LSTMForecaster(**SERIES).fit(VALUES, VALUES)


# ---- bounds of series, or of quantiles


@pytest.mark.parametrize("n", [2, 3])
def test_as_many_series_as_quantiles(n):
    forecaster = LSTMForecaster(**SERIES).fit([*VALUES[:, :n].T])
    quantiles = np.linspace(0.1, 0.9, n)
    with pytest.warns(UserWarning, match=rf"an entry for each of the {n} series, not for each of the {n} quantiles"):
        forecast, bounds = forecaster.predict(4, quantiles=quantiles)
    low, *_, high = zip(*bounds, strict=True)  # as the warning says
    for k in range(n):
        assert (low[k] < forecast[k]).all()
        assert (forecast[k] < high[k]).all()
    forecaster.predict(4, quantiles=[0.01, *quantiles])
    forecaster.predict(4, return_std=True)


@pytest.mark.parametrize("y", [VALUES[:, 0], VALUES[:, :2], [VALUES[:, 0]]], ids=["one", "columns", "list of one"])
def test_bounds_that_have_one_reading(y):
    _, bounds = LSTMForecaster(**SERIES).fit(y).predict(4, quantiles=[0.1, 0.9])
    low, high = bounds[0] if isinstance(bounds, list) else bounds
    assert (low < high).all()
