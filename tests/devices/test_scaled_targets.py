"""Scaled targets: streams and blobs give ``prediction * scale + mean`` to the bit, exported C within its bound."""

import copy
import ctypes
import pickle
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from compilers import C99, SOURCES, WARNINGS, compile_all, gcc, run
from learning import Reference
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_export import C_TYPES, Compiled
from test_export_learn import Learner
from toys import as_it_comes

import pylstm
from pylstm import LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm._devices.blob import blob_of
from pylstm._net.describe import Scaling, describe
from pylstm.preprocessing import PerStep

#: Mean and standard deviation of an output, and what exported C writes of it.
OUTPUTS = {
    "temperature": (20.0, 5.0, "float"),
    "pressure": (101325.0, 10.0, "double"),
    "below zero": (-3.0, 0.7, "float"),
    "scale without a float": (3e-60, 1e-60, "double"),
}
N_STEPS = 7


class InUnits:
    """A model of which `describe` says that its targets were scaled, each output's a little differently."""

    def __init__(self, model, output, n_outputs):
        mean, scale, self.writes = OUTPUTS[output]
        k = np.arange(n_outputs)
        self.model, self.targets = model, Scaling(mean + 0.1 * scale * k, scale * (1 + 0.5 * k))

    def predict(self, X):
        """Return the answers (n_sequences, n_steps, n_outputs), of each step."""
        n_outputs = len(self.targets.mean)
        if isinstance(describe(self.model).estimator, LSTMSequenceRegressor):
            values = np.reshape(self.model.predict(X), (*X.shape[:2], n_outputs))
        else:
            by_step = [np.reshape(self.model.predict(X[:, : t + 1]), (len(X), n_outputs)) for t in range(X.shape[1])]
            values = np.stack(by_step, axis=1)
        assert values.dtype == np.float64
        return values * self.targets.scale + self.targets.mean


@describe.register
def describe_in_units(model: InUnits):
    return describe(model.model)._replace(targets=model.targets)


def readings(seed=0, n_sequences=12):
    return np.random.default_rng(seed).standard_normal((n_sequences, N_STEPS, 3))


def fitted(output, cls=LSTMRegressor, hidden=(7, 4), *, n_outputs=3, scaled=False, seed=0, **options):
    """Return a model with random weights."""
    rng, X = np.random.default_rng(seed), readings(seed)
    y = X[..., 0] if n_outputs == 1 else X[..., :n_outputs]
    model = cls(hidden, max_iter=1, random_state=seed, **as_it_comes(cls), **options)
    model = make_pipeline(PerStep(StandardScaler()), model) if scaled else model
    model.fit(X, y if cls is LSTMSequenceRegressor else y[:, -1])
    for values in describe(model).net.parameters().values():
        values[...] = rng.uniform(-1.5, 1.5, values.shape) / np.sqrt(values.shape[-1])
    return InUnits(model, output, n_outputs)


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b), strict=True)


# ---- streams: the bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (LSTMRegressor, {}),
        (LSTMRegressor, {"pooling": "mean", "n_outputs": 1, "cell": "gru"}),
        (LSTMRegressor, {"pooling": "max", "scaled": True}),
        (LSTMSequenceRegressor, {"n_outputs": 2, "hidden": (17,), "cell": "rnn", "loss": "huber"}),
        (LSTMSequenceRegressor, {"n_outputs": 1, "scaled": True}),
    ],
)
def test_streams(cls, options, output, dtype):
    model = fitted(output, cls, dtype=dtype, **options)
    X = readings(1, 5)
    X = X if options.get("scaled") else X.astype(dtype)
    expected, stream = model.predict(X), pylstm.stream(model, 5)
    assert (np.ptp(expected, axis=(0, 1)) > 0.01 * model.targets.scale).all()
    assert (stream.dtype, stream.output_dtype) == (dtype, "float64")
    assert stream.input_dtype == ("float64" if options.get("scaled") else dtype)
    same(stream.process(X), expected)
    stream.reset()
    same(np.stack([stream.step(X[:, t]) for t in range(N_STEPS)], axis=1), expected)
    alone = pylstm.stream(model)
    same(np.stack([alone.step(x.tolist()) for x in X[0]]), expected[0])
    assert alone.state[0][0].dtype == dtype


def test_where_to_write():
    model, X = fitted("pressure"), readings(1, 2).astype(np.float32)
    stream, expected, out = pylstm.stream(model, 2), model.predict(X), np.zeros((2, N_STEPS, 3))
    assert stream.process(X, out) is out
    same(out, expected)
    stream.reset()
    with pytest.raises(ValueError, match="out must be a writable, C-contiguous, aligned array of float64"):
        stream.process(X, out.astype(np.float32))
    step = np.zeros((2, 3))
    assert stream.step(np.ascontiguousarray(X[:, 0]), out=step) is step
    same(step, expected[:, 0])
    with pytest.raises(ValueError, match=r"out must have shape \(2, 3\), got \(2, 2\)"):
        stream.step(X[:, 1], np.zeros((2, 2)))
    same(stream.process(X[:, 1:]), expected[:, 1:])
    x, out = np.ascontiguousarray(X[:, 0]), np.zeros((2, 3))
    stream.step(x, out)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        stream.step(x, out)
    assert sys.getallocatedblocks() - before < 20  # the loop's own


