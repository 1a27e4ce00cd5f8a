"""Running pools: after each step, streams give what `predict` gives for the steps so far, exported C nearly so."""

import copy
import pickle

import numpy as np
import pytest
from compilers import gcc
from nets import CELLS
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_export import Compiled
from test_export_learn import Learner
from toys import as_it_comes

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor
from pylstm._net.describe import describe
from pylstm.preprocessing import PerStep

POOLINGS = ["mean", "max"]
N_STEPS = 9


def readings(seed=0, n_sequences=13):
    return np.random.default_rng(seed).standard_normal((n_sequences, N_STEPS, 3))


def fitted(cls=LSTMClassifier, hidden=(7, 4), *, pooling, scaled=False, seed=0, n_outputs=3, **options):
    """Return a model with random weights."""
    rng, X = np.random.default_rng(seed), readings(seed, 12)
    y = np.arange(12) % n_outputs if cls is LSTMClassifier else X[:, 0, :n_outputs]
    model = cls(hidden, max_iter=1, random_state=seed, pooling=pooling, **as_it_comes(cls), **options)
    model = make_pipeline(PerStep(StandardScaler()), model) if scaled else model
    model.fit(X, y)
    for values in describe(model).net.parameters().values():
        values[...] = rng.uniform(-2, 2, values.shape) / np.sqrt(values.shape[-1])
    return model


def outputs(model, X):
    """Return what a model says of the first step, of the first two, and so on: (n_sequences, n_steps, n_outputs)."""
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    by_step = [np.reshape(predict(X[:, : t + 1]), (len(X), -1)) for t in range(X.shape[1])]
    return np.stack(by_step, axis=1).astype(describe(model).spec.dtype)


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b), strict=True)


# ---- the bits


@pytest.mark.parametrize("which", CELLS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("hidden", "batch_size"), [((1,), 1), ((5,), 13), ((17, 8), 5), ((33,), 2)])
def test_each_step_is_predict_of_those_so_far(hidden, batch_size, pooling, dtype, which):
    model = fitted(hidden=hidden, pooling=pooling, dtype=dtype, **CELLS[which])
    X = readings(1, batch_size).astype(dtype)
    expected, stream = outputs(model, X), model.stream(batch_size)
    assert np.ptp(expected) > 0.01
    same(np.stack([stream.step(X[:, t]) for t in range(N_STEPS)], axis=1), expected)
    stream.reset()
    same(np.concatenate([stream.process(X[:, at]) for at in (slice(0, 1), slice(1, 6), slice(6, 9))], axis=1), expected)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_regressors_and_pipelines(pooling):
    for model in (fitted(LSTMRegressor, pooling=pooling, n_outputs=2), fitted(pooling=pooling, scaled=True)):
        X = readings(1).astype(np.float32)
        same(pylstm.stream(model, len(X)).process(X), outputs(model, X))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pool_that_begins_below_zero(pooling):
    """Zeros are no part of it: neither of the largest, nor of what is counted."""
    model = fitted(hidden=(5,), pooling=pooling)
    parameters = describe(model).net.parameters()
    parameters["bias_l0"][10:15] = -5  # the candidates, and so h
    X = readings(1, 4).astype(np.float32)
    stream = model.stream(4)
    same(stream.process(X), outputs(model, X))
    assert (stream.state[1][0] < 0).all()


# ---- the state


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(
    "moved",
    [lambda s: pickle.loads(pickle.dumps(s)), copy.copy, copy.deepcopy, lambda s: s],
    ids=["pickle", "copy", "deep copy", "itself"],
)
def test_state_and_copies(moved, pooling):
    model, X = fitted(pooling=pooling), readings(1, 5).astype(np.float32)
    expected, stream = outputs(model, X), model.stream(5)
    stream.process(X[:, :4])
    state = stream.state
    assert [values.shape for values in state[2]] == [(1, 5, 4), (1, 5)]
    same(state[2][1], np.full((1, 5), 4))
    other = moved(stream)
    same(stream.process(X[:, 4:]), expected[:, 4:])
    other.state = state if other is stream else other.state
    same(other.process(X[:, 4:]), expected[:, 4:])
    stream.state = None
    same(stream.process(X), expected)
    same(state[2][1], np.full((1, 5), 4))  # a copy


