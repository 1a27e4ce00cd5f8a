"""Numbers at the edges: denormals, huge values, saturated gates for long; one thread against two."""

import numpy as np
import pytest
from nets import CELLS, make, relative_error
from reference import run

import pylstm


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("scale", [1e-45, 1e-40, 1e-38, 1e-20, 1e20, 1e30, 3e38])
def test_inputs_of_any_size_agree_with_float64(cell, scale):
    """Bounds of 4e-6, as that of float32 anywhere: beyond the first step there is no large number."""
    seq, X, state, _ = make(3, 9, [20] * 4, bidirectional=True, dtype="float32", cell=cell)
    X = (np.sign(X) * np.clip(np.abs(X), 0.3, 1) * scale).astype(np.float32)
    Y, final = seq.forward(X, state)
    with np.errstate(over="ignore"):  # of exp, in the reference's sigmoid
        expected, expected_final = run(seq.parameters(), 1, True, X, state, cell)
    np.testing.assert_allclose(Y, expected, atol=4e-6, rtol=0)
    np.testing.assert_allclose(final[0][0], expected_final[0][0], atol=4e-6, rtol=0)
    for y in Y:
        assert np.isfinite(y).all()


@pytest.mark.parametrize(("value", "expected"), [(1e-45, 0), (1e-40, 0), (8e-16, 0), (1e-15, 1e-15), (1e-10, 1e-10)])
def test_states_end_at_zero_below_2_to_the_minus_50(value, expected):
    """Before they come among the denormals (src_c/kernels/step.h): an RNN that only passes its input on shows where."""
    seq = pylstm.Sequence(1, 1, cell="rnn", nonlinearity="relu", random_state=0)
    for name, values in seq.parameters().items():
        values[...] = name == "weight_ih_l0"
    assert (seq.forward(np.full((1, 3, 1), value, np.float32))[0] == np.float32(expected)).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_saturated_gates_over_many_steps(sign):
    """Forget gate 1, input gate 1, candidate +-1: c counts the steps, exactly up to 2^24, and h is tanh(c)."""
    n_steps = 100_000
    seq = pylstm.Sequence(1, 3, random_state=0)
    for name, values in seq.parameters().items():
        values[...] = 0
        if name == "bias_l0":
            values.reshape(4, 3)[...] = np.array([100, 100, 100 * sign, 100])[:, np.newaxis]
    Y, [(_, c)] = seq.forward(np.zeros((1, n_steps, 1)))
    np.testing.assert_array_equal(c, sign * n_steps)
    np.testing.assert_array_equal(Y[0, 100:], sign)


@pytest.mark.parametrize("cell", CELLS)
def test_drift_over_many_steps(cell):
    """Of float32 against float64: no more at the end, as what is forgotten takes its error along."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1, 100_000, 4)).astype(np.float32)
    options = {"random_state": 0, **CELLS[cell]}
    exact = pylstm.Sequence(4, 16, dtype="float64", **options)
    rough = pylstm.Sequence(4, 16, **options)
    for mine, its in zip(rough.parameters().values(), exact.parameters().values(), strict=True):
        mine[...] = its
        its[...] = mine
    error = np.abs(rough.forward(X)[0] - exact.forward(X)[0])
    assert error.max() < 3e-6
    assert error[:, -100:].max() < 3e-6


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-4), ("float64", 1e-12)])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_training_on_one_thread_and_on_two(cell, dtype, bound):
    """Weights after 5 epochs agree to `bound`, relative to the largest: gradients are summed in another order."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 12)) for length in rng.integers(20, 60, 64)]
    y = np.array([x[:, 0].sum() for x in X])
    found = []
    for n_jobs in (1, 2):
        model = pylstm.LSTMRegressor((48,), max_iter=5, batch_size=32, solver="sgd", random_state=0, dtype=dtype,
                                     cell=cell, n_jobs=n_jobs, tol=0.0)  # fmt: skip
        found.append(model.fit(X, y)._model.parameters())
    one, two = found
    assert any((one[name] != two[name]).any() for name in one)  # else there was one thread
    for name in one:
        assert relative_error(two[name], one[name]) <= bound, name
