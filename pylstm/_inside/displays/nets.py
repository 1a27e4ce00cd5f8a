"""The recurrent layers of a net or an estimator, as a `Sequence` whose gradients are those of prediction."""

from collections.abc import Iterable
from typing import Any

from ..._net.core import Sequence
from ..._net.describe import Description, describe
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
    described = estimator_of(model)
    if isinstance(model, Sequence):
        described = describe(model)
    if described is None:
        raise TypeError(f"{name} must be a pylstm.Sequence or a fitted pylstm estimator, got {model!r}")
    spec = described.spec
    copy = Sequence(
        spec.input_size,
        spec.hidden_sizes,
        bidirectional=spec.bidirectional,
        dtype="float64",
        cell=spec.cell,
        nonlinearity=spec.nonlinearity,
    )
    weights = described.net.parameters()
    for key, values in copy.parameters().items():
        values[...] = weights[key]
    return copy


def estimator_of(model: Any) -> Description | None:
    """Return what an estimator of pylstm is made of; None for anything else."""
    try:
        described = describe(model)
    except TypeError:
        return None
    return described if described.estimator is model else None


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
