"""What a fit holds out: validation data of the caller's own, groups that stay together, the end of a recording."""

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, toy, weights

import pylstm._estimators.training as training
from pylstm import LSTMClassifier, LSTMRegressor, LSTMTagger
from pylstm.preprocessing import PerStep

every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)
NAN = np.full((3, 2), np.nan)


def small(cls, **options):
    return cls(**{"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0, **options})


def halves(cls):
    """Return X, y to learn, and X, y to stop by."""
    X, y = toy(cls)
    return X[:40], y[:40], X[40:], y[40:]


def assert_same_bits(one, two):
    for name, values in weights(one).items():
        np.testing.assert_array_equal(weights(two)[name], values)


# ---- X_val


@every_estimator
@pytest.mark.parametrize("early_stopping", ["auto", True])
def test_own_data_are_scored_and_not_learnt_from(cls, early_stopping):
    X, y, X_val, y_val = halves(cls)
    options = {"early_stopping": early_stopping, "learning_rate_init": 0.1, "max_iter": 12}
    model = small(cls, **options).fit(X, y, X_val=X_val, y_val=y_val)
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_
    assert model.best_loss_ is None
    assert model.score(X_val, y_val) == pytest.approx(max(scores), rel=1e-6)
    assert model.best_validation_score_ == max(scores)
    # The weights of the best epoch are those of a fit that ends there, to which nothing was given.
    assert_same_bits(model, small(cls, learning_rate_init=0.1, max_iter=int(np.argmax(scores)) + 1).fit(X, y))


@every_estimator
def test_without_validation_data_auto_is_off(cls):
    X, y = toy(cls)
    auto, off = small(cls).fit(X, y), small(cls, early_stopping=False).fit(X, y)
    assert cls().early_stopping == "auto"
    assert auto.validation_scores_ is None
    assert_same_bits(auto, off)
    first = {"classes": ["up", "down"]} if cls in CLASSIFIERS else {}
    assert small(cls).partial_fit(X, y, **first).n_iter_ == 1


@every_estimator
def test_weights_of_validation_data(cls):
    """Integer weights are as so many copies; a weight of zero is as if absent."""
    X, y, X_val, y_val = halves(cls)
    counts = np.arange(20) % 3
    weighted = small(cls).fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=counts)
    chosen = np.repeat(np.arange(20), counts)
    copied = small(cls).fit(X, y, X_val=[X_val[k] for k in chosen], y_val=[y_val[k] for k in chosen])
    plain = small(cls).fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_allclose(weighted.validation_scores_, copied.validation_scores_, rtol=1e-6)
    assert weighted.validation_scores_ != plain.validation_scores_


def test_tables_and_several_outputs():
    X = np.random.default_rng(0).standard_normal((30, 5))
    y = X[:, :2]
    model = small(LSTMRegressor).fit(X[:20], y[:20], X_val=X[20:], y_val=y[20:])
    assert model.best_validation_score_ == pytest.approx(model.score(X[20:], y[20:]))


@every_estimator
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y_val": None}, ValueError, "X_val and y_val must be given together, got X_val alone"),
        ({"X_val": None}, ValueError, "X_val and y_val must be given together, got y_val alone"),
        ({"X_val": None, "y_val": None, "sample_weight_val": [1.0]}, ValueError, "got sample_weight_val alone"),
        (
            {"early_stopping": False},
            ValueError,
            "early_stopping must be 'auto' or True where X_val is given, got False",
        ),
        ({"X_val": [NAN, NAN]}, ValueError, "of X_val, y_val and sample_weight_val: Input X contains NaN"),
        ({"X_val": [np.ones((3, 5))]}, ValueError, "sample_weight_val: X.* must have 2 features per step, got 5"),
        ({"X_val": 3}, TypeError, "of X_val, y_val and sample_weight_val: X must be"),
        ({"y_val": [1.0] * 3}, ValueError, "of X_val, y_val and sample_weight_val: y must have"),
        ({"sample_weight_val": [1.0]}, ValueError, r"sample_weight_val: sample_weight must have shape \(20,\)"),
        ({"sample_weight_val": np.zeros(20)}, ValueError, "sample_weight_val: sample_weight.* got only zeros"),
        ({"early_stopping": "maybe"}, ValueError, "early_stopping"),
    ],
    ids=str,
)
def test_what_is_refused(cls, change, error, message):
    X, y, X_val, y_val = halves(cls)
    model = small(cls).fit(X, y)
    before = weights(model)
    given = {"X_val": X_val, "y_val": y_val, **change}
    model.set_params(early_stopping=given.pop("early_stopping", "auto"))
    with pytest.raises(error, match=message):
        model.fit(X, y, **given)
    for name, values in weights(model).items():
        np.testing.assert_array_equal(values, before[name])


