"""Regressors: `LSTMRegressor`, one value or vector per sequence, and `LSTMSequenceRegressor`, one per step."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions

from .._net.core import Model
from .._net.inputs import Array, Steps, as_given
from ..preprocessing._known import where_known
from .fits import fits
from .hyperparameters import Number
from .learnt import Constant
from .losses import LOSSES, r2_of_known, score, starting_point, without_values
from .per_step import StepEstimator
from .reading import SequenceEstimator
from .scaling import scaling_of, unscaled
from .state import State, read_scaling, with_scaling
from .steps import Loss, in_units
from .targets import (
    Targets,
    as_read_by_net,
    refuse_per_step,
    values_per_sequence,
    values_per_step,
    weights_of,
    weights_per_step,
)
from .training import Data


class _Values(SequenceEstimator):
    """Targets that are numbers, one or several."""

    _gain_of_all = 0.99

    loss: str | Loss | None = "squared_error"
    huber_delta: float = 1.0
    quantile: float = 0.5
    normalize_y: bool = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SequenceEstimator._parameter_constraints,
        "loss": [StrOptions(set(LOSSES)), callable, None],
        "huber_delta": [Number(Real, 0, None, closed="neither")],
        "quantile": [Number(Real, 0, 1, closed="neither")],
        "normalize_y": ["boolean"],
    }

    def _loss_and_parameter(self) -> tuple[str, float]:
        if self.loss is None:
            raise ValueError(
                "loss must be given again, by set_params(loss=...): it was a callable when the model was saved, "
                "which no file can keep"
            )
        if callable(self.loss):
            return "caller", 0.0
        return self.loss, float({"huber": self.huber_delta, "quantile": self.quantile}.get(self.loss, 0.0))

    def _losses(self) -> list[str]:
        return [*LOSSES, "caller"]

    def _as_targets(self, values: Array, weights: Any, *, reset: bool) -> Targets:
        if reset:
            self._output_shape: tuple[int, ...] = values.shape[1:]
        elif values.shape[1:] != self._output_shape:
            raise ValueError(f"y must have outputs of shape {self._output_shape}, as before, got {values.shape[1:]}")
        return Targets(values.reshape(len(values), -1), weights)

    def _learn_reading(self, data: Data) -> None:
        super()._learn_reading(data)
        if len(never := without_values(data.targets)):
            raise ValueError(f"y must have a value of some weight for each output, got none for output {never[0]}")
        if self.normalize_y:
            (values, weights), of_sequences = data.targets, data.sequence_weights
            if of_sequences is not None and len(values) == len(data.steps.rows):
                of_sequences = np.repeat(of_sequences, data.steps.lengths)
            if weights is not None:  # a step without weight may have any number for a target
                counted = (weights > 0).astype(np.float64)
                of_sequences = counted if of_sequences is None else of_sequences * counted
            self._targets = scaling_of(values.astype(np.float64, copy=False), of_sequences)

    def _targets_as_read(self, targets: Targets, dtype: npt.DTypeLike) -> Targets:
        return targets._replace(values=as_read_by_net(targets.values, self._targets, dtype))

    def _n_outputs(self) -> int:
        return self._output_shape[0] if self._output_shape else 1

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values, arrays = super()._get_state()
        return with_scaling(({**values, "output_shape": list(self._output_shape)}, arrays), "target", self._targets)

    def _set_state(self, state: State) -> None:
        self._output_shape = tuple(state.integers("output_shape", at_least=1, at_most_long=1))
        super()._set_state(state)
        self._targets = read_scaling(state, "target", self._n_outputs())

    def _start(self, model: Model, targets: Targets) -> None:
        super()._start(model, targets)
        model.parameters()["bias_out"][...] = starting_point(*self._loss_and_parameter(), targets)

    def _validation_score(self, outputs: Array, targets: Targets) -> float:
        if callable(self.loss):
            weights = np.ones(len(outputs)) if targets.weights is None else targets.weights
            return -in_units(self.loss, self._targets)(targets.values, outputs, weights)[0]
        return score(*self._loss_and_parameter(), outputs, targets)

    @property
    def _perfect_score(self) -> float:  # type: ignore[override]
        return 1.0 if self.loss == "squared_error" else 0.0

    def _constant(self, targets: Targets) -> Constant | None:
        name, parameter = self._loss_and_parameter()
        if name == "caller" or len(without_values(targets)):  # what is best by it, only the caller knows
            return None
        called = {"absolute_error": "the median", "quantile": f"the quantile {parameter}"}.get(name, "the mean")
        return Constant(starting_point(name, parameter, targets), called)

    def _gain_by_luck(self, of_constant: float, n: float) -> float:
        return max(0.01, 1 / n)  # about the R² of what has nothing to do with y, at its best scale

    def _advice(self) -> list[str]:
        return [*([] if self.normalize_y else ["normalize_y=True"]), *super()._advice()]

    @property
    def _score_name(self) -> str:  # type: ignore[override]
        return "R²" if self.loss == "squared_error" else "negated loss"

    def _as_predictions(self, outputs: Array) -> npt.NDArray[np.float64]:
        values = outputs.astype(np.float64) if self._targets is None else unscaled(outputs, self._targets)
        return values.reshape(len(outputs), *self._output_shape)


class LSTMRegressor(RegressorMixin, _Values):
    """Predict a value, or several, for each sequence by an LSTM that reads it step by step.

    The network is a stack of LSTM layers and a linear layer; training minimises `loss`.

    Parameters
    ----------
    <sizes>
    pooling : {"last", "mean", "max"}, default="last"
        What the dense layer reads: the output after the last step of each sequence (of each direction its own last),
        or the mean or maximum over all steps.
    <losses>
    <parameters>

    Attributes
    ----------
    <attributes>

    See Also
    --------
    LSTMSequenceRegressor : One value per step.
    LSTMForecaster : The next values of a series.

    Notes
    -----
    <notes>

    Examples
    --------
    The sum of a sequence, whatever its length:

    >>> import numpy as np
    >>> from pylstm import LSTMRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((rng.integers(3, 9), 1)) for _ in range(200)]
    >>> y = np.array([x.sum() for x in X])
    >>> reg = LSTMRegressor((16,), random_state=0).fit(X, y)
    >>> bool(reg.score(X, y) > 0.95)
    True
    """

    pooling: str = "last"
    learning_rate: str = "cosine"
    learning_rate_init: float = 0.01
    _updates = 500

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Values._parameter_constraints,
        "pooling": [StrOptions({"last", "mean", "max"})],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _read_targets(self, y: Any, sample_weight: Any, steps: Steps, *, reset: bool) -> Targets:
        n_sequences = len(steps.lengths)
        if not steps.is_dense:  # else they can be so many outputs
            refuse_per_step(y, steps, "LSTMSequenceRegressor")
        values = values_per_sequence(y, n_sequences)
        return self._as_targets(values, weights_of(sample_weight, n_sequences), reset=reset)

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
        y : array-like (n_sequences,) or (n_sequences, n_outputs)
            Their values; finite.
        sample_weight : array-like (n_sequences,), default=None
            How much each sequence counts; None is 1 for all.
        <validation>

        Returns
        -------
        self : LSTMRegressor
            The fitted estimator.
        """
        return self._fit(
            X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val, groups=groups
        )

    @fits
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Use the given sequences for one epoch, going on from what was learnt before.

        The solver keeps its memory between calls. The learning rate is `learning_rate_init`, whatever `learning_rate`
        says: a schedule over calls is made by `set_params` between them.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences,) or (n_sequences, n_outputs)
            Their values; finite.
        sample_weight : array-like (n_sequences,), default=None
            How much each sequence counts; None is 1 for all.

        Returns
        -------
        self : LSTMRegressor
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight, is_first=not hasattr(self, "_model"))

    def predict(self, X: Any, *, hold: Any = None) -> npt.NDArray[np.float64]:
        """Return the predicted values.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences,) or (n_sequences, n_outputs) of float64
            As y was in `fit`.
        """
        return self._as_predictions(self._outputs(X, hold)[0])


