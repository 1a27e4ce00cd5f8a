"""`save` and `load`: the same bits, going on with training, files that stay whole, files from strangers; pickle."""

import json
import os
import pickle
import stat
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors
from saved_files import rewrite
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm.preprocessing import PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = [LSTMClassifier, LSTMRegressor, LSTMTagger, LSTMSequenceRegressor]
FORMS = ["ragged", "3-D", "2-D"]


def data(cls, form="ragged"):
    """Return sequences and targets for an estimator."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 7, size=24) if form == "ragged" else np.full(24, 5)
    X = [rng.normal(size=(length, 1 if form == "2-D" else 3)) for length in lengths]
    y = [x[:, 0] for x in X]
    if cls in (LSTMClassifier, LSTMTagger):
        y = [np.where(each > 0, "up", "down") for each in y]
    if cls in (LSTMClassifier, LSTMRegressor):
        return X if form == "ragged" else np.array(X)[:, :, 0] if form == "2-D" else np.array(X), [v[0] for v in y]
    return X if form == "ragged" else np.array(X)[:, :, 0] if form == "2-D" else np.array(X), y


def fitted(cls, form="ragged", **parameters):
    given = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0, **parameters}
    return cls(**given).fit(*data(cls, form))


def outputs(model, X):
    """Return what a model predicts, as one array."""
    predicted = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    return np.concatenate(predicted) if isinstance(predicted, list) else predicted


def saved(model, tmp_path):
    pylstm.save(model, tmp_path / "model.safetensors")
    return pylstm.load(tmp_path / "model.safetensors")


# ---- what comes back


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_the_same_bits_and_attributes(cls, form, tmp_path):
    model = fitted(cls, form, hidden_layer_sizes=(4, 3), bidirectional=True)
    loaded = saved(model, tmp_path)
    assert type(loaded) is cls
    assert loaded.get_params() == model.get_params()
    X, _ = data(cls, form)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)
    assert vars(loaded).keys() == vars(model).keys()
    for name in ("n_features_in_", "_fitted_on_2d", "n_iter_", "loss_", "loss_curve_", "best_loss_", "_history"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded._model.spec == model._model.spec


@pytest.mark.parametrize(
    "options",
    [{"dtype": "float64"}, {"forget_bias": "chrono"}, {"forget_bias": "uniform"}, {"hidden_layer_sizes": 4},
     {"pooling": "mean"}, {"class_weight": {"up": 2.0, "down": 1}}, {"class_weight": "balanced"},
     {"max_grad_norm": None, "tol": np.float32(0.1), "max_iter": np.int64(2), "shuffle": np.False_},
     {"random_state": None}, {"n_jobs": -1}, {"solver": "sgd", "learning_rate": "adaptive"}],
    ids=str,
)  # fmt: skip
def test_hyperparameters(options, tmp_path):
    model = fitted(LSTMClassifier, **options)
    loaded = saved(model, tmp_path)
    X, _ = data(LSTMClassifier)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)
    assert loaded.get_params() == model.get_params()


@pytest.mark.parametrize("sizes", [[3, 2], np.array([3, 2])])
def test_sequences_among_hyperparameters_come_back_as_tuples(sizes, tmp_path):
    assert saved(fitted(LSTMClassifier, hidden_layer_sizes=sizes), tmp_path).hidden_layer_sizes == (3, 2)


def test_hyperparameters_changed_since_the_fit(tmp_path):
    model = fitted(LSTMClassifier, pooling="max").set_params(
        pooling="last", hidden_layer_sizes=(9,), dtype="float64", bidirectional=True, early_stopping=True
    )
    loaded = saved(model, tmp_path)
    assert loaded.get_params() == model.get_params()
    assert loaded.validation_scores_ is None
    X, _ = data(LSTMClassifier)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)


def test_early_stopping(tmp_path):
    model = fitted(LSTMClassifier, early_stopping=True, validation_fraction=0.3)
    loaded = saved(model, tmp_path)
    assert loaded.validation_scores_ == model.validation_scores_
    assert loaded.best_validation_score_ == model.best_validation_score_
    assert loaded.best_loss_ is None


@pytest.mark.parametrize(
    "labels",
    [np.array([-3, 7], np.int8), np.array([-3, 7], ">i4"),
     np.array([0, 2**63 - 1]), np.array([0.0, 1.0]), np.array([0, 1], np.float32),
     np.array([False, True]), np.array(["a", "b\N{GRINNING FACE}"]), np.array(["a", "b"], "U7"),
     np.array(["a", "b"], ">U7"), np.array(["", "bb"], object), np.array([2**64 - 1, 0], np.uint64)],
    ids=repr,
)  # fmt: skip
def test_labels(labels, tmp_path):
    X, y = data(LSTMClassifier)
    model = LSTMClassifier((2,), max_iter=1).fit(X, labels[(np.array(y) == "up").astype(int)])
    loaded = saved(model, tmp_path)
    assert loaded.classes_.dtype == model.classes_.dtype.newbyteorder("=")
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("labels", [np.array(["a\0", "b"], object), np.array([1, 2], np.longdouble)], ids=repr)
def test_labels_that_no_file_holds(labels, tmp_path):
    X, y = data(LSTMClassifier)
    model = LSTMClassifier((2,), max_iter=1).fit(X, labels[(np.array(y) == "up").astype(int)])
    with pytest.raises(ValueError, match="classes_ must be integers, floats, booleans or strings"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_several_outputs(tmp_path):
    X, y = data(LSTMRegressor)
    for targets in (np.c_[y, y], np.array(y)[:, np.newaxis, np.newaxis][:, :, 0]):
        with warnings.catch_warnings(category=UserWarning, action="ignore"):
            model = LSTMRegressor((3,), max_iter=1).fit(X, targets)
        np.testing.assert_array_equal(saved(model, tmp_path).predict(X), model.predict(X), strict=True)


def test_column_names(tmp_path):
    X, y = data(LSTMClassifier, "2-D")
    X = pd.DataFrame(X, columns=list("abcde"))
    with pytest.warns(UserWarning, match="X is a table with named columns"):
        model = LSTMClassifier((2,), max_iter=1).fit(X, y)
    loaded = saved(model, tmp_path)
    assert loaded.feature_names_in_.tolist() == list("abcde")
    assert loaded.feature_names_in_.dtype == object
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(X[list("edcba")])


# ---- going on


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_partial_fit_goes_on_bit_for_bit(cls, solver, tmp_path):
    model = fitted(cls, solver=solver, dropout=0.3)
    loaded = saved(model, tmp_path)
    X, y = data(cls)
    for each in (model, loaded):
        each.partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)
    assert loaded.loss_curve_ == model.loss_curve_
    assert len(loaded.loss_curve_) == 4


def test_warm_start_goes_on_bit_for_bit(tmp_path):
    model = fitted(LSTMClassifier, warm_start=True, dropout=0.3)
    loaded = saved(model, tmp_path)
    X, y = data(LSTMClassifier)
    for each in (model, loaded):
        each.fit(X, y)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)
    assert loaded.loss_curve_ == model.loss_curve_


def test_loading_leaves_the_global_random_numbers_alone(tmp_path):
    model = fitted(LSTMClassifier, random_state=None)
    model.save(tmp_path / "model")
    before = pickle.dumps(np.random.get_state())
    pylstm.load(tmp_path / "model").partial_fit(*data(LSTMClassifier))
    assert pickle.dumps(np.random.get_state()) == before


# ---- pipelines


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "options", [{}, {"with_mean": False}, {"with_std": False}, {"with_mean": False, "with_std": 0}]
)
def test_pipeline(form, options, tmp_path):
    X, y = data(LSTMClassifier, form)
    options = {name: bool(value) for name, value in options.items()}
    model = make_pipeline(PerStep(StandardScaler(**options)), LSTMClassifier((3,), max_iter=1)).fit(X, y)
    loaded = saved(model, tmp_path)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)
    assert loaded.get_params().keys() == model.get_params().keys()
    assert loaded[0].transformer.get_params() == model[0].transformer.get_params()
    scaler, original = loaded[0].transformer_, model[0].transformer_
    assert vars(scaler).keys() == vars(original).keys()
    assert vars(loaded[0]).keys() == vars(model[0]).keys()
    assert scaler.n_samples_seen_ == original.n_samples_seen_
    X = np.array(X) if form == "3-D" else X
    for x, expected in zip(loaded[0].inverse_transform(loaded[0].transform(X)), X, strict=True):
        np.testing.assert_allclose(x, expected)
    np.testing.assert_array_equal(outputs(loaded.fit(X, y), X).shape, outputs(model, X).shape)


def test_pipeline_on_frames(tmp_path):
    X, y = data(LSTMClassifier)
    X = [pd.DataFrame(x, columns=list("abc")) for x in X]
    X[0].iloc[0, 0] = np.nan
    per_step = PerStep(StandardScaler()).fit(X)
    X[0].iloc[0, 0] = 0
    model = Pipeline([("s", per_step), ("c", LSTMClassifier((3,), max_iter=1).fit(per_step.transform(X), y))])
    loaded = saved(model, tmp_path)
    assert list(loaded.named_steps) == ["s", "c"]
    assert loaded.feature_names_in_.tolist() == loaded[0].transformer_.feature_names_in_.tolist() == list("abc")
    assert loaded[0].transformer_.n_samples_seen_.tolist() == model[0].transformer_.n_samples_seen_.tolist()
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)


# ---- what can't be saved


class Derived(LSTMClassifier):
    """A class of the user's, which a file can't name."""


@pytest.mark.parametrize(
    "model",
    [Derived(), StandardScaler(), "text", PerStep(StandardScaler()),
     make_pipeline(StandardScaler(), LSTMClassifier()), make_pipeline(LSTMClassifier()),
     make_pipeline(PerStep(MinMaxScaler()), LSTMClassifier()), make_pipeline(PerStep(StandardScaler()), "passthrough"),
     make_pipeline(PerStep(StandardScaler()), PerStep(StandardScaler()), LSTMClassifier())],
    ids=lambda model: type(model).__name__,
)  # fmt: skip
def test_other_models(model, tmp_path):
    with pytest.raises(TypeError, match=r"model must be one of LSTMClassifier, .* PerStep\(StandardScaler\(\)\)"):
        pylstm.save(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_not_fitted(tmp_path):
    for model in (LSTMClassifier(), make_pipeline(PerStep(StandardScaler()), LSTMClassifier())):
        with pytest.raises(NotFittedError):
            pylstm.save(model, tmp_path / "model")
    with pytest.raises(NotFittedError):
        pylstm.save(make_pipeline(PerStep(StandardScaler()), fitted(LSTMClassifier)), tmp_path / "model")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("random_state", np.random.RandomState(0)), ("class_weight", {"up": np.inf}), ("max_iter", 2**70),
     ("tol", np.nan), ("verbose", print)],
)  # fmt: skip
def test_hyperparameters_that_no_file_holds(parameter, value, tmp_path):
    model = fitted(LSTMClassifier).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=f"{parameter} must .* to be saved, got "):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("is_dated", [False, True])
@pytest.mark.parametrize(
    ("calendar", "message"),
    [(["month"], "needs dates|X must have 0 features"), (["a"], "calendar must name some of .* got 'a'"),
     ([3], "calendar must name some of .* got 3")],
)  # fmt: skip
def test_a_calendar_that_the_fit_had_not(calendar, message, is_dated, tmp_path):
    """It comes out of a file, or is set after the fit."""
    y = np.sin(np.arange(40.0))
    if is_dated:
        y = pd.Series(y, pd.date_range("2024-01-01", periods=40, freq="D"))
    model = LSTMForecaster((2,), max_iter=1, cv=None, random_state=0).fit(y)
    model.save(tmp_path / "model")
    rewrite(tmp_path / "model", lambda document, _: document["parameters"].update(calendar=calendar))
    for changed in (pylstm.load(tmp_path / "model"), model.set_params(calendar=calendar)):
        with pytest.raises(ValueError, match=message):
            changed.predict(3)


# ---- the file


def test_any_reader_of_safetensors_finds_the_weights(tmp_path):
    model = fitted(LSTMRegressor, hidden_layer_sizes=(3, 2))
    model.save(str(tmp_path / "model"))
    with safe_open(tmp_path / "model", framework="numpy") as file:
        for name, weights in model._model.parameters().items():
            np.testing.assert_array_equal(file.get_tensor(name), weights, strict=True)
        document = json.loads(file.metadata()["pylstm"])
    assert (document["class"], document["format_version"]) == ("LSTMRegressor", 2)
    assert document["pylstm_version"] == pylstm.__version__


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(function, tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_text("old")

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(KeyboardInterrupt):
        fitted(LSTMClassifier).save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_permissions(tmp_path):
    path = tmp_path / "model"
    model = fitted(LSTMClassifier)
    before = os.umask(0o027)
    try:
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights there")
@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link(exists, tmp_path):
    target, link = tmp_path / "directory" / "model", tmp_path / "link"
    target.parent.mkdir()
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    fitted(LSTMClassifier).save(link)
    assert link.is_symlink()
    assert type(pylstm.load(target)) is LSTMClassifier
    assert list(target.parent.iterdir()) == [target]


def test_neither_directory_nor_device(tmp_path):
    for path in (tmp_path, os.devnull):
        with pytest.raises(ValueError, match="path must name a file"):
            fitted(LSTMClassifier).save(path)
    with pytest.raises(FileNotFoundError):
        fitted(LSTMClassifier).save(tmp_path / "nowhere" / "model")
    assert not list(tmp_path.iterdir())


# ---- what is no file of ours


def test_unreadable(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        pylstm.load(tmp_path / "missing")
    with pytest.raises(OSError, match=tmp_path.name):
        pylstm.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\xff" * 64, pickle.dumps({}), to_safetensors({"a": np.zeros(2)}),
     to_safetensors({}, {"format": "pt"}), to_safetensors({}, {"pylstm": "{"}), to_safetensors({}, {"pylstm": "3"}),
     to_safetensors({}, {"pylstm": "[" * 100_000}), to_safetensors({}, {"pylstm": '{"format_version": NaN}'}),
     to_safetensors({}, {"pylstm": '{"format_version": 1e999}'}), to_safetensors({}, {"pylstm": "{}"}),
     to_safetensors({}, {"pylstm": '{"format_version": ' + "9" * 9999 + "}"})],
)  # fmt: skip
def test_foreign(content, tmp_path):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign' must be a file that pylstm\.save wrote"):
        pylstm.load(path)


def test_truncated(tmp_path):
    path = tmp_path / "model"
    fitted(LSTMClassifier).save(path)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"must be a file that pylstm\.save wrote"):
            pylstm.load(path)


def put(*keys_and_value, of=0):
    """Return an edit that sets a value in the JSON object, or (`of` 1) among the arrays."""
    *keys, last, value = keys_and_value

    def edit(*parts):
        at = parts[of]
        for key in keys:
            at = at[key]
        at[last] = value

    return edit


def drop(*keys, of=0):
    def edit(*parts):
        at = parts[of]
        for key in keys[:-1]:
            at = at[key]
        del at[keys[-1]]

    return edit


def array(name, value):
    return put(name, value, of=1)


F4, F8 = np.float32, np.float64


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (put("format_version", 3), "format_version must be at most 2 .* got 3, written by pylstm"),
        (put("format_version", "1"), "format_version must be an integer >= 1, got '1'"),
        (put("format_version", True), "format_version must be an integer"),
        (drop("pylstm_version"), "pylstm_version must be a string, but is missing"),
        (put("class", "os.system"), "class must be one of 'LSTMClassifier', .* got 'os.system'"),
        (put("class", ["LSTMClassifier"]), "class must be one of"),
        (put("class", "LSTMTagger"), "burn_in must be a number.* missing"),
        (put("more", 1), r"no more keys, got \['more'\]"),
        (drop("parameters"), "parameters must be an object, but is missing"),
        (put("parameters", []), r"parameters must be an object, got \[\]"),
        (put("parameters", "__class__", 1), "no more keys"),
        (drop("parameters", "alpha"), "alpha must be .* missing"),
        (put("parameters", "alpha", -1), "'alpha' parameter .* Got -1"),
        (put("parameters", "alpha", float("nan")), "numbers must be finite and of 64 bits, got NaN"),
        (put("parameters", "max_iter", 10**30), "numbers must be finite and of 64 bits, got 1000"),
        (put("parameters", "solver", "lbfgs"), "'solver' parameter"),
        (put("parameters", "dtype", "float16"), "'dtype' parameter"),
        (put("parameters", "dtype", [["float32"]]), "dtype must be a number, string"),
        (put("parameters", "class_weight", {"a": 1}), "class_weight must be a number"),
        (put("parameters", "class_weight", {"pairs": [[[], 1]]}), "class_weight must be a number"),
        (put("parameters", "class_weight", {"pairs": [[1]]}), "class_weight must be a number"),
        (put("parameters", "n_jobs", 0), "n_jobs"),
        (put("state", None), "state must be an object"),
        (put("state", "more", 1), "no more keys"),
        (put("state", "n_features_in_", 10**18), "a size does not fit in memory"),
        (put("state", "n_features_in_", 10**6), r"weight_ih_l0 must be an array \(12, 10+\) of float32, got"),
        (put("state", "n_features_in_", 0), "n_features_in_ must be an integer >= 1, got 0"),
        (put("state", "n_features_in_", 3.0), "n_features_in_ must be an integer"),
        (put("state", "feature_names_in_", ["a"]), "feature_names_in_ must be a list of 3 strings"),
        (put("state", "feature_names_in_", [1, 2, 3]), "feature_names_in_ must be a list of 3 strings"),
        (put("state", "fitted_on_2d", True), r"weight_ih_l0 must be an array \(12, 1\)"),
        (put("state", "fitted_on_2d", 0), "fitted_on_2d must be true or false"),
        (put("state", "hidden_sizes", [10**18]), "a size does not fit in memory"),
        (put("state", "hidden_sizes", [10**6]), "weight_ih_l0 must be an array"),
        (put("state", "hidden_sizes", []), "at least one layer"),
        (put("state", "hidden_sizes", [3, 3]), "weight_ih_l1 must be an array .* missing"),
        (put("state", "hidden_sizes", [True]), "hidden_sizes must be a list of at most .* integers >= 1"),
        (put("state", "hidden_sizes", 3), "hidden_sizes must be a list"),
        (put("state", "bidirectional", True), "weight_ih_l0_reverse must be .* missing"),
        (put("state", "dropout", 1), r"dropout must be a number in \[0, 1\)"),
        (put("state", "dropout", False), r"dropout must be a number in \[0, 1\)"),
        (put("state", "pooling", None), "pooling must be one of 'last', 'mean', 'max', got None"),
        (put("state", "dtype", "float64"), "of float64, got .* of float32"),
        (put("state", "dtype", "object"), "dtype must be one of"),
        (put("state", "forget_bias", "big"), "forget_bias must be a number, 'chrono', 'mixed' or 'uniform'"),
        (put("state", "forget_bias", "chrono"), "t_max must be an integer >= 3"),
        (put("state", "t_max", 5), "t_max must be null"),
        (put("state", "n_updates", -1), "n_updates must be an integer >= 0"),
        (put("state", "n_updates", 2**63 - 1), "n_updates must be an integer >= 0 and <= 46116"),
        (put("state", "scored", True), r"validation_scores must be an array \(>=1\)"),
        (put("state", "classes_", "pickle"), "classes_ must be one of"),
        (put("state", "classes_", "numbers"), r"classes_ must be an array \(>=1\)"),
        (put("state", "output_shape", [2]), "no more keys"),
        (drop("weight_out", of=1), "weight_out must be .* missing"),
        (array("weight_ih_l1", np.zeros((12, 3), F4)), "no more arrays"),
        (array("weight_out", np.zeros((3, 2), F4)), r"weight_out must be an array \(2, 3\) of float32, got \(3, 2\)"),
        (array("bias_out", np.zeros((2, 1), F4)), r"bias_out must be an array \(2\)"),
        (array("bias_out", np.zeros(2, F8)), "bias_out must be .* of float64"),
        (array("moments", np.zeros((2, 5), F4)), "moments must be an array"),
        (array("loss_curve", np.zeros(0)), r"loss_curve must be an array \(>=1\)"),
        (array("random_state", np.full(625, 625, np.uint32)), "position of at most 624, got 625"),
        (array("classes_", np.zeros((2, 0), np.uint32)), "classes_ must be an array"),
        (array("classes_", np.array([[2**21], [2**22]], np.uint32)), "code points of at most"),
        (array("classes_", np.array([[97], [2**21]], np.uint32)), "code points of at most"),
        (array("classes_", np.array([[98], [97]], np.uint32)), "classes_ must be sorted"),
        (array("classes_", np.array([[97], [97]], np.uint32)), "classes_ must be sorted"),
        (array("classes_", np.array([[97], [98], [99]], np.uint32)), r"weight_out must be an array \(3, 3\)"),
        (put("state", "input_scaled", "yes"), "input_scaled must be true or false, got 'yes'"),
        (drop("state", "input_scaled"), r"no more arrays, got \['input_mean', 'input_scale'\]"),
        (put("state", "target_scaled", True), r"no more keys, got \['target_scaled'\]"),
        (drop("input_mean", of=1), r"input_mean must be an array \(3\) of float64, but is missing"),
        (array("input_mean", np.zeros(2)), r"input_mean must be an array \(3\) of float64, got \(2,\)"),
        (array("input_mean", np.array([0, np.nan, 0])), "input_mean and input_scale must be finite"),
        (array("input_scale", np.zeros(3)), "input_scale positive"),
        (array("input_scale", -np.ones(3)), "input_scale positive"),
        (drop("pipeline"), "pipeline must be an object, but is missing"),
        (put("pipeline", []), "pipeline must be an object"),
        (put("pipeline", None), r"no more arrays, got \['scaler.mean_'"),
        (put("pipeline", "names", ["a"]), "names must be a list of 2 strings"),
        (put("pipeline", "names", ["a", "a"]), "Names provided are not unique"),
        (put("pipeline", "names", ["a__b", "c"]), "must not contain __"),
        (put("pipeline", "verbose", None), "verbose must be true or false"),
        (put("pipeline", "memory", "/tmp"), "no more keys"),
        (put("pipeline", "scaler", "class", "PCA"), "no more keys"),
        (put("pipeline", "scaler", "parameters", "with_mean", 3), "'with_mean' parameter"),
        (put("pipeline", "scaler", "state", "n_features_in_", 9), "scaler's n_features_in_ .* must be the estimator's"),
        (drop("scaler.mean_", of=1), "scaler.mean_ must be .* missing"),
        (drop("scaler.n_samples_seen_", of=1), "scaler.n_samples_seen_ must be .* missing"),
        (array("scaler.scale_", np.zeros(2)), r"scaler.scale_ must be an array \(3\)"),
    ],
)
def test_hostile(edit, message, tmp_path):
    path = tmp_path / "hostile"
    scaled = fitted(LSTMClassifier, forget_bias=1.0)
    pylstm.save(make_pipeline(PerStep(StandardScaler()), scaled).fit(*data(LSTMClassifier)), path)
    rewrite(path, lambda *parts: None)
    pylstm.load(path)
    rewrite(path, edit)
    with pytest.raises(ValueError, match=f"hostile' must be a file that pylstm.save wrote: .*{message}"):
        pylstm.load(path)


def test_dtypes_that_numpy_lacks(tmp_path):
    header = {"__metadata__": {"pylstm": "{}"}, "a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    text = json.dumps(header).encode()
    (tmp_path / "model").write_bytes(len(text).to_bytes(8, "little") + text + bytes(2))
    with pytest.raises(ValueError, match=r"the dtype of 'a' must be one of BOOL, .* got BF16"):
        pylstm.load(tmp_path / "model")


def test_keys_that_come_twice(tmp_path):
    path = tmp_path / "model"
    fitted(LSTMClassifier).save(path)
    with safe_open(path, framework="numpy") as file:
        text = file.metadata()["pylstm"]
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    path.write_bytes(to_safetensors(arrays, {"pylstm": text.replace("{", '{"format_version": 1, ', 1)}))
    with pytest.raises(ValueError, match="keys of an object must be different"):
        pylstm.load(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return valid files, as bytes, and a path to put others."""
    directory = tmp_path_factory.mktemp("files")
    path, contents = directory / "model", []
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        pipeline = make_pipeline(PerStep(StandardScaler()), fitted(LSTMClassifier)).fit(*data(LSTMClassifier))
        for model in (pipeline, fitted(LSTMSequenceRegressor, "2-D")):
            pylstm.save(model, path)
            contents.append(path.read_bytes())
    return contents, path