def test_targets_of_another_kind_are_refused():
    X, y, X_val, _ = halves(LSTMClassifier)
    with pytest.raises(ValueError, match=r"of X_val.*: y must have labels out of classes_ .* got \['sideways'\] too"):
        small(LSTMClassifier).fit(X, y, X_val=X_val, y_val=["sideways"] * 20)
    with pytest.raises(ValueError, match=r"of X_val.*: y must have at least two targets to score, got 1"):
        small(LSTMClassifier).fit(X, y, X_val=X_val[:1], y_val=["up"])
    X, y, X_val, y_val = halves(LSTMRegressor)
    with pytest.raises(ValueError, match=r"of X_val.*: y must have outputs of shape"):
        small(LSTMRegressor).fit(X, y, X_val=X_val, y_val=np.stack([y_val, y_val], axis=1))


def test_warnings_of_validation_data_point_to_the_caller():
    X, y, X_val, _ = halves(LSTMRegressor)
    with pytest.warns(DataConversionWarning, match="y is rounded") as caught:
        small(LSTMRegressor).fit(X, y, X_val=X_val, y_val=1e9 + np.arange(20) % 3)
    assert caught[0].filename == __file__


@every_estimator
def test_a_pipeline_transforms_them(cls):
    X, y, X_val, y_val = halves(cls)
    X, X_val = ([100 * x + 50 for x in each] for each in (X, X_val))
    val = {"X_val": X_val, "y_val": y_val, "sample_weight_val": np.arange(20.0) + 1}
    with sklearn.config_context(enable_metadata_routing=True):
        asks = dict.fromkeys(val, True)
        last = small(cls).set_fit_request(**asks)
        pipeline = make_pipeline(PerStep(StandardScaler()), last, transform_input=["X_val"]).fit(X, y, **val)
    scaler = PerStep(StandardScaler()).fit(X)
    direct = small(cls).fit(scaler.transform(X), y, **{**val, "X_val": scaler.transform(X_val)})
    assert pipeline[-1].validation_scores_ == direct.validation_scores_
    assert direct.validation_scores_ != small(cls).fit(scaler.transform(X), y, **val).validation_scores_


@every_estimator
def test_warm_start_takes_them_in_turn(cls):
    X, y, X_val, y_val = halves(cls)
    model = small(cls, warm_start=True).fit(X, y, X_val=X_val, y_val=y_val)
    best = model.best_validation_score_
    model.set_params(learning_rate_init=1e3, max_iter=2).fit(X, y, X_val=X_val, y_val=y_val)  # which ruins it
    assert model.score(X_val, y_val) == pytest.approx(best, rel=1e-6)
    assert model.fit(X, y).validation_scores_ is None


# ---- groups


@pytest.fixture
def held(monkeypatch):
    """Return a list into which go the indices of what is held out, and of what is kept."""
    indices = []
    take = training.Data.take
    monkeypatch.setattr(training.Data, "take", lambda self, chosen: indices.append(chosen) or take(self, chosen))
    return indices


@every_estimator
@pytest.mark.parametrize("form", [list, lambda groups: np.array([f"patient {group}" for group in groups], object)])
def test_groups_stay_together(cls, form, held):
    X, y = toy(cls)
    groups = np.random.default_rng(0).integers(0, 9, 60)
    model = small(cls, early_stopping=True, validation_fraction=0.3).fit(X, y, groups=form(groups))
    out, kept = held
    assert sorted([*out, *kept]) == list(range(60))
    assert len(set(groups[out])) == 3
    assert not set(groups[out]) & set(groups[kept])
    assert len(model.validation_scores_) == 4


