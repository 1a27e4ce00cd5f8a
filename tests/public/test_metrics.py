"""`per_step`: scores of pooled steps, in cross-validation and searches, single and several."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, fbeta_score, log_loss, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pylstm.metrics import per_step
from pylstm.preprocessing import PerStep


class Tagger(ClassifierMixin, BaseEstimator):
    """A classifier of steps that looks at one step at a time."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y, sample_weight=None):
        weights = None if sample_weight is None else np.repeat(sample_weight, [len(x) for x in X])
        self.model_ = LogisticRegression(C=self.C).fit(np.concatenate(list(X)), np.concatenate(list(y)), weights)
        self.classes_ = self.model_.classes_
        self.n_calls_ = 0
        return self

    def _apply(self, method, X):
        self.n_calls_ += 1
        values = [getattr(self.model_, method)(x) for x in X]
        return np.stack(values) if isinstance(X, np.ndarray) and X.ndim == 3 else values

    def predict(self, X):
        return self._apply("predict", X)

    def predict_proba(self, X):
        return self._apply("predict_proba", X)


class SequenceRegressor(RegressorMixin, BaseEstimator):
    """A regressor of steps that looks at one step at a time."""

    def fit(self, X, y):
        self.model_ = LinearRegression().fit(np.concatenate(list(X)), np.concatenate(list(y)))
        return self

    def predict(self, X):
        values = [self.model_.predict(x) for x in X]
        return np.stack(values) if isinstance(X, np.ndarray) and X.ndim == 3 else values


def toy(n_classes=2, lengths=(5, 1, 9, 4, 4, 7, 2, 8, 6, 3, 5, 5), seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(length, 3)) for length in lengths]
    scores = [x @ [1.0, -1.0, 0.5] + rng.normal(size=len(x)) for x in X]
    return X, [np.digitize(score, np.linspace(-1, 1, n_classes + 1)[1:-1]) for score in scores]


def pooled(values):
    return np.concatenate(list(values))


def test_scores_are_those_of_pooled_steps():
    X, y = toy()
    tagger = Tagger().fit(X, y)
    true, labels, probabilities = pooled(y), pooled(tagger.predict(X)), pooled(tagger.predict_proba(X))
    assert per_step("accuracy")(tagger, X, y) == accuracy_score(true, labels)
    mean_of_sequences = np.mean([np.mean(a == b) for a, b in zip(tagger.predict(X), y, strict=True)])
    assert per_step("accuracy")(tagger, X, y) != mean_of_sequences
    assert per_step("f1")(tagger, X, y) == f1_score(true, labels)
    assert per_step("roc_auc")(tagger, X, y) == roc_auc_score(true, probabilities[:, 1])
    assert per_step("neg_log_loss")(tagger, X, y) == -log_loss(true, probabilities)
    f2 = make_scorer(fbeta_score, beta=2, pos_label=0)
    assert per_step(f2)(tagger, X, y) == fbeta_score(true, labels, beta=2, pos_label=0)


def test_several_classes():
    X, y = toy(n_classes=3)
    tagger = Tagger().fit(X, y)
    expected = roc_auc_score(pooled(y), pooled(tagger.predict_proba(X)), multi_class="ovr")
    assert per_step("roc_auc_ovr")(tagger, X, y) == expected


def test_regression_of_one_and_of_several_outputs():
    X, _ = toy()
    y = [x[:, 0] ** 2 for x in X]
    regressor = SequenceRegressor().fit(X, y)
    assert per_step("r2")(regressor, X, y) == regressor.model_.score(pooled(X), pooled(y))
    Y = [x[:, :2] ** 2 for x in X]
    regressor.fit(X, Y)
    assert per_step("r2")(regressor, X, Y) == regressor.model_.score(pooled(X), pooled(Y))


@pytest.mark.parametrize(
    "form", [np.stack, list, tuple, lambda y: pd.DataFrame(np.stack(y)), lambda y: np.stack(y).tolist()]
)
def test_forms_of_y_beside_dense_x(form):
    X, y = toy(lengths=(4,) * 10)
    tagger = Tagger().fit(X, y)
    assert per_step("accuracy")(tagger, np.stack(X), form(y)) == accuracy_score(pooled(y), pooled(tagger.predict(X)))


