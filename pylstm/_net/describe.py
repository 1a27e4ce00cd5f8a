"""What any model is made of: `describe` says it of nets, estimators and pipelines, each where it is defined."""

from functools import singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .inputs import Array

if TYPE_CHECKING:
    from .core import ModelSpec


class Scaling(NamedTuple):
    """What makes ``(x - mean) / scale`` of x, feature by feature: in float64, before it is cast to the net's dtype.

    Or of targets, output by output; and ``prediction * scale + mean`` of what the net predicts, in float64 as well.
    """

    mean: Array
    """(n_features,) or (n_outputs,), as `scale`, both in float64."""
    scale: Array


class Missing(NamedTuple):
    """What stands for missing values, NaN, before anything is scaled."""

    kind: str
    """"indicator" for the mean, "hold" for the last value that there was in the sequence, or before it the mean."""
    mean: Array
    """(n_features,), in float64, as `columns`, which are integers."""
    columns: Array
    """(n_indicators,): features of which the net is told, after all features, whether each value is missing, and then
    for how many steps."""


class Description(NamedTuple):
    """A model taken apart."""

    spec: "ModelSpec"
    net: Any
    """The `Sequence`, or the `Model` of an estimator, that has the weights."""
    estimator: Any = None
    """Whose hyperparameters there are; None of a `Sequence`."""
    inputs: Scaling | None = None
    """What scales the inputs before the net reads them."""
    targets: Scaling | None = None
    """What scaled the targets that it has learnt, and so scales back what it predicts."""
    labels: Array | None = None
    """What the outputs are probabilities of."""
    missing: Missing | None = None
    """What stands for missing values of the inputs; None where there are to be none."""
    tokens: Array | None = None
    """The texts of its tokens, by number; None where these are not known."""
    drawn: range | None = None
    """Of a language model the tokens that it writes; the last of all tokens is the end of a text."""
    state: Any = None
    """From which it goes on, of a model that keeps one; else None."""


@singledispatch
def describe(model: Any) -> Description:
    """Return what a model is made of.

    Parameters
    ----------
    model : Sequence, fitted estimator or Pipeline
        A `Pipeline` of ``PerStep(StandardScaler())``, or `TokenEncoder`, and an estimator.
    """
    raise TypeError(
        "model must be one of pylstm's: a Sequence, an estimator, or a Pipeline of PerStep(StandardScaler()) or "
        f"TokenEncoder and an estimator that is not a forecaster, got {model!r}"
    )


def describe_steps(model: Any, purpose: str = "streamed") -> Description:
    """Return what a model is made of that can run step by step; `purpose` says in errors what others can't be."""
    described = describe(model)
    spec = described.spec
    if spec.bidirectional:
        raise ValueError(
            f"model must not be bidirectional to be {purpose}: its reverse direction starts at the last step"
        )
    if described.state is not None:
        raise ValueError(
            f"model must not be an {type(model).__name__}, which keeps its state itself: use update and predict, "
            "or its own stream()"
        )
    if described.missing is not None and described.inputs is None:  # in C, whatever may be missing is scaled
        n_inputs = spec.row_size
        return described._replace(inputs=Scaling(np.zeros(n_inputs), np.ones(n_inputs)))
    return described
