"""Bad input is refused with an error that names the argument, what came and what was expected."""

import pickle
import threading
import time

import numpy as np
import pytest
from nets import make, random_like

import pylstm

ONE = np.ones((2, 4, 3))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.ones((4, 3)), ValueError, r"X must have shape \(n_sequences, n_steps, n_features\).*got 2-D \(4, 3\)"),
        (np.ones((2, 4, 5)), ValueError, "X must have 3 features per step, got 5"),
        (np.ones((0, 4, 3)), ValueError, r"X must hold at least one sequence, got shape \(0, 4, 3\)"),
        (np.ones((2, 0, 3)), ValueError, r"X must have at least one step per sequence, got shape \(2, 0, 3\)"),
        (np.ones((2, 4, 0)), ValueError, "X must have 3 features per step, got 0"),
        ([], ValueError, "X must hold at least one sequence, got none"),
        ([np.ones((4, 3)), np.ones((0, 3))], ValueError, r"X\[1\] must have at least one step"),
        ([np.ones((4, 3)), np.ones((4, 2))], ValueError, r"X\[1\] must have 3 features per step, got 2"),
        ([np.ones((4, 3)), np.ones(3)], ValueError, r"X\[1\] must have shape \(n_steps, n_features\), got 1-D"),
        (np.full((2, 4, 3), "a"), TypeError, "X must hold real numbers, got dtype <U1"),
        (np.full((2, 4, 3), 1j), TypeError, "X must hold real numbers, got dtype complex128"),
        (np.full((2, 4, 3), "a", object), ValueError, "X must hold numbers, got an object array"),
        ("abc", TypeError, "X must be an array or a list, got 'str'"),
        (None, TypeError, "X must be an array or a list, got None"),
        (7, TypeError, "X must be an array or a list, got 'int'"),
        ([[[1, 2, 3], [1, 2]]], ValueError, r"X\[0\] must be an array \(n_steps, n_features\)"),
        (np.ma.masked_equal([[[1, 2, 0]]], 0), ValueError, "X must have no masked values, got 1; fill them in first"),
        ([np.ma.masked_equal([[1, 0, 0]], 0)], ValueError, r"X\[0\] must have no masked values, got 2"),
        (np.broadcast_to(np.float32(0), (2**59, 1, 3)), MemoryError, "Unable to allocate"),
        (np.broadcast_to(np.float32(0), (1, 2**59, 3)), MemoryError, "Unable to allocate"),
        ([np.broadcast_to(np.float32(0), (2**50, 3))], MemoryError, "Unable to allocate"),
    ],
)
def test_bad_X(X, error, message):
    seq = pylstm.Sequence(3, 2, random_state=0)
    with pytest.raises(error, match=message):
        seq.forward(X)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (7, "state must be a list with a pair .* for each of the 1 layers, got 'int'"),
        ([], "state must be a list .* got 0 entries"),
        ([np.ones((2, 1, 2, 2))], "state must be a list .* got 'ndarray' for layer 0"),
        ([(np.ones((1, 2, 2)), np.ones((1, 3, 2)))], r"c of state\[0\] must have shape \(1, 2, 2\), got \(1, 3, 2\)"),
        ([(np.ones((2, 2)), np.ones((2, 2)))], r"h of state\[0\] must have shape \(1, 2, 2\), got 2-D \(2, 2\)"),
    ],
)
def test_bad_state(state, message):
    seq = pylstm.Sequence(3, 2, random_state=0)
    with pytest.raises(ValueError, match=message):
        seq.forward(ONE, state)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size must be an integer >= 1, got 0"),
        ({"input_size": 2.5}, TypeError, "input_size must be an integer >= 1, got 2.5"),
        ({"hidden_size": -1}, ValueError, "hidden_size must be an integer >= 1, got -1"),
        ({"hidden_size": (3, 0)}, ValueError, r"hidden_size\[1\] must be an integer >= 1, got 0"),
        ({"hidden_size": ()}, ValueError, "hidden_size must name at least one layer"),
        ({"hidden_size": True}, TypeError, "hidden_size must be an integer >= 1, got True"),
        ({"cell": "GRU"}, ValueError, "cell must be 'lstm', 'gru' or 'rnn', got 'GRU'"),
        ({"cell": ["gru"]}, ValueError, r"cell must be 'lstm', 'gru' or 'rnn', got \['gru'\]"),
        ({"cell": None}, ValueError, "cell must be 'lstm', 'gru' or 'rnn', got None"),
        (
            {"cell": "rnn", "nonlinearity": "sigmoid"},
            ValueError,
            "nonlinearity must be 'tanh' or 'relu', got 'sigmoid'",
        ),
        ({"nonlinearity": ["relu"]}, ValueError, r"nonlinearity must be 'tanh' or 'relu', got \['relu'\]"),
        (
            {"cell": "gru", "forget_bias": "chrono", "t_max": 5},
            ValueError,
            "forget_bias='chrono' is for cell='lstm', which has a forget gate, got cell='gru'",
        ),
        ({"dropout": 1.0}, ValueError, r"dropout must be a number in \[0.0, 1.0\), got 1.0"),
        ({"dropout": float("nan")}, ValueError, "dropout must be a number"),
        ({"dropout": "a"}, TypeError, "dropout must be a number"),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32' or 'float64', got 'float16'"),
        ({"dtype": "nonsense"}, TypeError, "dtype must be 'float32' or 'float64', got 'nonsense'"),
        (
            {"forget_bias": "crono"},
            ValueError,
            "forget_bias must be a number, 'chrono', 'mixed' or 'uniform', got 'crono'",
        ),
        ({"forget_bias": None}, TypeError, "forget_bias must be a number"),
        ({"forget_bias": "chrono"}, ValueError, "forget_bias='chrono' needs t_max"),
        ({"forget_bias": "chrono", "t_max": 2}, ValueError, "t_max must be an integer >= 3, got 2"),
        ({"t_max": 10}, ValueError, "t_max is used with forget_bias='chrono' or 'mixed' only"),
        ({"random_state": -1}, ValueError, "random_state must be an integer >= 0, got -1"),
        ({"random_state": "a"}, TypeError, "random_state must be an integer"),
        ({"hidden_size": 2**30}, ValueError, "does not fit"),
        ({"hidden_size": 2**62}, ValueError, "does not fit"),
        ({"input_size": 2**62}, ValueError, "does not fit"),
        ({"input_size": 2**63}, ValueError, "input_size must be an integer that the machine can count to, .* got 922"),
        ({"hidden_size": (2, 2**63)}, ValueError, r"hidden_size\[1\] must be an integer that the machine can count to"),
        ({"n_threads": 2**64}, ValueError, "n_threads must be an integer that the machine can count to"),
        ({"forget_bias": 10**400}, ValueError, r"forget_bias must be a number in \[-inf, inf\), got 1000"),
        ({"dropout": -(10**400)}, ValueError, r"dropout must be a number in \[0.0, 1.0\), got -1000"),
    ],
)
def test_bad_arguments_of_Sequence(arguments, error, message):
    with pytest.raises(error, match=message):
        pylstm.Sequence(**{"input_size": 3, "hidden_size": 2, **arguments})
    if {"cell", "nonlinearity"} & set(arguments):
        with pytest.raises(error, match=message):
            pylstm.Cell(3, 2, **arguments)


