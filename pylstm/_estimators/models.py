"""The estimators that there are, and what a model is made of: an estimator, or a scaler and one."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from .._net.inputs import Array
from ..preprocessing import PerStep
from .classifier import LSTMClassifier, LSTMTagger
from .forecaster import LSTMForecaster
from .regressor import LSTMRegressor, LSTMSequenceRegressor

#: By name.
ESTIMATORS: dict[str, Any] = {
    cls.__name__: cls for cls in (LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger)
}


def parts(model: Any) -> tuple[PerStep | None, Any]:
    """Return the `PerStep` of a pipeline, or None, and the estimator."""
    per_step, estimator = None, model
    is_known = True
    if type(model) is Pipeline:
        per_step, estimator = model.steps[0][1], model.steps[-1][1]
        is_known = len(model.steps) == 2 and type(per_step) is PerStep and type(estimator) is not LSTMForecaster
        is_known = is_known and type(getattr(per_step, "transformer_", per_step.transformer)) is StandardScaler
    if not is_known or ESTIMATORS.get(type(estimator).__name__) is not type(estimator):
        raise TypeError(
            f"model must be one of {', '.join(ESTIMATORS)}, or a Pipeline of PerStep(StandardScaler()) and one of "
            f"them that is not a forecaster, got {model!r}"
        )
    return per_step, estimator


def scaling_of(per_step: PerStep) -> tuple[Array, Array]:
    """Return mean and scale of a fitted ``PerStep(StandardScaler())``: it makes ``(x - mean) / scale`` of x."""
    check_is_fitted(per_step, "transformer_")
    scaler = per_step.transformer_
    zeros = np.zeros(scaler.n_features_in_)
    return scaler.mean_ if scaler.with_mean else zeros, scaler.scale_ if scaler.with_std else zeros + 1
