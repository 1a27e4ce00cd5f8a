"""What an exported model is made of: its weights as C has them, its state, and what memory these take."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .._net.cells import PLACES, STATES, c_name
from .._net.describe import Missing, Scaling
from .._net.inputs import Array
from .c_vocabulary import Vocabulary

#: Units of a panel where there are vectors: as many as the widest vector has.
LANES = 8


class Loss(NamedTuple):
    """What training minimised: its function in losses.h; in words, which may have the parameter; and the function in
    softmax.h that makes predictions of outputs, if there is one.
    """

    row: str
    words: str
    predict: str | None = None


LOSSES = {
    "cross_entropy": Loss("cross_entropy_row", "cross-entropy", "softmax_row"),
    "squared_error": Loss("squared_error_row", "half the squared error"),
    "absolute_error": Loss("absolute_error_row", "absolute error"),
    "huber": Loss("huber_row", "Huber loss, straight from {:g},"),
    "quantile": Loss("quantile_row", "loss of the quantile {:g}"),
    "sigmoid": Loss("sigmoid_row", "cross-entropy of each output by itself", "sigmoids_row"),
}


class Matrix(NamedTuple):
    """Weights: float32, or bytes with a scale for each row."""

    values: Array
    scale: Array | None = None

    def quantised(self) -> "Matrix":
        scale = (np.abs(self.values).max(axis=1, initial=0) / 127).astype(np.float32)
        scale[scale == 0] = 1
        rounded = np.rint(self.values / scale[:, np.newaxis])
        return Matrix(np.clip(rounded, -127, 127).astype(np.int8), scale)

    def real(self) -> Array:
        return self.values if self.scale is None else self.values * self.scale[:, np.newaxis]


class Layer(NamedTuple):
    """Weights laid out as in `Sequence.parameters`."""

    weight_ih: Matrix
    weight_hh: Matrix
    bias: Array

    @property
    def sizes(self) -> tuple[int, int]:
        """Inputs and units."""
        return self.weight_ih.values.shape[1], self.weight_hh.values.shape[1]


class Tokens(NamedTuple):
    """What there is of tokens in a net that reads them."""

    n: int
    table: Matrix | None
    """A row for each; None where they are one-hot."""
    is_tied: bool = False
    """Whether the table is the dense layer's weights as well."""
    vocabulary: Vocabulary | None = None
    """Their texts, where these are known."""
    drawn: range | None = None
    """Of a language model those that it writes; the last token is the end of a text."""
    is_frozen: bool = False
    """Whether the table stays what it is where the rest is learnt."""


class Net(NamedTuple):
    """All that a model computes with. The dense layer may have no outputs, and the scaling be None."""

    layers: list[Layer]
    weight_out: Matrix
    bias_out: Array
    loss: str
    scaling: Scaling | None
    """In float32 or float64: what its C function reads."""
    cell: str = "lstm"
    nonlinearity: str = "tanh"
    loss_parameter: float = 0.0
    pooling: str | None = None
    """What of the steps so far the dense layer reads: their "mean" or "max"; None is the step's own."""
    targets: Scaling | None = None
    """In float32 or float64: what its C function writes."""
    missing: Missing | None = None
    """What stands for inputs that are missing, its mean in the dtype of `scaling`, which there is then."""

    tokens: Tokens | None = None
    """Of a net that reads tokens, and then one for each step."""

    @property
    def reads_labels(self) -> bool:
        """Whether its outputs are told apart by a label; else they are values."""
        return self.loss == "cross_entropy"

    @property
    def c_name(self) -> str:
        """The cell in pylstm.h."""
        return c_name(self.cell, self.nonlinearity)

    @property
    def reads(self) -> str:
        """The type of an input in C."""
        return _type_of(self.scaling) if self.tokens is None else "uint32_t"

    @property
    def argument(self) -> str:
        """What a step reads, as C declares it."""
        return f"const {self.reads} *x" if self.tokens is None else f"{self.reads} token"

    @property
    def is_one_hot(self) -> bool:
        """Whether it reads tokens, and has no table of them."""
        return self.tokens is not None and self.tokens.table is None

    @property
    def table_size(self) -> int:
        """Numbers of the table of tokens; 0 where there is none."""
        return 0 if self.tokens is None or self.tokens.table is None else self.tokens.table.values.size

    @property
    def is_frozen(self) -> bool:
        """Whether that is not learnt."""
        return self.tokens is not None and self.tokens.is_frozen

    @property
    def is_tied(self) -> bool:
        """Whether that is the dense layer's weights as well."""
        return self.tokens is not None and self.tokens.is_tied

    @property
    def writes_tokens(self) -> bool:
        """Whether it is a language model, which writes tokens."""
        return self.tokens is not None and self.tokens.drawn is not None

    @property
    def writes(self) -> str:
        """The type of an output in C."""
        return _type_of(self.targets)

    @property
    def input_size(self) -> int:
        """Inputs of the first layer."""
        return self.layers[0].sizes[0]

    @property
    def n_features(self) -> int:
        """Inputs of the C function."""
        return self.input_size if self.missing is None else len(self.missing.mean)

    @property
    def n_kept(self) -> int:
        """How many numbers the state has of inputs that may be missing."""
        if self.missing is None:
            return 0
        return self.n_features if self.missing.kind == "hold" else len(self.missing.columns)

    @property
    def a_cell(self) -> str:
        return {"lstm": "an LSTM", "gru": "a GRU", "rnn": "an RNN"}[self.cell]

    @property
    def output_size(self) -> int:
        return len(self.bias_out) or self.layers[-1].sizes[1]

    def quantised(self) -> "Net":
        layers = [Layer(w.quantised(), r.quantised(), bias) for w, r, bias in self.layers]
        tokens, weight_out = self.tokens, self.weight_out.quantised()
        if tokens is not None and tokens.table is not None:
            tokens = tokens._replace(table=tokens.table.quantised())
        return self._replace(layers=layers, weight_out=weight_out, tokens=tokens)

    def flat(self) -> Array:
        """Return the weights in one array, in the order of C."""
        tokens = self.tokens
        parts = [] if tokens is None or tokens.table is None else [tokens.table.real()]
        parts += [part for w, r, bias in self.layers for part in (w.real(), r.real(), bias)]
        parts += [self.bias_out] if self.is_tied else [self.weight_out.real(), self.bias_out]
        return np.concatenate([part.ravel() for part in parts])