@pytest.mark.parametrize(
    ("x", "state", "message"),
    [
        (np.ones(3), None, r"x must have shape \(n_sequences, input_size\), got 1-D \(3,\)"),
        (np.ones((2, 4)), None, "x must have 3 features per step, got 4"),
        (np.ones((0, 3)), None, "x must hold at least one sequence"),
        (np.ones((2, 3)), 5, r"state must be a pair \(h, c\), got 'int'"),
        (np.ones((2, 3)), (np.ones((1, 2)), np.ones((2, 2))), r"h of state must have shape \(2, 2\), got \(1, 2\)"),
    ],
)
def test_bad_arguments_of_Cell_step(x, state, message):
    cell = pylstm.Cell(3, 2, random_state=0)
    for method in (cell.step, cell.gates):
        with pytest.raises(ValueError, match=message):
            method(x, state)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_bad_states_of_cells_without_c(cell):
    seq, one = pylstm.Sequence(3, 2, cell=cell), pylstm.Cell(3, 2, cell=cell)
    h = np.ones((1, 2, 2))
    for state, message in (
        ([(h, h)], r"state must be a list with a tuple \(h,\) for each of the 1 layers, got a tuple of 2 for layer 0"),
        ([h], "state must be a list .* got 'ndarray' for layer 0"),
        ([], "state must be a list .* got 0 entries"),
        ([(h[:, :1],)], r"h of state\[0\] must have shape \(1, 2, 2\), got \(1, 1, 2\)"),
    ):
        for arguments in ((ONE, state), (np.ones((2, 4, 3), np.float32), state)):
            with pytest.raises(ValueError, match=message):
                seq.forward(*arguments)
    seq.forward(ONE, training=True)
    with pytest.raises(ValueError, match=r"dstate must be a list with a tuple \(h,\) for each"):
        seq.backward(np.ones((2, 4, 2)), [(h, h)])
    for method in (one.step, one.gates):
        with pytest.raises(ValueError, match=r"state, h alone, must have shape \(2, 2\), got 3-D \(2, 2, 2\)"):
            method(np.ones((2, 3)), (h[0], h[0]))
    lstm = pylstm.Sequence(3, 2)
    with pytest.raises(ValueError, match=r"a pair \(h, c\) for each of the 1 layers, got a tuple of 1 for layer 0"):
        lstm.forward(ONE, [(h,)])