def load_or_refuse(path, cls):
    """Load a file that may be no good; a model that comes out of it predicts, or refuses X."""
    try:
        model = pylstm.load(path)
    except (ValueError, OSError):
        return
    for form in FORMS:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                # The file may name the features, and X does not.
                warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
                model.predict(data(cls, form)[0])
        except ValueError:
            pass


@pytest.mark.long
@settings(max_examples=400, deadline=None)
@given(choices=st.data())
def test_fuzzed_bytes(files, choices):
    contents, path = files
    content = bytearray(choices.draw(st.sampled_from(contents)))
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(choices.draw(st.integers(1, 4))):
        # Most of what matters lies in the header.
        end = choices.draw(st.sampled_from([8, header, len(content)]))
        content[choices.draw(st.integers(0, end - 1))] = choices.draw(st.integers(0, 255))
    path.write_bytes(content[: choices.draw(st.just(len(content)) | st.integers(0, len(content)))])
    load_or_refuse(path, LSTMClassifier)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([0, 1, 3, 2**62, "float64"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("pairs"), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.long
@settings(max_examples=400, deadline=None)
@given(choices=st.data())
def test_fuzzed_values(files, choices):
    contents, path = files
    path.write_bytes(choices.draw(st.sampled_from(contents)))

    def edit(document, arrays):
        at = document
        key = choices.draw(st.sampled_from(sorted(at)))
        while isinstance(at[key], dict) and choices.draw(st.booleans()):
            at = at[key]
            key = choices.draw(st.sampled_from(sorted(at)))
        at[key] = choices.draw(JSON)

    rewrite(path, edit)
    load_or_refuse(path, LSTMClassifier)


# ---- pickle and clone


def test_pickled_in_another_process(tmp_path):
    given = [(fitted(cls, dropout=0.2), *data(cls)) for cls in ESTIMATORS]
    path = tmp_path / "models"
    path.write_bytes(pickle.dumps(given))
    code = (
        "import pickle, sys\n"
        "given = pickle.load(open(sys.argv[1], 'rb'))\n"
        "results = [(model.predict(X), model.partial_fit(X, y).predict(X)) for model, X, y in given]\n"
        "open(sys.argv[1], 'wb').write(pickle.dumps(results))"
    )
    subprocess.run([sys.executable, "-P", "-c", code, path], check=True)
    for (model, X, y), (before, after) in zip(given, pickle.loads(path.read_bytes()), strict=True):
        assert pickle.dumps(model.predict(X)) == pickle.dumps(before)
        assert pickle.dumps(model.partial_fit(X, y).predict(X)) == pickle.dumps(after)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_clone_of_a_loaded_one(cls, tmp_path):
    loaded = clone(saved(fitted(cls), tmp_path))
    X, _ = data(cls)
    with pytest.raises(NotFittedError):
        loaded.predict(X)
    np.testing.assert_array_equal(outputs(loaded.fit(*data(cls)), X), outputs(fitted(cls), X), strict=True)