@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_a_pool_holds(pooling):
    model, X = fitted(hidden=(6,), pooling=pooling), readings(1, 2).astype(np.float32)
    stream, H = model.stream(2), []
    pool, count = stream.state[1]
    assert pool.dtype == np.float32
    assert count.dtype == np.int64
    assert not pool.any()
    assert not count.any()

    for t in range(N_STEPS):
        stream.step(X[:, t])
        H.append(stream.state[0][0])
    expected = np.max(H, axis=0) if pooling == "max" else np.add.accumulate(H, axis=0)[-1]
    same(stream.state[1][0], expected)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_sequences_that_began_at_different_times(pooling):
    """One stream of what two had seen."""
    model, X = fitted(hidden=(6,), pooling=pooling), readings(1, 2).astype(np.float32)
    one, two, both = model.stream(), model.stream(), model.stream(2)
    one.process(X[:1, :5])
    two.process(X[1:, :2])
    both.state = [
        tuple(np.concatenate(pair, axis=1) for pair in zip(*entries, strict=True))
        for entries in zip(one.state, two.state, strict=True)
    ]
    Y = both.process(np.stack([X[0, 5:8], X[1, 2:5]]))
    same(Y[:1], outputs(model, X[:1])[:, 5:8])
    same(Y[1:], outputs(model, X[1:])[:, 2:5])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_at_rest_nothing_has_been_pooled(pooling):
    model, x = fitted(hidden=(6,), pooling=pooling), np.array([0.5, -1.0, 2.0], np.float32)
    stream = model.stream()
    stream.process(readings(1, 1).astype(np.float32))
    stream.reset("rest", x)
    assert stream.state[1][1] == 0
    first = stream.step(x)
    for _ in range(5):
        np.testing.assert_allclose(stream.step(x), first, atol=1e-6)
    assert stream.state[1][1] == 6


def test_a_net_without_rest_leaves_the_pool():
    model = fitted(hidden=(1,), pooling="mean", cell="rnn", nonlinearity="relu")
    for name, values in describe(model).net.parameters().items():
        values[...] = 2 if "_l0" in name else values
    stream = model.stream()
    stream.step([1.0, 2.0, 3.0])
    before = stream.state
    with pytest.raises(ValueError, match="does not come to rest"):
        stream.reset("rest")
    for mine, its in zip(stream.state, before, strict=True):
        same(mine, its) if len(mine) == 1 else [same(*pair) for pair in zip(mine, its, strict=True)]
    stream.process(np.full((200, 3), 2.0))  # infinite by now: such a stream can be copied all the same
    assert not np.isfinite(stream.state[1][0]).all()
    assert not np.isfinite(pickle.loads(pickle.dumps(stream)).state[1][0]).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_set_model_keeps_the_pool(pooling):
    one, two = fitted(pooling=pooling, seed=1), fitted(pooling=pooling, seed=2)
    X, stream, other = readings(1, 1).astype(np.float32), one.stream(), two.stream()
    stream.process(X[:, :4])
    other.state = stream.state
    stream.set_model(two)
    same(stream.process(X[:, 4:]), other.process(X[:, 4:]))
    for another in ("last", *POOLINGS):
        if another != pooling:
            with pytest.raises(ValueError, match=r"model must have the sizes of this stream's.* got"):
                stream.set_model(fitted(pooling=another))


