"""A `Pipeline` as a model: what scales the steps, and an estimator."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from .._net.describe import Description, Scaling, describe
from ._per_step import PerStep


def parts(pipeline: Any) -> tuple[PerStep, Any] | None:
    """Return the ``PerStep(StandardScaler())`` of a pipeline and the estimator after it; None where it has others."""
    if type(pipeline) is not Pipeline or len(pipeline.steps) != 2:
        return None
    per_step, estimator = pipeline.steps[0][1], pipeline.steps[1][1]
    is_scaler = type(per_step) is PerStep
    is_scaler = is_scaler and type(getattr(per_step, "transformer_", per_step.transformer)) is StandardScaler
    return (per_step, estimator) if is_scaler else None


@describe.register
def _describe(model: Pipeline) -> Description:
    found = parts(model)
    if found is None:
        return describe.dispatch(object)(model)  # says what a model is
    per_step, estimator = found
    check_is_fitted(per_step, "transformer_")
    described = describe(estimator)
    if described.forecasts is not None:  # a forecaster scales by itself
        return describe.dispatch(object)(model)
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
