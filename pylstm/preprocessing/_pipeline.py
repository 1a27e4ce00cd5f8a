"""A `Pipeline` as a model: what scales the steps, or makes tokens of texts, and an estimator."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from .._net.describe import Description, Scaling, describe
from ._per_step import PerStep
from ._tokens import TokenEncoder


def parts(pipeline: Any) -> tuple[PerStep | TokenEncoder, Any] | None:
    """Return the ``PerStep(StandardScaler())`` or `TokenEncoder` of a pipeline, and the estimator after it.

    None where it has others.
    """
    if type(pipeline) is not Pipeline or len(pipeline.steps) != 2:
        return None
    first, estimator = pipeline.steps[0][1], pipeline.steps[1][1]
    is_scaler = type(first) is PerStep
    is_scaler = is_scaler and type(getattr(first, "transformer_", first.transformer)) is StandardScaler
    return (first, estimator) if is_scaler or type(first) is TokenEncoder else None


@describe.register
def _describe(model: Pipeline) -> Description:
    found = parts(model)
    if found is None:
        return describe.dispatch(object)(model)  # says what a model is
    first, estimator = found
    check_is_fitted(first)
    described = describe(estimator)
    if described.forecasts is not None:  # a forecaster scales by itself
        return describe.dispatch(object)(model)
    return _with_tokens(first, described) if isinstance(first, TokenEncoder) else _with_scaling(first, described)


def _with_tokens(encoder: TokenEncoder, described: Description) -> Description:
    """Return a model whose tokens an encoder makes."""
    spec, n_tokens = described.spec, len(encoder.tokens_)
    if not spec.reads_tokens or described.tokens is not None:
        raise ValueError(
            "the estimator after a TokenEncoder must read tokens, with an embedding_size, got "
            f"{type(described.estimator).__name__}"
        )
    if spec.input_size < n_tokens:
        raise ValueError(
            f"the estimator must know the {n_tokens} tokens of the encoder, got one of {spec.input_size}: fit it with "
            f"vocabulary_size={n_tokens}"
        )
    return described._replace(tokens=encoder.tokens_)


def _with_scaling(per_step: PerStep, described: Description) -> Description:
    """Return a model whose inputs are scaled."""
    scaler = per_step.transformer_
    zeros = np.zeros(scaler.n_features_in_)
    mean, scale = scaler.mean_ if scaler.with_mean else zeros, scaler.scale_ if scaler.with_std else zeros + 1
    scaling = Scaling(np.array(mean, np.float64), np.array(scale, np.float64))
    n_features = described.spec.input_size
    for name, values in (("mean_", scaling.mean), ("scale_", scaling.scale)):
        if values.shape != (n_features,):
            raise ValueError(
                f"{name} of the scaler must have a value for each of the {n_features} features of the estimator, got "
                f"shape {values.shape}"
            )
    if described.inputs is not None:  # the estimator scales what is scaled, as a rule by 0 and 1
        after = described.inputs
        scaling = Scaling(scaling.mean + scaling.scale * after.mean, scaling.scale * after.scale)
    return described._replace(inputs=scaling)
