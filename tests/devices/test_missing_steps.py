"""Missing values step by step: streams and exported C read what `predict` reads of the steps so far."""

import copy
import pickle

import numpy as np
import pytest
from compilers import C99, WARNINGS, gcc, run
from numpy.testing import assert_allclose, assert_array_equal
from test_export import Compiled

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor
from pylstm._devices.blob import blob_of

NAN = np.nan
N_STEPS = 9
both = pytest.mark.parametrize("missing", ["indicator", "hold"])
MODELS = {
    "last": (LSTMClassifier, {}),
    "mean": (LSTMClassifier, {"pooling": "mean"}),
    "steps": (LSTMSequenceRegressor, {"hidden_layer_sizes": (5, 4)}),
    "gru": (LSTMRegressor, {"cell": "gru", "standardize": False, "normalize_y": False}),
}


def sequences(offset=2.0, seed=0):
    """Return sequences (12, N_STEPS, 3): of the middle feature a value is missing once, of the others a third."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, N_STEPS, 3)) * 5 + offset
    X[rng.random(X.shape) < 1 / 3] = NAN
    X[:, :, 1] = np.where(np.isnan(X[:, :, 1]), offset, X[:, :, 1])
    X[0, :4] = NAN
    return X


def fitted(kind, missing, *, X=None, **options):
    cls, own = MODELS[kind]
    X = sequences() if X is None else X
    sums = np.nan_to_num(X[:, :, 0]).cumsum(axis=1)
    y = sums if cls is LSTMSequenceRegressor else np.arange(12) % 2 if cls is LSTMClassifier else sums[:, -1]
    settings = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0, "missing": missing}
    return cls(**settings | own | options).fit(X, y)


def expected(model, X):
    """Return what is predicted after each step: (n, n_steps, n_outputs)."""
    predict = getattr(model, "predict_proba", model.predict)
    if isinstance(model, LSTMSequenceRegressor):
        return predict(X)[..., np.newaxis]
    return np.stack([predict(X[:, : t + 1]).reshape(len(X), -1) for t in range(X.shape[1])], axis=1)


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", MODELS)
def test_streams_have_the_bits_of_predictions(kind, dtype, missing):
    X = sequences(seed=1)[:4]
    X[1] = NAN  # nothing at all
    model = fitted(kind, missing, dtype=dtype)
    stream, whole = pylstm.stream(model, 4), expected(model, X)
    assert (stream.input_size, stream.input_dtype) == (3, np.float64)
    assert_array_equal(stream.process(X), whole)
    stream.reset()
    first = stream.process(X[:, :4])
    state, other = stream.state, pickle.loads(pickle.dumps(stream))
    for goes_on in (stream, other, copy.copy(stream)):
        assert_array_equal(np.concatenate([first, goes_on.process(X[:, 4:])], axis=1), whole)
    stream.state = state
    assert_array_equal(stream.process(X[:, 4:]), whole[:, 4:])
    alone = model.stream()
    assert_array_equal([alone.step(x.tolist()) for x in X[2]], whole[2])


def test_what_is_kept():
    live = fitted("last", "indicator").stream()
    for x in ([NAN, 1.0, 2.0], [NAN, NAN, 2.0], [1.0, NAN, 2.0]):
        live.step(x)
    assert_array_equal(live.state[-1], [[[0, 2, 0]]])
    live = fitted("last", "hold").stream()
    mean = live.state[-1][0, 0]
    for x in ([NAN, 1.0, 2.0], [NAN, NAN, 3.0]):
        live.step(x)
    assert_array_equal(live.state[-1], [[[mean[0], 1, 3]]])
    live.reset()
    assert_array_equal(live.state[-1][0, 0], mean)


def test_none_was_missing_in_training():
    X = np.nan_to_num(sequences())
    model = fitted("mean", "indicator", X=X)
    stream = pylstm.stream(model, 12)
    assert len(stream.state) == 2  # a layer and a pool: nothing is told of, and nothing kept
    X[:, 3] = NAN
    assert_array_equal(stream.process(X), expected(model, X))


@both
@pytest.mark.parametrize("kind", ["mean", "last"])
def test_bad_input_leaves_the_state(kind, missing):
    live = fitted(kind, missing).stream()
    live.step([1.0, NAN, 2.0])
    state = live.state
    for bad in ([np.inf, 1, NAN], [1, NAN, -np.inf], [1e300, NAN, 0], [NAN, 0], "abc"):
        with pytest.raises((ValueError, TypeError), match=r"^x must|could not convert"):
            live.step(bad)
    before = pickle.dumps(state)
    for wrong in (state[:-1], [*state, state[-1]], [*state[:-1], state[-1][:, :, 1:]], [*state[:-1], state[-1] * NAN]):
        with pytest.raises(ValueError, match="state"):
            live.state = wrong
    with pytest.raises(ValueError, match="x must be finite to come to rest by, got NaN"):
        live.reset("rest", [NAN, 1, 2])
    assert pickle.dumps(live.state) == before
    live.state = None
    live.reset("rest")


@both
def test_other_weights_must_read_alike(missing):
    live, other = fitted("last", missing).stream(), "hold" if missing == "indicator" else "indicator"
    live.set_model(fitted("last", missing, random_state=1))
    with pytest.raises(ValueError, match=r"must have the sizes|must read missing values as this stream does"):
        live.set_model(fitted("last", other))
    model = fitted("last", "hold")
    live = model.stream()
    with pytest.raises(ValueError, match=r"number of columns that are told of, \['hold', 0\], got None"):
        live.set_model(fitted("last", "error", X=np.nan_to_num(sequences())))


# ---- exported C


@pytest.mark.skipif(gcc is None, reason="no gcc")
@pytest.mark.parametrize(
    "flags", [pytest.param(["-O1", "-ffast-math"], marks=pytest.mark.long), ["-DPYLSTM_SCALAR"]], ids=" ".join
)
def test_exported(flags, tmp_path):
    exports, models, X = [], [], sequences(seed=2)
    for kind in MODELS:
        for missing in ("indicator", "hold"):
            for offset in (2.0, 500.0) if kind == "last" else (2.0,):  # the larger one takes doubles
                model = fitted(kind, missing, X=sequences(offset))
                models.append((model, X[:3] - 2 + offset))
                name = f"{kind}_{missing}_{int(offset)}"
                exports.append(pylstm.export_c(model, tmp_path / f"{name}.c", name=name))
    assert {export.reads for export in exports} == {"float", "double"}
    compiled = Compiled(exports, tmp_path, flags)
    for export, (model, given) in zip(exports, models, strict=True):
        for x, whole in zip(given, expected(model, given), strict=True):
            if export.writes == "float":
                outputs = compiled.run(export, x, whole.shape[-1])
                assert_allclose(outputs, whole, atol=4e-6 * max(1, np.abs(whole).max()))


@pytest.mark.skipif(gcc is None, reason="no gcc")
@both
def test_exported_refuses_infinity(missing, tmp_path):
    export = pylstm.export_c(fitted("last", missing), tmp_path / "model.c")
    x = np.array([[1, NAN, 2], [NAN, 3, np.inf], [NAN, 1, 1]])
    outputs = Compiled([export], tmp_path, ["-O2"]).run(export, x, 2)
    assert np.isnan(outputs).any(axis=1).tolist() == [False, True, False]
    assert_array_equal(outputs[2], Compiled([export], tmp_path, ["-O2"]).run(export, x[[0, 2]], 2)[1])
    assert "is missing: " in (tmp_path / "model.c").read_text()


@pytest.mark.skipif(gcc is None, reason="no gcc")
@both
def test_exported_compiles_without_warnings_as_c_and_cpp(missing, tmp_path):
    pylstm.export_c(fitted("mean", missing), tmp_path / "model.c")
    run(gcc, *C99, *WARNINGS, "-c", tmp_path / "model.c", "-o", tmp_path / "model.o")
    run(gcc, "-xc++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-c", tmp_path / "model.c", "-o", tmp_path / "m.o")


@both
def test_not_trainable(missing, tmp_path):
    for trainable in (True, "head"):
        with pytest.raises(ValueError, match="must have missing='error' to be trainable"):
            pylstm.export_c(fitted("last", missing), tmp_path / "model.c", trainable=trainable, window=4)


# ---- blobs


@both
def test_a_blob_says_what_is_missing(missing):
    model = fitted("last", missing)
    blob = blob_of(model)
    described = pylstm._net.describe.describe(model)
    assert blob[8:12] == b"\x04\0\0\0"
    assert described.missing.mean.astype("<f8").tobytes() in blob
    assert described.missing.columns.astype("<i8").tobytes() in blob
