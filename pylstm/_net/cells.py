"""The cells by name: what they are to C, and what there is to see of a step of each."""

from typing import Any, NamedTuple

from .inputs import Array


class Gates(NamedTuple):
    """One step of an LSTM: its gates, new cell state and output, each (n_sequences, hidden_size)."""

    i: Array
    f: Array
    g: Array
    o: Array
    c: Array
    h: Array


class GRUGates(NamedTuple):
    """One step of a GRU: its gates and output, each (n_sequences, hidden_size)."""

    r: Array
    z: Array
    n: Array
    h: Array


class RNNGates(NamedTuple):
    """One step of a plain RNN, which has no gates: its output, (n_sequences, hidden_size)."""

    h: Array


#: The numbers of pylstm_cell.
KINDS = {("lstm", "tanh"): 0, ("gru", "tanh"): 1, ("rnn", "tanh"): 2, ("rnn", "relu"): 3}
#: What src_c/kernels/cell.h calls x_gate, h_gate and bias, without those that are nothing.
PLACES = {
    "lstm": ((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3)),
    "gru": ((2, 0, 1), (0, 1, 2), (2, 0, 1, 3)),
    "rnn": ((0,), (0,), (0,)),
}
#: Rows of the weights, and elements of the bias, per unit.
SIZES = {cell: (len(x_gates), len(biases)) for cell, (x_gates, _, biases) in PLACES.items()}
#: What a state has, by letters.
STATES = {"lstm": "hc", "gru": "h", "rnn": "h"}
GATES: dict[str, Any] = {"lstm": Gates, "gru": GRUGates, "rnn": RNNGates}


def check_cell(cell: Any, nonlinearity: Any) -> int:
    """Return the number of a cell; `nonlinearity` is the plain RNN's, and not read for others."""
    if not isinstance(cell, str) or cell not in GATES:
        raise ValueError(f"cell must be 'lstm', 'gru' or 'rnn', got {cell!r}")
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    return KINDS[cell, nonlinearity if cell == "rnn" else "tanh"]


def c_name(cell: str, nonlinearity: str) -> str:
    """Return the name of a cell in pylstm.h."""
    return f"PYLSTM_RNN_{nonlinearity.upper()}" if cell == "rnn" else f"PYLSTM_{cell.upper()}"


def suffix_of(layer: int, direction: int) -> str:
    """Return what the names of a layer's weights, gates and states end in; direction 1 is the reverse one."""
    return f"_l{layer}" + ("_reverse" if direction else "")