class LSTMSequenceRegressor(StepEstimator, _Values):
    """Predict a value, or several, for every step of sequences by an LSTM.

    The network is a stack of LSTM layers and a linear layer over each step's output; training minimises `loss`.

    Parameters
    ----------
    <sizes>
    window : int or None, default=None
        Train by truncated back-propagation through time on so many steps at once, the state carried from window to
        window of a sequence and gradients not: for long signals. None takes sequences whole. Not with `bidirectional`.
    burn_in : int, default=0
        Steps at the start of each sequence that have no part in the loss, while the state settles.
    <losses>
    <parameters>

    Attributes
    ----------
    <attributes>

    See Also
    --------
    LSTMRegressor : One value per sequence.
    pylstm.metrics.per_step : Scores for searches and cross-validation.

    Notes
    -----
    <notes>

    Examples
    --------
    A running mean of noise, learnt in windows of 50 steps:

    >>> import numpy as np
    >>> from pylstm import LSTMSequenceRegressor
    >>> X = np.random.default_rng(0).standard_normal((8, 400, 1))
    >>> y = np.zeros((8, 400))
    >>> for t in range(1, 400):
    ...     y[:, t] = 0.8 * y[:, t - 1] + 0.2 * X[:, t, 0]
    >>> reg = LSTMSequenceRegressor((8,), window=50, burn_in=10, random_state=0).fit(X, y)
    >>> bool(reg.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_Values._parameter_constraints,
        **StepEstimator._parameter_constraints,
    }

    def _read_targets(self, y: Any, sample_weight: Any, steps: Steps, *, reset: bool) -> Targets:
        values = values_per_step(y, steps)
        weights = self._step_weights(sample_weight, steps, where_known(values, values))
        return self._as_targets(values, weights, reset=reset)

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
        y : array-like (n_sequences, n_steps[, n_outputs]), or list of (n_steps_i,) or (n_steps_i, n_outputs)
            The value or values of each step; NaN where there is none, of a step or of one of its outputs.
        sample_weight : array-like (n_sequences,), or one for each step in the form of y, default=None
            How much each step counts; what is given for a sequence, all its steps take. None is 1 for all.
        <validation>

        Returns
        -------
        self : LSTMSequenceRegressor
            The fitted estimator.
        """
        return self._fit(
            X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val, groups=groups
        )

    @fits
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Use the given sequences for one epoch, going on from what was learnt before.

        The solver keeps its memory between calls. The learning rate is `learning_rate_init`, whatever `learning_rate`
        says: a schedule over calls is made by `set_params` between them.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences, n_steps[, n_outputs]), or list of (n_steps_i,) or (n_steps_i, n_outputs)
            The value or values of each step; NaN where there is none, of a step or of one of its outputs.
        sample_weight : array-like (n_sequences,), or one for each step in the form of y, default=None
            How much each step counts; what is given for a sequence, all its steps take. None is 1 for all.

        Returns
        -------
        self : LSTMSequenceRegressor
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight, is_first=not hasattr(self, "_model"))

    def predict(self, X: Any, *, hold: Any = None) -> Any:
        """Return the predicted values of each step.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        ndarray (n_sequences, n_steps[, n_outputs]), or list of (n_steps_i,) or (n_steps_i, n_outputs), of float64
            Of the form of X, an object array too, and of y in `fit`.
        """
        outputs, steps = self._outputs(X, hold)
        return as_given(self._as_predictions(outputs), steps)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 over the steps of all sequences.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        y : array-like (n_sequences, n_steps[, n_outputs]), or list of (n_steps_i,) or (n_steps_i, n_outputs)
            The right values; NaN where there is none.
        sample_weight : array-like (n_sequences,), or one for each step in the form of y, default=None
            How much each step counts, as in `fit`.

        Returns
        -------
        float
            At most 1; uniform average over the outputs that have values.
        """
        outputs, steps = self._outputs(X)
        values = values_per_step(y, steps).astype(np.float64, copy=False)
        return r2_of_known(values, self._as_predictions(outputs), weights_per_step(sample_weight, steps))
