"""The gradient apart from its update: shards of a mini-batch summed are the whole; a loss may be the caller's own."""

import numpy as np
import pytest

from pylstm._net.core import Gradient, Model, ModelSpec, Solver
from pylstm._net.inputs import as_steps

LENGTHS = [9, 4, 17, 1, 4, 12, 30, 2]
#: Relative to each parameter's largest gradient.
BOUND = {"float64": 1e-12, "float32": 5e-6}


class Problem:
    """A model with dropout, ragged sequences, weights."""

    def __init__(self, loss, pooling, dtype, *, cell="lstm", hidden=(13, 6), bidirectional=False, n_threads=1):
        rng = np.random.default_rng(0)
        spec = ModelSpec(3, hidden, bidirectional=bidirectional, dropout=0.3, dtype=dtype, cell=cell, loss=loss,
                         n_outputs=4, pooling=pooling)  # fmt: skip
        self.model = Model(spec, random_state=0, n_threads=n_threads)
        n_targets = len(LENGTHS) if pooling else sum(LENGTHS)
        self.targets = rng.integers(0, 4, n_targets).astype(np.intp)
        if loss != "cross_entropy":
            self.targets = rng.normal(size=(n_targets, 4)).astype(dtype)
        self.weights = rng.uniform(0.1, 2, n_targets)
        self.steps = as_steps([rng.normal(size=(n, 3)) for n in LENGTHS], 3, dtype)
        self.pooling = pooling
        self.summed = Gradient(self.model, self.steps, self.targets, self.weights, batch_size=len(LENGTHS))

    def whole(self):
        self.summed.begin()
        weight, _ = self.summed.add(np.arange(len(LENGTHS)), seed=7)
        return self.summed.finish(), self.summed.values.copy(), weight

    def worst(self, values, expected):
        """Return the largest difference, relative to each parameter's largest."""
        worst, start = 0.0, 0
        for parameter in self.model.parameters().values():
            part = slice(start, start + parameter.size)
            worst = max(worst, abs(values[part] - expected[part]).max() / abs(expected[part]).max())
            start += parameter.size
        return worst


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_shards_are_the_whole(cell, loss, pooling, dtype):
    problem = Problem(loss, pooling, dtype, cell=cell, bidirectional=cell == "gru")
    expected_loss, expected, weight = problem.whole()
    first = np.cumsum(LENGTHS) - LENGTHS
    shards = [np.array(shard, np.intp) for shard in ([2, 5], [0], [7, 6, 1], [3, 4])]
    problem.summed.begin()
    weights = [
        problem.summed.add(shard, rows=first[shard].astype(np.intp), total_weight=weight, seed=7)[0] for shard in shards
    ]
    loss_of_shards = problem.summed.finish()
    assert sum(weights) == pytest.approx(weight)
    assert loss_of_shards == pytest.approx(expected_loss, rel=1e-12 if dtype == "float64" else 1e-6)
    assert problem.worst(problem.summed.values, expected) < BOUND[dtype]


@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
def test_threads_change_rounding_only(pooling):
    one, two = (Problem("cross_entropy", pooling, "float64", hidden=(120,), n_threads=n) for n in (1, 2))
    assert two.whole()[0] == pytest.approx(one.whole()[0], rel=1e-12)
    assert one.worst(two.summed.values, one.summed.values) < BOUND["float64"]


def test_dropout_hangs_on_the_rows_of_the_whole():
    """Without them a shard drops what its own rows say, and the sum is another."""
    problem = Problem("cross_entropy", "last", "float64")
    _, expected, weight = problem.whole()
    problem.summed.begin()
    for shard in ([0, 1, 2, 3], [4, 5, 6, 7]):
        problem.summed.add(np.array(shard, np.intp), total_weight=weight, seed=7)
    problem.summed.finish()
    assert problem.worst(problem.summed.values, expected) > 1e-3


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
def test_a_loss_of_the_callers(pooling, n_threads):
    """Half the squared error, written again in NumPy, has the gradient of the built-in one."""
    problem = Problem("squared_error", pooling, "float64", hidden=(120,), n_threads=n_threads)
    expected_loss, expected, weight = problem.whole()
    problem.summed.begin()
    outputs, same_weight, _ = problem.summed.outputs(np.arange(len(LENGTHS)), seed=7)
    assert same_weight == weight
    residuals = outputs - problem.targets
    share = problem.weights[:, None] / weight
    problem.summed.backward(residuals * share / 4)
    assert problem.summed.finish() == 0
    assert (share * residuals**2 / 8).sum() == pytest.approx(expected_loss)
    assert problem.worst(problem.summed.values, expected) < BOUND["float64"]


def test_step_is_its_parts():
    """The same bits from one call and from begin, add, finish and update."""
    settings = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "momentum": 0.0,
                "nesterov": False, "alpha": 0.1, "max_grad_norm": 0.5}  # fmt: skip
    one, two = (Problem("cross_entropy", "max", "float32") for _ in range(2))
    batch = np.array([1, 6, 2], np.intp)
    solver, loss = Solver(one.model, "adam", **settings), []
    for _ in range(3):
        loss.append(one.summed.step(solver, batch)[0])
    solver = Solver(two.model, "adam", **settings)
    for expected in loss:
        two.summed.begin()
        weight, _ = two.summed.add(batch)
        assert solver.update(two.model, two.summed, weight, two.summed.finish()) == expected
    np.testing.assert_array_equal(two.model.copy_weights(), one.model.copy_weights())
    assert solver.t == 3


@pytest.mark.parametrize("hidden", [(40,), (300,)])
def test_nothing_added_is_zero(hidden):
    problem = Problem("squared_error", "last", "float32", hidden=hidden)
    problem.whole()
    problem.summed.begin()
    assert problem.summed.finish() == 0
    assert not problem.summed.values.any()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"targets": np.zeros((8, 3), np.float32)}, "targets must be"),
        ({"targets": np.zeros((8, 4))}, "targets must be"),
        ({"weights": np.ones(7)}, "weights must be"),
    ],
)
def test_arrays_that_do_not_fit_the_model_are_refused(bad, message):
    problem = Problem("squared_error", "last", "float32")
    given = {"targets": problem.targets, "weights": problem.weights, **bad}
    with pytest.raises(ValueError, match=message):
        Gradient(problem.model, problem.steps, given["targets"], given["weights"], batch_size=2)
