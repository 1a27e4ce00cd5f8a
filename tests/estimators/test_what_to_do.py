"""Errors that say what to do, where a guess at what was meant is a good one; what is said while a fit runs."""

import pickle
import re

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, outputs, toy

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm.preprocessing import PerStep

RAGGED = [np.ones((3, 2)), np.ones((2, 2))]
DENSE = np.ones((2, 3, 2))


def small(cls, **options):
    return cls((2,), **{"max_iter": 1, "random_state": 0, **options})


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_sequence(cls):
    X, y = toy(cls)
    model = small(cls).fit(X, y)
    with pytest.raises(ValueError, match=r"of one sequence \(n_steps, n_features\): \[X\]"):
        model.predict(X[0])
    assert len(model.predict([X[0]])) == 1
    with pytest.raises(ValueError, match=r"list of 2-D arrays, of one sequence \[X\], got 2-D \(3, 2\)"):
        pylstm.Sequence(2, 2).forward(RAGGED[0])


@pytest.mark.parametrize("X", [RAGGED, DENSE], ids=["ragged", "dense"])
@pytest.mark.parametrize("form", [list, tuple, lambda y: np.array(y, object if len(y[1]) == 2 else int)])
def test_targets_for_each_step(X, form):
    counts = [len(x) for x in X]
    y = form([np.arange(n) for n in counts])  # of 0 and 1 alone: see test_multilabel.py
    with pytest.raises(ValueError, match=r"y must have one target for each sequence, .* which LSTMTagger takes"):
        small(LSTMClassifier).fit(X, y)
    small(LSTMTagger).fit(X, y)
    if X is RAGGED:
        with pytest.raises(ValueError, match="one for each step, which LSTMSequenceRegressor takes"):
            small(LSTMRegressor).fit(X, y)
    small(LSTMSequenceRegressor).fit(X, y)


def test_targets_that_are_not_for_steps():
    X = np.ones((2, 1, 2))
    with pytest.warns(UserWarning, match="column-vector"):
        small(LSTMClassifier).fit(X, [[0], [1]])
    assert small(LSTMRegressor).fit(DENSE, np.ones((2, 3))).predict(DENSE).shape == (2, 3)
    assert small(LSTMClassifier).fit(DENSE, ["abc", "def"]).classes_.tolist() == ["abc", "def"]


@pytest.mark.parametrize("cls", PER_STEP)
def test_one_target_where_each_step_has_one(cls):
    with pytest.raises(ValueError, match=r"got 'int'; LSTMClassifier and LSTMRegressor take one for each sequence"):
        small(cls).fit(RAGGED, [0, 1])


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_where_a_value_is_missing(cls):
    X, y = toy(cls)
    k = next(k for k in range(5, len(X)) if len(X[k]) > 3)
    X[k] = X[k].copy()
    X[k][2, 1] = np.nan
    model = small(cls)
    with pytest.raises(ValueError, match=rf"Input X contains NaN. The first is in sequence {k}, at step 2\. Missing"):
        model.fit(X, y)
    pipeline = make_pipeline(PerStep(SimpleImputer()), model).fit(X, y)
    assert np.isfinite(outputs(pipeline, X)).all()
    X[0] = np.full_like(X[0], np.inf)
    with pytest.raises(ValueError, match=r"contains infinity or .* The first is in sequence 0, at step 0\.$"):
        model.fit(X[:2], y[:2])
    with pytest.raises(ValueError, match=r"NaN. The first is in sequence 1, at step 2"):
        small(LSTMRegressor).fit(np.array([[1, 2, 3], [4, 5, np.nan]]), [0, 1])


def test_the_time_that_is_left(capsys):
    X, y = toy(LSTMRegressor)
    small(LSTMRegressor, max_iter=3, verbose=True).fit(X, y)
    first, _, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Epoch 1/3, loss = \d+\.\d{6}, about \d+ s left", first)
    assert re.fullmatch(r"Epoch 3/3, loss = \d+\.\d{6}", last)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_streams_know_the_classes(cls):
    X, y = toy(cls)
    model = small(cls).fit(X, y)
    stream = model.stream()
    assert stream.classes_.tolist() == ["down", "up"]
    assert pickle.loads(pickle.dumps(stream)).classes_.tolist() == ["down", "up"]
    other = small(cls).fit(X, [np.char.upper(each) for each in y])
    stream.set_model(other)
    assert stream.classes_.tolist() == ["DOWN", "UP"]
    assert pylstm.Sequence(2, 2).stream().classes_ is None