def test_backward_needs_a_training_forward():
    seq = pylstm.Sequence(3, 2, random_state=0)
    with pytest.raises(RuntimeError, match=r"backward needs a forward\(X, training=True\)"):
        seq.backward(np.ones((2, 4, 2)))
    seq.forward(ONE)
    with pytest.raises(RuntimeError, match="backward needs"):
        seq.backward(np.ones((2, 4, 2)))


@pytest.mark.parametrize(
    ("dY", "message"),
    [
        (np.ones((2, 4, 3)), "dY must have 2 features per step, got 3"),
        (np.ones((2, 5, 2)), r"dY must have as many sequences and steps as X, \(2, 4, n\), got \(2, 5, n\)"),
        (np.ones((3, 4, 2)), "dY must have as many sequences and steps as X"),
        ([np.ones((4, 2)), np.ones((3, 2))], "got 2 sequences of 4, 3 steps"),
        (None, "dY must"),
    ],
)
def test_bad_dY_leaves_the_tape_as_it_was(dY, message):
    seq = pylstm.Sequence(3, 2, random_state=0)
    Y, _ = seq.forward(ONE, training=True)
    expected = seq.backward(Y)
    with pytest.raises((ValueError, TypeError), match=message):
        seq.backward(dY)
    with pytest.raises(ValueError, match="dstate must be a list"):
        seq.backward(Y, 3)
    with pytest.raises(ValueError, match="X must"):
        seq.forward(np.ones((1, 1)), training=True)
    with pytest.raises(ValueError, match="state must"):
        seq.forward(ONE, 3, training=True)
    np.testing.assert_array_equal(seq.backward(Y).input, expected.input)


def test_one_training_pass_at_a_time():
    seq, X, _, rng = make(32, 256, [300] * 16, bidirectional=False, dtype="float64")
    Y, _ = seq.forward(X, training=True)
    dY = random_like(Y, rng)
    refused = []
    thread = threading.Thread(target=seq.backward, args=(dY,))
    thread.start()
    while thread.is_alive() and not refused:
        try:
            seq.forward(X[:1, :1], training=True)
        except RuntimeError as error:
            refused.append(str(error))
        time.sleep(0.0005)
    thread.join()
    assert refused
    assert "one pass at a time" in refused[0]
    seq.forward(X[:1], training=True)  # free again


@pytest.mark.parametrize("batch_size", [2**31, 2**62, 2**63])
def test_streams_too_wide(batch_size):
    seq = pylstm.Sequence(3, 2, random_state=0)
    with pytest.raises(ValueError, match=r"does not fit|machine can count to"):
        seq.stream(batch_size)


