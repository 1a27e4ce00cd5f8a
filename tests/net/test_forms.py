"""Arrays of any dtype, strides, alignment and class: the same as what they hold in plain memory; hypothesis chooses."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import make, random_like
from reference import run
from toys import ESTIMATORS, outputs, targets

DTYPES = ["float32", "float64", "float16", ">f4", ">f8", "longdouble", "int8", ">i4", "uint64", "bool", "object"]


class Subclass(np.ndarray):
    """An array that indexes, adds and compares as it likes."""

    def __getitem__(self, key):
        raise AssertionError("an array's own bytes are what counts")


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)
    there = memory[1:].view(array.dtype).reshape(array.shape)
    there[...] = array
    return there


def every_other(array):
    memory = np.full((*array.shape[:-1], 2 * array.shape[-1]), 77).astype(array.dtype)
    memory[..., ::2] = array
    return memory[..., ::2]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "plain": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "negative strides": lambda array: array[..., ::-1, ::-1].copy()[..., ::-1, ::-1],
    "every other": every_other,
    "read-only": read_only,
    "subclass": lambda array: array.view(Subclass),
    "masked, nothing behind the mask": np.ma.array,
}
UNALIGNED = {**LAYOUTS, "unaligned": unaligned}  # no objects lie so
layouts = st.sampled_from(list(UNALIGNED))


def as_given(array, dtype, layout):
    """Return numbers as an array of this dtype and layout."""
    array = array.astype(dtype)
    return array if dtype == "object" and layout == "unaligned" else UNALIGNED[layout](array)


@settings(max_examples=150)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    forms=st.lists(st.tuples(st.sampled_from(DTYPES), layouts), min_size=6, max_size=6),
    net=st.tuples(st.integers(1, 5), st.integers(1, 18), st.booleans(), st.sampled_from(["float32", "float64"])),
    cell=st.sampled_from(["lstm", "gru", "rnn"]),
    zero_strides=st.booleans(),
)
def test_sequence(lengths, forms, net, cell, zero_strides):
    input_size, hidden_size, bidirectional, dtype = net
    seq, X, state, rng = make(input_size, hidden_size, lengths, bidirectional=bidirectional, dtype=dtype, cell=cell)
    rows = [np.rint(3 * x) for x in X]  # what is a number in each of the dtypes
    if zero_strides:
        rows = [np.broadcast_to(x[:1], x.shape) for x in rows]
    rows = [np.abs(x) if forms[k][0] in ("uint64", "bool") else x for k, x in enumerate(rows)]
    rows = [x != 0 if forms[k][0] == "bool" else x for k, x in enumerate(rows)]
    plain = [np.ascontiguousarray(x, dtype) for x in rows]
    X = [as_given(x, *form) if not zero_strides else x for x, form in zip(rows, forms, strict=False)]
    state = [tuple(as_given(values, dtype, forms[5][1]) for values in layer) for layer in state]

    expected, _ = run(
        seq.parameters(), 1, bidirectional, plain, [tuple(map(np.asarray, layer)) for layer in state], cell
    )
    Y, _ = seq.forward(X, state, training=True)
    for y, plain_y, y_expected in zip(Y, seq.forward(plain, state)[0], expected, strict=True):
        np.testing.assert_array_equal(y, plain_y)
        np.testing.assert_allclose(y, y_expected, atol=5e-6 if dtype == "float32" else 1e-12, rtol=0)
    for traced, y in zip(seq.trace(X, state).output, Y, strict=True):
        np.testing.assert_array_equal(traced, y)
    dY = random_like(Y, rng)
    gradients = seq.backward([as_given(dy, dtype, form[1]) for dy, form in zip(dY, forms, strict=False)])
    seq.forward(plain, state, training=True)
    expected = seq.backward(dY)
    for name, values in expected.parameters.items():
        np.testing.assert_array_equal(gradients.parameters[name], values)
    for got, values in zip(gradients.input, expected.input, strict=True):
        np.testing.assert_array_equal(got, values)


@settings(max_examples=40)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 6)), dtype=st.sampled_from(DTYPES), layout=layouts)
def test_dense_and_streamed(shape, dtype, layout):
    seq, X, _, rng = make(3, 5, [shape[1]] * shape[0], bidirectional=False, dtype="float32")
    X = rng.integers(0, 2, X.shape)
    expected = seq.forward(X.astype(np.float32))[0]
    given = as_given(X, dtype, layout)
    np.testing.assert_array_equal(seq.forward(given)[0], expected)
    np.testing.assert_array_equal(seq.stream(len(X)).process(given), expected)


FITTED = {}


def fitted(cls):
    """Return an estimator, and fit it once."""
    if cls not in FITTED:
        X = list(np.random.default_rng(0).normal(size=(20, 4, 3)))
        FITTED[cls] = cls((4,), max_iter=1, random_state=0).fit(X, targets(cls, X))
    return FITTED[cls]


@settings(max_examples=60)
@given(
    cls=st.sampled_from(ESTIMATORS),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    forms=st.lists(st.tuples(st.sampled_from(DTYPES), layouts), min_size=5, max_size=5),
)
def test_estimators(cls, lengths, forms):
    rng = np.random.default_rng(1)
    X = [rng.integers(0, 2, (length, 3)) for length in lengths]
    given = [as_given(x, *form) for x, form in zip(X, forms, strict=False)]
    np.testing.assert_array_equal(outputs(fitted(cls), given), outputs(fitted(cls), [x.astype(float) for x in X]))
