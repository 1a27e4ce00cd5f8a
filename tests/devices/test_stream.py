"""`Stream`: the bits of `forward` and `predict`, its state, other weights, what it refuses, no allocation."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from nets import CELLS
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, toy

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMTagger
from pylstm.preprocessing import PerStep

DTYPES = ["float32", "float64"]
OTHERS = ["gru", "rnn", "relu"]


def net(input_size=3, hidden_size=5, seed=0, **options):
    seq = pylstm.Sequence(input_size, hidden_size, random_state=seed, **options)
    for name, values in seq.parameters().items():
        values *= 2
        if name.startswith("bias"):
            values += 0.3
    return seq


def data(seq, batch_size, n_steps, seed=0):
    return np.random.default_rng(seed).standard_normal((batch_size, n_steps, seq.input_size)).astype(seq.dtype)


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def same_state(a, b):
    for mine, its in zip(a, b, strict=True):
        for one, other in zip(mine, its, strict=True):
            same(one, other)


def fitted(cls, **options):
    return cls(**{"hidden_layer_sizes": (7, 4), "max_iter": 2, "random_state": 0, **options}).fit(*toy(cls))


# ---- the same bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 2, 5, 13])
@pytest.mark.parametrize(("input_size", "hidden_size"), [(1, 1), (3, (5,)), (2, (17, 8)), (16, (32, 33, 2)), (40, 70)])
def test_steps_and_blocks_are_forward(input_size, hidden_size, batch_size, dtype):
    seq = net(input_size, hidden_size, dtype=dtype)
    X = data(seq, batch_size, 11)
    Y, state = seq.forward(X)
    stream = seq.stream(batch_size)
    same([stream.step(X[:, t]) for t in range(11)], Y.swapaxes(0, 1))
    same(stream.state, state) if isinstance(hidden_size, int) else None
    stream.reset()
    same(np.concatenate([stream.process(X[:, s]) for s in (slice(0, 1), slice(1, 8), slice(8, 11))], axis=1), Y)
    same_state(stream.state, state)


@pytest.mark.parametrize("which", OTHERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(("input_size", "hidden_size"), [(1, 1), (2, (17, 8)), (16, (32, 33, 2)), (40, 70)])
def test_steps_and_blocks_of_other_cells(input_size, hidden_size, batch_size, dtype, which):
    seq = net(input_size, hidden_size, dtype=dtype, **CELLS[which])
    X = data(seq, batch_size, 11)
    Y, state = seq.forward(X)
    stream = seq.stream(batch_size)
    same([stream.step(X[:, t]) for t in range(11)], Y.swapaxes(0, 1))
    same_state(stream.state, state)
    stream.reset()
    same(np.concatenate([stream.process(X[:, s]) for s in (slice(0, 1), slice(1, 8), slice(8, 11))], axis=1), Y)
    same_state(stream.state, state)
    again = pickle.loads(pickle.dumps(stream))
    assert repr(again) == repr(stream)
    kind = {"gru": "cell='gru')", "rnn": "cell='rnn')", "relu": "cell='rnn', nonlinearity='relu')"}[which]
    assert repr(stream).endswith(kind)
    same(again.process(X), stream.process(X))
    stream.state = state
    rest = stream.process(X)
    same(rest, seq.forward(X, state)[0])


def test_one_sequence_without_the_batch_axis():
    seq = net()
    X = data(seq, 1, 6)
    Y = seq.forward(X)[0]
    stream = seq.stream()
    assert stream.step(X[0, 0]).shape == (5,)
    stream.reset()
    same([stream.step(x) for x in X[0]], Y[0])
    stream.reset()
    same(stream.process(X[0]), Y[0])


@pytest.mark.parametrize("which", CELLS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_estimators(cls, which):
    """Each step's output is what the estimator says of the sequence so far."""
    estimator = fitted(cls, **CELLS[which])
    X, _ = toy(cls)
    predict = estimator.predict_proba if cls in CLASSIFIERS else estimator.predict
    stream = estimator.stream()
    steps = [stream.step(x) for x in X[0]]
    prefixes = [X[0][: t + 1] for t in range(len(X[0]))]
    expected = predict(X[:1])[0] if cls in PER_STEP else predict(prefixes)
    same(np.squeeze(steps), np.squeeze(np.asarray(expected)))


