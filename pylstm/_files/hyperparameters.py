"""Hyperparameters as JSON values, and reading them back."""

import math
import warnings
from typing import Any

import numpy as np

from .._estimators.state import State
from ..preprocessing import TokenEncoder


def parameters_state(estimator: Any) -> dict[str, Any]:
    values = {}
    for name, value in estimator.get_params(deep=False).items():
        left_out = None
        if name == "loss" and callable(value):
            left_out = (
                "loss is a callable, which a file can't keep: the model is saved without it, and asks for it when it "
                "is to be trained on"
            )
        elif name == "embedding_init" and value is not None:
            left_out = (
                "embedding_init is not kept in the file, which has the table as it was learnt: a fit after load draws "
                "a new table, unless it is set again"
            )
        if left_out is not None:
            warnings.warn(left_out, stacklevel=4)
            value = None
        is_encoder = isinstance(value, TokenEncoder)  # what it was fitted to is kept with the state
        values[name] = {"parameters": parameters_state(value)} if is_encoder else _plain(value, name)
    return values


def _plain(value: Any, name: str) -> Any:
    """Return a hyperparameter in JSON's types."""
    if isinstance(value, dict):
        return {"pairs": [[_plain_scalar(key, name), _plain_scalar(each, name)] for key, each in value.items()]}
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return [_plain_scalar(each, name) for each in value]
    return _plain_scalar(value, name)


def _plain_scalar(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) in (int, float) and not is_plain_number(value):
        raise ValueError(f"{name} must be finite and of 64 bits to be saved, got {value!r}")
    if value is not None and type(value) not in (bool, int, float, str):
        raise ValueError(
            f"{name} must consist of numbers, strings, booleans and None to be saved, got {value!r}: "
            f"set_params({name}=...) before"
        )
    return value


def read_parameters(state: State, cls: Any, later: dict[str, Any]) -> Any:
    """Return a new object of a class with hyperparameters that `parameters_state` returned, valid ones.

    Those of `later` may be missing.
    """
    given = state.inner("parameters")
    parameters = {
        name: later[name] if name in later and name not in given.values else _read_parameter(given, name, cls)
        for name in cls._get_param_names()
    }
    given.end()
    model = cls(**parameters)
    model._validate_params()
    return model


def _read_parameter(state: State, name: str, cls: Any) -> Any:
    if name == "analyzer" and cls is not TokenEncoder and type(state.values.get(name)) is dict:
        encoder = state.inner(name)
        analyzer = read_parameters(encoder, TokenEncoder, {})
        encoder.end()
        return analyzer
    value = state.value(name, "a number, string, boolean, null, list of them, or object of pairs of them", _is_plain)
    if type(value) is dict:
        return dict(value["pairs"])
    return tuple(value) if type(value) is list else value


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        pairs = value.get("pairs")
        return (
            len(value) == 1
            and type(pairs) is list
            and all(type(pair) is list and len(pair) == 2 and not any(map(_is_container, pair)) for pair in pairs)
        )
    return type(value) is not list or not any(map(_is_container, value))


def _is_container(value: Any) -> bool:
    return type(value) in (dict, list)


def is_plain_number(value: float) -> bool:
    return -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)
