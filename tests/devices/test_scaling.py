"""Scaled inputs: streams, blobs and exported C make of them what a pipeline's `predict` does, however they lie."""

import copy
import pickle
import shutil
import sys

import numpy as np
import pytest
from compilers import C99, WARNINGS, compile_all, gcc
from learning import Reference
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_export import Compiled
from test_export_learn import Learner
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, as_it_comes

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm._devices.export import MOST_SCALES, as_read
from pylstm._net.describe import Scaling, describe
from pylstm.preprocessing import PerStep

#: Mean and standard deviation of a feature, and what exported C reads of it.
FEATURES = {
    "standard": (0.0, 1.0, "float"),
    "temperature": (20.0, 5.0, "float"),
    "pressure": (101325.0, 10.0, "double"),
    "Unix time": (1.7e9, 1e6, "double"),
    "Unix time of an hour": (1.7e9, 1e3, "double"),
    "constant": (0.7, 0.0, "float"),
    "constant pressure": (101325.3, 0.0, "double"),
    "scale without a float": (3e-60, 1e-60, "double"),
    "scale of denormals": (1e-40, 1e-40, "double"),
    "beyond floats": (1e60, 1e59, "double"),
}
#: Those that are compiled.
EXPORTED = [name for name in FEATURES if name not in ("standard", "scale of denormals", "beyond floats")]
PLAIN = {"max_iter": 1, "standardize": False, "random_state": 0}
MODEL_OF = dict(zip(FEATURES, 3 * ESTIMATORS, strict=False))


def readings(feature, seed=0, n_sequences=30):
    """Return sequences of 7 steps and 2 features, of which one is standard."""
    mean, deviation, _ = FEATURES[feature]
    Z = np.random.default_rng(seed).standard_normal((n_sequences, 7, 2))
    Z[..., 0] = mean + deviation * Z[..., 0]
    return Z


def fitted(cls, X, *, dtype="float32", hidden=(5,), seed=0):
    """Return a pipeline with random weights that make much of small differences."""
    rng, Z = np.random.default_rng(seed), X[..., 1] - X[..., 1].mean()
    signs = Z.cumsum(axis=1) > 0
    y = {LSTMTagger: signs, LSTMClassifier: signs[:, -1], LSTMRegressor: Z[:, -1], LSTMSequenceRegressor: Z}
    model = cls(hidden, max_iter=1, random_state=0, dtype=dtype, **as_it_comes(cls))
    pipeline = make_pipeline(PerStep(StandardScaler()), model).fit(X, y[cls])
    for values in describe(pipeline).net.parameters().values():
        values[...] = rng.uniform(-1, 1, values.shape)
    return pipeline


def outputs(pipeline, X):
    """Return what a pipeline says after each step of each sequence, (n_sequences, n_steps, n_outputs)."""
    cls, n_steps = type(pipeline[-1]), len(X[0])
    predict = pipeline.predict_proba if cls in CLASSIFIERS else pipeline.predict
    by_step = predict(X) if cls in PER_STEP else np.stack([predict(X[:, : t + 1]) for t in range(n_steps)], axis=1)
    return np.reshape(by_step, (len(X), n_steps, -1)).astype(pipeline[-1].dtype)  # regressors make float64 of them


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b), strict=True)


