"""`Cell`: one step, and what happens in it."""

import pickle

import numpy as np
import pytest
from nets import CELLS
from reference import sigmoid

import pylstm

OTHERS = ["gru", "rnn", "relu"]


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize(("input_size", "hidden_size", "n_sequences"), [(1, 1, 1), (3, 5, 2), (7, 33, 13)])
def test_step_and_gates(input_size, hidden_size, n_sequences, dtype, bound):
    rng = np.random.default_rng(0)
    cell = pylstm.Cell(input_size, hidden_size, dtype=dtype, random_state=0)
    cell.bias[...] = rng.normal(size=cell.bias.shape)
    x = rng.normal(size=(n_sequences, input_size))
    h, c = rng.normal(size=(2, n_sequences, hidden_size))
    W, R, b = (np.asarray(weight, np.float64) for weight in (cell.weight_ih, cell.weight_hh, cell.bias))
    z_i, z_f, z_g, z_o = np.split(x @ W.T + h @ R.T + b, 4, axis=1)
    expected = {"i": sigmoid(z_i), "f": sigmoid(z_f), "g": np.tanh(z_g), "o": sigmoid(z_o)}
    expected["c"] = expected["f"] * c + expected["i"] * expected["g"]
    expected["h"] = expected["o"] * np.tanh(expected["c"])

    gates = cell.gates(x, (h, c))
    assert gates._fields == ("i", "f", "g", "o", "c", "h")
    for name, values in expected.items():
        assert getattr(gates, name).dtype == dtype
        np.testing.assert_allclose(getattr(gates, name), values, atol=4 * bound, rtol=0, err_msg=name)
    h_new, c_new = cell.step(x, (h, c))
    np.testing.assert_array_equal(h_new, gates.h)
    np.testing.assert_array_equal(c_new, gates.c)


@pytest.mark.parametrize("which", OTHERS)
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize(("input_size", "hidden_size", "n_sequences"), [(1, 1, 1), (3, 5, 2), (7, 33, 13)])
def test_step_and_gates_of_other_cells(which, input_size, hidden_size, n_sequences, dtype, bound):
    rng = np.random.default_rng(0)
    cell = pylstm.Cell(input_size, hidden_size, dtype=dtype, random_state=0, **CELLS[which])
    cell.bias[...] = rng.normal(size=cell.bias.shape)
    x = rng.normal(size=(n_sequences, input_size))
    h = rng.normal(size=(n_sequences, hidden_size))
    W, R, b = (np.asarray(weight, np.float64) for weight in (cell.weight_ih, cell.weight_hh, cell.bias))
    if which == "gru":
        assert (W.shape, R.shape) == ((3 * hidden_size, input_size), (3 * hidden_size, hidden_size))
        w_r, w_z, w_n = np.split(x @ W.T, 3, axis=1)
        r_r, r_z, r_n = np.split(h @ R.T, 3, axis=1)
        b_r, b_z, b_n, b_hn = np.split(b, 4)
        expected = {"r": sigmoid(w_r + r_r + b_r), "z": sigmoid(w_z + r_z + b_z)}
        expected["n"] = np.tanh(w_n + b_n + expected["r"] * (r_n + b_hn))
        expected["h"] = (1 - expected["z"]) * expected["n"] + expected["z"] * h
    else:
        z = x @ W.T + h @ R.T + b
        expected = {"h": np.tanh(z) if which == "rnn" else np.maximum(z, 0)}

    gates = cell.gates(x, h)
    assert type(gates) is (pylstm.GRUGates if which == "gru" else pylstm.RNNGates)
    assert gates._fields == tuple(expected)
    for name, values in expected.items():
        assert getattr(gates, name).dtype == dtype
        np.testing.assert_allclose(getattr(gates, name), values, atol=4 * bound, rtol=2 * bound, err_msg=name)
    np.testing.assert_array_equal(cell.step(x, h), gates.h)
    np.testing.assert_array_equal(cell.step(x), cell.step(x, np.zeros_like(h)))


@pytest.mark.parametrize("which", CELLS)
def test_steps_are_a_sequence(which):
    rng = np.random.default_rng(0)
    cell, seq = (kind(3, 6, random_state=1, **CELLS[which]) for kind in (pylstm.Cell, pylstm.Sequence))
    np.testing.assert_array_equal(cell.weight_hh, seq.parameters()["weight_hh_l0"])
    X = rng.normal(size=(4, 9, 3))
    Y, [final] = seq.forward(X)
    state = None
    for t in range(9):
        state = cell.step(X[:, t], state)
        h = state[0] if which == "lstm" else state
        np.testing.assert_allclose(h, Y[:, t], atol=1e-6, rtol=0)
    for mine, its in zip(state if which == "lstm" else [state], final, strict=True):
        np.testing.assert_allclose(mine, its[0], atol=1e-6, rtol=0)


def test_initial_weights():
    cell = pylstm.Cell(40, 100, random_state=0)
    for weights in (cell.weight_ih, cell.weight_hh):
        assert 0.099 < np.abs(weights).max() <= 0.1 + 1e-7
        assert abs(weights.mean()) < 0.002
    np.testing.assert_array_equal(cell.bias, np.repeat([0, 1, 0, 0], 100))
    np.testing.assert_array_equal(pylstm.Cell(1, 3, forget_bias=5).bias[3:6], 5)