@every_estimator
def test_groups_of_sequences_without_weight(cls, held):
    X, y = toy(cls)
    groups, there = np.arange(60) // 10, np.arange(60) % 2
    small(cls, early_stopping=True).fit(X, y, there, groups=groups)
    chosen, out, kept = held
    np.testing.assert_array_equal(chosen, np.flatnonzero(there))
    assert not set(groups[chosen[out]]) & set(groups[chosen[kept]])


def test_groups_without_a_split_are_checked_and_not_used():
    X, y, X_val, y_val = halves(LSTMRegressor)
    model = small(LSTMRegressor)
    for options in ({}, {"X_val": X_val, "y_val": y_val}):
        grouped = model.fit(X, y, groups=np.arange(40) // 4, **options)
        assert_same_bits(grouped, small(LSTMRegressor).fit(X, y, **options))
        with pytest.raises(ValueError, match=r"groups must have shape \(40,\), a group for each sequence, got \(3,\)"):
            model.fit(X, y, groups=[1, 2, 3], **options)


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (np.zeros(60), ValueError, "holds out whole groups, and validation_fraction=0.1 of 1 leaves none to train on"),
        (np.full(60, np.nan), ValueError, "Input groups contains NaN"),
        ([None] * 60, ValueError, "groups must have a label for each sequence, got None for sequence 0"),
        (np.array(["a", 1] * 30, object), TypeError, "groups must be of one type"),
        (np.zeros((60, 1)), ValueError, r"groups must have shape \(60,\), a group for each sequence, got \(60, 1\)"),
        (3, TypeError, "groups"),
        (np.ma.masked_equal(np.arange(60), 3), ValueError, "groups"),
    ],
    ids=["one", "NaN", "None", "two types", "column", "a number", "masked"],
)
def test_groups_that_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        small(LSTMRegressor, early_stopping=True).fit(*toy(LSTMRegressor), groups=groups)


def test_groups_that_are_the_only_ones_of_a_class_are_not_held_out():
    X, y = toy(LSTMClassifier)
    with pytest.raises(ValueError, match=r"the groups held out are all that have \['(up|down)'\]"):
        small(LSTMClassifier, early_stopping=True).fit(X, y, groups=y)


def test_groups_by_metadata_routing(held):
    X, y = toy(LSTMRegressor)
    groups = np.arange(60) // 6
    with sklearn.config_context(enable_metadata_routing=True):
        last = small(LSTMRegressor, early_stopping=True).set_fit_request(groups=True)
        make_pipeline(PerStep(StandardScaler()), last).fit(X, y, groups=groups)
    out, kept = held
    assert not set(groups[out]) & set(groups[kept])


# ---- the end of a recording


@pytest.mark.parametrize("cls", PER_STEP)
@pytest.mark.parametrize("options", [{"window": 8}, {"window": None}, {"window": 8, "burn_in": 5}], ids=str)
def test_the_end_of_a_single_recording_is_held_out(cls, options):
    """The order of the held-out targets changes the score, and neither weights nor loss."""
    X = np.random.default_rng(0).standard_normal((1, 50, 2))
    y = (X[:, :, 0] > 0).astype(int)
    changed = y.copy()
    changed[:, -10:] = y[:, :-11:-1]
    options = {**options, "early_stopping": True, "validation_fraction": 0.2, "max_iter": 1}
    one, two = (small(cls, **options).fit(X, targets) for targets in (y, changed))
    assert_same_bits(one, two)
    assert one.loss_curve_ == two.loss_curve_
    assert one.best_validation_score_ != two.best_validation_score_
    score = accuracy_score if cls is LSTMTagger else r2_score
    for model, targets in ((one, y), (two, changed)):
        expected = score(targets[0, -10:], model.predict(X)[0, -10:])
        assert model.best_validation_score_ == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cls", PER_STEP)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_fraction": 0.01}, "must hold out at least two targets to score, got 1: 0.01 of 50 steps"),
        ({"validation_fraction": 0.99}, "validation_fraction=0.99 leaves no step to learn from, with burn_in=0"),
        ({"burn_in": 46}, "validation_fraction=0.1 leaves no step to learn from, with burn_in=46"),
    ],
)
def test_an_end_that_leaves_too_little_is_refused(cls, options, message):
    X = np.random.default_rng(0).standard_normal((1, 50, 2))
    with pytest.raises(ValueError, match=message):
        small(cls, early_stopping=True, **options).fit(X, (X[:, :, 0] > 0).astype(int))
