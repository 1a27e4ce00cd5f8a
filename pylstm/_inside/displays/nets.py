"""The recurrent layers of a net or an estimator, as a `Sequence` whose gradients are those of prediction."""

from collections.abc import Iterable
from typing import Any

from ..._net.core import Sequence
from ..._net.inputs import Array, Steps, check_int


def layers_of(model: Any, name: str) -> Sequence:
    """Return a copy of a model's layers in float64 and without dropout.

    In float32 a gradient that vanishes would be 0 after some ten to forty decades; and a copy leaves the tape of the
    original, which `backward` may still be called for, as it is.

    Parameters
    ----------
    model : Sequence, or fitted estimator
    name : str
        What the caller calls it.
    """
    if isinstance(model, Sequence):
        net, input_size, bidirectional = model, model.input_size, model.bidirectional
    elif hasattr(model, "_model"):
        made_with = model._model.configuration
        net, input_size, bidirectional = model._model, made_with["input_size"], made_with["bidirectional"]
    else:
        raise TypeError(f"{name} must be a pylstm.Sequence or a fitted pylstm estimator, got {model!r}")
    copy = Sequence(
        input_size,
        net.hidden_sizes,
        bidirectional=bidirectional,
        dtype="float64",
        cell=net.cell,
        nonlinearity=net.nonlinearity,
    )
    weights = net.parameters()
    for key, values in copy.parameters().items():
        values[...] = weights[key]
    return copy


def rows_of(steps: Steps, sequence: int) -> Array:
    """Return the steps (n_steps, n_features) of one sequence."""
    n_sequences = len(steps.lengths)
    if check_int(sequence, "sequence", 0) >= n_sequences:
        raise ValueError(f"sequence must be one of the {n_sequences} of X, counted from 0, got {sequence}")
    end = int(steps.lengths[: sequence + 1].sum())
    return steps.rows[end - int(steps.lengths[sequence]) : end]


def check_numbers(numbers: Iterable[int], name: str, n: int) -> list[int]:
    """Return numbers of units or features, of which there are n, as a list."""
    checked = [check_int(number, name, 0) for number in numbers]
    if not checked or max(checked) >= n:
        raise ValueError(f"{name} must be numbers out of {n}, counted from 0, at least one, got {numbers!r}")
    return checked