# ---- streams: the bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("feature", FEATURES)
def test_streams_have_the_bits_of_predict(feature, dtype):
    X = readings(feature)
    pipeline = fitted(MODEL_OF[feature], X, dtype=dtype)
    expected = outputs(pipeline, X)
    assert np.ptp(expected) > 0.1
    stream = pylstm.stream(pipeline, len(X))
    assert (stream.dtype, stream.input_dtype) == (dtype, "float64")
    same(stream.process(X), expected)
    stream.reset()
    same(np.stack([stream.step(X[:, t]) for t in range(X.shape[1])], axis=1), expected)
    alone = pylstm.stream(pipeline)
    same(np.stack([alone.step(x.tolist()) for x in X[0]]), expected[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["float16", "float32", ">f4", ">f8", "longdouble", "int32", "uint8", "int64", "list"])
def test_whatever_the_readings_come_as(form, dtype):
    """A float32 of a pressure is not its float64; but stream and `predict` make the same of it."""
    X = 130 + 30 * np.random.default_rng(0).standard_normal((6, 7, 2)).clip(-3, 3)
    X = np.round(1e6 + X) if form == "int64" else X
    given = X.tolist() if form == "list" else X.astype(form)
    pipeline = fitted(LSTMTagger, X, dtype=dtype)
    expected = outputs(pipeline, np.asarray(given))
    assert np.ptp(expected) > 0.1
    same(pylstm.stream(pipeline, 6).process(given), expected)


@pytest.mark.parametrize(
    "options", [{"with_mean": False}, {"with_std": False}, {"with_mean": False, "with_std": False}]
)
@pytest.mark.parametrize("form", ["dense", "ragged", "2-D"])
def test_other_scalers_and_forms(form, options):
    X = readings("temperature")[..., :1]
    given = {"dense": X, "ragged": list(X), "2-D": X[..., 0]}[form]
    pipeline = make_pipeline(PerStep(StandardScaler(**options)), LSTMTagger((6,), max_iter=1, random_state=0))
    pipeline.fit(given, X[..., 0] > 20)
    same(pylstm.stream(pipeline, len(X)).process(X), np.array(pipeline.predict_proba(given)))


def test_a_scaler_of_float32():
    """As an older one that was fitted on float32 may have it."""
    X = readings("pressure")
    pipeline = fitted(LSTMTagger, X)
    scaler = pipeline[0].transformer_
    scaler.mean_, scaler.scale_ = scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
    same(pylstm.stream(pipeline, len(X)).process(X), outputs(pipeline, X))


def test_a_pipeline_from_a_file(tmp_path):
    X = readings("pressure")
    pipeline = fitted(LSTMTagger, X)
    pylstm.save(pipeline, tmp_path / "model.safetensors")
    stream = pylstm.stream(pylstm.load(tmp_path / "model.safetensors"))
    for form in (np.array, np.float32, list):
        stream.reset()
        same(stream.process(form(X[0])), outputs(pipeline, np.array([form(X[0])]))[0])


def test_state_copies_and_other_models():
    X = readings("Unix time of an hour")
    scaled, plain = fitted(LSTMTagger, X), LSTMTagger((5,), **PLAIN).fit(X * 0, X[..., 1] > 0)
    expected = outputs(scaled, X)
    stream = pylstm.stream(scaled, len(X))
    same(stream.process(X[:, :3]), expected[:, :3])
    for another in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        assert another.input_dtype == "float64"
        same(another.process(X[:, 3:]), expected[:, 3:])
    stream.set_model(plain)  # which reads float32
    assert stream.input_dtype == "float32"
    stream.reset()
    small = X.astype(np.float32) * 1e-9
    same(stream.process(small), plain.stream(len(X)).process(small))
    stream.set_model(scaled)
    stream.reset()
    same(stream.process(X), expected)
    stream.reset("rest", X[:, 0])
    rest = stream.step(X[:, 0])
    np.testing.assert_allclose(stream.step(X[:, 0]), rest, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_scaling_makes_infinite_is_refused(dtype):
    """As `predict` refuses it, and the state is as it was."""
    X = readings("scale without a float")
    pipeline = fitted(LSTMTagger, X, dtype=dtype)
    stream, expected = pylstm.stream(pipeline, len(X)), outputs(pipeline, X)
    stream.process(X[:, :3])
    most = 1e-10 if dtype == "float32" else 1e260  # over 1e-60: beyond all numbers of the dtype
    for at, value, message in (
        ((0, 0, 0), most, f"block must be finite in {dtype} when it is scaled, got a number too large"),
        ((-1, -1, 0), -most, f"block must be finite in {dtype} when it is scaled"),
        ((-1, -1, 1), np.nan, "block must be finite, got NaN or infinity"),
        ((2, 1, 0), np.inf, "block must be finite, got NaN or infinity"),
    ):
        block = X[:, 3:].copy()
        block[at] = value
        with pytest.raises(ValueError, match=message):
            stream.process(block)
        with pytest.raises(ValueError, match=r"infinity|NaN"), np.errstate(over="ignore"):
            pipeline.predict(block)
    same(stream.process(X[:, 3:]), expected[:, 3:])
    with pytest.raises(ValueError, match="x must be finite in float"):
        pylstm.stream(pipeline).step([most, 0.0])


def test_nothing_is_allocated_with_out():
    X = readings("pressure")
    stream, block = pylstm.stream(fitted(LSTMTagger, X)), X[0]
    out = np.zeros((7, 2), np.float32)
    stream.process(block, out)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        stream.process(block, out)
    assert sys.getallocatedblocks() - before < 20  # the loop's own


# ---- exported C: what it reads


@pytest.mark.parametrize("feature", FEATURES)
def test_float_or_double(feature):
    expected, X = FEATURES[feature][2], readings(feature)
    scaling = describe(fitted(LSTMTagger, X)).inputs
    assert as_read(scaling).mean.dtype == as_read(scaling).scale.dtype == {"float": "f4", "double": "f8"}[expected]
    if expected == "double":
        same(as_read(scaling).mean, scaling.mean)
        same(as_read(scaling).scale, scaling.scale)


def test_what_is_read_as_float_is_within_a_millionth():
    """Of what the net reads, or of 1: of readings near the mean and far from it, in the arithmetic of C."""
    rng = np.random.default_rng(0)
    scale = 10.0 ** rng.uniform(-30, 30, 4000)
    mean = scale * rng.uniform(-MOST_SCALES, MOST_SCALES, 4000)
    mean[:1000] = scale[:1000] * MOST_SCALES
    given = as_read(Scaling(mean, scale))
    assert given.mean.dtype == np.float32
    worst = 0.0
    for deviations in (0.01, 1, 10, 1000):
        x = mean + scale * deviations * rng.standard_normal((200, 4000))
        z = ((x - mean) / scale).astype(np.float32)
        of_floats = (x.astype(np.float32) - given.mean) / given.scale
        assert of_floats.dtype == np.float32
        worst = max(worst, (np.abs(np.float64(of_floats) - z) / np.maximum(1, np.abs(z))).max())
    assert 2e-7 < worst < 1e-6
    beyond = Scaling(np.array([0.0, -5.001]), np.array([1.0, 1.0]))
    assert as_read(beyond).mean.dtype == np.float64
    for unusual in (2.0**-101, 2.0**101):
        assert as_read(Scaling(np.zeros(2), np.array([1.0, unusual]))).scale.dtype == np.float64


# ---- exported C: what it makes of that


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Of each kind of feature a pipeline and its export, and all of them compiled."""
    if gcc is None:
        pytest.skip("no gcc")
    directory = tmp_path_factory.mktemp("scaled")
    pipelines = {feature: fitted(MODEL_OF[feature], readings(feature)) for feature in EXPORTED}
    exports = {
        feature: pylstm.export_c(pipeline, directory / f"m{k}.c")
        for k, (feature, pipeline) in enumerate(pipelines.items())
    }
    return pipelines, exports, Compiled(exports.values(), directory, ["-O0"])


@pytest.mark.parametrize("feature", EXPORTED)
def test_exports_are_within_their_promise(feature, exported):
    pipelines, exports, compiled = exported
    export, X = exports[feature], readings(feature, seed=1)
    assert export.reads == FEATURES[feature][2]
    expected = outputs(pipelines[feature], X)
    got = np.stack([compiled.run(export, x, expected.shape[2]) for x in X])
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    if MODEL_OF[feature] in CLASSIFIERS:
        same(got.argmax(axis=2), expected.argmax(axis=2))
    text = (compiled.directory / f"{export.name}.c").read_text()
    assert f"reads {export.reads} x[2], writes float" in text
    assert ("x is double: a float has too few digits" in text) == (export.reads == "double")


@pytest.mark.skipif(gcc is None, reason="no gcc")
@pytest.mark.parametrize(
    ("feature", "trainable"), [("pressure", True), ("Unix time of an hour", "head"), ("scale without a float", True)]
)
def test_exports_that_learn(feature, trainable, tmp_path):
    X = readings(feature, n_sequences=20)
    model = fitted(LSTMTagger, X, hidden=(4, 3))
    export = pylstm.export_c(model, tmp_path / "model.c", trainable=trainable, window=7)
    assert export.reads == "double"
    learner, stream = Learner.of_export(export, model, tmp_path), pylstm.stream(model)
    for x in X[0]:
        np.testing.assert_allclose(learner.step(x), stream.step(x), rtol=0, atol=2e-6)
    reference = Reference.of_model(model, head_only=trainable == "head", carry_state=True, max_grad_norm=1.0)
    start = reference.weights()
    for x in X:
        y = (x[:, 1] > 0).astype(np.int32)
        assert abs(learner.learn(x, y, 0.1) - reference.learn(x, y, 0.1)) < 1e-5
    np.testing.assert_allclose(learner.weights(len(start)), reference.weights(), rtol=0, atol=1e-5)
    assert np.abs(reference.weights() - start).max() > 1e-3


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_doubles_under_all_warnings(compiler, tmp_path):
    """C99 and C++; nothing but the scaling is double."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    model = fitted(LSTMTagger, readings("pressure"))
    kinds = {"plain": {}, "bytes": {"weights": "int8"}, "whole": {"trainable": True, "window": 3},
             "head": {"trainable": "head", "window": 3}}  # fmt: skip
    exports = [pylstm.export_c(model, tmp_path / f"{name}.c", **options) for name, options in kinds.items()]
    flags = ["-x", "c++", *WARNINGS] if compiler.endswith("++") else ["-x", "c", *C99]
    compile_all([compiler, *flags, "-Wdouble-promotion", "-fsyntax-only", export.path] for export in exports)
