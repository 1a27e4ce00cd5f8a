"""One direction of one layer, for one sequence of a trace."""

from typing import TYPE_CHECKING, Any

from ..._net.cells import GATES, suffix_of
from ..._net.inputs import Array, check_int

if TYPE_CHECKING:
    from ..._net.trace import Trace

#: The gate that says how much of what a unit holds is kept.
KEEPS = {"lstm": "f", "gru": "z"}


def check_sequence(trace: "Trace", sequence: Any) -> int:
    """Return the index of a sequence of the trace."""
    n_sequences = len(trace.lengths)
    if check_int(sequence, "sequence", 0) >= n_sequences:
        raise ValueError(f"sequence must be one of the {n_sequences} of the trace, counted from 0, got {sequence}")
    return int(sequence)


def check_layer(trace: "Trace", layer: Any, direction: Any) -> tuple[int, str]:
    """Return the layer's index, and what the trace's names of this layer and direction end in."""
    n_layers = len(trace.hidden_sizes)
    if check_int(layer, "layer", 0) >= n_layers:
        raise ValueError(f"layer must be one of {n_layers}, counted from 0, got {layer}")
    directions = ["forward", "reverse"][: trace.n_directions]
    if direction not in directions:
        raise ValueError(f"direction must be one of {directions}, got {direction!r}")
    return int(layer), suffix_of(layer, directions.index(direction))


def of_layer(trace: "Trace", sequence: Any, layer: Any, direction: Any) -> dict[str, Array]:
    """Return, by letter, what the layer did at each step of a sequence, each (n_steps, n_units)."""
    _, ending = check_layer(trace, layer, direction)
    values = trace.sequence(check_sequence(trace, sequence))
    return {letter: values[letter + ending] for letter in GATES[trace.cell]._fields}


def describe(trace: "Trace", layer: Any, direction: Any) -> str:
    """Return which layer and direction it is, where there are several."""
    parts = [f"layer {layer}"] if len(trace.hidden_sizes) > 1 else []
    parts += [f"{direction} direction"] if trace.n_directions > 1 else []
    return ", ".join(parts)