def test_copies_and_other_models():
    model, other = fitted("pressure", scaled=True), fitted("temperature", seed=1)
    X = readings(1, 2)
    expected, stream = model.predict(X), pylstm.stream(model, 2)
    stream.process(X[:, :3])
    state = stream.state
    for another in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        assert (another.input_dtype, another.output_dtype) == ("float64", "float64")
        same(another.process(X[:, 3:]), expected[:, 3:])
    stream.set_model(other.model)  # whose targets were not scaled
    assert (stream.input_dtype, stream.output_dtype) == ("float32", "float32")
    stream.reset()
    small = X.astype(np.float32)
    same(stream.process(small), other.model.stream(2).process(small))
    stream.set_model(other)
    stream.reset()
    assert (stream.input_dtype, stream.output_dtype) == ("float32", "float64")
    same(stream.process(small), other.predict(small))
    stream.set_model(model)
    stream.state = state
    same(stream.process(X[:, 3:]), expected[:, 3:])
    stream.reset("rest", X[:, 0])
    rest = stream.step(X[:, 0])
    np.testing.assert_allclose(stream.step(X[:, 0]), rest, atol=1e-4)


def test_states_of_streams_before_targets_were_scaled():
    stream = pylstm.stream(fitted("pressure").model)
    *before, targets = stream.__getstate__()
    assert targets is None
    again = pylstm.Stream.__new__(pylstm.Stream)
    again.__setstate__(tuple(before))
    x = readings(1, 1).astype(np.float32)
    same(again.process(x), stream.process(x))


def test_scalings_of_other_sizes_are_refused():
    model = fitted("pressure")
    stream, x = pylstm.stream(model), readings(1, 1).astype(np.float32)
    bad = copy.copy(model)
    for targets in (Scaling(np.zeros(2), np.ones(3)), Scaling(np.zeros(3), np.ones(4))):
        bad.targets = targets
        for make in (pylstm.stream, stream.set_model, blob_of):
            with pytest.raises(ValueError, match=r"(mean|scale) must have shape \(3,\), got \((2|4),\)"):
                make(bad)
    same(stream.process(x), model.predict(x))


# ---- blobs


