"""The forward pass gives a sequence the same bits alone, in any batch, in pieces, and on any number of threads."""

import functools
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from digits import assert_same_bits
from nets import CELLS, make, of_sequences, random_like, relative_error

import pylstm
from pylstm._net import core

SHAPES = [
    (1, 1, [1, 2]),
    (3, 37, [5, 1, 9, 5, 2, 30, 4]),
    (16, (33, 8), [12] * 13),
    (5, 64, [40, 3, 7, 7, 1, 22, 40, 9, 15, 16, 17, 18, 19, 20]),
    (130, 150, [9, 300, 2]),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_alone_batched_and_training(cell, shape, bidirectional, dtype):
    seq, X, state, rng = make(*shape, bidirectional=bidirectional, dtype=dtype, cell=cell)
    X = list(X)
    Y, final = seq.forward(X, state)
    Y_training, final_training = seq.forward(X, state, training=True)
    order = rng.permutation(len(X))
    Y_permuted, _ = seq.forward([X[b] for b in order], of_sequences(state, order))
    for place, b in enumerate(order):
        assert_same_bits(Y_permuted[place], Y[b])
    for b, x in enumerate(X):
        alone, alone_final = seq.forward(x[np.newaxis], of_sequences(state, [b]))
        assert_same_bits(alone[0], Y[b])
        assert_same_bits(Y_training[b], Y[b])
        for pair, pair_training, pair_alone in zip(final, final_training, alone_final, strict=True):
            for values, values_training, values_alone in zip(pair, pair_training, pair_alone, strict=True):
                assert_same_bits(values_alone[:, 0], values[:, b])
                assert_same_bits(values_training, values)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("which", CELLS)
def test_in_pieces_and_step_by_step(which, dtype):
    seq, X, state, _ = make(7, 19, [23] * 3, bidirectional=False, dtype=dtype, cell=which)
    whole, final = seq.forward(X, state)
    cell = pylstm.Cell(7, 19, dtype=dtype, **CELLS[which])
    for mine, its in zip((cell.weight_ih, cell.weight_hh, cell.bias), seq.parameters().values(), strict=True):
        mine[...] = its
    running, own = state, tuple(values[0] for values in state[0])
    own = own if which == "lstm" else own[0]
    for start, stop in [(0, 1), (1, 4), (4, 15), (15, 23)]:
        Y, running = seq.forward(X[:, start:stop], running)
        assert_same_bits(Y, whole[:, start:stop])
        for t in range(start, stop):
            own = cell.step(X[:, t], own)
            assert_same_bits(own[0] if which == "lstm" else own, whole[:, t])
    for values, mine, expected in zip(running[0], own if which == "lstm" else (own,), final[0], strict=True):
        assert_same_bits(values, expected)
        assert_same_bits(mine, expected[0])


# Large enough that threads are used (src_c/layers/parts.c): each on its sequences, or all on the units of one sequence.
SHARED = {
    "sequences": (20, (48, 30), [int(length) for length in np.random.default_rng(0).integers(1, 60, 41)]),
    "units": (130, (390, 280), [300]),
}


@functools.cache
def by_one_thread(shared, dtype, cell):
    """Return what a pass over `SHARED` takes, and what one thread makes of it: outputs and state, gradients."""
    one, X, state, rng = make(*SHARED[shared], bidirectional=True, dtype=dtype, cell=cell)
    Y, final = one.forward(X, state, training=True)
    dY = random_like(Y, rng)
    return X, state, Y, final, dY, one.backward(dY, final)


@pytest.mark.parametrize("shared", SHARED)
class TestThreads:
    def nets(self, shared, n_threads, *, bidirectional=True, dtype="float32", dropout=0.0, cell="lstm"):
        one, X, state, rng = make(*SHARED[shared], bidirectional=bidirectional, dtype=dtype, dropout=dropout, cell=cell)
        many = pylstm.Sequence(
            one.input_size,
            one.hidden_size,
            bidirectional,
            dropout,
            dtype,
            random_state=0,
            n_threads=n_threads,
            **CELLS[cell],
        )
        for mine, its in zip(many.parameters().values(), one.parameters().values(), strict=True):
            mine[...] = its
        return one, many, X, state, rng

    @pytest.mark.parametrize("n_threads", [2, 7, *(pytest.param(n, marks=pytest.mark.long) for n in (3, 41, 64, 1000))])
    @pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float64", 1e-13)])
    def test_same_bits_forward_and_near_gradients(self, shared, n_threads, dtype, bound):
        self.check(shared, n_threads, dtype, bound)

    @pytest.mark.parametrize(
        ("cell", "n_threads", "dtype", "bound"),
        [("gru", 2, "float32", 1e-5), ("gru", 7, "float64", 1e-13), ("rnn", 3, "float32", 1e-5),
         ("relu", 2, "float64", 1e-13)],
    )  # fmt: skip
    def test_other_cells(self, shared, cell, n_threads, dtype, bound):
        self.check(shared, n_threads, dtype, bound, cell)

    def check(self, shared, n_threads, dtype, bound, cell="lstm"):
        X, state, Y, final, dY, expected = by_one_thread(shared, dtype, cell)
        _, many, *_ = self.nets(shared, n_threads, dtype=dtype, cell=cell)
        Y_many, final_many = many.forward(X, state, training=True)
        for y, y_many, y_inference in zip(Y, Y_many, many.forward(X, state)[0], strict=True):
            assert_same_bits(y_many, y)
            assert_same_bits(y_inference, y)
        for pair, pair_many in zip(final, final_many, strict=True):
            for values, values_many in zip(pair, pair_many, strict=True):
                assert_same_bits(values_many, values)
        got = many.backward(dY, final)
        for name, values in expected.parameters.items():
            assert relative_error(got.parameters[name], values) <= bound, name
        for x, x_many in zip(expected.input, got.input, strict=True):
            assert relative_error(x_many, x) <= bound
        for pair, pair_many in zip(expected.state, got.state, strict=True):
            for values, values_many in zip(pair, pair_many, strict=True):
                assert relative_error(values_many, values) <= bound

    def test_dropout_is_the_same(self, shared):
        one, many, X, state, _ = self.nets(shared, 3, dropout=0.4)  # both from random_state=0: the same stream of seeds
        Y, _ = one.forward(X, state, training=True)
        for y, y_many in zip(Y, many.forward(X, state, training=True)[0], strict=True):
            assert_same_bits(y_many, y)

    @pytest.mark.long
    def test_threads_within_threads(self, shared):
        _, many, X, state, _ = self.nets(shared, 2)
        expected, _ = many.forward(X, state)
        wrong = []

        def work():
            for _ in range(10):
                Y, _ = many.forward(X, state)
                if not all(np.array_equal(y, e) for y, e in zip(Y, expected, strict=True)):
                    wrong.append(Y)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_fork_after_threads(self, shared):
        _, many, X, state, _ = self.nets(shared, 2)
        expected, _ = many.forward(X, state)
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=lambda: queue.put(many.forward(X, state)[0]))
        child.start()
        got = queue.get()
        child.join(timeout=60)
        assert child.exitcode == 0
        for y, y_child in zip(expected, got, strict=True):
            assert_same_bits(y_child, y)


