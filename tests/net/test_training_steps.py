"""Steps of training against NumPy: losses, gradients by central differences, solvers, truncated BPTT."""

import pickle
from functools import partial

import numpy as np
import pytest
from nets import relative_error
from reference import mean_loss, numeric_gradient, penalty, predictions

from pylstm._estimators.training import Windows
from pylstm._net.core import Gradient, Model, ModelSpec, Solver
from pylstm._net.inputs import as_steps

LENGTHS = (4, 1, 3, 5, 2)
SOLVER = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-7, "momentum": 0.0, "nesterov": False,
          "alpha": 0.3, "max_grad_norm": 0.0}  # fmt: skip


class Problem:
    """A small model in float64 with sequences and targets, and the same in NumPy."""

    def __init__(self, pooling, loss, *, hidden=(3,), bidirectional=False, n_outputs=3):
        rng = np.random.default_rng(1)
        self.X = [rng.normal(size=(n_steps, 2)) for n_steps in LENGTHS]
        self.layout = (len(hidden), bidirectional, pooling, loss)
        self.loss, self.is_per_step = loss, pooling is None
        spec = ModelSpec(2, hidden, bidirectional=bidirectional, dtype="float64", loss=loss, n_outputs=n_outputs,
                         pooling=pooling)  # fmt: skip
        self.model = Model(spec, random_state=0)
        for name, values in self.model.parameters().items():
            if name.startswith("bias"):
                values[...] = rng.normal(size=values.shape)
        self.parameters = {name: values.copy() for name, values in self.model.parameters().items()}
        n_targets = sum(LENGTHS) if self.is_per_step else len(LENGTHS)
        labels = rng.integers(n_outputs, size=n_targets).astype(np.intp)
        self.targets = labels if loss == "cross_entropy" else rng.normal(size=(n_targets, n_outputs))
        self.weights = rng.uniform(0.5, 2, n_targets)
        self.steps = as_steps(self.X, 2, "float64")

    def gradient(self, *, weighted=True, **options):
        return Gradient(self.model, self.steps, self.targets, self.weights if weighted else None,
                        **{"batch_size": len(LENGTHS), **options})  # fmt: skip

    def of_targets(self, batch):
        """Return where the targets of some sequences are."""
        if not self.is_per_step:
            return np.array(batch)
        ends = np.cumsum(LENGTHS)
        return np.concatenate([np.arange(ends[b] - LENGTHS[b], ends[b]) for b in batch])

    def expected(self, batch, alpha, *, weighted=True):
        """Return loss and gradient of a mini-batch."""
        at = self.of_targets(batch)
        weights = self.weights[at] if weighted else np.ones(len(at))

        def loss():
            values, _ = predictions(self.parameters, *self.layout, [self.X[b] for b in batch])
            return mean_loss(values, self.targets[at], weights, self.loss) + penalty(self.parameters, alpha, weights)

        return loss(), numeric_gradient(loss, self.parameters)

    def assert_weights_agree(self):
        for name, values in self.model.parameters().items():
            assert relative_error(values, self.parameters[name]) < 1e-5, name


@pytest.mark.parametrize(
    ("options", "weighted"), [({}, False), ({"bidirectional": True}, True), ({"hidden": (2, 3)}, True)], ids=str
)
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
def test_loss_and_gradient(pooling, loss, options, weighted):
    """A step of plain gradient descent moves the weights by the gradient, which is so seen."""
    problem = Problem(pooling, loss, **options)
    solver = Solver(problem.model, "sgd", **SOLVER)
    batch = [3, 0, 4]
    expected_loss, gradient = problem.expected(batch, SOLVER["alpha"], weighted=weighted)
    loss, weight, _ = problem.gradient(weighted=weighted).step(solver, np.array(batch, np.intp))
    at = problem.of_targets(batch)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert weight == pytest.approx(problem.weights[at].sum() if weighted else len(at))
    for name, values in problem.model.parameters().items():
        moved = (problem.parameters[name] - values) / SOLVER["learning_rate"]
        assert relative_error(moved, gradient[name]) < 1e-7, name


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
def test_predictions(pooling, loss):
    problem = Problem(pooling, loss, hidden=(2, 3), bidirectional=True)
    expected, expected_state = predictions(problem.parameters, *problem.layout, problem.X)
    values, state = problem.model.predict(problem.steps)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    for layer, expected_layer in zip(state, expected_state, strict=True):
        np.testing.assert_allclose(layer, expected_layer, rtol=1e-12)


def sgd(t, g, memory, s):
    u = memory.setdefault("u", 0.0) * s["momentum"] - s["learning_rate"] * g
    memory["u"] = u
    return s["momentum"] * u - s["learning_rate"] * g if s["nesterov"] else u


def adam(t, g, memory, s):
    memory["m"] = s["beta_1"] * memory.get("m", 0.0) + (1 - s["beta_1"]) * g
    memory["v"] = s["beta_2"] * memory.get("v", 0.0) + (1 - s["beta_2"]) * g**2
    m_hat, v_hat = memory["m"] / (1 - s["beta_1"] ** t), memory["v"] / (1 - s["beta_2"] ** t)
    return -s["learning_rate"] * m_hat / (np.sqrt(v_hat) + s["epsilon"])


def rmsprop(t, g, memory, s):
    memory["v"] = s["beta_2"] * memory.get("v", 0.0) + (1 - s["beta_2"]) * g**2
    return -s["learning_rate"] * g / (np.sqrt(memory["v"]) + s["epsilon"])


