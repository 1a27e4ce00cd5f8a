"""Random nets, sequences and states for the tests, in the forms that `Sequence` takes."""

from itertools import pairwise

import numpy as np

import pylstm
from pylstm._devices.c_net import Layer, Matrix, Net, Tokens
from pylstm._devices.c_vocabulary import vocabulary_of
from pylstm._estimators.forecaster.intervals import Errors
from pylstm._net.cells import SIZES, STATES
from pylstm._net.describe import DirectForecasts, Missing, RecursiveForecasts, Scaling

# input_size, hidden_size, lengths: ones, primes, equal lengths (also given dense), one beside far longer ones.
SHAPES = [
    (1, 1, [1]),
    (3, 5, [4, 4, 4]),
    (2, 7, [5, 1, 3, 5, 2]),
    (7, (5, 3), [3, 6, 1]),
    (1, (2, 1, 4), [2, 3]),
    (13, 17, [11, 1, 7, 2]),
    (5, 31, [2] * 33),
    (12, 37, [29, 7, 13, 1, 23]),
]
SHAPE_IDS = [f"I{shape[0]}-H{shape[1]}-T{shape[2][0]}-B{len(shape[2])}".replace(" ", "") for shape in SHAPES]


#: As the tests name them: the plain RNN has two.
CELLS = {
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "rnn": {"cell": "rnn"},
    "relu": {"cell": "rnn", "nonlinearity": "relu"},
}


def make(input_size, hidden_size, lengths, *, bidirectional, dtype, seed=0, dropout=0.0, cell="lstm"):
    """Return a net with random weights, biases too, and everything that a pass over it takes."""
    rng = np.random.default_rng(seed)
    seq = pylstm.Sequence(
        input_size,
        hidden_size,
        bidirectional=bidirectional,
        dropout=dropout,
        dtype=dtype,
        random_state=seed,
        **CELLS[cell],
    )
    for values in seq.parameters().values():
        if values.ndim == 1:
            values[...] = rng.normal(size=values.shape)
    X = [rng.normal(size=(length, input_size)).astype(dtype) for length in lengths]
    if len(set(lengths)) == 1:
        X = np.stack(X)
    return seq, X, random_state(seq, len(lengths), rng), rng


def random_state(seq, n_sequences, rng):
    """Return a list of pairs (h, c), or of (h,), for `seq`."""
    sizes = seq.hidden_size if isinstance(seq.hidden_size, tuple) else (seq.hidden_size,)
    shape = (2 if seq.bidirectional else 1, n_sequences)
    letters = "hc" if seq.cell == "lstm" else "h"
    return [tuple(rng.normal(size=(*shape, size)).astype(seq.dtype) for _ in letters) for size in sizes]


def of_sequences(state, which):
    """Return the state of some of the sequences."""
    return [tuple(values[:, which] for values in layer) for layer in state]


def random_like(Y, rng):
    """Return standard normal numbers of Y's form, dense or list."""
    if isinstance(Y, list):
        return [rng.normal(size=y.shape).astype(y.dtype) for y in Y]
    return rng.normal(size=Y.shape).astype(Y.dtype)


def n_layers(seq):
    """Return the number of layers of `seq`."""
    return len(seq.hidden_size) if isinstance(seq.hidden_size, tuple) else 1


def relative_error(got, expected):
    """Return the largest difference over the largest expected value."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    return np.abs(got - expected).max() / max(np.abs(expected).max(), np.finfo(np.float64).tiny)


def quantised(net):
    """Return the weights in one array, those of each row of a matrix rounded to multiples of its largest / 127."""
    parts = []
    for values in net.parameters().values():
        if values.ndim == 2:
            scale = np.abs(values).max(axis=1, keepdims=True) / np.float32(127)
            values = np.round(values / scale) * scale
        parts.append(values.ravel())
    return np.concatenate(parts)


def exported_net(cell="lstm", sizes=(12, 16), n_outputs=9, loss="cross_entropy", parameter=0.5, scaled=False,
                 int8=False, seed=0, pooling=None, scaled_back=False, missing=None, tokens=None, texts=False,
                 writes=False):  # fmt: skip
    """Return a net of random weights, as `export_c` has it; `sizes` begins with that of the inputs.

    `tokens` are "one-hot", or of an "embedding", which may be "frozen" or "tied". As many are there as outputs, if they
    are tied, or if it `writes` them.
    """
    rng, kind = np.random.default_rng(seed), CELLS[cell]["cell"]
    n_gates, n_biases = SIZES[kind]

    def some(*shape):
        return rng.uniform(-0.6, 0.6, shape).astype(np.float32)

    layers = [
        Layer(Matrix(some(n_gates * n, n_x)), Matrix(some(n_gates * n, n)), some(n_biases * n))
        for n_x, n in pairwise(sizes)
    ]
    scaling = Scaling(some(sizes[0]), 2 + some(sizes[0])) if scaled else None
    if scaled == "in double":
        scaling = Scaling(*np.asarray(scaling, np.float64))
    head = Matrix(some(n_outputs, sizes[-1])), some(n_outputs)
    targets = Scaling(some(n_outputs), 2 + some(n_outputs)) if scaled_back else None
    if scaled_back == "in double":
        targets = Scaling(*np.asarray(targets, np.float64))
    if missing is not None:
        columns = np.arange((sizes[0] - 1) // 3 if missing == "indicator" else 0)
        missing = Missing(missing, scaling.mean[: sizes[0] - 2 * len(columns)], columns)
    of_cell = kind, CELLS[cell].get("nonlinearity", "tanh")
    if tokens is not None:
        n_tokens = n_outputs if writes or tokens == "tied" else sizes[0] if tokens == "one-hot" else 20
        known = vocabulary_of(np.array([chr(65 + k) for k in range(n_tokens)], object), n_tokens) if texts else None
        drawn = range(1, n_tokens) if writes else None
        table = None if tokens == "one-hot" else head[0] if tokens == "tied" else Matrix(some(n_tokens, sizes[0]))
        tokens = Tokens(n_tokens, table, tokens == "tied", known, drawn, tokens == "frozen")
    net = Net(layers, *head, loss, scaling, *of_cell, parameter, pooling, targets, missing, tokens)
    return net.quantised() if int8 else net


def exported_forecasts(kind, cell="lstm", hidden_sizes=(16,), transforms=(None,), n_features=0, seasons=(12,)):
    """Return how a forecaster goes on, as `export_c` has it: with numbers that are all the same."""
    x = Scaling(np.full(n_features, 0.5), np.full(n_features, 2.0)) if n_features else None
    if kind == "recursive":
        lags = (*seasons[:1],)
        letters = STATES[CELLS[cell]["cell"]]
        state = [tuple(np.full((1, 1, n), 0.5, np.float32) for _ in letters) for n in hidden_sizes]
        still = np.ones((1, 1))
        return RecursiveForecasts(
            transforms[0], lags, 0.01 * still, 0.1 * still, [[np.ones((lag, 1)) for lag in lags]], still, x, state
        )
    lags = (0, *(seasons or (1,)))
    transforms = tuple(transforms[min(k, len(transforms) - 1)] for k in range(len(lags)))
    errors = Errors(np.linspace(1, 2, 24), np.linspace(0, 2, 200))
    indices = [np.full((1, season, 1), 0.1) for season in seasons]
    of_columns = np.full((len(lags), 1, 1), 0.1), np.ones((1, 1), bool), indices
    ends = [np.ones((48, 1))], [np.full((48, n_features), 0.5)], x
    return DirectForecasts(24, 36, lags, transforms, seasons, *of_columns, *ends, np.ones((1, 1)), errors)