def test_one_thread_uses_one_thread():
    """With n_threads=1 no other thread of the process does work, BLAS's included."""
    code = (
        "import numpy as np, time, pylstm\n"
        "from pylstm._net.core import Model, ModelSpec\n"
        "from pylstm._net.inputs import as_steps\n"
        "seq = pylstm.Sequence(64, 256)\n"
        "X = np.ones((32, 100, 64), 'f')\n"
        "model = Model(ModelSpec(1, (128,), loss='cross_entropy', n_outputs=500, pooling='last'))\n"
        "steps = as_steps(np.ones((20000, 1, 1)), 1, 'float32')\n"
        "process, thread = time.process_time(), time.thread_time()\n"
        "Y, _ = seq.forward(X, training=True)\n"
        "seq.backward(Y)\n"
        "model.predict(steps)\n"
        "print((time.process_time() - process) / (time.thread_time() - thread))\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.1


def run_with_isa(isa, code):
    return subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "PYLSTM_ISA": isa},
    )  # fmt: skip


def test_isa_can_be_forced():
    assert "scalar" in core.isas
    assert core.isa in core.isas
    refused = run_with_isa("nonsense", "import pylstm")
    assert f"PYLSTM_ISA must be one of {', '.join(core.isas)} on this machine, got 'nonsense'" in refused.stderr
    for isa in core.isas:
        done = run_with_isa(isa, "from pylstm._net import core; print(core.isa)")
        assert done.stdout.strip() == isa
