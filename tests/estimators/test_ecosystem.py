"""The estimators inside what scikit-learn has around estimators: pipelines, searches, meta-estimators, routing."""

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, VotingClassifier, VotingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import ESTIMATORS, toy

from pylstm import LSTMClassifier, LSTMRegressor
from pylstm.preprocessing import PerStep


def small(cls, **options):
    return cls(**{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, **options})


def dense(cls):
    X = np.random.default_rng(0).standard_normal((60, 5, 2))
    total = X[:, :, 0].sum(axis=1)
    return X, np.where(total > 0, "up", "down") if cls is LSTMClassifier else total


def pipeline(cls=LSTMClassifier, **options):
    return make_pipeline(PerStep(StandardScaler()), small(cls, **options))


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("form", ["ragged", "dense"])
def test_grid_search_of_a_pipeline(form, backend):
    X, y = toy(LSTMClassifier) if form == "ragged" else dense(LSTMClassifier)
    grid = {"lstmclassifier__hidden_layer_sizes": [(2,), (6, 3)], "perstep__transformer__with_mean": [True, False]}
    alone = GridSearchCV(pipeline(), grid, cv=3).fit(X, y)
    with joblib.parallel_backend(backend):
        search = GridSearchCV(pipeline(), grid, cv=3, n_jobs=2).fit(X, y)
    assert search.best_params_ == alone.best_params_
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))


def test_nested_parameters():
    model = pipeline().set_params(lstmclassifier__alpha=0.5, perstep__transformer__with_std=False)
    assert model.get_params()["lstmclassifier__alpha"] == 0.5
    assert model[0].transformer.with_std is False
    with pytest.raises(ValueError, match="Invalid parameter 'beta'"):
        model.set_params(lstmclassifier__beta=1)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_cross_validation(cls):
    X, y = toy(cls)
    scores = cross_val_score(small(cls), X, y, cv=3)
    for score, fold in zip(scores, np.array_split(np.arange(60), 3), strict=True):
        if cls is not LSTMClassifier:  # whose folds are stratified
            kept = np.setdiff1d(np.arange(60), fold)
            fitted = small(cls).fit([X[k] for k in kept], [y[k] for k in kept])
            assert score == fitted.score([X[k] for k in fold], [y[k] for k in fold])


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting(voting):
    X, y = dense(LSTMClassifier)
    members = [("one", pipeline()), ("two", small(LSTMClassifier, random_state=1)), ("none", DummyClassifier())]
    vote = VotingClassifier(members, voting=voting).fit(X, y)
    if voting == "soft":
        expected = np.mean([member.predict_proba(X) for member in vote.estimators_], axis=0)
        np.testing.assert_allclose(vote.predict_proba(X), expected)
    assert set(vote.predict(X)) <= {"up", "down"}
    X, y = dense(LSTMRegressor)
    vote = VotingRegressor([("one", pipeline(LSTMRegressor)), ("two", small(LSTMRegressor))]).fit(X, y)
    np.testing.assert_allclose(vote.predict(X), np.mean([member.predict(X) for member in vote.estimators_], axis=0))


def test_what_scikit_learn_refuses_for_3d():
    """These check X themselves, for two dimensions."""
    X, y = dense(LSTMClassifier)
    with pytest.raises(ValueError, match="Found array with dim 3"):
        BaggingClassifier(small(LSTMClassifier)).fit(X, y)
    with pytest.raises(ValueError, match="Found array with dim 3"):
        permutation_importance(small(LSTMClassifier).fit(X, y), X, y)
    flat = X[:, :, 0]  # they do take one feature per step
    assert BaggingClassifier(small(LSTMClassifier), n_estimators=2).fit(flat, y).predict(flat).shape == (60,)
    fitted = small(LSTMClassifier).fit(flat, y)
    assert permutation_importance(fitted, flat, y, n_repeats=2).importances.shape == (5, 2)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_metadata_routing_of_weights(cls):
    X, y = toy(cls)
    weights = np.random.default_rng(0).uniform(0.5, 2, 60)
    with sklearn.config_context(enable_metadata_routing=True):
        model = small(cls).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(model, X, y, cv=3, params={"sample_weight": weights}, return_estimator=True)
        nested = make_pipeline(PerStep(StandardScaler()), model).fit(X, y, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        unweighted = small(cls).set_fit_request(sample_weight=False).set_score_request(sample_weight=False)
        plain = cross_validate(unweighted, X, y, cv=3, params={})
    assert not np.array_equal(scores["test_score"], plain["test_score"])
    direct = small(cls).fit(PerStep(StandardScaler()).fit_transform(X), y, sample_weight=weights)
    assert nested[-1].loss_ == direct.loss_


def test_scorers_of_probabilities():
    X, y = toy(LSTMClassifier)
    scorers = {"loss": "neg_log_loss", "auc": "roc_auc", "accuracy": make_scorer(accuracy_score)}
    found = cross_validate(pipeline(), X, y, cv=3, scoring=scorers)
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in scorers)
