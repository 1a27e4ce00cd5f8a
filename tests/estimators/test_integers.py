"""Integers without `embedding_size`: a warning where they may be tokens."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from pylstm import LSTMClassifier, LSTMRegressor

TARGETS = {LSTMClassifier: ["a", "a", "b", "b"], LSTMRegressor: [1.0, 2.0, 3.0, 4.0]}


@pytest.mark.parametrize(
    "form",
    [
        np.array,
        list,
        lambda table: np.array(table)[:, :, np.newaxis],
        lambda table: [np.array(x)[:, np.newaxis] for x in table],
        lambda table: tuple(np.array(x, np.uint8)[:, np.newaxis] for x in table),
        lambda table: np.fromiter([np.array(x)[:, np.newaxis] for x in table], object, len(table)),
        lambda table: pd.DataFrame(table, columns=["t0", "t1", "t2"]),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("cls", TARGETS)
def test_integers_are_warned_of(cls, form):
    table = [[0, 1, 1], [1, 0, 1], [3, 2, 2], [7, 1, 2]]
    with pytest.warns(
        UserWarning, match=r"one a step, .* embedding_size=64, or 'one-hot'.* X.astype\(float\)"
    ) as caught:
        cls((3,), max_iter=1).fit(form(table), TARGETS[cls])
    assert [warning.filename for warning in caught if "one a step" in str(warning.message)] == [__file__]


@pytest.mark.parametrize(
    "X",
    [
        np.array([[0, 1], [1, 0], [1, 1], [0, 0]]),
        np.array([[0.0, 3], [1, 5], [5, 1], [2, 0]]),
        np.array([[0, 3], [1, -5], [5, 1], [2, 0]]),
        np.arange(24).reshape(4, 3, 2),
        [np.arange(6).reshape(3, 2) for _ in range(4)],
        [np.array([[1], [2]]), *[np.array([[1], [2.5]])] * 3],
        np.array([[True, False]] * 4),
    ],
    ids=["0 and 1", "floats", "negative", "several features", "list of several", "floats among them", "bool"],
)
def test_others_are_not(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        LSTMClassifier((3,), max_iter=1).fit(X, ["a", "b", "a", "b"])
        fitted = LSTMClassifier((3,), max_iter=1).fit(
            np.ones((4, 2)) * np.arange(4)[:, np.newaxis], ["a", "b", "a", "b"]
        )
        fitted.predict(np.array([[3, 4]]))  # said once, in fit
