"""Pipelines in files: an estimator, and before it what scales the steps, or makes tokens of texts."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from .._estimators.forecaster import LSTMForecaster
from .._estimators.language import LSTMLanguageModel
from .._estimators.state import State, features_state, read_features
from .._net.inputs import Array
from ..preprocessing import PerStep, TokenEncoder
from .hyperparameters import parameters_state, read_parameters

#: Which are no part of a pipeline: they scale, or make tokens, by themselves.
ALONE = (LSTMForecaster, LSTMLanguageModel)


def pipeline_state(pipeline: Pipeline, first: PerStep | TokenEncoder) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what a file keeps of a pipeline beside its estimator: values that JSON can hold, and arrays by name."""
    check_is_fitted(first)
    if pipeline.transform_input is not None:
        raise ValueError(f"transform_input must be None to be saved, got {pipeline.transform_input!r}")
    values: dict[str, Any] = {"names": [name for name, _ in pipeline.steps], "verbose": bool(pipeline.verbose)}
    if isinstance(first, TokenEncoder):
        state, arrays = first._get_state()
        values["encoder"] = {"parameters": parameters_state(first), "state": state}
        return values, arrays
    scaler = first.transformer_
    values["scaler"] = {"parameters": parameters_state(scaler), "state": features_state(first)}
    return values, _scaler_arrays(scaler)


def read_pipeline(state: State, estimator: Any) -> Pipeline:
    """Return the pipeline of an estimator, of what `pipeline_state` returned."""
    if isinstance(estimator, ALONE):
        raise ValueError(f"pipeline must be null for {type(estimator).__name__}, got one")
    names = state.strings("names", 2)
    verbose = state.boolean("verbose")
    has_encoder = "encoder" in state.values
    described = state.inner("encoder" if has_encoder else "scaler")
    state.end()
    first = _read_encoder(described, estimator) if has_encoder else _read_scaler(described, estimator)
    pipeline = Pipeline([(names[0], first), (names[1], estimator)], verbose=verbose)
    pipeline._validate_steps()
    return pipeline


def _read_encoder(described: State, estimator: Any) -> TokenEncoder:
    if not estimator._model.spec.reads_tokens:
        raise ValueError("encoder must come before an estimator that reads tokens, got one that reads values")
    encoder: TokenEncoder = read_parameters(described, TokenEncoder, {})
    state = described.inner("state")
    described.end()
    encoder._set_state(state)
    state.end()
    return encoder


def _read_scaler(described: State, estimator: Any) -> PerStep:
    scaler = read_parameters(described, StandardScaler, {})
    features = described.inner("state")
    described.end()
    per_step = PerStep(clone(scaler))
    read_features(per_step, features)
    features.end()
    if (per_step.n_features_in_, per_step._fitted_on_2d) != (estimator.n_features_in_, estimator._fitted_on_2d):
        raise ValueError(
            f"the scaler's n_features_in_ and fitted_on_2d must be the estimator's, {estimator.n_features_in_} and "
            f"{estimator._fitted_on_2d}, got {per_step.n_features_in_} and {per_step._fitted_on_2d}"
        )
    _set_scaler(scaler, per_step, features)
    per_step.transformer_ = scaler
    return per_step


def _scaler_arrays(scaler: StandardScaler) -> dict[str, Array]:
    values = {name: getattr(scaler, name) for name in ("mean_", "var_", "scale_", "n_samples_seen_")}
    return {f"scaler.{name}": np.asarray(value) for name, value in values.items() if value is not None}


def _set_scaler(scaler: StandardScaler, per_step: PerStep, state: State) -> None:
    """Make a scaler the fitted one within `per_step`."""
    scaler.n_features_in_ = 1 if per_step._fitted_on_2d else per_step.n_features_in_
    if hasattr(per_step, "feature_names_in_") and not per_step._fitted_on_2d:
        scaler.feature_names_in_ = per_step.feature_names_in_
    shape = (scaler.n_features_in_,)
    needed = {"mean_": scaler.with_mean, "var_": scaler.with_std, "scale_": scaler.with_std}
    for name, is_needed in needed.items():
        key = f"scaler.{name}"
        is_there = is_needed or key in state.arrays
        setattr(scaler, name, state.array(key, ["float32", "float64"], shape) if is_there else None)
    key = "scaler.n_samples_seen_"
    is_one = key in state.arrays and state.arrays[key].ndim == 0  # with missing values there is one per feature
    scaler.n_samples_seen_ = state.array(key, ["int64", "float64"], () if is_one else shape)[()]
