"""Values of the forward pass: against the NumPy reference, ragged against alone, forms of input."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import CELLS, SHAPE_IDS, SHAPES, make, n_layers, of_sequences, random_state
from reference import run

import pylstm

# Rounding of the float32 sums; float64's reference differs in the order of its sums alone.
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
@pytest.mark.parametrize("cell", CELLS)
def test_against_the_reference(cell, shape, bidirectional, dtype):
    seq, X, state, _ = make(*shape, bidirectional=bidirectional, dtype=dtype, cell=cell)
    Y, final = seq.forward(X, state)
    expected, expected_final = run(seq.parameters(), n_layers(seq), bidirectional, X, state, cell)
    for y, y_expected in zip(Y, expected, strict=True):
        assert y.dtype == dtype
        bound = TOLERANCE[dtype] * max(1, np.abs(y_expected).max())  # relu has no bound
        np.testing.assert_allclose(y, y_expected, atol=bound, rtol=0)
    for layer, layer_expected in zip(final, expected_final, strict=True):
        for values, values_expected in zip(layer, layer_expected, strict=True):
            bound = 4 * TOLERANCE[dtype] * max(1, np.abs(values_expected).max())
            np.testing.assert_allclose(values, values_expected, atol=bound, rtol=0)


@settings(deadline=None, max_examples=60)
@given(
    input_size=st.integers(1, 9),
    hidden_size=st.lists(st.integers(1, 19), min_size=1, max_size=3).map(tuple),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=9),
    bidirectional=st.booleans(),
    training=st.booleans(),
    cell=st.sampled_from(["lstm", "gru", "rnn"]),
    seed=st.integers(0, 1000),
)
def test_against_the_reference_over_random_shapes(
    input_size, hidden_size, lengths, bidirectional, training, cell, seed
):
    seq, X, state, _ = make(
        input_size, hidden_size, lengths, bidirectional=bidirectional, dtype="float64", seed=seed, cell=cell
    )
    Y, final = seq.forward(X, state, training=training)
    expected, expected_final = run(seq.parameters(), len(hidden_size), bidirectional, X, state, cell)
    for y, y_expected in zip(Y, expected, strict=True):
        np.testing.assert_allclose(y, y_expected, atol=1e-13, rtol=0)
    for layer, layer_expected in zip(final, expected_final, strict=True):
        np.testing.assert_allclose(layer, layer_expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_ragged_batch_gives_what_each_sequence_gives_alone(cell, bidirectional, dtype, bound):
    seq, X, state, _ = make(6, (23, 9), [9, 1, 30, 4, 30, 17], bidirectional=bidirectional, dtype=dtype, cell=cell)
    Y, final = seq.forward(X, state)
    for b, x in enumerate(X):
        alone, alone_final = seq.forward([x], of_sequences(state, [b]))
        np.testing.assert_allclose(Y[b], alone[0], atol=bound, rtol=0)
        for layer, layer_alone in zip(of_sequences(final, [b]), alone_final, strict=True):
            np.testing.assert_allclose(layer, layer_alone, atol=4 * bound, rtol=0)


def test_a_list_of_equal_lengths_gives_the_bits_of_the_dense_array():
    seq, X, _, _ = make(4, 6, [5, 5, 5], bidirectional=True, dtype="float32")
    dense, _ = seq.forward(X)
    assert isinstance(dense, np.ndarray)
    assert dense.shape == (3, 5, 12)
    ragged, _ = seq.forward(list(X))
    assert isinstance(ragged, list)
    np.testing.assert_array_equal(np.stack(ragged), dense)


def test_training_forward_without_dropout_gives_the_bits_of_inference():
    seq, X, state, _ = make(4, (6, 3), [5, 2, 7], bidirectional=True, dtype="float32")
    for y, y_training in zip(seq.forward(X, state)[0], seq.forward(X, state, training=True)[0], strict=True):
        np.testing.assert_array_equal(y, y_training)


def test_state_carries_a_sequence_on():
    seq, X, state, _ = make(3, (5, 4), [11, 11], bidirectional=False, dtype="float64")
    whole, final = seq.forward(X, state)
    first, between = seq.forward(X[:, :4], state)
    second, final_parts = seq.forward(X[:, 4:], between)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-14, rtol=0)
    np.testing.assert_allclose(final_parts[1][1], final[1][1], atol=1e-14, rtol=0)


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.tolist(),
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X[:, ::-1].copy()[:, ::-1],
        lambda X: X.astype(">f4"),
        lambda X: X.astype(np.float64),
        lambda X: X.astype(object),
        lambda X: np.lib.stride_tricks.as_strided(X, X.shape, X.strides, writeable=False),
        lambda X: list(X),
        lambda X: [np.asfortranarray(x) for x in X],
        lambda X: tuple(X),
        lambda X: [pd.DataFrame(x) for x in X],
        lambda X: _object_array(X),
    ],
    ids=[
        "nested lists", "fortran order", "strided", "negative stride", "byte-swapped", "float64", "object", "read-only",
        "list of arrays", "list of arrays in fortran order", "tuple of arrays", "list of frames",
        "object array of arrays",
    ],
)  # fmt: skip
def test_any_form_of_the_same_numbers_gives_the_same_bits(form):
    seq, X, _, _ = make(3, 4, [5, 5], bidirectional=False, dtype="float32")
    given = form(X)
    np.testing.assert_array_equal(np.stack(list(seq.forward(given)[0])), seq.forward(X)[0])


def _object_array(X):
    array = np.empty(len(X), dtype=object)
    for index, x in enumerate(X):
        array[index] = x
    return array


def test_unaligned_input_is_read_right():
    seq, X, _, _ = make(3, 4, [5, 5], bidirectional=False, dtype="float32")
    memory = np.zeros(X.nbytes + 1, np.uint8)
    unaligned = memory[1:].view(np.float32).reshape(X.shape)
    unaligned[...] = X
    assert not unaligned.flags.aligned
    np.testing.assert_array_equal(seq.forward(unaligned)[0], seq.forward(X)[0])


def test_inputs_are_left_alone():
    seq, X, state, _ = make(3, 4, [5, 5], bidirectional=False, dtype="float32")
    X_before, h_before = X.copy(), state[0][0].copy()
    Y, _ = seq.forward(X, state, training=True)
    Y_before = Y.copy()
    seq.backward(Y, state)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(state[0][0], h_before)
    np.testing.assert_array_equal(Y, Y_before)


def test_weights_are_writable_views():
    seq = pylstm.Sequence(2, 3, random_state=0)
    seq.parameters()["weight_ih_l0"][...] = 0
    seq.parameters()["weight_hh_l0"][...] = 0
    seq.parameters()["bias_l0"][...] = 0
    np.testing.assert_array_equal(seq.forward(np.ones((1, 4, 2)))[0], 0)


def test_many_threads_share_one_object():
    seq, X, _, _ = make(6, 40, [50, 13, 29, 2], bidirectional=True, dtype="float32")
    expected, _ = seq.forward(X)
    wrong = []

    def work():
        for _ in range(30):
            Y, _ = seq.forward(X)
            if not all(np.allclose(y, e, atol=1e-6) for y, e in zip(Y, expected, strict=True)):
                wrong.append(Y)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nan_in_nan_out():
    seq, X, _, _ = make(3, 4, [5, 5], bidirectional=False, dtype="float32")
    X[1, 2, 0] = np.nan
    Y, _ = seq.forward(X)
    assert np.isfinite(Y[0]).all()
    assert np.isfinite(Y[1, :2]).all()
    assert np.isnan(Y[1, 2:]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_input_saturates(dtype):
    seq = pylstm.Sequence(2, 3, dtype=dtype, random_state=0)
    for sign in (1, -1):
        Y, [(_, c)] = seq.forward(np.full((1, 50, 2), sign * 1e30))
        assert np.isfinite(Y).all()
        assert np.isfinite(c).all()


def test_pickle_keeps_weights_and_the_stream_of_dropout():
    seq, X, _, _ = make(3, (4, 2), [5, 5], bidirectional=True, dtype="float32", dropout=0.5)
    seq.forward(X, training=True)
    again = pickle.loads(pickle.dumps(seq))
    np.testing.assert_array_equal(again.forward(X)[0], seq.forward(X)[0])
    np.testing.assert_array_equal(again.forward(X, training=True)[0], seq.forward(X, training=True)[0])


def test_the_order_of_the_sequences_permutes_the_outputs():
    seq, X, state, rng = make(5, 8, [3, 9, 1, 6, 9, 2, 4], bidirectional=True, dtype="float32")
    order = rng.permutation(len(X))
    Y, _ = seq.forward(X, state)
    Y_permuted, _ = seq.forward([X[b] for b in order], of_sequences(state, order))
    for place, b in enumerate(order):
        np.testing.assert_allclose(Y_permuted[place], Y[b], atol=1e-6, rtol=0)


def test_state_of_a_read_only_list_is_copied():
    seq = pylstm.Sequence(2, 3, random_state=0)
    state = random_state(seq, 2, np.random.default_rng(0))
    for values in state[0]:
        values.flags.writeable = False
    seq.forward(np.ones((2, 4, 2)), state)