@pytest.mark.parametrize("options", [{}, {"with_mean": False}, {"with_std": False}])
@pytest.mark.parametrize("form", ["ragged", "2-D"])
def test_pipelines(form, options):
    rng = np.random.default_rng(0)
    X = (5 + 3 * rng.standard_normal((40, 6, 1))).astype(np.float32)
    pipeline = make_pipeline(PerStep(StandardScaler(**options)), LSTMTagger((6,), max_iter=2, random_state=0))
    given = list(X) if form == "ragged" else X[:, :, 0]
    pipeline.fit(given, X[:, :, 0].cumsum(axis=1) > 15)
    stream = pylstm.stream(pipeline, batch_size=3)
    np.testing.assert_allclose(stream.process(X[:3]), np.array(pipeline.predict_proba(given[:3])), atol=1e-6)


def test_2d_estimators_read_one_feature():
    X, y = np.random.default_rng(0).standard_normal((40, 6)), np.arange(40.0)
    reg = LSTMRegressor((5,), max_iter=2, random_state=0).fit(X, y)
    assert reg.stream().process(X[:1, :, np.newaxis]).shape == (1, 6, 1)


def test_edits_of_the_net_do_not_reach_the_stream():
    seq = net()
    x = data(seq, 1, 1)[0]
    stream, expected = seq.stream(), seq.stream().step(x)
    seq.parameters()["bias_l0"][...] = 9
    same(stream.step(x), expected)


@pytest.mark.parametrize("name", ["embedding", "weight_out", "bias_out"])
def test_nor_do_those_of_what_c_reads_where_it_lies(name):
    tokens = [0, 1, 2]
    model = LSTMClassifier((5,), embedding_size=3, max_iter=1, random_state=0).fit([tokens, [2, 1]], [0, 1])
    stream, expected = model.stream(), model.stream().process(tokens)
    model._model.parameters()[name][...] = 9
    assert not np.array_equal(model.stream().process(tokens), expected)
    same(stream.process(tokens), expected)


# ---- state


def test_state_is_set_and_copied():
    seq = net(3, (5, 4))
    X = data(seq, 2, 10)
    _, state = seq.forward(X[:, :6])
    stream = seq.stream(2)
    stream.state = state
    kept = stream.state
    rest = stream.process(X[:, 6:])
    same(rest, seq.forward(X[:, 6:], state)[0])
    same(kept[1][0], state[1][0])
    stream.state = None
    same(stream.process(X), seq.forward(X)[0])
    with pytest.raises(ValueError, match="state"):
        stream.state = state[:1]
    same(stream.process(X[:, :1]), seq.forward(X[:, :1], seq.forward(X)[1])[0])


@pytest.mark.parametrize("copied", [lambda s: pickle.loads(pickle.dumps(s)), copy.copy, copy.deepcopy])
def test_copies_go_on_from_the_state(copied):
    pipeline = make_pipeline(PerStep(StandardScaler()), LSTMTagger((6,), max_iter=2, random_state=0))
    stream = pylstm.stream(pipeline.fit(*toy(LSTMTagger)), 2)
    X = np.random.default_rng(0).standard_normal((2, 9, 2)).astype(np.float32)
    stream.process(X)
    other = copied(stream)
    expected = stream.process(X)
    same(other.process(X), expected)
    assert repr(other) == repr(stream)
    assert repr(stream) == "Stream(input_size=2, hidden_size=(6,), output_size=2, batch_size=2, dtype='float32')"


@pytest.mark.parametrize("which", CELLS)
@pytest.mark.parametrize("x", [None, [0.5, -1.0, 2.0]])
def test_reset_to_rest(x, which):
    seq = net(**CELLS[which])
    seq.parameters()["weight_hh_l0"][...] *= 1 if which == "lstm" else 0.25
    stream = seq.stream()
    stream.process(data(seq, 1, 20))
    stream.reset(to="rest", x=x)
    constant = np.zeros(3) if x is None else x
    first = stream.step(constant)
    np.testing.assert_allclose(stream.process(np.tile(constant, (1000, 1)))[-1], first, atol=1e-6)
    assert np.abs(first).max() > 0.01


def test_a_net_without_rest():
    """h = tanh(tanh(-10 h)) goes from side to side."""
    seq = pylstm.Sequence(1, 1, random_state=0)
    seq.parameters()["weight_ih_l0"][...] = 1
    seq.parameters()["weight_hh_l0"][...] = [[0], [0], [-10], [0]]
    seq.parameters()["bias_l0"][...] = [30, -30, 0, 30]
    stream = seq.stream()
    stream.step([1.0])
    before = stream.state
    with pytest.raises(ValueError, match="does not come to rest within 102400 steps"):
        stream.reset(to="rest", x=[0.1])
    same(stream.state, before)
    growing = pylstm.Sequence(1, 1, random_state=0, cell="rnn", nonlinearity="relu")
    for values in growing.parameters().values():
        values[...] = 2
    with pytest.raises(ValueError, match="does not come to rest within 102400 steps"):
        growing.stream().reset(to="rest")
    with pytest.raises(ValueError, match="to must be 'zero' or 'rest', got 'half'"):
        stream.reset(to="half")
    with pytest.raises(ValueError, match="x goes with to='rest' only"):
        stream.reset(x=[0.0])


