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


class DirectForecasts(NamedTuple):
    """How a net forecasts all of a horizon at once, of n series that it reads in views."""

    horizon: int
    window: int
    lags: tuple[int, ...]
    """Of each view the steps back to what is subtracted; 0 for the last value of a window."""
    transforms: tuple[str | None, ...]
    """Of each view: what is done to values first."""
    seasons: tuple[int, ...]
    """That the first view is less."""
    scales: Array
    """What values are divided by (n_views, n, n_columns)."""
    varies: Array
    """Whether a column does (n, n_columns); else it is forecast as its last value."""
    indices: list[Array]
    """For each season (n, season, n_columns), beginning with the step after the last."""
    tails: list[Array]
    """Of each series the last values (n_steps, n_columns)."""
    known: list[Array]
    """X of those steps (n_steps, n_features), scaled."""
    x: Scaling | None
    """Of X; its scale is 0 where a column never varies. None where there is none."""
    spread: Array
    """What errors are multiplied by (n, n_columns)."""
    errors: Any
    """Their sizes by step, and quantiles; None where none are known."""


class RecursiveForecasts(NamedTuple):
    """How a net forecasts one step after the other, of n series that are differenced and scaled."""

    transform: str | None
    lags: tuple[int, ...]
    """Of differences, one after the other."""
    mean: Array
    """Of differences (n, n_columns), as `scale`, which is 0 where they never vary."""
    scale: Array
    tails: list[list[Array]]
    """Of each series, for each lag, the last values before that difference (lag, n_columns)."""
    last: Array
    """What the net is to read next (n, n_columns), scaled."""
    x: Scaling | None
    """As above. The net reads X with the value before."""
    state: list[tuple[Array, ...]]
    """Of the net, for each layer, (1, n, hidden_size) each."""


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
    forecasts: DirectForecasts | RecursiveForecasts | None = None
    """How a forecaster makes them of what the net says, and what it goes on from; None of other models."""
    tokens: Array | None = None
    """The texts of its tokens, by number; None where these are not known."""
    drawn: range | None = None
    """Of a language model the tokens that it writes; the last of all tokens is the end of a text."""


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
    if described.forecasts is not None:
        raise ValueError(
            f"model must not be an {type(model).__name__}, which keeps its state itself: use update and predict, "
            "or its own stream()"
        )
    if described.missing is not None and described.inputs is None:  # in C, whatever may be missing is scaled
        n_inputs = spec.row_size
        return described._replace(inputs=Scaling(np.zeros(n_inputs), np.ones(n_inputs)))
    return described
