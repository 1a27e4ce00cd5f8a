"""`LSTMTagger` and `LSTMSequenceRegressor`: targets per step, ragged and dense, and training in windows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import PER_STEP, flat, outputs, sequences, targets, toy, weights

import pylstm._estimators.training as training
from pylstm import LSTMSequenceRegressor, LSTMTagger
from pylstm.metrics import per_step
from pylstm.preprocessing import PerStep

every_estimator = pytest.mark.parametrize("cls", PER_STEP)


def small(cls, **options):
    return cls(**{"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "random_state": 0, "max_iter": 5, **options})


@every_estimator
@pytest.mark.parametrize("options", [{}, {"window": 3}, {"window": 3, "burn_in": 2}, {"bidirectional": True}], ids=str)
def test_learns(cls, options):
    X, y = toy(cls, 100)
    estimator = small(cls, max_iter=40, **options).fit(X, y)
    metric = accuracy_score if cls is LSTMTagger else r2_score
    assert estimator.score(X, y) == pytest.approx(metric(flat(y), flat(estimator.predict(X))))
    assert estimator.score(X, y) > 0.8


def test_several_outputs_per_step():
    X = sequences()
    y = [np.column_stack([x[:, 0].cumsum(), x[:, 1]]) for x in X]
    reg = small(LSTMSequenceRegressor, max_iter=40).fit(X, y)
    predicted = reg.predict(X)
    assert [p.shape for p in predicted] == [target.shape for target in y]
    assert reg.score(X, y) == r2_score(flat(y), flat(predicted)) > 0.8
    dense = np.random.default_rng(0).normal(size=(20, 5, 2))
    assert small(LSTMSequenceRegressor).fit(dense, dense).predict(dense).shape == (20, 5, 2)


@every_estimator
@pytest.mark.parametrize(
    "form", [list, tuple, np.array, lambda y: np.array(y).tolist(), pd.DataFrame, lambda y: [pd.Series(v) for v in y]]
)
def test_forms_of_y(cls, form):
    X = np.random.default_rng(0).normal(size=(30, 4, 2))
    y = targets(cls, list(X))
    expected = small(cls).fit(X, y)
    np.testing.assert_array_equal(outputs(small(cls).fit(X, form(y)), X), outputs(expected, X))
    assert expected.score(X, form(y)) == expected.score(X, y)


@every_estimator
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "y must have an entry for each of the 60 sequences of X, got 59"),
        (lambda y: [y[0][:-1], *y[1:]], r"y\[0\] must have as many steps as X\[0\], 7, got 6"),
        (lambda y: [len(v) for v in y], r"y\[0\] must have shape \(n_steps_i,\).*, got 'int'"),
        (lambda y: [np.zeros((len(v), 2, 2)) for v in y], r"y\[0\] must have shape \(n_steps_i,\).*, got \(7, 2, 2\)"),
        (lambda y: 5, "y must be an array or a list, got 'int'"),
        (lambda y: None, "requires y to be passed, but the target y is None"),
    ],
)
def test_bad_targets(cls, change, message):
    X, y = toy(cls)
    with pytest.raises((ValueError, TypeError), match=message):
        small(cls).fit(X, change(y))


def test_bad_targets_of_each():
    X, y = toy(LSTMSequenceRegressor)
    with pytest.raises(ValueError, match="targets that are missing must leave something to learn from, got only zeros"):
        small(LSTMSequenceRegressor).fit(X, [np.full(len(x), np.nan) for x in X])
    with pytest.raises(ValueError, match="y must hold finite numbers, or NaN where there is none, got infinity"):
        small(LSTMSequenceRegressor).fit(X, [np.full(len(x), np.inf) for x in X])
    with pytest.raises(ValueError, match=r"y\[1\] must have as many outputs as y\[0\], shape \(\), got \(1,\)"):
        small(LSTMSequenceRegressor).fit(X, [y[0], y[1][:, np.newaxis], *y[2:]])
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        small(LSTMTagger).fit(X, y)


# ---- windows


@every_estimator
def test_window_that_holds_all_changes_nothing(cls):
    X, y = toy(cls)
    one, two = small(cls).fit(X, y), small(cls, window=8).fit(X, y)
    np.testing.assert_allclose(outputs(one, X), outputs(two, X), rtol=1e-6)


@every_estimator
def test_the_loss_of_windows_is_that_of_all_steps(cls):
    X, y = toy(cls)
    still = {"max_iter": 1, "learning_rate_init": 1e-30, "alpha": 0.0, "dtype": "float64"}
    one, two = small(cls, **still).fit(X, y), small(cls, window=3, **still).fit(X, y)
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-12)


@every_estimator
def test_steps_of_burn_in_have_no_part(cls):
    """Whatever their targets are, and short sequences are as if absent."""
    X, y = toy(cls)
    other = [np.concatenate([y[(k + 1) % 60][:3], target[3:]])[: len(target)] for k, target in enumerate(y)]
    other = [target if len(target) == len(x) else y[k] for k, (x, target) in enumerate(zip(X, other, strict=True))]
    one, two = small(cls, burn_in=3, window=2).fit(X, y), small(cls, burn_in=3, window=2).fit(X, other)
    long = [k for k, x in enumerate(X) if len(x) > 3]
    three = small(cls, burn_in=3, window=2).fit([X[k] for k in long], [y[k] for k in long])
    for name, values in weights(one).items():
        np.testing.assert_array_equal(weights(two)[name], values)
        np.testing.assert_array_equal(weights(three)[name], values)


@every_estimator
def test_state_reaches_over_windows(cls):
    """A net that saw windows of 4 steps only still has to count on: it knows more than a window holds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 60, 1))
    long = X[:, :, 0].cumsum(axis=1) / 4
    y = long > 0 if cls is LSTMTagger else long
    estimator = small(cls, window=4, max_iter=100, learning_rate_init=0.01).fit(X, y)
    assert estimator.score(X, y) > 0.75
    assert estimator.score(X.reshape(-1, 4, 1), y.reshape(-1, 4)) < 0.65


