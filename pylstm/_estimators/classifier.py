"""Classifiers: `LSTMClassifier`, one label per sequence, and `LSTMTagger`, one per step."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets

from .._net.inputs import Array, Steps, as_given
from .base import LSTMEstimator, StepEstimator, fits
from .learnt import Constant
from .state import State, labels_state, read_labels
from .targets import (
    Targets,
    labels_per_sequence,
    labels_per_step,
    refuse_per_step,
    weights_of,
    weights_per_step,
    with_class_weight,
)


class _Classes(LSTMEstimator):
    """Targets that are labels out of `classes_`."""

    _loss = "cross_entropy"
    _score_name = "accuracy"
    _perfect_score = _gain_of_all = 1.0

    class_weight: Any = None
    bidirectional: bool = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LSTMEstimator._parameter_constraints,
        "bidirectional": ["boolean"],
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

    The network is a stack of LSTM layers and a softmax layer; training minimises cross-entropy.

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
        The class labels.
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Classes._parameter_constraints,
        "pooling": [StrOptions({"last", "mean", "max"})],
    }

    def _read_targets(self, y: Any, sample_weight: Any, steps: Steps, *, reset: bool) -> Targets:
        n_sequences = len(steps.lengths)
        refuse_per_step(y, steps, "LSTMTagger")
        return self._as_targets(
            labels_per_sequence(y, n_sequences), weights_of(sample_weight, n_sequences), reset=reset
        )

    def _stratify(self, targets: Targets) -> Array:
        return self.classes_[targets.values]

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
        y : array-like (n_sequences,)
            Their labels.
        sample_weight : array-like (n_sequences,), default=None
            How much each sequence counts; None is 1 for all.
        X_val : array-like or list, default=None
            Sequences to stop by, as X: they are not learnt from, the best weights by their score are kept. In a
            `Pipeline` they are transformed as X is with ``transform_input=["X_val"]``.
        y_val : array-like or list, default=None
            Their targets, as y.
        sample_weight_val : array-like, default=None
            How much each of them counts in the score, as `sample_weight`.
        groups : array-like (n_sequences,), default=None
            What belongs together, such as the patient of each sequence: `validation_fraction` then holds out whole
            groups. Read with ``early_stopping=True``.

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
        y : array-like (n_sequences,)
            Their labels.
        classes : array-like (n_classes,), default=None
            All labels there will be; needed in the first call.
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
            Columns in the order of `classes_`.
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
        return log_softmax(self._outputs(X, hold, raw=True)[0], axis=1)  # the logarithm of 0 would be infinite

    def predict(self, X: Any, *, hold: Any = None) -> npt.NDArray[Any]:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences,)
            Labels out of `classes_`.
        """
        outputs, _ = self._outputs(X, hold)
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
        X_val : array-like or list, default=None
            Sequences to stop by, as X: they are not learnt from, the best weights by their score are kept. In a
            `Pipeline` they are transformed as X is with ``transform_input=["X_val"]``.
        y_val : array-like or list, default=None
            Their targets, as y.
        sample_weight_val : array-like, default=None
            How much each of them counts in the score, as `sample_weight`.
        groups : array-like (n_sequences,), default=None
            What belongs together, such as the patient of each sequence: `validation_fraction` then holds out whole
            groups. Read with ``early_stopping=True``.

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
