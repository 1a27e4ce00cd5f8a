"""Missing values of X: what the net reads in their place, and that it is part of the model."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from toys import ESTIMATORS, flat, outputs, targets

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, SaliencyDisplay
from pylstm._net.describe import describe
from pylstm.preprocessing import PerStep

NAN = np.nan
every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)
both = pytest.mark.parametrize("missing", ["indicator", "hold"])


def data(cls, share=0.3, seed=0):
    """Return sequences of which some values of the first of two features are missing, and targets of the whole ones."""
    rng = np.random.default_rng(seed)
    X = [rng.standard_normal((n, 2)) + 5 for n in rng.integers(1, 9, 60)]
    y = targets(cls, [x - 5 for x in X])
    for x in X:
        x[rng.random(len(x)) < share, 0] = NAN
    return X, y


def small(cls, **options):
    return cls((6,), **{"max_iter": 3, "random_state": 0, **options})


def read(model, X):
    """Return what the net reads of X: rows of all sequences."""
    return model._fitted_steps(X).rows


def model_of(X, **options):
    return small(LSTMRegressor, dtype="float64", **options).fit(X, np.arange(len(X), dtype=float))


# ---- what the net reads


def test_indicators_by_hand():
    X = [np.array([[NAN, 1], [4, 2], [NAN, 3], [NAN, 4]]), np.array([[2, 5.0], [NAN, 6]])]
    rows = read(model_of(X, missing="indicator", standardize=False), X)
    assert_array_equal(
        rows,
        [[3, 1, 1, 1], [4, 2, 0, 0], [3, 3, 1, 1], [3, 4, 1, 2], [2, 5, 0, 0], [3, 6, 1, 1]],
    )


def test_hold_by_hand():
    X = [np.array([[NAN, 1], [4, 2], [NAN, 3], [NAN, 4]]), np.array([[NAN, 5.0], [2, 6]])]
    rows = read(model_of(X, missing="hold", standardize=False), X)
    assert_array_equal(rows, [[3, 1], [4, 2], [4, 3], [4, 4], [3, 5], [2, 6]])


def test_scaled():
    X, _ = data(LSTMRegressor)
    rows, raw = (read(model_of(X, missing="indicator", standardize=flag), X) for flag in (True, False))
    known = np.concatenate(X)
    is_missing = np.isnan(known[:, 0])
    expected = (known - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0)
    assert_allclose(rows[:, :2], np.where(np.isnan(known), 0, expected), atol=1e-12)
    assert_array_equal(rows[:, 2], is_missing)
    assert_allclose(rows[:, 3], raw[:, 3] / np.sqrt(np.mean(raw[is_missing, 3] ** 2)))


def test_whole_data_are_read_as_without():
    X, y = data(LSTMRegressor, share=0)
    plain = small(LSTMRegressor).fit(X, y).predict(X)
    for missing in ("indicator", "hold"):
        assert_array_equal(small(LSTMRegressor, missing=missing).fit(X, y).predict(X), plain)


def test_a_feature_that_was_whole_in_fit_and_one_that_was_never_there():
    X, y = data(LSTMRegressor)
    X = [np.column_stack([x, np.full(len(x), NAN)]) for x in X]
    reg = small(LSTMRegressor, missing="indicator").fit(X, y)
    assert describe(reg).missing.columns.tolist() == [0, 2]
    assert describe(reg).spec.input_size == 7
    later = X[3].copy()
    later[:, 1] = NAN
    assert_allclose(read(reg, [later])[:, 1], 0, atol=1e-6)
    assert np.isfinite(reg.predict([later, np.full((2, 3), NAN)])).all()


def test_weights_count_in_the_mean():
    X = [np.array([[1.0], [NAN]]), np.array([[4.0]]), np.array([[9.0]])]
    reg = small(LSTMRegressor, missing="hold").fit(X, [0.0, 1.0, 2.0], sample_weight=[2, 1, 0])
    assert_allclose(describe(reg).missing.mean, [2.0])
    reg = small(LSTMRegressor, missing="hold").fit(X, [0.0, 1.0, 2.0], sample_weight=[2e300, 1e300, 0])
    assert_allclose(describe(reg).missing.mean, [2.0])


@both
def test_two_dimensions(missing):
    X = np.array([[1, NAN, 3], [NAN, 5, 6], [7, 8, NAN]])
    reg = small(LSTMRegressor, missing=missing).fit(X, np.arange(3.0))
    assert np.isfinite(reg.predict(X)).all()
    assert describe(reg).spec.input_size == (3 if missing == "indicator" else 1)
    assert reg.n_features_in_ == 3


def test_it_learns_from_what_is_missing():
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((6, 1)) for _ in range(200)]
    y = rng.integers(0, 2, 200)
    for x, label in zip(X, y, strict=True):
        x[rng.integers(0, 6), 0] = NAN if label else 0.0
    clf = LSTMClassifier((8,), missing="indicator", max_iter=40, learning_rate_init=0.01, random_state=0).fit(X, y)
    assert clf.score(X, y) > 0.95


# ---- part of the model


@both
@every_estimator
def test_copies_files_and_going_on(cls, missing, tmp_path):
    X, y = data(cls)
    model = small(cls, missing=missing).fit(X, y)
    model.save(tmp_path / "model")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), pylstm.load(tmp_path / "model")):
        assert_array_equal(outputs(other, X), outputs(model, X))
        assert_array_equal(outputs(other.partial_fit(X, y), X), outputs(copy.deepcopy(model).partial_fit(X, y), X))
    assert get_tags(model).input_tags.allow_nan
    assert not get_tags(cls()).input_tags.allow_nan


@every_estimator
def test_held_out_data_and_warm_starts(cls):
    X, y = data(cls)
    model = small(cls, missing="indicator", warm_start=True, early_stopping=True, validation_fraction=0.3).fit(X, y)
    before = describe(model).missing
    model.fit(X[:40], y[:40])
    assert_array_equal(describe(model).missing.mean, before.mean)
    given = small(cls, missing="hold").fit(X, y, X_val=X[:9], y_val=y[:9])
    assert np.isfinite(given.validation_scores_).all()


def test_in_a_pipeline():
    X, y = data(LSTMRegressor)
    pipeline = make_pipeline(PerStep(StandardScaler()), small(LSTMRegressor, missing="indicator")).fit(X, y)
    alone = small(LSTMRegressor, missing="indicator").fit(X, y)
    assert_allclose(pipeline.predict(X), alone.predict(X), rtol=1e-4)


def test_trace_and_saliency():
    X, y = data(LSTMRegressor)
    reg = small(LSTMRegressor, missing="indicator").fit(X, y)
    assert len(flat(reg.trace(X).output)) == sum(map(len, X))
    assert SaliencyDisplay.from_estimator(reg, X, sequence=2).gradients.shape == X[2].shape


# ---- errors


@every_estimator
def test_without_it_is_an_error_that_names_it(cls):
    X, y = data(cls)
    with pytest.raises(ValueError, match=r"X contains NaN.*missing='indicator' or 'hold'"):
        small(cls).fit(X, y)
    whole = small(cls).fit(*data(cls, share=0))
    with pytest.raises(ValueError, match=r"X contains NaN.*missing='indicator' or 'hold'"):
        whole.set_params(missing="hold").predict(X)  # which is for the next fit


@both
def test_infinity_is_no_missing_value(missing):
    X, y = data(LSTMRegressor)
    X[4][-1, 1] = np.inf
    with pytest.raises(ValueError, match=f"infinity.* in sequence 4, at step {len(X[4]) - 1}"):
        small(LSTMRegressor, missing=missing).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mean", np.array([0, np.inf]), "missing_mean must be finite"),
        ("columns", np.array([2]), "missing_columns must be features out of 2, sorted, got"),
        ("columns", np.array([-1]), "missing_columns must be features"),
        ("columns", np.array([0, 0]), "missing_columns must be features"),
        ("columns", np.array([], int), "weight_ih_l0 must be an array"),
        ("kind", "hold", "missing_columns must be none with 'hold'"),
    ],
)
def test_files_that_say_it_wrongly(name, value, message, tmp_path):
    reg = small(LSTMRegressor, missing="indicator").fit(*data(LSTMRegressor))
    reg._missing = reg._missing._replace(**{name: value})
    reg.save(tmp_path / "model")
    with pytest.raises(ValueError, match=message):
        pylstm.load(tmp_path / "model")