@pytest.mark.parametrize("which", OTHERS)
def test_initial_weights_of_other_cells(which):
    cell = pylstm.Cell(40, 100, random_state=0, **CELLS[which])
    n_gates, n_biases = (3, 4) if which == "gru" else (1, 1)
    assert cell.weight_ih.shape == (n_gates * 100, 40)
    assert cell.weight_hh.shape == (n_gates * 100, 100)
    for weights in (cell.weight_ih, cell.weight_hh):
        assert 0.099 < np.abs(weights).max() <= 0.1 + 1e-7
        assert abs(weights.mean()) < 0.002
    np.testing.assert_array_equal(cell.bias, np.zeros(n_biases * 100))
    np.testing.assert_array_equal(pylstm.Cell(1, 3, forget_bias=5, **CELLS[which]).bias, 0)


def test_chrono_bias():
    cell = pylstm.Cell(1, 1000, forget_bias="chrono", t_max=200, dtype="float64", random_state=0)
    i, f, g, o = np.split(cell.bias, 4)
    np.testing.assert_array_equal(i, -f)
    np.testing.assert_array_equal([g, o], 0)
    spans = np.exp(f)
    assert 1 <= spans.min() < 1.5
    assert 198 < spans.max() <= 199
    assert abs(spans.mean() - 100) < 3


@pytest.mark.parametrize("which", CELLS)
def test_uniform_biases(which):
    given = {**CELLS[which], "dtype": "float64", "random_state": 0}
    cell = pylstm.Cell(2, 400, forget_bias="uniform", **given)
    for of_gate in cell.bias.reshape(-1, 400):  # a gate a row, and the cell's input
        assert 0.346 < np.abs(of_gate).max() <= 0.354
        assert abs(of_gate.mean()) < 0.035
    np.testing.assert_array_equal(cell.weight_hh, pylstm.Cell(2, 400, **given).weight_hh)


def test_mixed_bias():
    cell = pylstm.Cell(1, 1001, forget_bias="mixed", t_max=200, dtype="float64", random_state=0)
    i, f, g, o = np.split(cell.bias, 4)
    np.testing.assert_array_equal([i[:500], f[:500]], [np.zeros(500), np.ones(500)])
    np.testing.assert_array_equal(i[500:], -f[500:])
    np.testing.assert_array_equal([g, o], 0)
    spans = np.exp(f[500:])
    assert 1 <= spans.min() < 2
    assert 197 < spans.max() <= 199


def test_random_state():
    np.testing.assert_array_equal(
        pylstm.Cell(3, 4, random_state=5).weight_ih, pylstm.Cell(3, 4, random_state=5).weight_ih
    )
    assert not np.array_equal(pylstm.Cell(3, 4).weight_ih, pylstm.Cell(3, 4).weight_ih)
    for generator in (np.random.default_rng, np.random.RandomState):
        one, two = (pylstm.Cell(3, 4, random_state=generator(3)) for _ in range(2))
        np.testing.assert_array_equal(one.weight_ih, two.weight_ih)


def test_weights_are_what_the_cell_uses():
    cell = pylstm.Cell(2, 3, random_state=0)
    before, _ = cell.step(np.ones((1, 2)))
    cell.weight_ih[...] *= 2
    after, _ = cell.step(np.ones((1, 2)))
    assert not np.allclose(before, after)


def test_pickle():
    cell = pylstm.Cell(2, 3, dtype="float64", forget_bias="chrono", t_max=9, random_state=0)
    again = pickle.loads(pickle.dumps(cell))
    np.testing.assert_array_equal(again.step(np.ones((2, 2)))[1], cell.step(np.ones((2, 2)))[1])
    assert (again.dtype, again.forget_bias, again.t_max) == (np.float64, "chrono", 9)
    assert repr(again) == "Cell(2, 3, dtype='float64')"


@pytest.mark.parametrize("which", OTHERS)
def test_pickle_of_other_cells(which):
    cell = pylstm.Cell(2, 3, random_state=0, **CELLS[which])
    again = pickle.loads(pickle.dumps(cell))
    np.testing.assert_array_equal(again.step(np.ones((2, 2))), cell.step(np.ones((2, 2))))
    assert (again.cell, again.nonlinearity) == (cell.cell, cell.nonlinearity)
    kind = {"gru": "cell='gru'", "rnn": "cell='rnn'", "relu": "cell='rnn', nonlinearity='relu'"}[which]
    assert repr(again) == f"Cell(2, 3, dtype='float32', {kind})"
    seq = pylstm.Sequence(2, (3, 4), bidirectional=True, random_state=0, **CELLS[which])
    again = pickle.loads(pickle.dumps(seq))
    np.testing.assert_array_equal(again.forward(np.ones((1, 5, 2)))[0], seq.forward(np.ones((1, 5, 2)))[0])
    assert repr(again) == repr(seq)
    assert repr(seq).endswith(f", {kind})")


def test_nonlinearity_is_the_plain_rnns():
    for kind in ("lstm", "gru"):
        plain, other = (pylstm.Cell(2, 3, cell=kind, nonlinearity=f, random_state=0) for f in ("tanh", "relu"))
        np.testing.assert_array_equal(plain.gates(np.ones((1, 2))), other.gates(np.ones((1, 2))))
        assert other.nonlinearity == "tanh"


def test_nan_and_infinity_come_through():
    """As in PyTorch: NaN is not taken for what is below 0."""
    for options in CELLS.values():
        cell = pylstm.Cell(1, 9, random_state=0, **options)
        h = cell.gates([[np.nan]]).h
        assert np.isnan(h).all()
    cell.weight_ih[...] = 1
    np.testing.assert_array_equal(cell.step([[np.inf], [-np.inf]]), np.repeat([[np.inf], [0]], 9, axis=1))
