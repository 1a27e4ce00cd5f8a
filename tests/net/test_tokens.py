"""Nets of tokens: the bits of arrays of zeros and ones, or of an embedding's rows, in every form and on every way."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from digits import assert_same_bits
from nets import CELLS, of_sequences, random_state

import pylstm
from pylstm._net import core

# n_tokens, hidden_size, lengths: ones, primes, one past a tile, dense and ragged.
SHAPES = [
    (1, 1, [1]),
    (3, 5, [4, 4, 4]),
    (2, 7, [5, 1, 3, 5, 2]),
    (7, (5, 3), [3, 6, 1]),
    (13, 17, [11, 1, 7, 2]),
    (65, 33, [2] * 33),
    (257, (16, 37), [29, 7, 13, 1, 23]),
]
EMBEDDINGS = ["one-hot", 1, 7, 17]


def make(n_tokens, hidden_size, lengths, embedding_size="one-hot", *, seed=0, **options):
    """Return a net of tokens with random weights, biases too, tokens, and a state."""
    rng = np.random.default_rng(seed)
    options = CELLS[options.pop("cell", "lstm")] | options
    seq = pylstm.Sequence(n_tokens, hidden_size, embedding_size=embedding_size, random_state=seed, **options)
    for values in seq.parameters().values():
        if values.ndim == 1:
            values[...] = rng.normal(size=values.shape)
    X = [rng.integers(0, n_tokens, length).astype(np.uint16) for length in lengths]
    X[0][0], X[-1][-1] = n_tokens - 1, 0
    return seq, np.stack(X) if len(set(lengths)) == 1 else X, random_state(seq, len(lengths), rng)


def of_values(seq):
    """Return the net of values that a net of tokens stands for, and the row of each token."""
    parameters = seq.parameters()
    table = parameters.pop("embedding") if "embedding" in parameters else np.eye(seq.input_size, dtype=seq.dtype)
    options = {"bidirectional": seq.bidirectional, "dropout": seq.dropout, "dtype": seq.dtype, "random_state": 0}
    other = pylstm.Sequence(table.shape[1], seq.hidden_size, cell=seq.cell, nonlinearity=seq.nonlinearity, **options)
    for name, values in other.parameters().items():
        values[...] = parameters[name]
    return other, table


def rows_of(table, X):
    return table[X] if isinstance(X, np.ndarray) else [table[x] for x in X]


def assert_same(got, expected):
    """The same arrays, or lists of them, to the bit."""
    if isinstance(expected, np.ndarray):
        assert_same_bits(got, expected)
        return
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert_same(one, other)


# ---- the bits of values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_as_values(cell, shape, embedding_size, bidirectional, dtype):
    """Forward, in training, and traced."""
    seq, X, state = make(*shape, embedding_size, cell=cell, bidirectional=bidirectional, dtype=dtype)
    other, table = of_values(seq)
    values = rows_of(table, X)
    expected, final = other.forward(values, state)
    for _ in range(3):  # of which the last has packed weights
        Y, got = seq.forward(X, state)
        assert_same(Y, expected)
        assert_same(got, final)
    assert_same(seq.forward(X, state, training=True), other.forward(values, state, training=True))
    traced, of_other = seq.trace(X, state), other.trace(values, state)
    assert list(traced) == list(of_other)
    for name in of_other:
        assert_same(traced[name], of_other[name])


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_alone_in_a_batch_and_streamed(cell, embedding_size):
    seq, X, state = make(31, (19, 6), [29, 7, 13, 1, 23], embedding_size, cell=cell)
    Y, final = seq.forward(X, state)
    for b, x in enumerate(X):
        alone, end = seq.forward(x, of_sequences(state, [b]))
        assert alone.shape == (1, *Y[b].shape)
        assert_same(alone[0], Y[b])
        assert_same(end, of_sequences(final, [b]))
        assert_same(seq.forward([x], of_sequences(state, [b]))[0], [Y[b]])
        stream = seq.stream()
        stream.state = of_sequences(state, [b])
        assert_same([stream.step(token) for token in x], list(Y[b]))
        assert_same(stream.state, end)
        stream.state = of_sequences(state, [b])
        for start, stop in ((0, 1), (1, 4), (4, 29)):
            if start < len(x):
                assert_same(stream.process(x[start:stop]), Y[b][start:stop])
    dense = np.stack([x[:7] for x in X if len(x) >= 7])
    whole, _ = seq.forward(dense)
    stream = seq.stream(len(dense))
    assert_same(np.stack([stream.step(x) for x in dense.T], axis=1), whole)
    stream.reset()
    assert_same(stream.process(dense), whole)


def test_dropout_is_that_of_values():
    seq, X, _ = make(9, (8, 5), [6, 3, 9], dropout=0.4)
    other, table = of_values(seq)
    seeded = [
        pylstm.Sequence(9, (8, 5), dropout=0.4, random_state=1, embedding_size=size) for size in ("one-hot", None)
    ]
    for net in seeded:
        for name, values in net.parameters().items():
            values[...] = seq.parameters()[name]
    assert_same(seeded[0].forward(X, training=True)[0], seeded[1].forward(rows_of(table, X), training=True)[0])
    assert not np.array_equal(seeded[0].forward(X, training=True)[0][0], other.forward(rows_of(table, X))[0][0])


def test_held_gates_are_those_of_values():
    seq, X, state = make(9, 5, [6, 3, 9], 4)
    other, table = of_values(seq)
    hold = {"f": 0.5}
    assert_same(seq.forward(X, state, hold=hold), other.forward(rows_of(table, X), state, hold=hold))


@pytest.mark.parametrize("n_threads", [2, 5])
@pytest.mark.parametrize("embedding_size", ["one-hot", 48])
def test_threads_do_not_matter(n_threads, embedding_size):
    lengths = [int(length) for length in np.random.default_rng(0).integers(1, 60, 41)]
    one, X, state = make(300, (48, 30), lengths, embedding_size, bidirectional=True)
    many, _, _ = make(300, (48, 30), lengths, embedding_size, bidirectional=True, n_threads=n_threads)
    assert_same(many.forward(X, state), one.forward(X, state))
    assert_same(many.forward(X, state, training=True), one.forward(X, state))


ISA_CODE = """
import sys, numpy as np, pylstm
sys.path[:0] = sys.argv[1:]
from test_tokens import make, of_values, rows_of, assert_same
for cell in ("lstm", "gru", "rnn"):
    for embedding_size in ("one-hot", 1, 17):
        for shape in ((13, 17, [11, 1, 7, 2]), (65, (33, 16), [3] * 19)):
            seq, X, state = make(*shape, embedding_size, cell=cell, bidirectional=True)
            other, table = of_values(seq)
            assert_same(seq.forward(X, state), other.forward(rows_of(table, X), state))
            assert_same(seq.forward(X, state, training=True), seq.forward(X, state))
            if embedding_size == "one-hot":
                dY = seq.forward(X)[0]
                got, expected = seq.backward(dY), None
                other.forward(rows_of(table, X), state, training=True)
                expected = other.backward(dY)
                for name, values in expected.parameters.items():
                    np.testing.assert_allclose(got.parameters[name], values, rtol=2e-3, atol=2e-3)