def test_object_arrays():
    X, y = toy()
    tagger = Tagger().fit(X, y)
    packed_X, packed_y = np.empty(len(X), object), np.empty(len(y), object)
    packed_X[:], packed_y[:] = X, y
    assert per_step("accuracy")(tagger, packed_X, packed_y) == per_step("accuracy")(tagger, X, y)


def test_cross_validation_and_search():
    X, y = toy()
    scores = cross_val_score(Tagger(), X, y, cv=3, scoring=per_step("accuracy"))
    assert scores.shape == (3,)
    fold = Tagger().fit(X[4:], y[4:])
    assert scores[0] == accuracy_score(pooled(y[:4]), pooled(fold.predict(X[:4])))
    pipeline = make_pipeline(PerStep(StandardScaler()), Tagger())
    grid = {"tagger__C": [1e-6, 1.0]}
    search = GridSearchCV(pipeline, grid, scoring=per_step("neg_log_loss"), cv=3, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"tagger__C": 1.0}
    assert search.score(X, y) == per_step("neg_log_loss")(search.best_estimator_, X, y)


def test_several_scores_share_one_prediction():
    X, y = toy()
    tagger = Tagger().fit(X, y)
    scores = per_step(["accuracy", "f1_macro"])(tagger, X, y)
    assert tagger.n_calls_ == 1
    assert scores == {name: per_step(name)(tagger, X, y) for name in ("accuracy", "f1_macro")}
    results = cross_validate(Tagger(), X, y, cv=3, scoring=per_step(["accuracy", "f1_macro"]))
    assert results["test_accuracy"].shape == results["test_f1_macro"].shape == (3,)
    named = {"accuracy": per_step("accuracy"), "log loss": per_step("neg_log_loss")}
    assert cross_validate(Tagger(), X, y, cv=3, scoring=named)["test_log loss"].shape == (3,)


def test_weights_of_sequences():
    X, y = toy()
    weights = np.arange(len(X), dtype=float)
    tagger = Tagger().fit(X, y)
    expected = accuracy_score(
        pooled(y), pooled(tagger.predict(X)), sample_weight=np.repeat(weights, [len(x) for x in X])
    )
    assert per_step("accuracy")(tagger, X, y, sample_weight=weights) == expected
    with pytest.raises(
        ValueError, match=re.escape("one weight for each of the 12 sequences, or one for each step, got shape (3,)")
    ):
        per_step("accuracy")(tagger, X, y, sample_weight=weights[:3])


def test_weights_are_routed_to_the_scorer_inside():
    X, y = toy()
    weights = np.arange(len(X), dtype=float)
    with config_context(enable_metadata_routing=True):
        tagger = Tagger().set_fit_request(sample_weight=False)
        scorer = per_step(make_scorer(accuracy_score).set_score_request(sample_weight=True))
        result = cross_validate(
            tagger, X, y, cv=3, scoring=scorer, params={"sample_weight": weights}, return_estimator=True
        )
    assert result["test_score"][0] == scorer(result["estimator"][0], X[:4], y[:4], sample_weight=weights[:4])
    assert result["test_score"][0] != scorer(result["estimator"][0], X[:4], y[:4])


def test_pickle_and_repr():
    X, y = toy()
    tagger = Tagger().fit(X, y)
    scorer = per_step("f1_macro")
    assert pickle.loads(pickle.dumps(scorer))(tagger, X, y) == scorer(tagger, X, y)
    assert repr(scorer) == "per_step(make_scorer(f1_score, response_method='predict', pos_label=None, average=macro))"


def test_errors():
    X, y = toy()
    tagger = Tagger().fit(X, y)
    scorer = per_step("accuracy")
    with pytest.raises(ValueError, match="y must hold 12 sequences, as X, got 11"):
        scorer(tagger, X, y[1:])
    with pytest.raises(ValueError, match=re.escape("y[0] must have 5 steps, as X[0], got 1")):
        scorer(tagger, X, [y[1], y[0], *y[2:]])
    with pytest.raises(ValueError, match="y must hold a value for every step of every sequence"):
        scorer(tagger, X, np.zeros(len(X)))
    with pytest.raises(AttributeError, match="decision_function"):
        per_step(make_scorer(roc_auc_score, response_method="decision_function"))(tagger, X, y)
    with pytest.raises(ValueError, match="make_scorer"):
        per_step(accuracy_score)
    with pytest.raises(ValueError, match="scoring"):
        per_step("no such score")