# ---- other weights


def test_set_model_between_two_steps():
    one, two = net(seed=1), net(seed=2)
    X = data(one, 1, 8)
    _, state = one.forward(X[:, :4])
    stream = one.stream()
    stream.process(X[:, :4])
    stream.set_model(two)
    same(stream.process(X[:, 4:]), two.forward(X[:, 4:], state)[0])


def test_set_model_of_estimators_and_pipelines():
    X, y = toy(LSTMTagger)
    one = LSTMTagger((6,), max_iter=2, random_state=0).fit(X, y)
    two = make_pipeline(PerStep(StandardScaler()), LSTMTagger((6,), max_iter=2, random_state=1)).fit(X, y)
    stream, x = one.stream(), X[0].astype(np.float32)
    stream.set_model(two)
    same(stream.process(x), pylstm.stream(two).process(x))
    stream.reset()
    stream.set_model(one)
    same(stream.process(x), one.predict_proba(X[:1])[0])


def test_set_model_refuses_other_sizes():
    seq = net()
    stream, x = seq.stream(), np.ones((1, 4, 3), np.float32)
    for other in (net(3, 6), net(2, 5), net(3, (5, 5)), net(dtype="float64"), fitted(LSTMTagger)):
        with pytest.raises(ValueError, match=r"model must have the sizes of this stream's.* got"):
            stream.set_model(other)
    same(stream.process(x), seq.forward(x)[0])


def test_set_model_of_other_cells():
    for which in OTHERS:
        one, two = (net(seed=seed, **CELLS[which]) for seed in (1, 2))
        X = data(one, 1, 8)
        stream = one.stream()
        stream.process(X[:, :4])
        for another in set(CELLS) - {which}:
            with pytest.raises(ValueError, match=r"the sizes of this stream.s, ModelSpec.*, got ModelSpec"):
                stream.set_model(net(**CELLS[another]))
        stream.set_model(two)
        same(stream.process(X[:, 4:]), two.forward(X[:, 4:], one.forward(X[:, :4])[1])[0])


# ---- what can't be streamed


def test_refused_models():
    with pytest.raises(ValueError, match="must not be bidirectional to be streamed: its reverse direction starts at"):
        net(bidirectional=True).stream()
    with pytest.raises(ValueError, match="must not be bidirectional"):
        fitted(LSTMTagger, bidirectional=True).stream()
    with pytest.raises(NotFittedError):
        LSTMClassifier().stream()
    with pytest.raises(NotFittedError):
        pylstm.stream(make_pipeline(PerStep(StandardScaler()), LSTMClassifier()))
    with pytest.raises(ValueError, match="LSTMForecaster, which keeps its state itself: use update and predict"):
        pylstm.stream(LSTMForecaster(max_iter=1, cv=None).fit(np.arange(40.0)))
    with pytest.raises(TypeError, match=r"Pipeline of PerStep\(StandardScaler\(\)\)"):
        pylstm.stream(make_pipeline(PerStep(MinMaxScaler()), LSTMTagger((3,), max_iter=1)).fit(*toy(LSTMTagger)))
    for batch_size, error in ((0, ValueError), (2.5, TypeError), ("1", TypeError)):
        with pytest.raises(error, match="batch_size must be an integer"):
            net().stream(batch_size)


# ---- what comes in and goes out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "given",
    [lambda x: x.tolist(), lambda x: x.astype("float64"), lambda x: x.astype(">f4"), np.asfortranarray,
     lambda x: np.repeat(x, 2, axis=-1)[..., ::2], lambda x: x[..., ::-1].copy()[..., ::-1]],
    ids=["list", "float64", "byte-swapped", "Fortran", "strided", "backwards"],
)  # fmt: skip
def test_forms_of_input(given, dtype):
    seq = net(dtype=dtype)
    X = data(seq, 2, 4).astype(np.float32).astype(dtype)
    same(seq.stream(2).process(given(X)), seq.forward(X)[0])
    same(seq.stream(2).step(given(X[:, 0])), seq.forward(X[:, :1])[0][:, 0])