def test_bad_states():
    model, X = fitted(hidden=(6,), pooling="max"), readings(1, 2).astype(np.float32)
    stream, expected = model.stream(2), outputs(model, X)
    stream.process(X[:, :4])
    layer, (pool, count) = stream.state

    def bad(dtype, value):
        values = np.array(count, dtype)
        values[0, 1] = value
        return [layer, (pool, values)]

    nan = pool.copy()
    nan[0, 1, 5] = np.nan
    for state, error, message in (
        (
            [layer],
            ValueError,
            r"list with an entry for each of the 1 layers, and the pair \(pool, count\), got 1 entries",
        ),
        (3, ValueError, "and the pair .* got 'int'"),
        ([layer, pool], ValueError, r"state\[1\] must be the pair \(pool, count\), got 'ndarray'"),
        ([layer, (pool,)], ValueError, r"state\[1\] must be the pair"),
        ([layer, (pool[:, :1], count)], ValueError, r"pool of state\[1\] must have shape \(1, 2, 6\), got \(1, 1, 6\)"),
        ([layer, (pool, count[:, :1])], ValueError, r"count of state\[1\] must have shape \(1, 2\), got \(1, 1\)"),
        ([layer, (nan, count)], ValueError, "state must be finite, got NaN or infinity"),
        ([layer, (nan.tolist(), count)], ValueError, r"NaN or infinity"),
        ([tuple(values * np.inf for values in layer), (pool, count)], ValueError, "state must be finite"),
        ([layer, (pool, count.astype(float))], TypeError, r"count of state\[1\] must be integers, got float64"),
        ([layer, (pool, count > 0)], TypeError, r"count of state\[1\] must be integers, got bool"),
        (bad(np.int64, -1), ValueError, r"count of state\[1\] must be from 0 to 9007199254740992, got -1 to 4"),
        (bad(np.uint64, 2**63), ValueError, "count of .* got 4 to 9223372036854775808"),
        ([layer, (pool, "ab")], (TypeError, ValueError), r"count of state\[1\]"),
    ):
        with pytest.raises(error, match=message), np.errstate(invalid="ignore"):
            stream.state = state
    same(stream.process(X[:, 4:]), expected[:, 4:])
    stream.state = [layer, (pool.tolist(), count.tolist())]
    same(stream.process(X[:, 4:]), expected[:, 4:])


# ---- exported C


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Of each pooling and each cell a model and its export, and all of them compiled; floats may be reordered."""
    if gcc is None:
        pytest.skip("no gcc")
    directory, models, exports = tmp_path_factory.mktemp("pools"), {}, {}
    for pooling in POOLINGS:
        for k, which in enumerate(CELLS):
            model = fitted(hidden=((9,), (6, 5))[k % 2], pooling=pooling, scaled=k % 2 == 0, **CELLS[which])
            models[pooling, which] = model
            weights = "int8" if k == 3 else "float32"
            exports[pooling, which] = pylstm.export_c(model, directory / f"{which}_{pooling}.c", weights=weights)
    return models, exports, Compiled(exports.values(), directory, ["-ffast-math"])


@pytest.mark.parametrize("which", CELLS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_exports(pooling, which, exported):
    models, exports, compiled = exported
    model, export, X = models[pooling, which], exports[pooling, which], readings(1, 3).astype(np.float32)
    expected = outputs(model, X)
    bound = 0.03 if which == "relu" else 2e-6  # whose weights are of 8 bits
    for x, y in zip(X, expected, strict=True):  # each after a reset
        np.testing.assert_allclose(compiled.run(export, x, y.shape[1]), y, rtol=0, atol=bound)
    assert np.ptp(expected, axis=1).max() > 0.02
    text = (compiled.directory / f"{export.name}.c").read_text()
    said = {"mean": "-> mean so far ->", "max": "-> maximum so far ->"}[pooling]
    assert said in " ".join(text.replace(" *", "").split())


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trainable", [True, "head"])
def test_a_step_beside_windows(trainable, pooling, tmp_path):
    """What is learnt of has a pool of its own; a step goes on with that of the steps, and a reset begins both anew."""
    if gcc is None:
        pytest.skip("no gcc")
    model, X = fitted(hidden=(5,), pooling=pooling), readings(1, 2).astype(np.float32)
    options = {"trainable": trainable, "window": 4, "carry_state": True}
    export = pylstm.export_c(model, tmp_path / "model.c", **options)
    learner, expected = Learner.of_export(export, model, tmp_path), outputs(model, X)
    for k in range(2):
        for t in range(N_STEPS):
            np.testing.assert_allclose(learner.step(X[k, t]), expected[k, t], rtol=0, atol=2e-6)
            learner.learn(X[1 - k, :4], 0, 0.0)
        learner.call("reset")
    first = learner.learn(X[0, :4], 1, 0.0)
    second = learner.learn(X[0, 4:8], 1, 0.0)
    np.testing.assert_allclose([first, second], -np.log(expected[0, [3, 7], 1]), atol=1e-5)
