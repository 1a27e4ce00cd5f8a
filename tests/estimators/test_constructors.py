"""Constructors that are made of what classes say of their hyperparameters."""

import inspect

import pytest
from sklearn.base import clone

from pylstm import (
    LSTMClassifier,
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMRegressor,
    LSTMSequenceRegressor,
    LSTMTagger,
)
from pylstm._estimators.documentation import DOCUMENTATION, filled_in

TOKENS = ["embedding_size", "embedding_init", "freeze_embedding", "vocabulary_size"]
READING = [*TOKENS, "bidirectional", "standardize", "noise", "missing"]
VALUES = ["loss", "huber_delta", "quantile", "normalize_y", *READING]
OWN = {
    LSTMClassifier: ["pooling", "class_weight", *READING],
    LSTMTagger: ["window", "burn_in", "class_weight", *READING],
    LSTMRegressor: ["pooling", *VALUES],
    LSTMSequenceRegressor: ["window", "burn_in", *VALUES],
    LSTMForecaster: [
        *("horizon", "season_length", "differences", "transform", "cv", "n_paths"),
        *("calendar", "missing", "window", "burn_in"),
    ],
    LSTMLanguageModel: ["analyzer", "embedding_size", "tie_weights", "window"],
}


@pytest.mark.parametrize("cls", OWN)
def test_signature(cls):
    parameters = inspect.signature(cls).parameters
    names = list(parameters)
    n_own = len(OWN[cls])
    assert names[: n_own + 2] == ["hidden_layer_sizes", *OWN[cls], "dropout"]
    assert names[-1] == "dtype"
    kinds = [parameter.kind for parameter in parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD, *[inspect.Parameter.KEYWORD_ONLY] * (len(names) - 1)]
    assert sorted(names) == sorted(cls().get_params())
    assert {name: parameter.default for name, parameter in parameters.items()} == vars(cls())
    assert not set(names) & set(dir(cls))  # `hasattr` of an estimator asks for what it was given


def test_arguments():
    assert LSTMTagger((3, 2), window=5).get_params() == {
        **LSTMTagger().get_params(), "hidden_layer_sizes": (3, 2), "window": 5
    }  # fmt: skip
    for arguments, message in (({"alfa": 1}, r"LSTMTagger\(\) got an unexpected .* 'alfa'"), ({"self": 1}, "self")):
        with pytest.raises(TypeError, match=message):
            LSTMTagger(**arguments)
    with pytest.raises(TypeError, match=r"LSTMTagger\(\) too many positional arguments"):
        LSTMTagger((3,), 5)


class Deeper(LSTMClassifier):
    """Another default, one more hyperparameter."""

    alpha: float = 0.5
    depth: int = 2
    _hidden: int = 3


class Own(LSTMClassifier):
    """Its own constructor."""

    def __init__(self, alpha=0.25):
        super().__init__(alpha=alpha)


def test_subclasses():
    names = list(inspect.signature(Deeper).parameters)
    assert names == ["hidden_layer_sizes", "depth", *list(inspect.signature(LSTMClassifier).parameters)[1:]]
    deeper = clone(Deeper(depth=4))
    assert (deeper.alpha, deeper.depth, deeper._hidden) == (0.5, 4, 3)
    assert LSTMClassifier().alpha == 0.0001
    assert list(inspect.signature(Own).parameters) == ["alpha"]
    assert clone(Own()).alpha == 0.25


@pytest.mark.parametrize("indent", ["", "    "])
def test_docstrings_are_filled_in(indent):
    """Python 3.13 takes away their indentation, before it there is some."""
    lines = ["", "Parameters", "----------", "<sizes>", ""]
    filled = filled_in("In short.\n" + "\n".join(line and indent + line for line in lines))
    assert "\n----------\nhidden_layer_sizes : int or array-like of int, default=(64,)\n    Units of" in filled


@pytest.mark.parametrize("cls", OWN)
def test_no_docstring_is_left_to_fill_in(cls):
    docstrings = [cls.__doc__, *(inspect.getdoc(method) or "" for _, method in inspect.getmembers(cls, callable))]
    lines = {line.strip() for line in "\n".join(docstrings).splitlines()}
    assert not lines & {f"<{name}>" for name in DOCUMENTATION}