def _type_of(scaling: Scaling | None) -> str:
    return "double" if scaling is not None and scaling.mean.dtype == np.float64 else "float"


#: Bytes of a number in C.
SIZES = {"float": 4, "double": 8, "uint32_t": 4}


def flash_bytes(net: Net, lanes: int = 1) -> int:
    """Return the size of all constants."""
    return sum(values.nbytes for _, values in (*panels_of(net, lanes), *constants(net)))


def ram_bytes(net: Net) -> int:
    """Return the size of the state."""
    size = 4 * sum(size for _, size in state_of(net)) + SIZES[net.reads] * net.n_kept
    return size if net.n_kept == 0 else -(-size // SIZES[net.reads]) * SIZES[net.reads]


def panels_of(net: Net, lanes: int) -> Iterator[tuple[str, Array]]:
    """Name the arrays of the layers, in the order in which the kernels read them."""
    x_gates, h_gates, biases = PLACES[net.cell]
    for k, layer in enumerate(net.layers):
        w, r = layer.weight_ih, layer.weight_hh
        panels = [_packed(w.values, x_gates, lanes), _packed(r.values, h_gates, lanes)]
        yield f"panels_{k}", np.concatenate(panels, axis=1)
        yield f"bias_{k}", _packed(layer.bias[:, np.newaxis], biases, lanes)
        if w.scale is not None and r.scale is not None:
            yield f"scale_x_{k}", _packed(w.scale[:, np.newaxis], x_gates, lanes)
            yield f"scale_h_{k}", _packed(r.scale[:, np.newaxis], h_gates, lanes)


def _packed(rows: Array, gates: tuple[int, ...], lanes: int) -> Array:
    """Return [n_blocks][K][n_gates][lanes] of rows [n_gates H][K], with zeros where there is no unit."""
    n_gates, n_k = len(gates), rows.shape[1]
    hidden = len(rows) // n_gates
    n_blocks = -(-hidden // lanes)
    padded = np.zeros((n_gates, n_blocks * lanes, n_k), rows.dtype)
    padded[:, :hidden] = rows.reshape(n_gates, hidden, n_k)[list(gates)]
    return padded.reshape(n_gates, n_blocks, lanes, n_k).transpose(1, 3, 0, 2)


def constants(net: Net) -> Iterator[tuple[str, Array]]:
    """Name the other arrays."""
    if net.tokens is not None:
        yield from _token_constants(net.tokens)
    if net.scaling is not None:
        yield "input_mean", net.scaling.mean
        yield "input_scale", net.scaling.scale
    if net.missing is not None:
        if filler(net) == "filler":
            yield "filler", net.missing.mean
        if len(net.missing.columns):
            yield "columns", net.missing.columns.astype(np.int64)
    if len(net.bias_out):
        yield "bias_out", net.bias_out
        if not net.is_tied:
            yield from _matrix("weight_out", net.weight_out)
    yield from target_constants(net)


def _token_constants(tokens: Tokens) -> Iterator[tuple[str, Array]]:
    if tokens.table is not None:
        yield from _matrix("table", tokens.table)
    if tokens.vocabulary is not None:
        yield from tokens.vocabulary.constants()


def _matrix(name: str, matrix: Matrix) -> Iterator[tuple[str, Array]]:
    yield name, matrix.values
    if matrix.scale is not None:
        yield f"{name}_scale", matrix.scale


def filler(net: Net) -> str:
    """Return the name of the array with what stands for missing inputs: that of the scaling, where it is the same."""
    assert net.scaling is not None
    assert net.missing is not None
    is_mean = np.array_equal(net.missing.mean, net.scaling.mean[: net.n_features])
    return "input_mean" if is_mean else "filler"


def target_constants(net: Net) -> Iterator[tuple[str, Array]]:
    """Name the arrays that scale outputs back."""
    if net.targets is not None:
        yield "target_mean", net.targets.mean
        yield "target_scale", net.targets.scale


def state_of(net: Net) -> Iterator[tuple[str, int]]:
    """Name the arrays of float in the state, with sizes that are the same with and without vectors."""
    padded = [-(-layer.sizes[1] // LANES) * LANES for layer in net.layers]
    for k, layer in enumerate(net.layers):
        # whole vectors are read of what units remember of themselves: c of an LSTM, h of a GRU
        yield f"h_{k}", padded[k] if net.cell == "gru" else layer.sizes[1]
        if "c" in STATES[net.cell]:
            yield f"c_{k}", padded[k]
    yield "next", max(padded)
    if net.pooling is not None:
        yield from {"pool": net.layers[-1].sizes[1], "n_pooled": 1}.items()
    is_read_from_bytes = net.tokens is not None and net.tokens.table is not None and net.tokens.table.scale is not None
    if net.scaling is not None or is_read_from_bytes:
        yield "input", net.input_size
    if net.writes == "double":
        yield "outputs", net.output_size


def prediction(net: Net) -> str | None:
    """Return the function that makes predictions of outputs, if one is needed."""
    return LOSSES[net.loss].predict if len(net.bias_out) else None