print("done")
"""


@pytest.mark.long
@pytest.mark.parametrize("isa", core.isas)
def test_on_every_instruction_set(isa):
    here = os.path.dirname(__file__)
    command = [sys.executable, "-P", "-c", ISA_CODE, here, os.path.dirname(here)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYLSTM_ISA": isa})
    assert done.stdout.strip() == "done", done.stderr


# ---- forms


@pytest.mark.parametrize("embedding_size", ["one-hot", 4])
@pytest.mark.parametrize(
    "form",
    [
        *(lambda x, dtype=dtype: x.astype(dtype) for dtype in ["u1", "u2", "u4", "u8", ">u2"]),
        *(lambda x, dtype=dtype: x.astype(dtype) for dtype in ["i1", "i2", "i4", "i8", ">i4"]),
        lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
        lambda x: np.asfortranarray(x),
        *(
            lambda x, dtype=dtype: np.frombuffer(b"\0" + x.astype(dtype).tobytes(), dtype, offset=1).reshape(x.shape)
            for dtype in ("u2", "u4")
        ),
        lambda x: x.astype(object),
        lambda x: x.tolist(),
        lambda x: np.ma.array(x),
    ],
)  # fmt: skip
def test_forms(form, embedding_size):
    """Types, byte orders, memory that is not contiguous, not aligned, read-only; lists."""
    seq, X, _ = make(100, 5, [6, 3, 9], embedding_size)
    dense = np.stack([x[:3] for x in X])
    of_dense, of_list = seq.forward(dense)[0], seq.forward(X)[0]
    for x in (dense, *X):
        x.setflags(write=False)
    assert_same(seq.forward(form(dense))[0], of_dense)
    assert_same(seq.forward(form(X[0]))[0], of_list[0][np.newaxis])
    assert_same(seq.forward([form(x) for x in X])[0], of_list)
    assert_same(seq.forward(tuple(form(x) for x in X))[0], of_list)
    assert_same(seq.stream().process(form(X[2])), of_list[2])


def test_other_forms():
    seq, X, _ = make(100, 5, [6, 3, 9], 4)
    expected = seq.forward(X)[0]
    objects = np.fromiter(X, object, len(X))
    got = seq.forward(objects)[0]
    assert got.dtype == object
    assert_same(list(got), expected)
    assert_same(list(seq.forward(pd.Series(X))[0]), expected)
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 0]})
    assert_same(seq.forward(frame)[0], seq.forward(frame.to_numpy())[0])
    assert_same(seq.forward(pd.Series([1, 2, 3]))[0], seq.forward([1, 2, 3])[0])
    assert_same(seq.forward([[1, 2], [3, 4]])[0], list(seq.forward(np.array([[1, 2], [3, 4]]))[0]))
    assert isinstance(seq.forward([[1, 2], [3, 4]])[0], list)


@pytest.mark.parametrize("n_tokens", [255, 256, 257, 65535, 65536, 65537])
def test_smallest_types_hold_all_tokens(n_tokens):
    seq = pylstm.Sequence(n_tokens, 2, embedding_size=1, random_state=0)
    X = [np.array([n_tokens - 1, 0]), np.array([n_tokens // 2])]
    other, table = of_values(seq)
    assert_same(seq.forward(X)[0], other.forward([table[x] for x in X])[0])
    with pytest.raises(
        ValueError, match=rf"X\[0\] must hold tokens from 0 to {n_tokens - 1}, got {n_tokens} at step 1"
    ):
        seq.forward([[0, n_tokens], [1]])


# ---- errors


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[1, 2], [3, 9, 1]], ValueError, r"X\[1\] must hold tokens from 0 to 6, got 9 at step 1"),
        ([[1, 2], [3, -1]], ValueError, r"X\[1\] must hold tokens from 0 to 6, got -1 at step 1"),
        (np.array([[1, 2], [3, 7]]), ValueError, "X must hold tokens from 0 to 6, got 7 at sequence 1, step 1"),
        (np.array([1, 2, 7]), ValueError, "X must hold tokens from 0 to 6, got 7 at step 2"),
        (np.array([[2**64 - 1]], np.uint64), ValueError, "got 18446744073709551615 at sequence 0, step 0"),
        ([[1, 2**70]], TypeError, r"X\[0\] must hold tokens"),
        (np.ones((2, 3)), TypeError, "X must hold tokens, integers from 0 to 6, got 'ndarray' of float64"),
        (np.ones((2, 3), bool), TypeError, "X must hold tokens, .* of bool"),
        ([[1.0, 2], [3]], TypeError, r"X\[0\] must hold tokens, .* of float64"),
        ("abc", TypeError, "X must be an array or a list, got 'str'"),
        (b"abc", TypeError, "X must be an array or a list, got 'bytes'"),
        (["ab", "c"], TypeError, r"X must hold tokens, .* text goes through pylstm.preprocessing.TokenEncoder first"),
        ([["a", "b"], ["c"]], TypeError, r"X\[0\] must hold tokens, .*TokenEncoder first"),
        (None, TypeError, "X must be an array or a list, got None"),
        ([None], TypeError, "X must hold tokens"),
        ([[None, 1]], TypeError, r"X\[0\] must hold tokens"),
        (3, TypeError, "X must be an array or a list"),
        (np.uint8(3), ValueError, r"X must have shape \(n_sequences, n_steps\)"),
        (np.ones((2, 3, 1), int), ValueError, r"X must have shape \(n_sequences, n_steps\) or \(n_steps,\), .* 3-D"),
        ([np.ones((2, 1), int)], ValueError, r"X\[0\] must be 1-D, one token per step, got 2-D \(2, 1\)"),
        ([[[1, 2], [3]], [[1]]], ValueError, r"X\[0\] must be an array of tokens"),
        ([[1, 2], 3], ValueError, r"X\[1\] must be 1-D"),
        ([3, [1, 2]], ValueError, "X must be an array of tokens"),
        ([], ValueError, "X must hold at least one sequence, got none"),
        ([[1], []], ValueError, r"X\[1\] must have at least one step, got none"),
        (np.empty((0, 3), int), ValueError, "X must have at least one sequence, and each one step"),
        (np.empty((3, 0), int), ValueError, "X must have at least one sequence, and each one step"),
        (np.empty(0, int), ValueError, "X must have at least one sequence, and each one step"),
        (np.ma.array([1, 2], mask=[0, 1]), ValueError, "X must have no masked values"),
        ([[1], np.ma.array([1, 2], mask=[0, 1])], ValueError, r"X\[1\] must have no masked values"),
    ],
)
@pytest.mark.parametrize("embedding_size", ["one-hot", 3])
def test_errors_leave_the_object_as_it_was(embedding_size, X, error, message):
    seq, good, _ = make(7, 4, [3, 5], embedding_size)
    Y, _ = seq.forward(good, training=True)
    before = {name: values.copy() for name, values in seq.parameters().items()}
    for call in (seq.forward, seq.trace, lambda X: seq.forward(X, training=True)):
        with pytest.raises(error, match=message):
            call(X)
    for name, values in seq.parameters().items():
        assert_same(values, before[name])
    assert_same(seq.forward(good)[0], Y)
    assert seq.backward(Y).input is None  # of the training forward before


@pytest.mark.parametrize("embedding_size", ["one-hot", 3])
def test_forms_of_one_token(embedding_size):
    seq, _, _ = make(7, 4, [3], embedding_size)
    expected = seq.forward([[6, 0]])[0][0]
    for form in (int, np.int8, np.uint64, np.array):
        stream, out = seq.stream(), np.empty(4, np.float32)
        assert_same(stream.step(form(6)), expected[0])
        assert stream.step(form(0), out) is out
        assert_same(out, expected[1])
    stream = seq.stream()  # with the axis of the batch
    assert_same(stream.step([6]), expected[:1])
    assert_same(stream.step(np.array([0], np.uint32)), expected[1:])


def test_errors_of_a_stream():
    seq, _, _ = make(7, 4, [3], 3)
    one, two = seq.stream(), seq.stream(2)
    one.step(1)
    state = one.state
    for call, error, message in [
        (lambda: one.step(7), ValueError, "x must hold tokens from 0 to 6, got 7"),
        (lambda: one.step(-1), ValueError, "got -1"),
        (lambda: one.step(np.int64(7)), ValueError, "got 7"),
        (lambda: one.step(1.0), TypeError, "x must hold tokens, integers"),
        (lambda: one.step(True), TypeError, "x must hold tokens, integers"),
        (lambda: one.step(np.True_), TypeError, "x must hold tokens, integers"),
        (lambda: one.step(2**70), TypeError, "x must hold tokens, integers"),
        (lambda: two.step(np.int64(1)), ValueError, r"x must have shape \(2,\), got \(\)"),
        (lambda: one.step([1, 2]), ValueError, r"x must have shape \(1,\), or be one token, got \(2,\)"),
        (lambda: one.step("a"), TypeError, "TokenEncoder"),
        (lambda: one.process([1, 7]), ValueError, "block must hold tokens from 0 to 6, got 7 at step 1"),
        (lambda: one.process([]), ValueError, "block"),
        (lambda: one.process(1), ValueError, r"block must have shape \(1, n_steps\) or \(n_steps,\), got \(\)"),
        (lambda: two.step(1), ValueError, r"x must have shape \(2,\), got \(\)"),
        (lambda: two.step([1, 7]), ValueError, "got 7 at sequence 1"),
        (lambda: two.process([[1, 2], [3, 7]]), ValueError, "got 7 at sequence 1, step 1"),
        (lambda: two.process([1, 2]), ValueError, r"block must have shape \(2, n_steps\), got \(2,\)"),
        (lambda: one.reset("rest"), ValueError, "to='rest' is for inputs that stay the same, not for tokens"),
    ]:
        with pytest.raises(error, match=message):
            call()
    assert_same(one.state, state)
    out = np.empty(4, np.float32)
    assert one.step(2, out=out) is out
    assert two.process(np.array([[1, 2], [3, 4]], np.uint8)).shape == (2, 2, 4)
    assert (one.input_size, one.input_dtype) == (7, np.uint32)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"embedding_size": 0}, ValueError, "embedding_size must be an integer >= 1"),
        ({"embedding_size": 2.5}, TypeError, "embedding_size must be an integer >= 1"),
        ({"embedding_size": True}, TypeError, "embedding_size"),
        ({"embedding_size": "onehot"}, ValueError, "embedding_size must be an integer >= 1, 'one-hot' or None"),
        ({"freeze_embedding": True}, ValueError, "freeze_embedding=True needs an embedding_size, got None"),
        (
            {"freeze_embedding": True, "embedding_size": "one-hot"},
            ValueError,
            "freeze_embedding=True needs an embedding",
        ),
        ({"freeze_embedding": 1, "embedding_size": 3}, TypeError, "freeze_embedding must be True or False"),
    ],
)
def test_arguments(options, error, message):
    with pytest.raises(error, match=message):
        pylstm.Sequence(7, 4, **options)


# ---- objects


@pytest.mark.parametrize("options", [{}, {"freeze_embedding": True}])
@pytest.mark.parametrize("embedding_size", ["one-hot", 3])
def test_kept_and_shown(embedding_size, options):
    if embedding_size == "one-hot" and options:
        pytest.skip("there is no embedding to freeze")
    seq, X, state = make(7, (4, 3), [3, 5], embedding_size, **options)
    names = list(seq.parameters())
    assert names[0] == ("weight_ih_l0" if embedding_size == "one-hot" else "embedding")
    assert seq.input_size == 7
    for twin in (pickle.loads(pickle.dumps(seq)), copy.copy(seq), copy.deepcopy(seq)):
        assert twin.spec == seq.spec
        assert repr(twin) == repr(seq)
        assert_same(twin.forward(X, state), seq.forward(X, state))
    rebuilt = eval(repr(seq), {"Sequence": pylstm.Sequence})
    assert rebuilt.spec == seq.spec
    stream = seq.stream()
    stream.process(X[0])
    twin = pickle.loads(pickle.dumps(stream))
    assert_same(twin.step(2), stream.step(2))
    assert repr(twin) == repr(stream)


def test_vectors_from_elsewhere():
    """Written into the table, the next forward reads them."""
    seq, X, _ = make(7, 4, [3, 5], 3)
    seq.forward(X), seq.forward(X)  # so that weights are packed
    vectors = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    seq.parameters()["embedding"][...] = vectors
    other, table = of_values(seq)
    assert_same(table, vectors)
    assert_same(seq.forward(X)[0], other.forward([vectors[x] for x in X])[0])


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState])
def test_a_table_drawn_in_pieces_is_that_drawn_at_once(kind):
    net = pylstm.Sequence(7001, 3, embedding_size=101, random_state=kind(0))
    bound = 101**-0.5
    expected = kind(0).uniform(-bound, bound, (7001, 101)).astype(np.float32)
    assert_same_bits(net.parameters()["embedding"], expected)
