"""Where everything of a model that learns all of itself stands, as `exported/tape.h` reads it."""

from typing import NamedTuple

from .._net.cells import STATES
from .._net.inputs import Array
from .c_net import Net

#: Bytes of the structs of tape.h, where pointers have 32 bits.
LAYER_BYTES, MATRIX_BYTES = 12, 32


class Learning(NamedTuple):
    """What training on the device is like."""

    head_only: bool
    window: int
    carry_state: bool
    max_grad_norm: float
    """0 for no clipping."""
    is_per_step: bool
    """Whether there is a label, or there are targets, for every step of a window."""


def state_size(net: Net) -> int:
    return sum(len(STATES[net.cell]) * layer.sizes[1] for layer in net.layers)


def kept_size(net: Net) -> int:
    """Return the number of floats from which steps go on: the state, and then the pool and its count."""
    return state_size(net) + (0 if net.pooling is None else net.layers[-1].sizes[1] + 1)


def n_scaled(net: Net) -> int:
    """Return the number of floats of a row of scaled targets."""
    return 0 if net.targets is None else net.output_size


class Tape(NamedTuple):
    """What tape.h says of a model: where everything stands, counted in floats."""

    size: int
    row: int
    """The inputs of a step, or what a token stands for."""
    layers: list[tuple[int, ...]]
    """As struct layer."""
    matrices: list[tuple[int, ...]]
    """As struct matrix."""
    states: int
    dstate: int
    pool: int
    target: int


def learnt(net: Net) -> Array:
    """Return the weights that are learnt, in the order of C: all but a table that is frozen."""
    return net.flat()[net.table_size if net.is_frozen else 0 :]


def tape_of(net: Net, learning: Learning) -> Tape:
    window, n_x, n_states, n_state = learning.window, net.input_size, len(STATES[net.cell]), state_size(net)
    row = len(net.layers[0].weight_ih.values) if net.is_one_hot else n_x
    one, inputs = 0, 1
    states = inputs + (0 if net.is_one_hot else window * n_x)
    size = states + (window + 1) * n_state
    at, units, x, x_step = 0 if net.is_frozen else net.table_size, states, inputs, n_x
    layers: list[tuple[int, ...]] = []
    matrices: list[tuple[int, ...]] = []
    for layer in net.layers:
        hidden, n_biases, n_rows = layer.sizes[1], len(layer.bias), len(layer.weight_hh.values)
        layers.append((hidden, size, units))
        recurrent = at + n_rows * n_x
        n_added = 0 if net.is_one_hot and units == states else n_rows  # else of a column of them
        matrices += [
            (recurrent + n_rows * hidden, n_biases, 1, window, one, 0, size, n_biases),
            (at, n_added, n_x, window, x, x_step, size, n_biases),
        ]
        # of a GRU the candidate's part of h_{t-1}, the last of the vectors, stands apart from that of the inputs
        apart = hidden if net.cell == "gru" else 0
        matrices.append((recurrent, n_rows - apart, hidden, window, units, n_state, size, n_biases))
        if apart:
            first = recurrent + (n_rows - apart) * hidden
            matrices.append((first, apart, hidden, window, units, n_state, size + n_rows, n_biases))
        at = recurrent + n_rows * hidden + n_biases
        size += window * n_biases
        # what the layer above reads of a step is in the state after it
        n_x, x, x_step = hidden, units + n_state, n_state
        units += n_states * hidden
    n_y = net.output_size
    n_steps = window if learning.is_per_step else 1
    features, pool = x + (window - n_steps) * n_state, size
    if net.pooling is not None:  # the pool, its count, the mean or its gradient; of a maximum, at which step it is
        features = pool + (n_x + 1 if net.pooling == "mean" else 0)
        size += 2 * n_x + 1 + (n_x if net.pooling == "max" else 0)
    weight_out, bias_out = (0, at) if net.is_tied else (at, at + n_y * n_x)
    matrices += [
        (bias_out, n_y, 1, n_steps, one, 0, size, n_y),
        (weight_out, n_y, n_x, n_steps, features, n_state, size, n_y),
    ]
    dstate = size + n_steps * n_y
    of_token = 0 if net.tokens is None or net.is_frozen else row
    target = dstate + max(n_states * max(layer.sizes[1] for layer in net.layers), of_token)
    return Tape(target + n_scaled(net), row, layers, matrices, states, dstate, pool, target)
