"""Gradients of BPTT against central differences, in float64, over every entry."""

import numpy as np
import pytest
from nets import CELLS, make, of_sequences, random_like, random_state, relative_error

import pylstm

NETS = {
    "dense": (3, 5, [4, 4, 4], False),
    "one of each": (1, 1, [1], False),
    "ragged": (2, 4, [5, 1, 3, 5], False),
    "two layers": (3, (4, 2), [4, 4], False),
    "two layers, ragged": (3, (4, 3), [1, 6, 2], False),
    "bidirectional": (2, 3, [4, 4, 4], True),
    "bidirectional, ragged, two layers": (2, (3, 2), [5, 1, 4], True),
}


def loss_of(seq, X, state, dY, dstate):
    """The scalar whose gradients `backward(dY, dstate)` is to give."""
    Y, final = seq.forward(X, state)
    loss = sum((y * dy).sum() for y, dy in zip(Y, dY, strict=True))
    for pair, dpair in zip(final, dstate, strict=True):
        loss += sum((values * dvalues).sum() for values, dvalues in zip(pair, dpair, strict=True))
    return loss


def numeric_gradient(loss, values, step=1e-5):
    """Central differences with one Richardson step, whose error is of the order of step^4."""
    gradient = np.empty_like(values)
    for index in np.ndindex(values.shape):
        kept = values[index]

        def difference(h, index=index, kept=kept):
            values[index] = kept + h
            up = loss()
            values[index] = kept - h
            return (up - loss()) / (2 * h)

        gradient[index] = (4 * difference(step) - difference(2 * step)) / 3
        values[index] = kept
    return gradient


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
@pytest.mark.parametrize("cell", CELLS)
def test_central_differences(cell, net):
    input_size, hidden_size, lengths, bidirectional = net
    seq, X, state, rng = make(input_size, hidden_size, lengths, bidirectional=bidirectional, dtype="float64", cell=cell)
    Y, final = seq.forward(X, state, training=True)
    dY, dstate = random_like(Y, rng), random_state(seq, len(lengths), rng)
    assert len(final) == len(dstate)
    gradients = seq.backward(dY, dstate)

    def loss():
        return loss_of(seq, X, state, dY, dstate)

    for name, values in seq.parameters().items():
        assert relative_error(gradients.parameters[name], numeric_gradient(loss, values)) <= 1e-6, name
    for b, x in enumerate(X):
        assert relative_error(gradients.input[b], numeric_gradient(loss, x)) <= 1e-6, f"input {b}"
    for layer, pair in enumerate(state):
        for values, dvalues, letter in zip(pair, gradients.state[layer], "hc", strict=False):
            assert relative_error(dvalues, numeric_gradient(loss, values)) <= 1e-6, f"{letter} of layer {layer}"


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_more_rows_than_a_chunk_of_weight_gradients(cell, bidirectional):
    """Sums of the gradients of each sequence alone; 700 rows are several chunks, and 300 sequences more than one."""
    for lengths in ([233, 7, 460], [2] * 300 + [1] * 90):
        seq, X, state, rng = make(3, (4, 2), lengths, bidirectional=bidirectional, dtype="float64", cell=cell)
        Y, _ = seq.forward(X, state, training=True)
        dY = random_like(Y, rng)
        together = seq.backward(dY)
        total = {name: np.zeros_like(values) for name, values in seq.parameters().items()}
        for b, x in enumerate(X):
            seq.forward([x], of_sequences(state, [b]), training=True)
            alone = seq.backward([dY[b]])
            np.testing.assert_allclose(together.input[b], alone.input[0], rtol=1e-9, atol=1e-12)
            for name in total:
                total[name] += alone.parameters[name]
        for name, values in total.items():
            assert relative_error(together.parameters[name], values) <= 1e-12, name


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("cell", "hidden"), [("lstm", 190), ("gru", 190), ("rnn", 350)])
def test_large_layers_take_the_same_gradients_from_few_rows_as_from_many(cell, hidden, bidirectional):
    """Weights of more than a megabyte are read as they lie for 16 rows, their gradient is written so for 256."""
    lengths = [3, 12, 40, 300]
    seq, X, state, rng = make(131, hidden, lengths, bidirectional=bidirectional, dtype="float64", cell=cell)
    Y, _ = seq.forward(X, state, training=True)
    dY = random_like(Y, rng)
    together = seq.backward(dY)
    for n_threads in (1, 2):
        one = pylstm.Sequence(131, hidden, bidirectional=bidirectional, dtype="float64", cell=cell, n_threads=n_threads)
        for name, values in one.parameters().items():
            values[...] = seq.parameters()[name]
        total = {name: np.zeros_like(values) for name, values in one.parameters().items()}
        for b, x in enumerate(X):
            one.forward([x], of_sequences(state, [b]), training=True)
            alone = one.backward([dY[b]])
            np.testing.assert_allclose(together.input[b], alone.input[0], rtol=1e-9, atol=1e-12)
            for layer, pair in enumerate(of_sequences(together.state, [b])):
                for mine, theirs in zip(pair, alone.state[layer], strict=True):
                    np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
            for name in total:
                total[name] += alone.parameters[name]
        for name, values in total.items():
            assert relative_error(together.parameters[name], values) <= 1e-12, name