def test_read_only_and_unaligned():
    seq = net()
    X = data(seq, 1, 4)
    X.flags.writeable = False
    expected = seq.forward(X)[0]
    same(seq.stream().process(X), expected)
    unaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(X.shape)
    same(seq.stream().process(unaligned), expected)
    out = np.zeros(expected.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(expected.shape)
    with pytest.raises(ValueError, match="out must be a writable, C-contiguous, aligned array of float32"):
        seq.stream().process(X, out)


def test_out():
    seq = net()
    X = data(seq, 2, 4)
    Y = seq.forward(X)[0]
    stream, out = seq.stream(2), np.zeros((2, 4, 5), np.float32)
    assert stream.process(X, out) is out
    same(out, Y)
    stream.reset()
    step = np.zeros((2, 5), np.float32)
    assert stream.step(X[:, 0].copy(), out=step) is step
    same(step, Y[:, 0])


@pytest.mark.parametrize(
    ("x", "out", "message"),
    [
        (np.zeros((1, 2)), None, r"x must have shape \(1, 3\) or \(3,\), got \(1, 2\)"),
        (np.zeros((2, 3)), None, r"x must have shape \(1, 3\) or \(3,\), got \(2, 3\)"),
        (np.zeros(4), None, r"x must have shape .*, got \(4,\)"),
        (np.zeros((1, 1, 3)), None, r"x must have shape .*, got \(1, 1, 3\)"),
        (np.float32(1), None, r"x must have shape .*, got \(\)"),
        (np.zeros(3), np.zeros((1, 5), "f"), r"out must have shape .*, got \(1, 5\)"),
        (np.zeros(3), np.zeros(4, "f"), r"out must have shape \(1, 5\) or \(5,\), got \(4,\)"),
        (np.zeros(3), np.zeros(5), "out must be a writable, C-contiguous, aligned array of float32"),
        (np.zeros(3), np.zeros(10, "f")[::2], "out must be a writable"),
        (np.zeros(3), [0.0] * 5, "out must be a writable"),
        (np.zeros(3), np.broadcast_to(np.float32(0), 5), "out must be a writable"),
    ],
    ids=str,
)
def test_bad_steps(x, out, message):
    seq = net()
    stream = seq.stream()
    with pytest.raises(ValueError, match=message):
        stream.step(x, out)
    X = data(seq, 1, 3)
    same(stream.process(X), seq.forward(X)[0])


@pytest.mark.parametrize(
    ("block", "out", "message"),
    [
        (np.zeros((2, 4, 3)), None, r"block must have shape \(1, n_steps, 3\) or \(n_steps, 3\), got \(2, 4, 3\)"),
        (np.zeros((1, 0, 3), "f"), None, r"block must have at least one step, got shape \(1, 0, 3\)"),
        (np.zeros(3), None, r"block must have shape .*, got \(3,\)"),
        (np.zeros((4, 3)), np.zeros((3, 5), "f"), r"out must have shape .*, got \(3, 5\)"),
        (np.zeros((4, 3)), np.zeros((5, 4), "f"), r"out must have shape .*, got \(5, 4\)"),
    ],
    ids=str,
)
def test_bad_blocks(block, out, message):
    with pytest.raises(ValueError, match=message):
        net().stream().process(block, out)


def test_text_is_refused():
    with pytest.raises(TypeError, match="x must hold real numbers"):
        net().stream().step(["a", "b", "c"])


def test_out_must_not_overlap():
    stream = net(5, 5).stream()
    memory = np.zeros(12, np.float32)
    for start in (0, 1, 4):
        with pytest.raises(ValueError, match="out must not overlap x"):
            stream.step(memory[:5], memory[start : start + 5])
    stream.step(memory[:5], memory[5:10])


# ---- threads, memory


def test_streams_on_threads_of_their_own():
    seq = net(8, 64)
    X = data(seq, 1, 3000)
    expected = seq.forward(X)[0]

    def run(block):
        stream = seq.stream()
        return np.concatenate([stream.process(X[:, s : s + block]) for s in range(0, 3000, block)], axis=1)

    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(run, [1, 7, 100, 3000] * 2):
            same(result, expected)


@pytest.mark.parametrize("n_steps", [1, 64])
def test_nothing_is_allocated_with_out(n_steps):
    seq = net(16, 32)
    stream, X = seq.stream(), data(seq, 1, n_steps)
    out = np.zeros((1, n_steps, 32), np.float32)
    stream.process(X, out)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        stream.process(X, out)
    assert sys.getallocatedblocks() - before < 20  # the loop's own
