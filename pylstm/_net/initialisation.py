"""Initial weights."""

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .inputs import Array, check_int, check_real

if TYPE_CHECKING:
    from .core import ModelSpec

#: Names of a forget bias that is spread over the units, for spans of up to `t_max` steps.
SPREAD = ("chrono", "mixed")
#: All that a forget bias may be but a number.
NAMED = (*SPREAD, "uniform")
#: Biases that are "uniform" lie within plus and minus this, whatever the size: what it adds to does not shrink with it.
UNIFORM_BOUND = 8**-0.5
RandomState = np.random.Generator | np.random.RandomState


def as_generator(random_state: Any) -> RandomState:
    """Return the generator that None, an int or a generator stands for."""
    if isinstance(random_state, np.random.Generator | np.random.RandomState):
        return random_state
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_int(random_state, "random_state", 0))


def check_forget_bias(forget_bias: Any, t_max: Any, cell: Any) -> tuple[float | str, int | None]:
    """Return the two in their plain types."""
    is_named = isinstance(forget_bias, str)
    if is_named and forget_bias not in NAMED:
        raise ValueError(f"forget_bias must be a number, 'chrono', 'mixed' or 'uniform', got {forget_bias!r}")
    if is_named and forget_bias in SPREAD:
        if cell != "lstm":
            raise ValueError(
                f"forget_bias={forget_bias!r} is for cell='lstm', which has a forget gate, got cell={cell!r}"
            )
        if t_max is None:
            raise ValueError(
                f"forget_bias={forget_bias!r} needs t_max, the longest span of steps to remember, got None"
            )
        longest = check_int(t_max, "t_max", 3)
        if longest > sys.maxsize:
            raise ValueError(f"t_max must be an integer >= 3 and <= {sys.maxsize}, got a larger one")
        return forget_bias, longest
    if t_max is not None:
        raise ValueError(f"t_max is used with forget_bias='chrono' or 'mixed' only, got forget_bias={forget_bias!r}")
    return forget_bias if is_named else check_real(forget_bias, "forget_bias", -np.inf, np.inf), None


def initialise(parameters: dict[str, Array], spec: "ModelSpec", generator: RandomState) -> None:
    """Draw the weights of a model, in place and in the order of the dict.

    Weights are uniform in +-1/sqrt(H), where H is the layer's hidden size, of the dense layer what it reads, of an
    embedding its own size; biases are 0 but an LSTM's forget gate's.
    With "chrono" (Tallec & Ollivier 2018, eq. 16) the forget gate's bias is log U(1, t_max - 1), the input gate's its
    negative: memories then last for spans spread up to t_max steps. "mixed" does so with the second half of the units;
    the first has a bias of 1, and short memories. "uniform" draws all biases of a layer in +-1/sqrt(8).
    """
    for name, values in parameters.items():
        if values.ndim == 2:
            bound = 1 / np.sqrt(parameters[name.replace("_ih", "_hh")].shape[1])
            fill(values, partial(generator.uniform, -bound, bound))
            continue
        if spec.forget_bias == "uniform" and name != "bias_out":
            fill(values, partial(generator.uniform, -UNIFORM_BOUND, UNIFORM_BOUND))
            continue
        values[...] = 0
        if spec.cell != "lstm" or name == "bias_out":
            continue
        write, forget, _, _ = values.reshape(4, -1)
        if spec.t_max is None:
            forget[...] = spec.forget_bias
            continue
        n_short = len(forget) // 2 if spec.forget_bias == "mixed" else 0
        forget[:n_short] = 1
        forget[n_short:] = np.log(generator.uniform(1, spec.t_max - 1, len(forget) - n_short))
        write[n_short:] = -forget[n_short:]


def fill(values: Array, draw: Callable[..., Any]) -> None:
    """Draw rows in order, two megabytes at a time: what is drawn is float64, of which a table has twice its own."""
    for rows in np.array_split(values, 1 + (values.size >> 18)):
        rows[...] = draw(size=rows.shape)
