"""`per_step`, which scores estimators that predict something for every step."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import check_scoring
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from ._net.inputs import Array, as_array, as_form, holds_sequences
from .preprocessing._known import pooled_known

__all__ = ["per_step"]

RESPONSE_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def per_step(scoring: Any) -> Callable[..., Any]:
    """Make a scorer of scikit-learn's score predictions for steps, pooled over all steps of all sequences.

    A long sequence counts more than a short one: as if its steps were samples of their own.

    Parameters
    ----------
    scoring : str, callable, list, tuple, set or dict
        What scikit-learn takes as `scoring`: the name of a scorer such as "f1_macro", a scorer from `make_scorer`, or
        several, as a list of names or a dict of names and scorers. Several share one prediction.

    Returns
    -------
    callable
        A scorer ``(estimator, X, y, sample_weight=None)`` for `cross_val_score`, `GridSearchCV` and their like. `X` and
        `y` are dense or ragged; `y` has one value, or one vector of outputs, for each step of `X`. Steps where it is
        None or NaN, or all of its vector is NaN, are left out; a vector of which some is NaN is handed on to `scoring`.
        `sample_weight` is one weight for each sequence, which all its steps take, or one for each step, in the form of
        `y`. The score is what `scoring` gives: a number, or of several a dict.

    See Also
    --------
    sklearn.metrics.make_scorer : Make a scorer of a metric.

    Examples
    --------
    >>> from sklearn.metrics import fbeta_score, make_scorer
    >>> from pylstm.metrics import per_step
    >>> per_step("neg_mean_absolute_error")
    per_step(make_scorer(mean_absolute_error, greater_is_better=False, response_method='predict'))
    >>> f2 = per_step(make_scorer(fbeta_score, beta=2))

    ``cross_val_score(estimator, X, y, scoring=f2)`` then takes a ragged `y` beside a ragged `X`.
    """
    return _PerStepScorer(check_scoring(scoring=scoring))


class _PerStepScorer:
    """A scorer around one that knows of samples only."""

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer

    def __repr__(self) -> str:
        return f"per_step({self._scorer!r})"

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> Any:
        lengths = _lengths(X, "X")
        _check_lengths(y, "y", lengths)
        sequences = _sequences(y, "y")
        values, known = pooled_known(sequences, [as_array(each, "y") for each in sequences])
        pooled = _Pooled(estimator, known)
        if sample_weight is None:
            return self._scorer(pooled, X, values)
        return self._scorer(pooled, X, values, sample_weight=_weights(sample_weight, lengths)[known])

    def get_metadata_routing(self) -> Any:
        """Return the routing of the scorer inside: what that requests is passed on to it."""
        return get_routing_for_object(self._scorer)


class _Pooled:
    """An estimator whose predictions are those of all steps that have a target, one sequence after the other."""

    def __init__(self, estimator: Any, known: npt.NDArray[np.bool_]) -> None:
        self._estimator, self._known = estimator, known

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._estimator, name)
        if name not in RESPONSE_METHODS:
            return attribute

        @wraps(attribute)  # scikit-learn goes by the name of the method
        def pooled(X: Any) -> Array:
            return _pool(attribute(X), name)[self._known]

        return pooled

    def __sklearn_tags__(self) -> Any:  # looked up on the class
        tags = get_tags(self._estimator)
        if hasattr(self._estimator, "classes_"):  # a tagger says it is none, as splitters would stratify by its y
            tags.estimator_type = "classifier"
        return tags


def _sequences(values: Any, name: str) -> Any:
    """Return what iterates over sequences: a list as it is, an array of anything else, since a frame gives columns."""
    values = as_form(values, name)
    return values if isinstance(values, list | tuple) else as_array(values, name)


def _pool(values: Any, name: str) -> Array:
    """Lay the steps of dense or ragged values one sequence after the other."""
    return np.concatenate([as_array(sequence, name) for sequence in _sequences(values, name)])


def _weights(sample_weight: Any, lengths: npt.NDArray[np.intp]) -> Array:
    """Return the weight of each step, its own or its sequence's."""
    given = as_form(sample_weight, "sample_weight")
    if holds_sequences(given):
        _check_lengths(given, "sample_weight", lengths)
        return _pool(given, "sample_weight")
    weights = as_array(given, "sample_weight")
    if weights.shape != lengths.shape:
        raise ValueError(
            f"sample_weight must be one weight for each of the {len(lengths)} sequences, or one for each step, "
            f"got shape {weights.shape}"
        )
    return np.repeat(weights, lengths)


def _check_lengths(values: Any, name: str, lengths: npt.NDArray[np.intp]) -> None:
    """Refuse what has not the sequences and steps of X."""
    found = _lengths(values, name)
    if len(found) != len(lengths):
        raise ValueError(f"{name} must hold {len(lengths)} sequences, as X, got {len(found)}")
    wrong = np.flatnonzero(found != lengths)
    if len(wrong):
        index = wrong[0]
        raise ValueError(f"{name}[{index}] must have {lengths[index]} steps, as X[{index}], got {found[index]}")


def _lengths(values: Any, name: str) -> npt.NDArray[np.intp]:
    sequences = _sequences(values, name)
    try:
        return np.array([len(sequence) for sequence in sequences], dtype=np.intp)
    except TypeError as error:
        raise ValueError(f"{name} must hold a value for every step of every sequence: {error}") from None