@every_estimator
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window"),
        ({"burn_in": -1}, "burn_in"),
        ({"burn_in": 8}, "burn_in must leave steps to learn from: 8, of at most 8"),
        ({"window": 3, "bidirectional": True}, "window must be None with bidirectional=True, got 3"),
    ],
)
def test_bad_windows(cls, options, message):
    with pytest.raises(ValueError, match=message):
        small(cls, **options).fit(*toy(cls))


def test_a_window_is_a_mini_batch_of_its_own(monkeypatch):
    """Three windows of a sequence are three updates."""
    steps = []

    class Counted(training.Gradient):
        def step(self, solver, indices, state=None):
            steps.append(len(indices))
            return super().step(solver, indices, state)

    monkeypatch.setattr(training, "Gradient", Counted)
    X = [np.ones((n, 1)) for n in (7, 3, 9)]
    small(LSTMSequenceRegressor, window=3, max_iter=1).fit(X, [np.ones(len(x)) for x in X])
    assert steps == [3, 2, 2]


# ---- scores of searches


@every_estimator
def test_ragged_targets_in_cross_validation_and_search(cls):
    X, y = toy(cls)
    names = (
        ["accuracy", "f1_macro", "neg_log_loss", "roc_auc"] if cls is LSTMTagger else ["r2", "neg_mean_absolute_error"]
    )
    scores = cross_validate(small(cls), X, y, cv=3, scoring=per_step(names), return_estimator=True)
    assert set(names) <= {key.removeprefix("test_") for key in scores}
    fold = scores["estimator"][0]
    metric = accuracy_score if cls is LSTMTagger else r2_score
    assert scores[f"test_{names[0]}"][0] == metric(flat(y[:20]), flat(fold.predict(X[:20])))
    assert cross_val_score(small(cls), X, y, cv=3)[0] == pytest.approx(scores[f"test_{names[0]}"][0])
    pipeline = make_pipeline(PerStep(StandardScaler()), small(cls))
    grid = {f"{cls.__name__.lower()}__max_iter": [1, 30]}
    search = GridSearchCV(pipeline, grid, cv=3, scoring=per_step(names[-1])).fit(X, y)
    assert list(search.best_params_.values()) == [30]
    assert search.score(X, y) == per_step(names[-1])(search.best_estimator_, X, y)


@every_estimator
def test_dense_targets_in_cross_validation(cls):
    X = np.random.default_rng(0).normal(size=(30, 4, 2))
    y = np.array(targets(cls, list(X)))
    name = "neg_log_loss" if cls is LSTMTagger else "r2"
    assert cross_val_score(small(cls), X, y, cv=3, scoring=per_step(name)).shape == (3,)