@pytest.fixture(scope="module")
def stream_program(library, tmp_path_factory):
    program = tmp_path_factory.mktemp("blob") / "stream"
    examples = SOURCES.parent / "examples" / "c"
    run("cc", "-std=c11", f"-I{SOURCES}", examples / "stream.c", library, "-lm", "-lpthread", "-o", program)
    return program


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("output", "scaled"), [("pressure", False), ("scale without a float", True)])
def test_blobs(output, scaled, dtype, stream_program, tmp_path):
    model = fitted(output, pooling="max", scaled=scaled, dtype=dtype)
    blob, X = blob_of(model), readings(1, 1).astype(dtype).astype(np.float64)
    assert struct.unpack_from("<I", blob, 8) == (3,)
    assert struct.unpack_from("<I", blob, 36) == (3 if scaled else 2,)
    at = 72 + (48 if scaled else 0)
    same(np.frombuffer(blob, "<f8", 6, offset=at), np.concatenate(model.targets))
    (tmp_path / "model.blob").write_bytes(blob)
    text = "\n".join(" ".join(map(repr, row)) for row in X[0].tolist())
    command = [stream_program, tmp_path / "model.blob"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    got = np.array([[float(value) for value in line.split()] for line in done.stdout.splitlines()])
    same(got, model.predict(X if scaled else X.astype(dtype))[0])


# ---- exported C


def run_in_c(compiled, export, X, n_outputs):
    """Return the outputs of all steps of a sequence."""
    state, y = np.zeros(export.ram_bytes + 64, np.uint8), np.full(n_outputs + 2, 0.25, C_TYPES[export.writes])
    X, Y = np.ascontiguousarray(X, C_TYPES[export.reads]), []
    step = getattr(compiled.library, f"{export.name}_step")
    for x in X:
        step(*(ctypes.c_void_p(array.ctypes.data) for array in (state, x, y)))
        Y.append(y[:n_outputs].copy())
    assert (y[n_outputs:] == 0.25).all()
    assert not state[export.ram_bytes :].any()
    return np.array(Y)


CASES = {
    "temperature": ("temperature", {}),
    "pressure": ("pressure", {"pooling": "mean", "scaled": True}),
    "below": ("below zero", {"cls": LSTMSequenceRegressor, "n_outputs": 1, "cell": "gru"}),
    "small": ("scale without a float", {"n_outputs": 2, "cell": "rnn", "pooling": "max"}),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    if gcc is None:
        pytest.skip("no gcc")
    directory = tmp_path_factory.mktemp("back")
    models = {name: fitted(output, **options) for name, (output, options) in CASES.items()}
    exports = {name: pylstm.export_c(model, directory / f"m_{name}.c") for name, model in models.items()}
    exports["bytes"] = pylstm.export_c(models["pressure"], directory / "bytes.c", weights="int8")
    return models, exports, Compiled(exports.values(), directory, ["-O0"])


@pytest.mark.parametrize("name", CASES)
def test_exports_are_within_their_promise(name, exported):
    models, exports, compiled = exported
    model, export, X = models[name], exports[name], readings(1, 3)
    assert export.writes == model.writes
    for x in X:
        expected = model.predict(x[np.newaxis].astype(np.float32))[0]
        got = run_in_c(compiled, export, x, expected.shape[1])
        assert got.dtype == C_TYPES[export.writes]
        off = np.abs(np.float64(got) - expected) / np.maximum(model.targets.scale, np.abs(expected))
        assert off.max() < 3e-6
        x = x.copy()
        x[2, 1] = np.nan
        got = run_in_c(compiled, export, x, expected.shape[1])
        assert (np.isnan(got).all(axis=1) == (np.arange(N_STEPS) == 2)).all()
    text = (compiled.directory / f"m_{name}.c").read_text()
    assert f"writes {export.writes} y[" in text
    assert "scaling back" in text
    said = {("float", "double"): "y is double: a float", ("double", "double"): "x and y are double: a float"}
    for types, words in said.items():
        assert (f" {words}" in text.replace("\n *", "")) == ((export.reads, export.writes) == types)


def test_bytes(exported):
    models, exports, compiled = exported
    model, X = models["pressure"], readings(1, 1)
    off = (run_in_c(compiled, exports["bytes"], X[0], 3) - model.predict(X)[0]) / model.targets.scale
    assert 1e-5 < np.abs(off).max() < 0.1


@pytest.mark.skipif(gcc is None, reason="no gcc")
@pytest.mark.parametrize(
    ("trainable", "output", "options"),
    [
        (True, "temperature", {"n_outputs": 2, "pooling": "mean"}),
        ("head", "temperature", {"n_outputs": 3, "hidden": (5,), "pooling": "max", "loss": "absolute_error"}),
        ("head", "pressure", {"n_outputs": 1, "hidden": (5,), "scaled": True}),
        (True, "pressure", {"cls": LSTMSequenceRegressor, "n_outputs": 2, "hidden": (5,), "loss": "huber"}),
        ("head", "scale without a float", {"cls": LSTMSequenceRegressor, "n_outputs": 2, "hidden": (5,)}),
    ],
)
def test_exports_that_learn(trainable, output, options, tmp_path):
    """Targets are in the units of the answers, of which one is not known; the loss is that of scaled ones."""
    model = fitted(output, **options)
    export = pylstm.export_c(model, tmp_path / "model.c", trainable=trainable, window=4)
    assert export.writes == model.writes
    learner = Learner.of_export(export, model, tmp_path)
    stream, per_step = pylstm.stream(model), describe(model).spec.pooling is None
    reference = Reference.of_model(model, head_only=trainable == "head", carry_state=per_step, max_grad_norm=1.0)
    start, rng, n_outputs = reference.weights(), np.random.default_rng(0), options["n_outputs"]
    for x in readings(1, 2)[0].astype(np.float32):
        off = (learner.step(x) - stream.step(x)) / model.targets.scale
        assert np.abs(off).max() < 4e-6
    for x in readings(2, 20)[:, :4].astype(np.float32):
        z = rng.standard_normal((4, n_outputs) if per_step else n_outputs)
        y = (z * model.targets.scale + model.targets.mean).astype(C_TYPES[export.writes])
        assert abs(learner.learn(x, y, 0.1) - reference.learn(x, y, 0.1)) < 1e-5
    np.testing.assert_allclose(learner.weights(len(start)), reference.weights(), rtol=0, atol=1e-5)
    assert np.abs(reference.weights() - start).max() > 1e-3
    weights = learner.weights(len(start))
    assert learner.learn(x, np.full(z.shape, np.nan), 0.1) == 0
    same(learner.weights(len(start)), weights)


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_under_all_warnings(compiler, tmp_path):
    """C99 and C++; nothing but the scaling is double."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    kinds = {"plain": {}, "bytes": {"weights": "int8"}, "whole": {"trainable": True, "window": 3},
             "head": {"trainable": "head", "window": 3}}  # fmt: skip
    model, pool = fitted("pressure", scaled=True), fitted("temperature", pooling="max")
    exports = [pylstm.export_c(model, tmp_path / f"{name}.c", **options) for name, options in kinds.items()]
    exports.append(pylstm.export_c(pool, tmp_path / "floats.c", trainable=True, window=3))
    flags = ["-x", "c++", *WARNINGS] if compiler.endswith("++") else ["-x", "c", *C99]
    compile_all([compiler, *flags, "-Wdouble-promotion", "-fsyntax-only", export.path] for export in exports)


def test_models_without_them_say_float():
    tagger = LSTMTagger((3,), max_iter=1, standardize=False, random_state=0).fit(readings(), readings()[..., 0] > 0)
    assert describe(tagger).targets is None
    assert pylstm.stream(tagger).output_dtype == "float32"
