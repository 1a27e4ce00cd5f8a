"""Gradients and updates of nets of tokens: central differences, PyTorch, fits of arrays, rows that did not occur."""

import numpy as np
import pytest
import reference
from digits import assert_same_bits
from nets import CELLS, random_like, random_state, relative_error
from test_tokens import make, of_values, rows_of

from pylstm._net.core import Gradient, Model, ModelSpec, Solver
from pylstm._net.inputs import Steps, as_steps
from pylstm._net.tokens import as_token_steps

LENGTHS = [9, 4, 17, 1, 4, 12, 30, 2]
SOLVERS = {
    "adam": {"kind": "adam"},
    "momentum": {"kind": "sgd", "momentum": 0.9},
    "nesterov": {"kind": "sgd", "momentum": 0.9, "nesterov": True},
    "rmsprop": {"kind": "rmsprop"},
}


def solver_of(model, kind="adam", **options):
    settings = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "momentum": 0.0,
                "nesterov": False, "alpha": 0.0, "max_grad_norm": 1.0}  # fmt: skip
    return Solver(model, kind, **settings | options)


# ---- a Sequence's backward


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("embedding_size", ["one-hot", 1, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_central_differences(cell, embedding_size, bidirectional):
    seq, X, state = make(6, (4, 3), [5, 1, 3], embedding_size, cell=cell, bidirectional=bidirectional, dtype="float64")
    rng = np.random.default_rng(1)
    Y, _ = seq.forward(X, state, training=True)
    dY, dstate = random_like(Y, rng), random_state(seq, len(X), rng)
    gradients = seq.backward(dY, dstate)
    assert gradients.input is None

    def loss():
        Y, final = seq.forward(X, state)
        of_states = sum((v * d).sum() for pair, dpair in zip(final, dstate, strict=True) for v, d in zip(pair, dpair))  # noqa: B905
        return sum((y * dy).sum() for y, dy in zip(Y, dY, strict=True)) + of_states

    parameters = seq.parameters()
    assert list(gradients.parameters) == list(parameters)
    for name, expected in reference.numeric_gradient(loss, parameters).items():
        np.testing.assert_allclose(gradients.parameters[name], expected, atol=2e-8, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("embedding_size", ["one-hot", 5, 16])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_values(cell, embedding_size, dtype):
    """One-hot: of zeros and ones. With a table: what the rows' gradients add up to."""
    seq, X, state = make(23, (17, 5), [9, 1, 14, 3], embedding_size, cell=cell, dtype=dtype, bidirectional=True)
    other, table = of_values(seq)
    Y, _ = seq.forward(X, state, training=True)
    other.forward(rows_of(table, X), state, training=True)
    dY = random_like(Y, np.random.default_rng(2))
    got, expected = seq.backward(dY), other.backward(dY)
    bound = 1e-5 if dtype == "float32" else 1e-13
    for name, values in expected.parameters.items():
        assert relative_error(got.parameters[name], values) <= bound, name
    if embedding_size != "one-hot":
        summed = np.zeros(table.shape)
        np.add.at(summed, np.concatenate(X), np.concatenate(expected.input))
        assert relative_error(got.parameters["embedding"], summed) <= bound
        never = np.setdiff1d(np.arange(23), np.concatenate(X))
        assert len(never) > 0
        assert not got.parameters["embedding"][never].any()


def test_frozen():
    seq, X, _ = make(6, 4, [5, 1, 3], 3, freeze_embedding=True)
    free, _, _ = make(6, 4, [5, 1, 3], 3)
    Y, _ = seq.forward(X, training=True)
    free.forward(X, training=True)
    got, expected = seq.backward(Y).parameters, free.backward(Y).parameters
    assert not got.pop("embedding").any()
    assert expected.pop("embedding").any()
    for name, values in expected.items():
        assert_same_bits(got[name], values)


@pytest.mark.parametrize("form", [lambda X: X, np.stack])
def test_x_may_change_before_backward(form):
    seq, X, _ = make(6, 4, [5, 5, 5], 3)
    X = form(list(X))
    Y, _ = seq.forward(X, training=True)
    expected = seq.backward(Y).parameters
    seq.forward(X, training=True)
    for x in X:
        x[...] = 65535
    for name, values in seq.backward(Y).parameters.items():
        assert_same_bits(values, expected[name])


# ---- training


class Problem:
    """A model of tokens, or of the values that they stand for, ragged sequences, targets."""

    def __init__(self, *, n_tokens=40, embedding_size=6, as_arrays=False, pooling=None, n_threads=1, seed=0, **options):
        rng = np.random.default_rng(seed)
        settings = {"loss": "cross_entropy", "n_outputs": n_tokens, "pooling": pooling} | options
        hidden = settings.pop("hidden", (13, 6))
        X = [rng.integers(1, n_tokens // 2, n).astype(np.uint8) for n in LENGTHS]  # tokens 0 and the upper half: never
        self.tokens = X
        self.targets = rng.integers(0, settings["n_outputs"], len(X) if pooling else sum(LENGTHS)).astype(np.intp)
        spec = ModelSpec(n_tokens, hidden, embedding_size=None if as_arrays else embedding_size, **settings)
        self.model = Model(spec, random_state=seed, n_threads=n_threads)
        self.steps: Steps = as_token_steps(X, n_tokens)
        if as_arrays:
            self.steps = as_steps([np.eye(n_tokens)[x] for x in X], n_tokens, spec.dtype)
        self.gradient = Gradient(self.model, self.steps, self.targets, batch_size=len(LENGTHS))

    def whole(self, seed=7):
        self.gradient.begin()
        weight, _ = self.gradient.add(np.arange(len(LENGTHS)), seed=seed)
        return self.gradient.finish(), self.gradient.values.copy(), weight

    def named(self, values):
        return self.model.spec.views(values)


@pytest.mark.parametrize("pooling", [None, "last", "mean", "max"])
@pytest.mark.parametrize(
    "options",
    [{}, {"embedding_size": "one-hot"}, {"tie_weights": True}, {"cell": "gru"}, {"cell": "rnn", "bidirectional": True}],
    ids=str,
)
def test_loss_and_gradient_by_differences(options, pooling):
    if options.get("tie_weights") and pooling:
        pytest.skip("as good as without pooling")
    problem = Problem(n_tokens=8, pooling=pooling, dtype="float64", hidden=(4, 6), **options)
    _, got, _ = problem.whole()
    parameters = problem.model.parameters()

    def loss():
        outputs = problem.model.predict(problem.steps, raw=True)[0]
        outputs = outputs - outputs.max(axis=1, keepdims=True)
        losses = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(outputs)), problem.targets]
        return losses.mean()

    for name, expected in reference.numeric_gradient(loss, parameters).items():
        np.testing.assert_allclose(problem.named(got)[name], expected, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("pooling", [None, "last", "max"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cell", CELLS)
def test_one_hot_fits_are_fits_of_arrays(cell, solver, pooling):
    """Bit for bit, with dropout and an L2 penalty, over mini-batches."""
    options = {"embedding_size": "one-hot", "pooling": pooling, "dropout": 0.3, "n_outputs": 3, **CELLS[cell]}
    tokens, arrays = Problem(**options), Problem(**options, as_arrays=True)
    assert_same_bits(tokens.model.copy_weights(), arrays.model.copy_weights())
    solvers = [solver_of(problem.model, **SOLVERS[solver], alpha=0.1) for problem in (tokens, arrays)]
    for batch in ([0, 3, 5], [1, 2, 4, 6, 7], [6], [0, 1, 2, 3, 4, 5, 6, 7]) * 3:
        got, expected = (
            problem.gradient.step(solver, np.array(batch, np.intp))[0]
            for problem, solver in zip((tokens, arrays), solvers, strict=True)
        )
        assert got == expected
    assert_same_bits(tokens.model.copy_weights(), arrays.model.copy_weights())


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_that_did_not_occur_keep_their_bits(solver, n_threads):
    problem = Problem(n_threads=n_threads)
    before = {name: values.copy() for name, values in problem.model.parameters().items()}
    by = solver_of(problem.model, **SOLVERS[solver], alpha=0.1)
    first = np.unique(problem.tokens[0])
    problem.gradient.step(by, np.array([0], np.intp))
    table = problem.model.parameters()["embedding"].copy()
    has_changed = (table != before["embedding"]).any(axis=1)
    assert np.flatnonzero(has_changed).tolist() == first.tolist()
    for batch in ([6, 2], [1, 3, 5]):
        problem.gradient.step(by, np.array(batch, np.intp))
    met = np.unique(np.concatenate([problem.tokens[k] for k in (0, 6, 2, 1, 3, 5)]))
    after = problem.model.parameters()
    never = np.setdiff1d(np.arange(40), met)
    assert_same_bits(after["embedding"][never], before["embedding"][never])
    not_since = np.setdiff1d(first, np.concatenate([problem.tokens[k] for k in (6, 2, 1, 3, 5)]))
    assert_same_bits(after["embedding"][not_since], table[not_since])  # no momentum goes on without it
    assert (after["weight_out"] != before["weight_out"]).any()


@pytest.mark.parametrize(
    "options", [{"freeze_embedding": True}, {"freeze_embedding": True, "pooling": "mean"}], ids=str
)
def test_a_frozen_table_is_no_part_of_training(options):
    frozen, free = Problem(**options), Problem(**options | {"freeze_embedding": False})
    _, got, _ = frozen.whole()
    assert not frozen.named(got)["embedding"].any()
    _, expected, _ = free.whole()
    for name, values in frozen.named(got).items():
        if name != "embedding":
            assert_same_bits(values, free.named(expected)[name])
    before = frozen.model.parameters()["embedding"].copy()
    by = solver_of(frozen.model, alpha=0.5)
    for _ in range(3):
        frozen.gradient.step(by, np.arange(8))
    assert_same_bits(frozen.model.parameters()["embedding"], before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pooling", [None, "last"])
@pytest.mark.parametrize("options", [{}, {"embedding_size": "one-hot"}, {"tie_weights": True}], ids=str)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_shards_are_the_whole(options, pooling, dtype, n_threads):
    problem = Problem(pooling=pooling, dtype=dtype, dropout=0.3, **options)
    expected_loss, expected, weight = problem.whole()
    problem = Problem(pooling=pooling, dtype=dtype, dropout=0.3, n_threads=n_threads, **options)
    first = np.cumsum(LENGTHS) - LENGTHS
    problem.gradient.begin()
    for shard in ([2, 5], [0], [7, 6, 1], [3, 4]):
        shard = np.array(shard, np.intp)
        problem.gradient.add(shard, rows=first[shard].astype(np.intp), total_weight=weight, seed=7)
    bound = 1e-12 if dtype == "float64" else 5e-6
    assert problem.gradient.finish() == pytest.approx(expected_loss, rel=bound)
    for name, values in problem.named(expected).items():
        assert relative_error(problem.named(problem.gradient.values)[name], values) <= bound, name


@pytest.mark.parametrize("options", [{}, {"embedding_size": "one-hot"}, {"tie_weights": True}], ids=str)
def test_step_is_its_parts(options):
    one, two = Problem(dropout=0.2, **options), Problem(dropout=0.2, **options)
    by_one, by_two = solver_of(one.model), solver_of(two.model)
    for batch in ([0, 3], [1, 2, 4], [5, 6, 7]):
        batch = np.array(batch, np.intp)
        expected = one.gradient.step(by_one, batch)[0]
        two.gradient.begin()
        weight, _ = two.gradient.add(batch)
        assert by_two.update(two.model, two.gradient, weight, two.gradient.finish()) == expected
        assert_same_bits(two.model.copy_weights(), one.model.copy_weights())


# ---- PyTorch


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_training_is_pytorchs(cell, sparse, tied):
    """A language model's steps: plain descent, with the norm clipped, of an embedding, dense or sparse."""
    torch = pytest.importorskip("torch")
    if tied and sparse:
        pytest.skip("PyTorch adds no dense gradient to a sparse one in place")
    problem = Problem(hidden=(6,), dtype="float64", cell=cell, tie_weights=tied)
    parameters = {name: torch.from_numpy(values.copy()) for name, values in problem.model.parameters().items()}
    embedding = torch.nn.Embedding.from_pretrained(parameters["embedding"], freeze=False, sparse=sparse)
    layer = getattr(torch.nn, cell.upper())(6, 6, batch_first=True).double()
    bias = parameters["bias_l0"]
    with torch.no_grad():
        layer.weight_ih_l0.copy_(parameters["weight_ih_l0"])
        layer.weight_hh_l0.copy_(parameters["weight_hh_l0"])
        layer.bias_hh_l0.zero_()
        layer.bias_ih_l0.copy_(bias[: len(layer.bias_ih_l0)])
        if cell == "gru":
            layer.bias_hh_l0[12:] = bias[18:]
            layer.bias_hh_l0.requires_grad_()
    head = torch.nn.Linear(6, 40).double()
    with torch.no_grad():
        head.weight.copy_(parameters.get("weight_out", parameters["embedding"]))
        head.bias.copy_(parameters["bias_out"])
    if tied:
        head.weight = embedding.weight
    layer.bias_hh_l0.requires_grad_(cell == "gru")
    learnt = {*embedding.parameters(), *layer.parameters(), *head.parameters()}
    by = solver_of(problem.model, kind="sgd", learning_rate=0.5, max_grad_norm=1e9)
    for step in range(5):
        batch = np.array([[0, 3, 5], [1, 2, 4, 6, 7]][step % 2], np.intp)
        loss, _, _ = problem.gradient.step(by, batch)
        rows = [embedding(torch.from_numpy(problem.tokens[k].astype(np.int64))) for k in batch]
        outputs = torch.cat([head(layer(row[None])[0][0]) for row in rows])
        starts = np.cumsum(LENGTHS) - LENGTHS
        labels = np.concatenate([problem.targets[starts[k] : starts[k] + LENGTHS[k]] for k in batch])
        expected = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels.astype(np.int64)))
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        for values in learnt:
            values.grad = None
        expected.backward()
        if cell == "gru":  # of its second bias only the part of n's product is ours
            layer.bias_hh_l0.grad[:12] = 0
        with torch.no_grad():
            for values in learnt:
                if values.grad is not None:
                    values -= 0.5 * (values.grad.to_dense() if values.grad.is_sparse else values.grad)
    assert relative_error(problem.model.parameters()["embedding"], embedding.weight.detach().numpy()) <= 1e-11
    assert relative_error(problem.model.parameters()["weight_hh_l0"], layer.weight_hh_l0.detach().numpy()) <= 1e-11
