"""`LSTMClassifier`: learning, pooling, the forms of X, errors, and one training step checked by hand."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from pylstm import LSTMClassifier
from pylstm.datasets import load_japanese_vowels


def toy(n_sequences=60, seed=0):
    """Ragged sequences labelled by the sign of their first value."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(1, 9), 2)) for _ in range(n_sequences)]
    return X, np.array(["down", "up"])[[int(x[0, 0] > 0) for x in X]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [{}, {"pooling": "mean"}, {"pooling": "max"}, {"bidirectional": True}, {"hidden_layer_sizes": (12, 6)},
     {"dropout": 0.2, "bidirectional": True, "pooling": "mean"}, {"forget_bias": "chrono"}, {"hidden_layer_sizes": 8},
     {"shuffle": False, "max_grad_norm": None}],
    ids=str,
)  # fmt: skip
def test_learns(options, dtype):
    X, y = toy()
    clf = LSTMClassifier(**{"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "max_iter": 80, "random_state": 0,
                            "dtype": dtype, **options})  # fmt: skip
    clf.fit(X, y)
    assert clf.score(X, y) >= 0.95
    assert clf.loss_ == clf.loss_curve_[-1] < clf.loss_curve_[0]
    assert clf.n_iter_ == len(clf.loss_curve_) <= 80
    assert clf.classes_.tolist() == ["down", "up"]
    probabilities = clf.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_same_seed_same_fit_bit_for_bit():
    X, y = toy()
    one, two = (LSTMClassifier((8,), max_iter=5, dropout=0.3, random_state=3).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    other = LSTMClassifier((8,), max_iter=5, dropout=0.3, random_state=4).fit(X, y)
    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))


def test_dense_ragged_and_2d_input_are_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6, 1)).astype(np.float32)
    y = (X[:, 0, 0] > 0).astype(int)
    make = LSTMClassifier((6,), max_iter=5, random_state=0)
    expected = clone(make).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(make).fit(list(X), y).predict_proba(list(X)), expected)
    flat = clone(make).fit(X[:, :, 0], y)
    np.testing.assert_array_equal(flat.predict_proba(X[:, :, 0]), expected)
    assert flat.n_features_in_ == 6
    frame = pd.DataFrame(X[:, :, 0], columns=[f"t{t}" for t in range(6)])
    framed = clone(make).fit(frame, y)
    np.testing.assert_array_equal(framed.predict_proba(frame), expected)
    assert framed.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_array_equal(clone(make).fit(X.tolist(), y.tolist()).predict_proba(X), expected)


def test_crossing_between_2d_and_3d_is_refused():
    X, y = np.random.default_rng(0).normal(size=(10, 6)), np.arange(10) % 2
    flat = LSTMClassifier((2,), max_iter=1).fit(X, y)
    with pytest.raises(
        ValueError, match=re.escape("X must be 2-D (n_sequences, n_steps), as in fit; from 3-D with one")
    ):
        flat.predict(X[:, :, np.newaxis])
    with pytest.raises(ValueError, match="got a list of 2-D arrays"):
        flat.predict([X[:, :1]])
    with pytest.raises(ValueError, match="X has 5 features, but LSTMClassifier is expecting 6"):
        flat.predict(X[:, :5])
    deep = LSTMClassifier((2,), max_iter=1).fit(X[:, :, np.newaxis], y)
    assert deep.n_features_in_ == 1
    assert deep.predict([np.ones((99, 1))]).shape == (1,)
    with pytest.raises(ValueError, match=re.escape("X.reshape(n_sequences, n_steps, 1); got 2-D")):
        deep.predict(X)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([np.ones((2, 2)), np.ones((3, 2))], [0], "y must have one label for each of the 2 sequences of X, got 1"),
        ([np.ones((2, 2)), np.full((3, 2), np.nan)], [0, 1], "Input X contains NaN"),
        ([np.ones((2, 2)), np.full((3, 2), np.inf)], [0, 1], "Input X contains infinity"),
        (np.full((2, 3), np.nan), [0, 1], "Input X contains NaN"),
        (np.full((2, 3, 1), -np.inf), [0, 1], "Input X contains infinity"),
        ([np.ones((2, 2)), np.ones((3, 1))], [0, 1], r"X\[1\] must have 2 features per step, got 1"),
        ([np.ones((2, 2)), np.ones((0, 2))], [0, 1], r"X\[1\] must have at least one step"),
        ([], [], "X must hold at least one sequence"),
        ([np.ones((2, 2)), np.ones((3, 2))], [0.5, 1.5], "Unknown label type"),
        ([np.ones((2, 2)), np.ones((3, 2))], [[0, 2], [1, 1]], "y should be a 1d array"),
        ([np.ones((2, 2)), np.ones((3, 2))], None, "requires y"),
        ([np.ones(2), np.ones(3)], [0, 1], re.escape("[np.reshape(x, (-1, 1)) for x in X]")),
        (np.ones((2, 3, 1, 1)), [0, 1], "dim 4"),
    ],
)  # fmt: skip
def test_bad_input_of_fit(X, y, message):
    clf = LSTMClassifier((2,), max_iter=1).fit(*toy())
    before = clf.predict_proba(toy()[0])
    with pytest.raises(ValueError, match=message):
        clone(clf).fit(X, y)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(toy()[0]), before)


@pytest.mark.parametrize(
    "parameters",
    [{"hidden_layer_sizes": (0,)}, {"hidden_layer_sizes": ()}, {"pooling": "sum"}, {"dropout": 1.0}, {"alpha": -1},
     {"batch_size": 0}, {"learning_rate_init": 0}, {"max_iter": 0}, {"max_grad_norm": 0}, {"dtype": "float16"},
     {"hidden_layer_sizes": (2.5,)}, {"hidden_layer_sizes": "64"}, {"forget_bias": "x"}, {"beta_1": 1.0}],
    ids=str,
)  # fmt: skip
def test_bad_parameters(parameters):
    with pytest.raises((ValueError, TypeError), match=next(iter(parameters)).removesuffix("_layer_sizes")):
        LSTMClassifier(**{"max_iter": 1, **parameters}).fit(*toy())


def test_unfitted():
    with pytest.raises(NotFittedError):
        LSTMClassifier().predict([np.ones((2, 2))])


def test_one_class_one_sequence():
    clf = LSTMClassifier((2,), max_iter=2).fit([np.ones((3, 1))], ["only"])
    assert clf.predict([np.ones((1, 1)), np.zeros((5, 1))]).tolist() == ["only", "only"]


def test_pickle_clone_and_cross_validation():
    X, y = toy()
    clf = LSTMClassifier((4,), max_iter=3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X))
    assert clone(clf).get_params() == clf.get_params()
    assert len(cross_val_score(clone(clf), X, y, cv=3)) == 3


def test_verbose_prints_a_line_per_epoch(capsys):
    LSTMClassifier((2,), max_iter=3, verbose=True).fit(*toy())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"Epoch 3/3, loss = \d+\.\d{6}", lines[-1])


def test_japanese_vowels():
    X, y = load_japanese_vowels(split="train")
    X_test, y_test = load_japanese_vowels(split="test")
    clf = LSTMClassifier(hidden_layer_sizes=(32,), learning_rate_init=0.003, max_iter=25, random_state=0).fit(X, y)
    assert clf.score(X_test, y_test) >= 0.9
