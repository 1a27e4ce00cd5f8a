"""`LSTMRegressor`: learning, several outputs, the mean it starts from, targets that are refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from toys import sequences, toy

from pylstm import LSTMRegressor


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"pooling": "mean"}, {"pooling": "max"}, {"bidirectional": True}], ids=str)
def test_learns(options, dtype):
    X, y = toy(LSTMRegressor, 120)
    reg = LSTMRegressor((16,), learning_rate_init=0.02, random_state=0, dtype=dtype, **options).fit(X, y)
    assert reg.score(X, y) == r2_score(y, reg.predict(X)) > 0.7
    assert reg.predict(X).dtype == np.float64


def test_several_outputs():
    X = sequences()
    y = np.array([[x[:, 0].sum(), 10 + x[0, 1], len(x)] for x in X])
    reg = LSTMRegressor((16,), learning_rate_init=0.02, random_state=0).fit(X, y)
    assert reg.predict(X).shape == y.shape
    assert reg.score(X, y) > 0.7
    frame = pd.DataFrame(y, columns=["sum", "first", "length"])
    again = LSTMRegressor((16,), learning_rate_init=0.02, random_state=0).fit(X, frame)
    np.testing.assert_array_equal(again.predict(X), reg.predict(X))


def test_starts_at_the_weighted_mean():
    X, y = toy(LSTMRegressor)
    weights = np.arange(60)
    options = {"solver": "sgd", "learning_rate_init": 1e-12, "max_iter": 1, "random_state": 0}
    reg = LSTMRegressor(**options, normalize_y=False).fit(X, y + 1000, sample_weight=weights)
    mean = np.average(y + 1000, weights=weights)
    assert reg._model.parameters()["bias_out"] == pytest.approx(mean)


def test_column_of_targets_is_one_output():
    X, y = toy(LSTMRegressor)
    with pytest.warns(DataConversionWarning):
        reg = LSTMRegressor((4,), max_iter=2).fit(X, y[:, np.newaxis])
    assert reg.predict(X).shape == (60,)


def test_transformed_targets():
    X, y = toy(LSTMRegressor)
    inner = LSTMRegressor((16,), learning_rate_init=0.02, random_state=0)
    reg = TransformedTargetRegressor(inner, transformer=StandardScaler(), check_inverse=False).fit(X, 1e4 * y + 1e6)
    assert reg.score(X, 1e4 * y + 1e6) > 0.7


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(59), "y must have one value for each of the 60 sequences of X, got 59"),
        (np.full(60, np.nan), "Input y contains NaN"),
        (np.full(60, np.inf), "Input y contains infinity"),
        (np.zeros((60, 2, 2)), "Found array with dim 3"),
        (["a"] * 60, "could not convert string to float"),
        (7.0, "y must be an array or a list, got 'float'"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_bad_targets(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LSTMRegressor((4,), max_iter=1).fit(sequences(), y)


def test_number_of_outputs_stays():
    X, y = toy(LSTMRegressor)
    reg = LSTMRegressor((4,), max_iter=1, warm_start=True).fit(X, np.column_stack([y, y]))
    for method in (reg.fit, reg.partial_fit):
        with pytest.raises(ValueError, match=r"y must have outputs of shape \(2,\), as before, got \(\)"):
            method(X, y)
