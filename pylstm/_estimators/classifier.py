"""Classifiers: `LSTMClassifier`, one label per sequence, and `LSTMTagger`, one per step."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit, log_softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets

from .._net.inputs import Array, Steps, as_given
from .fits import fits
from .learnt import Constant
from .per_step import StepEstimator
from .reading import SequenceEstimator
from .state import State, labels_state, read_labels, short
from .targets import (
    Targets,
    indicators_per_sequence,
    labels_per_sequence,
    labels_per_step,
    refuse_per_step,
    weights_of,
    weights_per_step,
    with_class_weight,
)


class _Classes(SequenceEstimator):
    """Targets that are labels out of `classes_`."""

    _loss = "cross_entropy"
    _score_name = "accuracy"
    _perfect_score = _gain_of_all = 1.0

    class_weight: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SequenceEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def _as_targets(
        self, labels: Array, weights: Any, *, reset: bool, known: npt.NDArray[np.bool_] | None = None
    ) -> Targets:
        """Return labels as indices into `classes_`; with `reset` these are the labels that there are.

        Those are of the targets that are `known`; the others, whose weights are 0, take the first class.
        """
        if reset:
            self.classes_: Array = np.unique(labels)
        indices = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        unknown = np.unique(labels[self.classes_[indices] != labels])
        if len(unknown):
            raise ValueError(f"y must have labels out of classes_ {self.classes_.tolist()}, got {unknown.tolist()} too")
        if known is not None:
            of_known, indices = indices, np.zeros(len(known), np.intp)
            indices[known] = of_known
        return Targets(indices.astype(np.intp), with_class_weight(self.class_weight, self.classes_, indices, weights))

    def _n_outputs(self) -> int:
        return len(self.classes_)

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values, arrays = super()._get_state()
        kind, labels = labels_state(self.classes_)
        return {**values, "classes_": kind}, {**arrays, "classes_": labels}

    def _set_state(self, state: State) -> None:
        self.classes_ = read_labels(state, "classes_")
        super()._set_state(state)

    def _partial_fit_classes(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Self:
        if self.class_weight == "balanced":
            raise ValueError(
                "partial_fit does not support class_weight='balanced', as it does not know the frequencies: "
                "give a dict, as sklearn.utils.compute_class_weight makes it of all labels"
            )
        if classes is not None and np.size(classes) == 0:
            raise ValueError("classes must hold all labels there will be, got none")
        is_first = _check_partial_fit_first_call(self, classes)
        return self._partial_fit(X, y, sample_weight, is_first=is_first)

    def _validation_score(self, outputs: Array, targets: Targets) -> float:
        return float(accuracy_score(targets.values, outputs.argmax(axis=1), sample_weight=targets.weights))

    def _constant(self, targets: Targets) -> Constant | None:
        share = np.bincount(targets.values, targets.weights, minlength=len(self.classes_))
        return Constant(share, repr(self.classes_.tolist()[share.argmax()]))

    def _gain_by_luck(self, of_constant: float, n: float) -> float:
        return float(np.sqrt(of_constant / (1 - of_constant) / n))  # the standard error of that share, of the way to 1

    def _advice(self) -> list[str]:
        rare = [] if self.class_weight else ["class_weight='balanced' where classes are rare"]
        return [*super()._advice(), *rare]


class LSTMClassifier(ClassifierMixin, _Classes):
    """Classify sequences by an LSTM that reads them step by step.

    The network is a stack of LSTM layers and a softmax layer; training minimises cross-entropy. Where `y` is an
    indicator matrix, a sequence has any number of labels, and each a sigmoid of its own.

    Parameters
    ----------
    <sizes>
    pooling : {"last", "mean", "max"}, default="last"
        What the dense layer reads: the output after the last step of each sequence (of each direction its own last),
        or the mean or maximum over all steps.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``; "balanced" makes them inversely proportional to their frequencies.
    <parameters>

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
        The class labels; of an indicator matrix the numbers of its columns.
    <attributes>

    See Also
    --------
    LSTMTagger : One label per step.
    Sequence : The layers alone.

    Notes
    -----
    <notes>

    Examples
    --------
    >>> from pylstm import LSTMClassifier
    >>> from pylstm.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(split="train")
    >>> clf = LSTMClassifier(hidden_layer_sizes=(16,), max_iter=40, random_state=0).fit(X, y)
    >>> clf.predict(X[:3])
    array([1, 1, 1])
    """

    pooling: str = "last"
    noise: float = 0.3
    learning_rate: str = "auto"
    _is_multilabel = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Classes._parameter_constraints,
        "pooling": [StrOptions({"last", "mean", "max"})],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _read_targets(self, y: Any, sample_weight: Any, steps: Steps, *, reset: bool) -> Targets:
        n_sequences = len(steps.lengths)
        weights = weights_of(sample_weight, n_sequences)
        indicators = indicators_per_sequence(y, steps)
        if indicators is not None:
            self._take_kind(is_multilabel=True, reset=reset)
            return self._as_indicators(indicators, weights, reset=reset)
        refuse_per_step(y, steps, "LSTMTagger")
        labels = labels_per_sequence(y, n_sequences)
        self._take_kind(is_multilabel=False, reset=reset)
        return self._as_targets(labels, weights, reset=reset)

    def _take_kind(self, *, is_multilabel: bool, reset: bool) -> None:
        """Note what y is, or check that it is what it was before."""
        if reset or "_is_multilabel" not in vars(self):  # the first partial_fit, told the classes, has to note it too
            self._is_multilabel = is_multilabel
        elif self._is_multilabel != is_multilabel:
            kinds = ["a label for each sequence", "an indicator matrix"]
            raise ValueError(f"y must be {kinds[self._is_multilabel]}, as before, got {kinds[is_multilabel]}")

    def _as_indicators(self, indicators: Array, weights: Any, *, reset: bool) -> Targets:
        if self.class_weight is not None:
            raise ValueError(
                f"class_weight must be None where y is an indicator matrix, got {self.class_weight!r}: a sequence may "
                "have several labels, or none"
            )
        of_columns = np.arange(indicators.shape[1])
        if reset:
            self.classes_ = of_columns
        elif not np.array_equal(self.classes_, of_columns):
            raise ValueError(
                f"y must have a column for each of classes_, which count from 0, got {len(of_columns)} columns and "
                f"classes_ {self.classes_.tolist()}"
            )
        return Targets(indicators, weights)

    def _targets_as_read(self, targets: Targets, dtype: npt.DTypeLike) -> Targets:
        if not self._is_multilabel:
            return targets
        return targets._replace(values=np.ascontiguousarray(targets.values, dtype))

    def _stratify(self, targets: Targets) -> Array | None:
        return None if self._is_multilabel else self.classes_[targets.values]

    def _validation_score(self, outputs: Array, targets: Targets) -> float:
        if not self._is_multilabel:
            return super()._validation_score(outputs, targets)
        return float(accuracy_score(targets.values, outputs > 0.5, sample_weight=targets.weights))

    def _constant(self, targets: Targets) -> Constant | None:
        if not self._is_multilabel:
            return super()._constant(targets)
        rows, which = np.unique(targets.values, axis=0, return_inverse=True)
        row = rows[np.bincount(which.ravel(), targets.weights).argmax()]
        return Constant(row, short(row.astype(int).tolist()))

    def _advice(self) -> list[str]:
        return SequenceEstimator._advice(self) if self._is_multilabel else super()._advice()  # which has class_weight

    def _loss_and_parameter(self) -> tuple[str, float]:
        return self._losses()[self._is_multilabel], 0.0

    def _losses(self) -> list[str]:
        return ["cross_entropy", "sigmoid"]

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._is_multilabel = self._model.spec.loss == "sigmoid"
        if self._is_multilabel and not np.array_equal(self.classes_, np.arange(len(self.classes_))):
            raise ValueError(f"classes_ must count from 0 with the loss 'sigmoid', got {short(self.classes_.tolist())}")

    @fits
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit to sequences and their targets.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences,), or indicator matrix (n_sequences, n_labels)
            Their labels. In an indicator matrix, which may be sparse, a 1 says that a sequence has the label.
        sample_weight : array-like (n_sequences,), default=None
            How much each sequence counts; None is 1 for all.
        <validation>

        Returns
        -------
        self : LSTMClassifier
            The fitted estimator.
        """
        return self._fit(
            X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val, groups=groups
        )

    @fits
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Use the given sequences for one epoch, going on from what was learnt before.

        The solver keeps its memory between calls. The learning rate is `learning_rate_init`, whatever `learning_rate`
        says: a schedule over calls is made by `set_params` between them.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences,), or indicator matrix (n_sequences, n_labels)
            Their labels. In an indicator matrix, which may be sparse, a 1 says that a sequence has the label.
        classes : array-like (n_classes,), default=None
            All labels there will be, of an indicator matrix ``arange(n_labels)``; needed in the first call.
        sample_weight : array-like (n_sequences,), default=None
            How much each sequence counts; None is 1 for all.

        Returns
        -------
        self : LSTMClassifier
            The fitted estimator.
        """
        return self._partial_fit_classes(X, y, classes, sample_weight)

    def predict_proba(self, X: Any, *, hold: Any = None) -> npt.NDArray[np.floating]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences, n_classes)
            Columns in the order of `classes_`. A row adds up to 1, but not after a fit on an indicator matrix.
        """
        return self._outputs(X, hold)[0]

    def predict_log_proba(self, X: Any, *, hold: Any = None) -> npt.NDArray[np.floating]:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences, n_classes)
            Columns in the order of `classes_`.
        """
        outputs, _ = self._outputs(X, hold, raw=True)  # the logarithm of a probability of 0 would be infinite
        return log_expit(outputs) if self._is_multilabel else log_softmax(outputs, axis=1)

    def predict(self, X: Any, *, hold: Any = None) -> npt.NDArray[Any]:
        """Return the most probable class or, of several labels, those that are more probable than not.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences,) or (n_sequences, n_labels)
            Labels out of `classes_`; after a fit on an indicator matrix another such matrix, of integers.
        """
        outputs, _ = self._outputs(X, hold)
        if self._is_multilabel:
            return (outputs > 0.5).astype(int)
        return self.classes_[outputs.argmax(axis=1)]


class LSTMTagger(StepEstimator, _Classes):
    """Label every step of sequences by an LSTM.

    The network is a stack of LSTM layers and a softmax layer over each step's output; training minimises cross-entropy.

    Parameters
    ----------
    <sizes>
    window : int or None, default=None
        Train by truncated back-propagation through time on so many steps at once, the state carried from window to
        window of a sequence and gradients not: for long signals. None takes sequences whole. Not with `bidirectional`.
    burn_in : int, default=0
        Steps at the start of each sequence that have no part in the loss, while the state settles.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``; "balanced" makes them inversely proportional to their frequencies.
    <parameters>

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
        The class labels.
    <attributes>

    See Also
    --------
    LSTMClassifier : One label per sequence.
    pylstm.metrics.per_step : Scores for searches and cross-validation.

    Notes
    -----
    <notes>

    Examples
    --------
    Whether the steps so far sum to more than zero:

    >>> import numpy as np
    >>> from pylstm import LSTMTagger
    >>> X = np.random.default_rng(0).standard_normal((100, 12, 1))
    >>> y = X[:, :, 0].cumsum(axis=1) > 0
    >>> tagger = LSTMTagger((16,), random_state=0).fit(X, y)
    >>> tagger.predict(X).shape
    (100, 12)
    >>> bool(tagger.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Classes._parameter_constraints,
        **StepEstimator._parameter_constraints,
    }

    def _read_targets(self, y: Any, sample_weight: Any, steps: Steps, *, reset: bool) -> Targets:
        labels, known = labels_per_step(y, steps)
        check_classification_targets(labels)
        return self._as_targets(labels, self._step_weights(sample_weight, steps, known), reset=reset, known=known)

    @fits
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit to sequences and their targets.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences, n_steps), or list of (n_steps_i,)
            The label of each step; None or NaN where there is none. A 2-D y is always labels.
        sample_weight : array-like (n_sequences,), or one for each step in the form of y, default=None
            How much each step counts; what is given for a sequence, all its steps take. None is 1 for all.
        <validation>

        Returns
        -------
        self : LSTMTagger
            The fitted estimator.
        """
        return self._fit(
            X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val, groups=groups
        )

    @fits
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Use the given sequences for one epoch, going on from what was learnt before.

        The solver keeps its memory between calls. The learning rate is `learning_rate_init`, whatever `learning_rate`
        says: a schedule over calls is made by `set_params` between them.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences, n_steps), or list of (n_steps_i,)
            The label of each step; None or NaN where there is none. A 2-D y is always labels.
        classes : array-like (n_classes,), default=None
            All labels there will be; needed in the first call.
        sample_weight : array-like (n_sequences,), or one for each step in the form of y, default=None
            How much each step counts; what is given for a sequence, all its steps take. None is 1 for all.

        Returns
        -------
        self : LSTMTagger
            The fitted estimator.
        """
        return self._partial_fit_classes(X, y, classes, sample_weight)

    def predict_proba(self, X: Any, *, hold: Any = None) -> Any:
        """Return the probability of each class at each step.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences, n_steps, n_classes), or list of (n_steps_i, n_classes)
            Of the form of X, an object array too; classes in the order of `classes_`.
        """
        return as_given(*self._outputs(X, hold))

    def predict_log_proba(self, X: Any, *, hold: Any = None) -> Any:
        """Return the logarithm of the probability of each class at each step.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences, n_steps, n_classes), or list of (n_steps_i, n_classes)
            Of the form of X, an object array too; classes in the order of `classes_`.
        """
        outputs, steps = self._outputs(X, hold, raw=True)
        return as_given(log_softmax(outputs, axis=1), steps)

    def predict(self, X: Any, *, hold: Any = None) -> Any:
        """Return the most probable class of each step.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences, n_steps), or list of (n_steps_i,)
            Of the form of X, an object array too; labels out of `classes_`.
        """
        outputs, steps = self._outputs(X, hold)
        return as_given(self.classes_[outputs.argmax(axis=1)], steps)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy over the steps of all sequences.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        y : array-like (n_sequences, n_steps), or list of (n_steps_i,)
            The right labels; None or NaN where there is none.
        sample_weight : array-like (n_sequences,), or one for each step in the form of y, default=None
            How much each step counts, as in `fit`.

        Returns
        -------
        float
            Share of the steps with the right label, of those that have one.
        """
        outputs, steps = self._outputs(X)
        labels, known = labels_per_step(y, steps)
        weights = weights_per_step(sample_weight, steps)
        predicted = self.classes_[outputs[known].argmax(axis=1)]
        return float(accuracy_score(labels, predicted, sample_weight=None if weights is None else weights[known]))