@pytest.mark.parametrize("call", ["step", "process"])
def test_masked_values_in_a_stream(call):
    stream = pylstm.Sequence(3, 2, random_state=0).stream()
    x = np.ma.masked_equal(np.float32([[1, 2, 0]]), 0)
    with pytest.raises(ValueError, match=r"(x|block) must have no masked values, got 1"):
        getattr(stream, call)(x)
    np.testing.assert_array_equal(
        stream.step(x.filled(1)), pylstm.Sequence(3, 2, random_state=0).forward([[[1, 2, 1]]])[0][0]
    )


def test_initialised_again_it_is_as_new():
    """No packed weights of before: they would be read in place of the new ones."""
    seq = pylstm.Sequence(3, 2, random_state=0)
    for _ in range(3):
        seq.forward(ONE)
    assert seq.is_packed
    seq.__init__(3, 2, random_state=1)
    np.testing.assert_array_equal(seq.forward(ONE)[0], pylstm.Sequence(3, 2, random_state=1).forward(ONE)[0])


@pytest.mark.parametrize(
    "arguments",
    [(5000, 3000, True, 2.0), (5000, (3000, 0)), (5000, 3000, False, 0.0, "float16"), (5000, (1,) * 4000 + (0,)),
     (5000, 3000, False, 0.0, "float32", "crono"), (5000, 3000, False, 0.0, "float32", 1.0, -1)],
    ids=str,
)  # fmt: skip
def test_an_error_when_initialised_again_changes_nothing(arguments):
    """Sizes of the new net with weights of the old one would be read beyond their end."""
    seq, wide = pylstm.Sequence(3, 2, random_state=0), np.ones((2, 4, 5000), np.float32)
    expected, _ = seq.forward(ONE, training=True)
    gradients = seq.backward(expected)
    with pytest.raises(ValueError):
        seq.__init__(*arguments)
    with pytest.raises(ValueError, match="X must have 3 features per step, got 5000"):
        seq.forward(wide)
    np.testing.assert_array_equal(seq.forward(ONE)[0], expected)
    np.testing.assert_array_equal(seq.backward(expected).input, gradients.input)


def test_without_memory_for_its_new_weights_it_is_what_it_was():
    seq, new = pylstm.Sequence(3, 2, random_state=0), pylstm.Sequence.__new__(pylstm.Sequence)
    expected = seq.forward(ONE)[0]
    for each in (seq, new):
        with pytest.raises(MemoryError, match="Unable to allocate"):
            each.__init__(5000, 2**25)
    np.testing.assert_array_equal(seq.forward(ONE)[0], expected)
    with pytest.raises(RuntimeError, match="has no weights: its __init__ was not called, or ended in an error"):
        pickle.dumps(new)


def test_a_stream_after_an_error_in_its_init():
    stream = pylstm.Sequence(3, 2, random_state=0).stream()
    with pytest.raises(ValueError, match="batch_size must be"):
        stream.__init__(pylstm.Sequence(5, 7), 0)
    with pytest.raises(ValueError, match="must not be bidirectional"):
        stream.__init__(pylstm.Sequence(5, 7, bidirectional=True))
    assert stream.batch_size == 1
    assert stream.step(np.ones(3, np.float32)).shape == (2,)
    spec, *_ = stream.__getstate__()
    with pytest.raises(ValueError, match="could not convert"):
        stream.__setstate__((spec, ("no numbers", None, None), 1, None, None))
    assert stream.step(np.ones(3, np.float32)).shape == (2,)


def test_initialised_again_forgets_its_tape():
    seq = pylstm.Sequence(3, 2, random_state=0)
    seq.forward(ONE, training=True)
    seq.__init__(5, 7)
    with pytest.raises(RuntimeError, match="backward needs"):
        seq.backward(np.ones((2, 4, 7)))


@pytest.mark.parametrize("kind", [pylstm.Cell, pylstm.Sequence])
def test_an_object_without_init_does_not_crash(kind):
    empty = kind.__new__(kind)
    for call in (
        lambda: empty.forward(ONE), lambda: empty.step(np.ones((2, 3))), lambda: empty.parameters(),
        lambda: empty.weight_ih, lambda: empty.gates(np.ones((2, 3))), lambda: empty.hidden_size,
        lambda: empty.forward([np.ones((1, 0))]), lambda: empty.step(np.ones((2, 0))),
    ):  # fmt: skip
        with pytest.raises((AttributeError, TypeError, ValueError, IndexError)):
            call()
