"""Weights that are kept packed between inferences: never those of before a change."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import CELLS
from toys import ESTIMATORS, outputs, toy

import pylstm

X = np.random.default_rng(0).standard_normal((2, 7, 3)).astype(np.float32)


def fresh(seq):
    """Return what a net without a past makes of X with the same weights."""
    cell = {"cell": seq.cell, "nonlinearity": seq.nonlinearity}
    other = pylstm.Sequence(3, seq.hidden_size, bidirectional=seq.bidirectional, random_state=9, **cell)
    flat = seq.copy_weights()  # its parameters() would put the weights into reach
    for values in other.parameters().values():
        values[...] = flat[: values.size].reshape(values.shape)
        flat = flat[values.size :]
    return other.forward(X)[0]


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, *list(CELLS.values())[1:]], ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (1, 5), (2, 7)])
def test_kept_or_not_the_bits_are_the_same(shape, options):
    seq = pylstm.Sequence(3, (5, 17), random_state=0, **options)
    x = X[: shape[0], : shape[1]]
    first = seq.forward(x)[0]
    for _ in range(4):
        np.testing.assert_array_equal(seq.forward(x)[0], first)


ACTIONS = {
    "forward": lambda seq, held: None,
    "write": lambda seq, held: seq.parameters()["weight_hh_l0"].__iadd__(0.1),
    "hold": lambda seq, held: held.append(seq.parameters()["bias_l0"]),
    "hold a part": lambda seq, held: held.append(seq.parameters()["weight_ih_l0"][2:5]),
    "hold a memoryview": lambda seq, held: held.append(np.asarray(memoryview(seq.parameters()["bias_l0"]))),
    "write to the first": lambda seq, held: held[0].__iadd__(0.1) if held else None,
    "write to the last": lambda seq, held: held[-1].__iadd__(0.1) if held else None,
    "drop": lambda seq, held: held.pop() if held else None,
    "copy": lambda seq, held: copy.copy(seq),
    "pickle": lambda seq, held: held.append(pickle.loads(pickle.dumps(seq)).parameters()["bias_l0"]),
    "train": lambda seq, held: seq.backward(seq.forward(X, training=True)[0]),
}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(list(ACTIONS)), min_size=3, max_size=15))
def test_whatever_happens_the_weights_of_now_are_used(actions):
    seq, held = pylstm.Sequence(3, 5, random_state=0), []
    for action in actions:
        ACTIONS[action](seq, held)
        got = seq.forward(X)[0]
        expected = fresh(seq)
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(seq.forward(X)[0], expected)


@pytest.mark.parametrize("cell", ["gru", "rnn", "relu"])
def test_other_cells_are_packed_again_where_their_weights_change(cell):
    """All the ways of a change, each after the weights have been kept."""
    seq, held = pylstm.Sequence(3, (5, 9), random_state=0, **CELLS[cell]), []
    for action in [*ACTIONS, "drop", "drop", "drop", "forward", "forward", *ACTIONS]:
        ACTIONS[action](seq, held)
        expected = fresh(seq)
        for _ in range(2):
            np.testing.assert_array_equal(seq.forward(X)[0], expected, err_msg=action)


def test_written_by_a_reduce():
    seq = pylstm.Sequence(3, 5, random_state=0)
    flat = seq.__reduce__()[2][1]
    for _ in range(3):
        flat += 0.1
        np.testing.assert_array_equal(seq.forward(X)[0], fresh(seq))


def test_cell():
    cell, other = (pylstm.Cell(3, 5, random_state=0) for _ in range(2))
    for k in range(6):
        if k % 3 == 2:
            cell.weight_ih[...] += 0.1
            other.weight_ih[...] += 0.1
            kept = other.bias  # of `other` nothing is ever kept
        np.testing.assert_array_equal(cell.step(X[:, k])[0], other.step(X[:, k])[0])
    assert kept.shape == (20,)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_estimators_after_more_training(cls):
    X, y = toy(cls)
    estimator = cls((5,), max_iter=2, random_state=0, warm_start=True).fit(X, y)
    for change in (estimator.partial_fit, estimator.fit):
        for _ in range(3):
            before = outputs(estimator, X)
        change(X, y)
        after = outputs(estimator, X)
        assert not np.array_equal(after, before)
        np.testing.assert_array_equal(outputs(pickle.loads(pickle.dumps(estimator)), X), after)


def test_written_to_the_model_of_an_estimator():
    X, y = toy(pylstm.LSTMRegressor)
    reg = pylstm.LSTMRegressor((5,), max_iter=2, random_state=0).fit(X, y)
    before = [reg.predict(X) for _ in range(3)][-1]
    reg._model.parameters()["weight_hh_l0"][...] = 0
    assert not np.array_equal(reg.predict(X), before)


def test_kept_from_the_second_inference_that_nobody_can_have_disturbed():
    seq = pylstm.Sequence(3, 5, random_state=0)
    packed = []
    for k in range(12):
        if k == 3:
            seq.parameters()["bias_l0"][...] = 1  # the view is gone at once
        if k == 6:
            held = seq.parameters()["weight_ih_l0"][1:]
        if k == 9:
            del held
        seq.forward(X)
        packed.append(seq.is_packed)
    assert packed == [False, True, True] * 2 + [False, False, False] + [False, True, True]
