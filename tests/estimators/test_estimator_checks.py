"""scikit-learn's own checks, and those that matter once more for 3-D and ragged input, which it never tries."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import check_estimator
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, flat, outputs, targets, toy

from pylstm import LSTMClassifier, LSTMRegressor

SAMPLE_WEIGHTS = {"check_sample_weight_equivalence_on_dense_data": "float32: sums in another order round differently"}
every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cls", [LSTMClassifier, LSTMRegressor])
def test_check_estimator(cls, dtype):
    """At least 60 checks run; all pass, but the one that float32 fails, strictly."""
    # One mini-batch of all: else weights and repetitions make other mini-batches.
    options = {"hidden_layer_sizes": (16,), "pooling": "mean", "learning_rate_init": 0.01, "batch_size": 1000}
    options |= {"learning_rate": "constant", "noise": 0.0}  # of which repetitions have other draws
    estimator = cls(dtype=dtype, random_state=0, max_iter=60, n_iter_no_change=30, **options)
    expected_to_fail = SAMPLE_WEIGHTS if dtype == "float32" else {}
    results = check_estimator(estimator, expected_failed_checks=expected_to_fail, on_fail="raise", on_skip=None)
    by_status = {}
    for result in results:
        by_status.setdefault(result["status"], []).append(result["check_name"])
    assert by_status.pop("xfail", []) == list(expected_to_fail)
    by_status.pop("skipped", None)  # of array API input, where array-api-compat is missing
    assert list(by_status) == ["passed"]
    assert len(results) >= 59  # as many as scikit-learn 1.6.0 has, the oldest that is supported


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", [LSTMClassifier, LSTMRegressor])
@pytest.mark.long
def test_check_estimator_with_defaults(cls):
    """Mini-batches of 16, dealt out by chance: weights are no repetitions there, in either dtype."""
    results = check_estimator(cls(max_iter=100, random_state=0), on_fail=None, on_skip=None)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == list(SAMPLE_WEIGHTS)


OF_PARAMETERS = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_mixin_order",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
]


@every_estimator
@pytest.mark.parametrize("name", OF_PARAMETERS)
def test_checks_of_parameters(cls, name):
    getattr(estimator_checks, name)(cls.__name__, cls())


# ---- ported: each on ragged and on dense 3-D input


def small(cls, **options):
    return cls(**{"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, **options})


@pytest.fixture(params=["ragged", "dense"])
def form(request):
    return request.param


def data(cls, form):
    """Return X and y as lists, or as arrays."""
    if form == "ragged":
        return toy(cls, 30)
    X = np.random.default_rng(0).normal(size=(30, 6, 2))
    return X, np.array(targets(cls, list(X)))


@every_estimator
def test_unfitted(cls, form):
    X, y = data(cls, form)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        if hasattr(cls, method):
            with pytest.raises(NotFittedError):
                getattr(cls(), method)(X)
    with pytest.raises(NotFittedError):
        cls().score(X, y)


@every_estimator
def test_fit_returns_self_and_leaves_parameters_and_data(cls, form):
    X, y = data(cls, form)
    X_before, y_before = copy.deepcopy(X), copy.deepcopy(y)
    weights = np.arange(30.0)
    estimator = small(cls)
    parameters = copy.deepcopy(estimator.get_params())
    assert estimator.fit(X, y, sample_weight=weights) is estimator
    fitted = set(vars(estimator))
    estimator.predict(X)
    estimator.score(X, y)
    assert set(vars(estimator)) == fitted
    assert estimator.get_params() == parameters
    np.testing.assert_array_equal(flat(X), flat(X_before))
    np.testing.assert_array_equal(flat(y), flat(y_before))
    np.testing.assert_array_equal(weights, np.arange(30.0))
    new = {name for name in fitted - set(parameters) if not name.startswith("_")}
    assert all(name.endswith("_") for name in new)


@every_estimator
def test_clone_and_parameters(cls):
    estimator = small(cls, alpha=0.5, dtype="float64")
    again = clone(estimator)
    assert again is not estimator
    assert again.get_params() == estimator.get_params()
    assert again.set_params(alpha=0.25).alpha == 0.25
    with pytest.raises(ValueError, match="Invalid parameter"):
        again.set_params(no_such=1)


@every_estimator
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))], ids=["deepcopy", "pickle"])
def test_copies_predict_and_go_on_alike(cls, form, copied):
    X, y = data(cls, form)
    estimator = small(cls, dropout=0.2).fit(X, y)
    other = copied(estimator)
    np.testing.assert_array_equal(outputs(other, X), outputs(estimator, X))
    np.testing.assert_array_equal(outputs(other.partial_fit(X, y), X), outputs(estimator.partial_fit(X, y), X))


@every_estimator
def test_fit_again_is_the_same_fit(cls, form):
    X, y = data(cls, form)
    estimator = small(cls).fit(X, y)
    expected = outputs(estimator, X)
    np.testing.assert_array_equal(outputs(estimator.fit(X, y), X), expected)


@every_estimator
@pytest.mark.parametrize(
    "prepare", [np.asfortranarray, lambda X: X[::-1][::-1], lambda X: X.astype(">f8"), np.ma.array]
)
def test_any_memory_will_do(cls, prepare):
    X, y = data(cls, "dense")
    expected = outputs(small(cls).fit(X, y), X)
    np.testing.assert_array_equal(outputs(small(cls).fit(prepare(X), y), prepare(X)), expected)
    parts = [prepare(x) for x in X]
    np.testing.assert_array_equal(outputs(small(cls).fit(parts, list(y)), parts), expected)


@every_estimator
def test_read_only_input(cls, form):
    X, y = data(cls, form)
    expected = outputs(small(cls).fit(X, y), X)
    for values in [X] if form == "dense" else X:
        values.flags.writeable = False
    np.testing.assert_array_equal(outputs(small(cls).fit(X, y), X), expected)


@every_estimator
def test_dense_ragged_object_and_2d_input_are_one(cls):
    X = np.random.default_rng(0).normal(size=(40, 6, 1))
    y = targets(cls, list(X))
    expected = outputs(small(cls).fit(X, np.array(y)), X)
    packed = np.empty(40, object)
    packed[:] = list(X)
    frames = [pd.DataFrame(x, columns=["a"]) for x in X]
    for form in (list(X), packed, X.tolist(), frames, [pl.from_pandas(frame) for frame in frames]):
        np.testing.assert_array_equal(outputs(small(cls).fit(form, y), form), expected)
    steps = [f"t{t}" for t in range(6)]
    for form in (X[:, :, 0], pd.DataFrame(X[:, :, 0], columns=steps), pl.DataFrame(X[:, :, 0], schema=steps)):
        estimator = small(cls).fit(form, np.array(y))
        np.testing.assert_array_equal(outputs(estimator, form), expected)
        assert estimator.n_features_in_ == 6


@every_estimator
def test_form_of_predictions(cls):
    X, y = data(cls, "dense")
    estimator = small(cls).fit(X, y)
    methods = [estimator.predict] + (
        [estimator.predict_proba, estimator.predict_log_proba] if cls in CLASSIFIERS else []
    )
    for method in methods:
        dense, ragged = method(X), method(list(X))
        assert isinstance(dense, np.ndarray)
        assert dense.shape[: 2 if cls in PER_STEP else 1] == X.shape[: 2 if cls in PER_STEP else 1]
        assert isinstance(ragged, list if cls in PER_STEP else np.ndarray)
        np.testing.assert_array_equal(np.array(ragged), dense)
    if cls in CLASSIFIERS:
        np.testing.assert_allclose(np.log(estimator.predict_proba(X)), estimator.predict_log_proba(X), rtol=1e-6)


@every_estimator
def test_crossing_between_2d_and_3d_is_refused(cls):
    X, y = data(cls, "dense")
    deep, plane = small(cls).fit(X[:, :, :1], y), small(cls).fit(X[:, :, 0], y)
    assert (deep.n_features_in_, plane.n_features_in_) == (1, 6)
    with pytest.raises(ValueError, match=r"X\.reshape\(n_sequences, n_steps, 1\); got 2-D"):
        deep.predict(X[:, :, 0])
    with pytest.raises(ValueError, match=r"from 3-D with one feature: X\[:, :, 0\]; got 3-D"):
        plane.predict(X[:, :, :1])
    with pytest.raises(ValueError, match=r"X has 5 features, but LSTM\w+ is expecting 6"):
        plane.predict(X[:, :5, 0])
    assert len(deep.predict([np.ones((99, 1))])) == 1


@every_estimator
def test_frames_with_other_columns_are_refused(cls):
    X, y = data(cls, "ragged")
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    swapped = [frame[["b", "a"]] for frame in frames]
    estimator = small(cls).fit(frames, y)
    assert estimator.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"X\[1\] must have the columns of X\[0\], \['a', 'b'\], got \['b', 'a'\]"):
        small(cls).fit([frames[0], *swapped[1:]], y)
    with pytest.raises(ValueError, match="same order as they were in fit"):
        estimator.predict(swapped)
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict([frame.rename(columns={"b": "c"}) for frame in frames])


@every_estimator
def test_html_and_text_representation(cls):
    estimator = cls((3, 2), alpha=0.5)
    assert repr(estimator).startswith(f"{cls.__name__}(")
    assert "alpha=0.5" in repr(estimator)
    assert cls.__name__ in estimator._repr_html_()
    assert cls.__name__ in small(cls).fit(*toy(cls))._repr_html_()


def test_tags():
    tags = {cls.__name__: get_tags(cls()) for cls in ESTIMATORS}
    assert all(tag.input_tags.three_d_array and tag.input_tags.two_d_array for tag in tags.values())
    assert not any(tag.input_tags.allow_nan or tag.input_tags.sparse for tag in tags.values())
    assert all(tag.target_tags.required for tag in tags.values())
    assert tags["LSTMClassifier"].estimator_type == "classifier"
    assert tags["LSTMRegressor"].estimator_type == "regressor"
    assert tags["LSTMRegressor"].target_tags.multi_output
    assert not tags["LSTMClassifier"].target_tags.multi_output


@every_estimator
def test_documented_parameters_are_those_there_are(cls):
    text = cls.__doc__
    assert "<" not in text.split("Examples")[0].replace("<=", "")
    parameters = text.split("Parameters\n")[1].split("Attributes\n")[0]
    documented = {name.strip() for line in parameters.splitlines() if " : " in line
                  for name in line.split(" : ")[0].split(",")}  # fmt: skip
    assert documented == set(cls().get_params())
    defaults = {name: repr(value) for name, value in cls().get_params().items()}
    for line in parameters.splitlines():
        if "default=" in line and "," not in line.split(" : ")[0]:
            name, default = line.split(" : ")[0].strip(), line.split("default=")[1].strip()
            assert default.replace('"', "'") == defaults[name].replace("1e-08", "1e-8"), name
    assert set(cls()._parameter_constraints) == set(cls().get_params())
