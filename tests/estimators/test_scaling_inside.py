"""X and y scaled inside: what is learnt of them, what is scaled with it, and that it is part of the model."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger, SaliencyDisplay
from pylstm._net.describe import describe
from pylstm.preprocessing import PerStep

ESTIMATORS = [LSTMClassifier, LSTMTagger, LSTMRegressor, LSTMSequenceRegressor]
PER_STEP = (LSTMTagger, LSTMSequenceRegressor)
#: Far from mean 0 and variance 1, as pressures in pascal and small voltages are.
MEAN, SCALE = np.array([101_325.0, -2e-4]), np.array([40.0, 1e-5])


def data(cls, ragged=True):
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 8, 30) if ragged else np.full(30, 5)
    X = [rng.standard_normal((n, 2)) for n in lengths]
    y = [x[:, 0] + 0.5 * x[:, 1] for x in X] if cls in PER_STEP else np.array([x[:, 0].sum() for x in X])
    if cls in (LSTMClassifier, LSTMTagger):
        y = [values > 0 for values in y] if cls in PER_STEP else y > 0
    return X if ragged else np.stack(X), y if ragged or cls not in PER_STEP else np.stack(y)


def in_units(X):
    return [x * SCALE + MEAN for x in X] if isinstance(X, list) else X * SCALE + MEAN


def made(cls, **parameters):
    y = {} if cls in (LSTMClassifier, LSTMTagger) else {"normalize_y": True}
    return cls((4,), **{"max_iter": 3, "standardize": True, "random_state": 0, **y, **parameters})


def fitted(cls, **parameters):
    X, y = data(cls)
    return made(cls, **parameters).fit(in_units(X), y)


def numbers(model, X):
    got = model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)
    return np.concatenate(got) if isinstance(got, list) else got


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_as_by_a_scaler_before(cls, ragged):
    X, y = data(cls, ragged)
    X = in_units(X)
    inside = made(cls).fit(X, y)
    before = make_pipeline(PerStep(StandardScaler()), made(cls)).fit(X, y)  # which leaves that as it is
    assert_allclose(numbers(inside, X), numbers(before, X), rtol=1e-5, atol=1e-6)
    scaling, scaler = describe(inside).inputs, before[0].transformer_
    assert_allclose(scaling.mean, scaler.mean_, rtol=1e-14)
    assert_allclose(scaling.scale, scaler.scale_, rtol=1e-12)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_without_is_what_there_was(cls):
    X, y = data(cls)
    off = {"standardize": False} | ({} if cls in (LSTMClassifier, LSTMTagger) else {"normalize_y": False})
    described = describe(made(cls, **off).fit(X, y))
    assert (described.inputs, described.targets) == (None, None)


@pytest.mark.parametrize("cls", [LSTMRegressor, LSTMSequenceRegressor])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_units_of_y_do_not_matter(cls, loss):
    X, y = data(cls)
    of_units = [1e6 * each + 1e9 for each in y] if isinstance(y, list) else 1e6 * y + 1e9
    plain, other = (made(cls, loss=loss, max_iter=20).fit(X, each) for each in (y, of_units))
    assert_allclose((numbers(other, X) - 1e9) / 1e6, numbers(plain, X), atol=1e-6)
    assert other.score(X, of_units) == pytest.approx(plain.score(X, y), abs=1e-6)
    assert numbers(other, X).dtype == np.float64


def test_targets_of_several_outputs_far_apart():
    X, y = data(LSTMRegressor)
    y = np.column_stack([y * 1e-7, y * 1e8 + 1e12, np.full(len(y), 7.5)])
    reg = made(LSTMRegressor, max_iter=150, learning_rate_init=0.02).fit(X, y)
    assert_allclose(describe(reg).targets.scale, [y[:, 0].std(), y[:, 1].std(), 1])
    predicted = reg.predict(X)
    assert np.corrcoef(predicted[:, 0], y[:, 0])[0, 1] > 0.9
    assert np.corrcoef(predicted[:, 1], y[:, 1])[0, 1] > 0.9
    assert_allclose(predicted[:, 2], 7.5, atol=0.5)


def test_a_feature_that_never_varies():
    X, y = data(LSTMClassifier)
    X = [np.column_stack([x, np.full(len(x), 1e9)]) for x in X]
    clf = made(LSTMClassifier).fit(X, y)
    scaling = describe(clf).inputs
    assert (scaling.mean[2], scaling.scale[2]) == (1e9, 1)
    assert np.isfinite(clf.predict_proba(X)).all()


@pytest.mark.parametrize("size", [1e-300, 1e-60, 1e60, 1e300])
def test_sizes_beyond_float32(size):
    X, y = data(LSTMRegressor)
    plain = made(LSTMRegressor).fit(X, y)
    other = made(LSTMRegressor).fit([x * size for x in X], y * size)
    assert_allclose(other.predict([x * size for x in X]) / size, plain.predict(X), rtol=1e-5, atol=1e-5)


def test_what_is_scaled_stays_to_the_bit():
    X, y = data(LSTMClassifier)
    rows = np.concatenate(X)
    X = [(x - rows.mean(axis=0)) / rows.std(axis=0) for x in X]
    clf = made(LSTMClassifier).fit(X, y)
    assert_array_equal(describe(clf).inputs, [[0, 0], [1, 1]])
    probabilities = clf.predict_proba(X)
    clf._inputs = None
    assert_array_equal(clf.predict_proba(X), probabilities)


def test_larger_input_weights_to_start_with():
    X, y = data(LSTMClassifier)
    still = {"learning_rate_init": 1e-30, "alpha": 0.0, "hidden_layer_sizes": (4, 4), "bidirectional": True}
    first, other = (
        made(LSTMClassifier, standardize=flag).set_params(**still).fit(X, y)._model.parameters()
        for flag in (False, True)
    )
    for name in first:
        assert_allclose(other[name], first[name] * (4 if name.startswith("weight_ih_l0") else 1), rtol=1e-6, atol=1e-25)


def test_two_dimensions_are_one_feature():
    X, y = data(LSTMClassifier, ragged=False)
    X = X[:, :, 0] * np.arange(1, 6)  # whose steps have deviations of their own
    scaling = describe(made(LSTMClassifier).fit(X, y)).inputs
    assert_allclose([scaling.mean, scaling.scale], [[X.mean()], [X.std()]])


# ---- what is counted


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_weights_count_as_copies(cls):
    X, y = data(cls)
    weights = np.random.default_rng(1).integers(0, 3, len(X))
    repeated = np.repeat(np.arange(len(X)), weights)
    weighted = made(cls, max_iter=1).fit(X, y, sample_weight=weights)
    copies = made(cls, max_iter=1).fit([X[k] for k in repeated], [y[k] for k in repeated])
    for name in ("inputs", "targets"):
        one, other = getattr(describe(weighted), name), getattr(describe(copies), name)
        assert (one is None) == (other is None)
        if one is not None:
            assert_allclose(one, other, rtol=1e-12, atol=1e-15)


def test_weights_of_classes_and_steps_do_not_count():
    X, y = data(LSTMTagger)
    plain = describe(made(LSTMTagger).fit(X, y)).inputs
    balanced = made(LSTMTagger, class_weight={False: 1, True: 9}).fit(X, y)
    of_steps = [np.where(labels, 5.0, 1.0) for labels in y]
    weighted = made(LSTMTagger).fit(X, y, sample_weight=of_steps)
    for other in (balanced, weighted):
        assert_array_equal(describe(other).inputs, plain)


def test_targets_that_have_no_weight_do_not_count():
    X, y = data(LSTMSequenceRegressor)
    plain = describe(made(LSTMSequenceRegressor, burn_in=1).fit(X, y)).targets
    marked = [np.concatenate([[1e30], values[1:]]) for values in y]
    weights = [np.arange(len(values)) > 0 for values in y]
    for other in (
        made(LSTMSequenceRegressor, burn_in=1).fit(X, marked),
        made(LSTMSequenceRegressor).fit(X, marked, sample_weight=weights),
        made(LSTMSequenceRegressor).fit(X, [np.concatenate([[np.nan], v[1:]]) for v in y]),
    ):
        assert_allclose(describe(other).targets, plain, rtol=1e-12)


def test_what_is_held_out_does_not_count():
    X, y = data(LSTMRegressor)
    kept = made(LSTMRegressor, early_stopping=True, validation_fraction=0.5, tol=0)
    scaling = describe(kept.fit(in_units(X), y)).inputs
    assert not np.allclose(scaling.mean, np.concatenate(in_units(X)).mean(axis=0), rtol=1e-9)
    given = made(LSTMRegressor).fit(in_units(X), y, X_val=in_units(X[:5]), y_val=y[:5])
    assert_allclose(describe(given).inputs.mean, np.concatenate(in_units(X)).mean(axis=0))
    assert given.validation_scores_[-1] == pytest.approx(given.score(in_units(X[:5]), y[:5]), abs=1)


def test_scores_on_validation_data_are_of_the_units():
    X, y = data(LSTMRegressor)
    for loss in ("squared_error", half_the_square):
        reg = made(LSTMRegressor, loss=loss, max_iter=1)
        reg.fit(in_units(X), 1e3 * y + 500, X_val=in_units(X), y_val=1e3 * y + 500)
        predicted = reg.predict(in_units(X))
        own = -np.mean((predicted - 1e3 * y - 500) ** 2) / 2
        expected = reg.score(in_units(X), 1e3 * y + 500) if loss == "squared_error" else own
        assert reg.validation_scores_ == pytest.approx([expected], rel=1e-5)


def half_the_square(targets, outputs, weights):
    errors = (outputs - targets) * weights[:, np.newaxis]
    return np.sum(errors * (outputs - targets)) / weights.sum() / 2, errors / weights.sum()


def test_a_callers_own_loss_is_of_the_units():
    X, y = data(LSTMRegressor)
    seen = []

    def loss(targets, outputs, weights):
        seen.append((targets.copy(), outputs.copy()))
        return half_the_square(targets, outputs, weights)

    plain = {"max_grad_norm": None, "solver": "sgd", "alpha": 0.0, "batch_size": len(X), "momentum": 0.0}
    own = made(LSTMRegressor, loss=loss, learning_rate_init=1e-2 / (1e3 * y).var(), **plain).fit(X, 1e3 * y + 500)
    built_in = made(LSTMRegressor, learning_rate_init=1e-2, **plain).fit(X, 1e3 * y + 500)
    assert_allclose(np.sort(seen[0][0][:, 0]), np.sort(1e3 * y + 500), rtol=1e-5)
    assert_allclose(own.predict(X), built_in.predict(X), rtol=1e-4)
    assert_allclose(own.loss_curve_, np.multiply(built_in.loss_curve_, (1e3 * y).var()), rtol=1e-4)


# ---- frozen


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_frozen_after_the_first_partial_fit(cls):
    X, y = data(cls)
    classes = {"classes": [False, True]} if cls in (LSTMClassifier, LSTMTagger) else {}
    model = made(cls).partial_fit(in_units(X), y, **classes)
    before = copy.deepcopy(describe(model))
    other = [x * 3 + 1 for x in in_units(X)]
    model.set_params(standardize=False).partial_fit(other, y)
    assert_array_equal(describe(model).inputs, before.inputs)
    if before.targets is not None:
        assert_array_equal(describe(model).targets, before.targets)
    assert np.isfinite(numbers(model, other)).all()


def test_frozen_by_warm_start():
    X, y = data(LSTMRegressor)
    reg = made(LSTMRegressor, warm_start=True).fit(in_units(X), y)
    before = copy.deepcopy(describe(reg))
    reg.fit([x + 1 for x in in_units(X)], 2 * y + 1)
    assert_array_equal(describe(reg).inputs, before.inputs)
    assert_array_equal(describe(reg).targets, before.targets)
    again = clone(reg).fit([x + 1 for x in in_units(X)], 2 * y + 1)
    assert not np.array_equal(describe(again).inputs.mean, before.inputs.mean)


def test_a_fit_that_fails_leaves_it():
    X, y = data(LSTMRegressor)
    reg = made(LSTMRegressor).fit(in_units(X), y)
    before = reg.predict(in_units(X))
    with pytest.raises(ValueError, match="diverged"):
        reg.set_params(learning_rate_init=1e30, max_grad_norm=None, solver="sgd").fit(X, y * 1e30)
    assert_array_equal(reg.predict(in_units(X)), before)


# ---- part of the model


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_copies_pickles_and_files(cls, tmp_path):
    model = fitted(cls)
    X = in_units(data(cls)[0])
    model.save(tmp_path / "model")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), pylstm.load(tmp_path / "model")):
        assert_array_equal(numbers(other, X), numbers(model, X))
        for name in ("inputs", "targets"):
            one, same = getattr(describe(model), name), getattr(describe(other), name)
            assert (one is None and same is None) or np.array_equal(one, same)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_streams_give_the_bits(dtype):
    model = fitted(LSTMTagger, dtype=dtype)
    X = in_units(data(LSTMTagger)[0])
    stream = model.stream()
    assert stream.input_dtype == np.float64
    assert_array_equal(stream.process(X[0]), model.predict_proba(X[:1])[0])


@pytest.mark.parametrize("is_standard", [True, False])
def test_in_a_pipeline_that_scales(is_standard):
    X, y = data(LSTMTagger)
    X = in_units(X)
    weights = None if is_standard else {"lstmtagger__sample_weight": np.arange(1, len(X) + 1)}
    pipeline = make_pipeline(PerStep(StandardScaler()), made(LSTMTagger)).fit(X, y, **weights or {})
    streamed = pylstm.stream(pipeline).process(X[0])
    if is_standard:  # as it is without weights, and nothing is scaled twice
        assert_array_equal(streamed, pipeline.predict_proba(X[:1])[0])
    assert_allclose(streamed, pipeline.predict_proba(X[:1])[0], rtol=1e-6)


def test_traces_and_saliency_read_what_is_scaled():
    model = fitted(LSTMRegressor, dtype="float64", max_iter=30)
    X = in_units(data(LSTMRegressor)[0])
    plain, inputs = copy.deepcopy(model), describe(model).inputs
    plain._inputs = None
    scaled = [(x - inputs.mean) / inputs.scale for x in X]
    assert_array_equal(model.trace(X).output[0], plain.trace(scaled).output[0])
    gradient = SaliencyDisplay.from_estimator(model, X, sequence=3).gradients
    for step, feature in ((0, 0), (1, 1)):
        moved = [X[3].copy(), X[3].copy()]
        for sign, x in zip((1, -1), moved, strict=True):
            x[step, feature] += sign * 1e-4 * SCALE[feature]
        plus, minus = model.predict(moved)
        assert gradient[step, feature] == pytest.approx((plus - minus) / (2e-4 * SCALE[feature]), rel=1e-4)


def test_numbers_too_large_when_scaled():
    model = fitted(LSTMClassifier)
    with pytest.raises(ValueError, match=r"infinity or a value too large.* The first is in sequence 0, at step 0"):
        model.predict([[[1e300, 0]]])