@pytest.mark.parametrize("max_grad_norm", [0.0, 0.05])
@pytest.mark.parametrize(
    ("rule", "options"),
    [(sgd, {"momentum": 0.7}), (sgd, {"momentum": 0.7, "nesterov": True}), (adam, {}), (rmsprop, {})],
    ids=["momentum", "nesterov", "adam", "rmsprop"],
)
def test_solvers(rule, options, max_grad_norm):
    """Three mini-batches, the gradient clipped or not."""
    settings = {**SOLVER, **options, "max_grad_norm": max_grad_norm}
    problem = Problem("last", "cross_entropy")
    solver = Solver(problem.model, rule.__name__, **settings)
    summed = problem.gradient()
    memory = {name: {} for name in problem.parameters}
    for t, batch in enumerate([[0, 1, 2], [4, 3], [2]], start=1):
        expected_loss, gradient = problem.expected(batch, settings["alpha"])
        norm = np.sqrt(sum((values**2).sum() for values in gradient.values()))
        scale = min(1, max_grad_norm / norm) if max_grad_norm else 1
        assert summed.step(solver, np.array(batch, np.intp))[0] == pytest.approx(expected_loss, rel=1e-6)
        for name, values in gradient.items():
            problem.parameters[name] += rule(t, scale * values, memory[name], settings)
        problem.assert_weights_agree()
    assert solver.t == 3


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_windows(loss):
    """State is carried from window to window and gradients are not; steps of no weight have no part in the loss."""
    problem = Problem(None, loss, hidden=(2, 3))
    starts = np.cumsum(LENGTHS) - LENGTHS
    problem.weights[starts] = 0  # as with burn_in=1
    windows = Windows(problem.steps, 2)
    summed = problem.gradient(windows=(windows.first, windows.length), batch_size=3)
    step = partial(summed.step, Solver(problem.model, "sgd", **SOLVER))
    batch = [4, 3, 0]
    loss_sum, weight_sum = windows.train(step, np.array(batch, np.intp))

    state = {b: [(np.zeros((1, 1, size)), np.zeros((1, 1, size))) for size in (2, 3)] for b in batch}
    expected_sum = expected_weight = 0.0
    for window in range(3):
        stretches = {b: slice(2 * window, min(2 * window + 2, LENGTHS[b])) for b in batch if LENGTHS[b] > 2 * window}
        at = np.concatenate([starts[b] + np.arange(LENGTHS[b])[part] for b, part in stretches.items()])
        weights = problem.weights[at]
        finals = {}

        def total(stretches=stretches, at=at, weights=weights, finals=finals):
            values = []
            for b, part in stretches.items():
                of_sequence, finals[b] = predictions(
                    problem.parameters, *problem.layout, [problem.X[b][part]], state[b]
                )
                values.append(of_sequence)
            mean = mean_loss(np.concatenate(values), problem.targets[at], weights, loss)
            return mean + penalty(problem.parameters, SOLVER["alpha"], weights)

        gradient = numeric_gradient(total, problem.parameters)
        expected_sum += total() * weights.sum()
        expected_weight += weights.sum()
        state.update(finals)
        for name, values in gradient.items():
            problem.parameters[name] -= SOLVER["learning_rate"] * values
    assert weight_sum == pytest.approx(expected_weight)
    assert loss_sum == pytest.approx(expected_sum, rel=1e-9)
    problem.assert_weights_agree()


def test_what_has_no_weight_trains_nothing():
    problem = Problem("last", "cross_entropy")
    problem.weights[2] = 0
    solver = Solver(problem.model, "adam", **SOLVER)
    assert problem.gradient().step(solver, np.array([2], np.intp))[:2] == (0, 0)
    assert solver.t == 0
    problem.assert_weights_agree()


def test_gradient_that_overflows_is_told():
    """A finite loss whose gradient is not: nothing is updated, and the loss says so."""
    problem = Problem("last", "squared_error")
    problem.targets *= 1e150
    for parameters in (problem.parameters, problem.model.parameters()):
        parameters["weight_out"] *= 1e10
    values, _ = predictions(problem.parameters, *problem.layout, problem.X[:1])
    assert np.isfinite(mean_loss(values, problem.targets[:1], np.ones(1), problem.loss))
    loss, _, _ = problem.gradient().step(Solver(problem.model, "sgd", **SOLVER), np.array([0], np.intp))
    assert not np.isfinite(loss)
    problem.assert_weights_agree()


def test_bad_index_and_label_are_refused():
    problem = Problem("last", "cross_entropy")
    problem.targets[2] = 5
    summed, solver = problem.gradient(batch_size=2), Solver(problem.model, "adam", **SOLVER)
    for indices, message in [
        ([0, 5], "indices must be of 5 sequences, got 5"),
        ([-1], "indices must be of 5 sequences, got -1"),
        ([2], "label"),
        ([0, 1, 3], "indices must be of 1 to 2 sequences, got 3"),
        ([], "indices must be of 1 to 2 sequences, got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            summed.step(solver, np.array(indices, np.intp))
    problem.assert_weights_agree()


def test_pickled_solver_goes_on():
    one, two = Problem("mean", "cross_entropy"), Problem("mean", "cross_entropy")
    solver = Solver(one.model, "adam", **SOLVER)
    batch = np.array([0, 1], np.intp)
    one.gradient().step(solver, batch)
    model, solver_again = pickle.loads(pickle.dumps((one.model, solver)))
    assert solver_again.t == 1
    two.model = model
    one.gradient().step(solver, batch)
    two.gradient().step(solver_again, batch)
    np.testing.assert_array_equal(two.model.copy_weights(), one.model.copy_weights())