def test_backward_can_be_repeated_and_is_linear():
    seq, X, state, rng = make(3, (4, 2), [5, 2, 7], bidirectional=True, dtype="float64")
    Y, _ = seq.forward(X, state, training=True)
    dY = random_like(Y, rng)
    once, twice = seq.backward(dY), seq.backward([2 * dy for dy in dY])
    for name in once.parameters:
        np.testing.assert_allclose(twice.parameters[name], 2 * once.parameters[name], rtol=1e-12)


def test_backward_does_not_see_later_changes_of_X():
    seq, X, _, rng = make(3, 4, [5, 5], bidirectional=False, dtype="float64")
    Y, _ = seq.forward(X, training=True)
    dY = random_like(Y, rng)
    before = seq.backward(dY)
    X[...] = 0
    np.testing.assert_array_equal(seq.backward(dY).parameters["weight_ih_l0"], before.parameters["weight_ih_l0"])


def test_an_inference_forward_keeps_the_tape():
    seq, X, _, rng = make(3, 4, [5, 5], bidirectional=False, dtype="float64")
    Y, _ = seq.forward(X, training=True)
    dY = random_like(Y, rng)
    before = seq.backward(dY)
    seq.forward(np.ones((1, 2, 3)))
    np.testing.assert_array_equal(seq.backward(dY).input, before.input)


class TestDropout:
    """Masks are drawn anew per training forward; with the mask known, gradients follow by central differences."""

    def test_share_and_scale(self):
        seq = pylstm.Sequence(2, 50, dropout=0.3, dtype="float64", random_state=0)
        X = np.random.default_rng(0).normal(size=(20, 40, 2))
        kept, _ = seq.forward(X)
        Y, _ = seq.forward(X, training=True)
        dropped = Y == 0
        assert abs(dropped.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / Y.size)
        np.testing.assert_allclose(Y[~dropped], kept[~dropped] / 0.7, rtol=1e-12)
        # No row, column or sequence is treated alike.
        for axes in [(0, 1), (0, 2), (1, 2)]:
            share = dropped.mean(axis=axes)
            assert np.abs(share - 0.3).max() < 6 * np.sqrt(0.3 * 0.7 / (Y.size / share.size))

    def test_masks_differ_between_calls_and_repeat_with_the_seed(self):
        X = np.ones((3, 5, 2))
        first, second = (pylstm.Sequence(2, 8, dropout=0.5, random_state=4) for _ in range(2))
        one, _ = first.forward(X, training=True)
        two, _ = first.forward(X, training=True)
        assert not np.array_equal(one, two)
        np.testing.assert_array_equal(second.forward(X, training=True)[0], one)

    @pytest.mark.parametrize("bidirectional", [False, True])
    def test_gradients(self, bidirectional):
        """The same seed gives the same mask, so differences of training forwards are differences of one function."""
        shape = (2, (4, 3), [5, 2, 4])
        _, X, _, rng = make(*shape, bidirectional=bidirectional, dtype="float64", dropout=0.4)
        dY = None

        def run(x_change=0.0, name=None, index=None, change=0.0):
            seq, _, _, _ = make(*shape, bidirectional=bidirectional, dtype="float64", dropout=0.4)
            if name is not None:
                seq.parameters()[name][index] += change
            Y, _ = seq.forward([X[0] + x_change, *X[1:]], training=True)
            return seq, Y

        seq, Y = run()
        dY = random_like(Y, rng)

        def loss(**changes):
            return sum((y * dy).sum() for y, dy in zip(run(**changes)[1], dY, strict=True))

        gradients = seq.backward(dY)
        h = 1e-6
        for name, values in gradients.parameters.items():
            for index in [(0,) * values.ndim, tuple(size - 1 for size in values.shape)]:
                numeric = (loss(name=name, index=index, change=h) - loss(name=name, index=index, change=-h)) / (2 * h)
                assert values[index] == pytest.approx(numeric, rel=1e-6, abs=1e-8)
        numeric = (loss(x_change=h) - loss(x_change=-h)) / (2 * h)
        assert gradients.input[0].sum() == pytest.approx(numeric, rel=1e-6, abs=1e-8)

    def test_final_state_is_not_dropped(self):
        seq = pylstm.Sequence(2, 30, dropout=0.5, random_state=0)
        X = np.ones((2, 3, 2))
        _, [(h, _)] = seq.forward(X)
        _, [(h_training, _)] = seq.forward(X, training=True)
        np.testing.assert_array_equal(h, h_training)
