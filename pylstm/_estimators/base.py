"""What all estimators share: hyperparameters, the check of X, `fit`, `partial_fit`."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._net.above import above
from .._net.core import Model, ModelSpec, Solver, Stream
from .._net.describe import Description, Missing, Scaling, describe
from .._net.initialisation import SPREAD
from .._net.inputs import Array, Steps, check_size
from .._net.pickles import made_of, reduced
from .._net.trace import Trace, trace_steps
from ..preprocessing._validation import validate_sequences
from . import automatic
from .held_out import check_enough, groups_of, is_given, said_of_validation, split
from .hyperparameters import SharedHyperparameters
from .learnt import Constant, remark
from .state import (
    State,
    as_plain,
    features_state,
    from_plain,
    model_state,
    random_state_state,
    read_features,
    read_model,
    read_random_state,
)
from .targets import Targets, check_y_given, weights_of
from .training import Data, End, History, train

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's."""


#: Attributes that are named tuples, which pickles and skops keep as plain ones.
PLAIN: dict[str, Any] = {"_missing": Missing, "_inputs": Scaling, "_targets": Scaling}


class Fitted:
    """What `fit` leaves."""

    _model: Model
    _solver: Solver
    _history: History
    _random_state: np.random.RandomState
    _fitted_on_2d: bool
    _n_jobs_of_model: int | None
    _missing: Missing | None = None
    """What stands for missing values of X; None where there are to be none."""
    _inputs: Scaling | None = None
    """Of X; None where the net reads it as it comes."""
    _targets: Scaling | None = None
    """Of y."""
    _n_tokens: int | None = None
    """How many tokens there are; None where values go in."""
    _met: Array
    """(n_tokens,) of bool: those that training has met."""
    n_features_in_: int


class LSTMEstimator(Fitted, SharedHyperparameters, CallbackSupportMixin, BaseEstimator):
    """A recurrent net with a dense layer on top, and its training; what the targets are is up to subclasses."""

    _updates: ClassVar[int] = 1000
    """How many ``max_iter="auto"`` makes."""
    _least_epochs: ClassVar[int] = 30
    """The fewest epochs for them."""
    _most_steps: ClassVar[int] = 4_000_000
    """Steps that are read for them at most, unless the fewest epochs read more: some seconds with 64 units."""
    _loss: ClassVar[str]
    _score_name: ClassVar[str]
    """Of `_validation_score`."""
    _perfect_score: ClassVar[float]
    """`_validation_score` of predictions without an error."""
    _gain_of_all: ClassVar[float]
    """Of the way from the constant answer to that: the part at which all is learnt."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags

    # ---- pickles

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickles, copies and skops keep: all there is, with the compiled objects as plain values."""
        state = dict(super().__getstate__())
        if "_model" in state:
            state |= {
                "_model": self._model.__getstate__(),
                "_solver": self._solver.__getstate__(),
                "_history": (list(self._history.loss_curve), list(self._history.validation_scores)),
                **{name: as_plain(getattr(self, name)) for name in PLAIN},
            }
        if "_metadata_request" in state:  # which holds this estimator: skops can't go round in circles
            state["_metadata_request"] = self._metadata_request._serialize()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({name: value for name, value in state.items() if name != "_metadata_request"})
        if "_metadata_request" in state:
            self._metadata_request = self.get_metadata_routing()
            for method, of_method in state["_metadata_request"].items():
                for name, request in of_method.items():
                    getattr(self._metadata_request, method).add_request(param=name, alias=request)
        if "_model" in state:
            self._model = made_of("Model", state["_model"])
            self._solver = made_of("Solver", state["_solver"])
            for name, kind in PLAIN.items():
                setattr(self, name, from_plain(kind, state[name]))
            self._set_history(History(*state["_history"]), scored=self.validation_scores_ is not None)

    # ---- what subclasses say of their targets

    def _read_targets(self, y: Any, sample_weight: Any, steps: Steps, *, reset: bool) -> Targets:
        """Check y; with `reset` note what is particular to it (classes, number of outputs)."""
        raise NotImplementedError

    def _n_outputs(self) -> int:
        raise NotImplementedError

    def _loss_and_parameter(self) -> tuple[str, float]:
        """Return what training minimises, as `ModelSpec` names it."""
        return self._loss, 0.0

    def _losses(self) -> list[str]:
        """Return what a saved model may have been trained by, the usual one first."""
        return [self._loss]

    def _pooling(self) -> str | None:
        return getattr(self, "pooling", None)

    def _stratify(self, targets: Targets) -> Array | None:
        """Return the label of each sequence, whose proportions a validation split keeps."""
        return None

    def _start(self, model: Model, targets: Targets) -> None:
        """Set what of a new model's weights the targets, as the net reads them, decide."""

    def _learn_reading(self, data: Data) -> None:
        """Note how inputs and targets are to be read: what stands for missing values, what scales them."""
        self._missing = self._inputs = self._targets = None

    def _dtype_to_read(self, dtype: npt.DTypeLike, *, is_new: bool) -> npt.DTypeLike:
        """Return in which dtype X is read: the net's, unless something is done to it before."""
        return dtype

    def _is_nan_welcome(self, *, is_new: bool) -> bool:
        """Whether X may have missing values."""
        return False

    def _input_arguments(self, steps: Steps) -> dict[str, Any]:
        """Return what `ModelSpec` is told of the input."""
        return {"input_size": steps.rows.shape[1]}

    def _finish(self, model: Model, data: Data) -> None:
        """Set what of a trained model's weights the training data did not reach."""

    def _steps_as_read(self, steps: Steps, dtype: npt.DTypeLike) -> Steps:
        """Return steps as the net reads them."""
        return steps

    def _targets_as_read(self, targets: Targets, dtype: npt.DTypeLike) -> Targets:
        """Return targets as the net reads them."""
        return targets

    def _weights_of_sequences(self, sample_weight: Any, steps: Steps) -> npt.NDArray[np.float64] | None:
        """Return the weight of each sequence; None where none are given, or one for each step."""
        return weights_of(sample_weight, len(steps.lengths))

    def _validation_score(self, outputs: Array, targets: Targets) -> float:
        """Return the score, higher is better, of a model's outputs."""
        raise NotImplementedError

    # ---- what they say of having learnt

    def _constant(self, targets: Targets) -> Constant | None:
        """Return the best answer that is always the same; None where a model is not to be compared to it."""
        return None

    def _gain_by_luck(self, of_constant: float, n: float) -> float:
        """Return what part of the way can be chance, of `n` targets on which a constant answer has a score."""
        raise NotImplementedError

    def _advice(self) -> list[str]:
        """Return what to try where nothing was learnt."""
        pooling = self._pooling()
        return [
            *([] if pooling is None else [f"another pooling ({pooling!r})"]),
            f"another learning_rate_init ({self.learning_rate_init})",
            f"more epochs (max_iter={self.n_iter_})",
        ]

    # ---- fit

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        continues = self.warm_start and hasattr(self, "_model")
        read = partial(self._read, dtype=self.dtype, is_new=not continues)
        data = read(X, y, sample_weight, groups, reset=not continues, reset_targets=not continues)
        held = None
        if is_given(self.early_stopping, X_val, y_val, sample_weight_val):
            with said_of_validation():
                held = read(X_val, y_val, sample_weight_val, reset=False, reset_targets=False)
                check_enough(held.targets, "y must have", "")
        self._fit_data(X, y, sample_weight, data, held, continues=continues)
        return self

    def _fit_data(
        self, X: Any, y: Any, sample_weight: Any, data: Data, held: Data | None = None, *, continues: bool
    ) -> End:
        """Train a new model, with the weights of the last fit if this one `continues`; return what ended it."""
        self._random_state = check_random_state(self.random_state)
        if held is None and self._splits_off():
            data, held = self._hold_out(data)
        if not continues:
            self._learn_reading(data)
        data = self._as_read(data, self.dtype)
        if held is not None:
            with said_of_validation():
                held = self._as_read(held, self.dtype)
        model, history = self._new_model(data.steps, self._random_state), History()
        if continues:
            _copy_weights(self._model, model)
            history = copy.deepcopy(self._history)
        else:
            self._start(model, data.targets)
        n_before = len(history.loss_curve), len(history.validation_scores)
        epochs = automatic.max_iter(self, data.steps), automatic.longest(self, data.steps)
        end = self._train(X, y, sample_weight, data, model, self._new_solver(model), history, *epochs, held)
        of_this_fit = history.loss_curve[n_before[0] :], history.validation_scores[n_before[1] :]
        text = remark(self, end, model, data, held, *of_this_fit)
        if text is not None:
            warnings.warn(text, ConvergenceWarning, stacklevel=6)  # who called fit
        return end

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, *, is_first: bool) -> Self:
        if self._splits_off():
            raise ValueError("partial_fit does not support early_stopping=True")
        data = self._read(
            X,
            y,
            sample_weight,
            reset=is_first,
            reset_targets=is_first and not hasattr(self, "classes_"),  # which are given beforehand
            dtype=self.dtype if is_first else self._model.dtype,
            is_new=is_first,
        )
        if is_first:
            self._learn_reading(data)
        data = self._as_read(data, self.dtype if is_first else self._model.dtype)
        self._partial_fit_data(X, y, sample_weight, data, is_first=is_first)
        return self

    def _partial_fit_data(self, X: Any, y: Any, sample_weight: Any, data: Data, *, is_first: bool) -> None:
        """Train for an epoch: a new model, or the one that there is."""
        if is_first:
            self._random_state = check_random_state(self.random_state)
            model, history = self._new_model(data.steps, self._random_state), History()
            self._start(model, data.targets)
            solver = self._new_solver(model)
        else:  # copies, so that an error leaves all as it was; at once, as model and estimator share the random state
            model, solver, self._random_state = copy.deepcopy((self._model, self._solver, self._random_state))
            model = model.with_loss(*self._loss_and_parameter())  # which may be another since
            history = self._history  # no copy, which would take the longer the more there is
        self._train(X, y, sample_weight, data, model, solver, history, 1, 1)

    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any = None,
        *,
        reset: bool,
        reset_targets: bool,
        dtype: npt.DTypeLike,
        is_new: bool,
    ) -> Data:
        check_y_given(self, y)
        steps = self._check_X(X, reset=reset, dtype=dtype, is_new=is_new)
        targets = self._read_targets(y, sample_weight, steps, reset=reset_targets)
        of_sequences = self._weights_of_sequences(sample_weight, steps) if is_new else None  # which scale what is new
        return Data(steps, targets, groups_of(groups, len(steps.lengths)), of_sequences).without_weightless()

    def _as_read(self, data: Data, dtype: npt.DTypeLike) -> Data:
        steps, targets = self._steps_as_read(data.steps, dtype), self._targets_as_read(data.targets, dtype)
        return data._replace(steps=steps, targets=targets)

    def _new_model(self, steps: Steps, random_state: np.random.RandomState) -> Model:
        sizes = np.atleast_1d(np.asarray(automatic.of(self, "hidden_layer_sizes"), dtype=object)).tolist()
        if not sizes:
            raise ValueError(f"hidden_layer_sizes must name at least one layer, got {self.hidden_layer_sizes!r}")
        loss, loss_parameter = self._loss_and_parameter()
        forget_bias = automatic.forget_bias(self, self._pooling())
        spec = ModelSpec(
            hidden_sizes=tuple(check_size(size, f"hidden_layer_sizes[{layer}]") for layer, size in enumerate(sizes)),
            **self._input_arguments(steps),
            bidirectional=getattr(self, "bidirectional", False),
            dropout=automatic.of(self, "dropout"),
            dtype=self.dtype,
            cell=self.cell,
            nonlinearity=self.nonlinearity,
            forget_bias=forget_bias,
            t_max=max(3, int(steps.lengths.max())) if forget_bias in SPREAD else None,
            loss=loss,
            loss_parameter=loss_parameter,
            n_outputs=self._n_outputs(),
            pooling=self._pooling(),
        )
        model = Model(spec, random_state=random_state, n_threads=effective_n_jobs(self.n_jobs))
        self._n_jobs_of_model = self.n_jobs
        return model

    def _new_solver(self, model: Model) -> Solver:
        return Solver(
            model,
            self.solver,
            learning_rate=automatic.of(self, "learning_rate_init"),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum,
            alpha=self.alpha,
            max_grad_norm=self.max_grad_norm or 0.0,
        )

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        data: Data,
        model: Model,
        solver: Solver,
        history: History,
        n_epochs: int,
        longest: int,
        held: Data | None = None,
    ) -> End:
        """Train, tell callbacks, and become what was trained; return what ended it."""
        score = None if held is None else partial(self._score_as_finished, data, held, model)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        given = {"estimator": self, "X": X, "y": y, "metadata": metadata}
        context = None
        if hasattr(self, "_skl_callbacks"):
            context = self._init_callback_context(max_subtasks=longest)
            context.call_on_fit_task_begin(**given)

        def so_far() -> dict[str, Model]:
            """Return the model as it would be if training ended here: a copy, as callbacks may keep it."""
            copied = copy.copy(model)
            self._finish(copied, data)
            return {"_model": copied}

        @contextmanager
        def on_epoch() -> Iterator[list[bool]]:
            stop: list[bool] = []
            if context is None:
                yield stop
                return
            epoch_context = context.subcontext(task_name="epoch")
            epoch_context.call_on_fit_task_begin(**given)
            yield stop
            stop.append(epoch_context.call_on_fit_task_end(**given, reconstruction_attributes=so_far))

        end = train(
            model,
            solver,
            data,
            history,
            self,
            n_epochs=n_epochs,
            longest=longest,
            random_state=self._random_state,
            score=score,
            on_epoch=on_epoch,
        )
        self._finish(model, data)
        self._model, self._solver = model, solver
        self._set_history(history, scored=held is not None)
        if context is not None:
            context.call_on_fit_task_end(**given, reconstruction_attributes={})
        return end

    def _set_history(self, history: History, *, scored: bool) -> None:
        self._history = history
        self.loss_curve_ = history.loss_curve
        self.loss_ = history.loss_curve[-1]
        self.n_iter_ = len(history.loss_curve)
        self.n_updates_ = self._solver.t
        self.validation_scores_ = history.validation_scores if scored else None
        self.best_validation_score_ = history.best_validation_score if scored else None
        self.best_loss_ = None if scored else history.best_loss

    def _score_as_finished(self, data: Data, held: Data, model: Model) -> float:
        """Return the score of the model that training on `data` would leave behind if it ended here."""
        self._finish(model, data)
        return self._score_on(held, model)

    def _score_on(self, data: Data, model: Model) -> float:
        return self._validation_score(model.predict(data.steps)[0], data.targets)

    def _splits_off(self) -> bool:
        """Whether a part of the data is held out where there are no others; "auto" does not."""
        return bool(self.early_stopping) and not isinstance(self.early_stopping, str)

    def _hold_out(self, data: Data) -> tuple[Data, Data]:
        """Split off `validation_fraction` of the data; return the rest, and what is held out."""
        return split(data, self.validation_fraction, self._stratify(data.targets), self._random_state)

    # ---- predict

    def _outputs(self, X: Any, hold: Any = None, *, raw: bool = False) -> tuple[Array, Steps]:
        """Return predictions, or `raw` outputs of the dense layer, and X's steps."""
        check_is_fitted(self, "_model")
        steps = self._fitted_steps(X)
        # To ask joblib takes a tenth of the time of a small prediction.
        n_threads = None if self.n_jobs == self._n_jobs_of_model else effective_n_jobs(self.n_jobs)
        return self._model.predict(steps, hold=hold, n_threads=n_threads, raw=raw)[0], steps

    # ---- look inside

    def trace(self, X: Any, *, hold: Any = None) -> Trace:
        """Return what happens inside the network: every gate and state of every step.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`. `predict` takes it too.

        Returns
        -------
        pylstm.Trace
            Of the layers; its ``output`` is what the output layer reads.
        """
        check_is_fitted(self, "_model")
        return trace_steps(self._model, self._fitted_steps(X), None, hold)

    # ---- run on

    def stream(self, batch_size: int = 1) -> Stream:
        """Return a `pylstm.Stream` of the fitted estimator, which runs on a step or a block of steps at a time.

        Parameters
        ----------
        batch_size : int, default=1
            Independent sequences that take their steps together.

        Returns
        -------
        Stream
            Its outputs are class probabilities or values for every step: what the estimator says of a sequence so far.

        See Also
        --------
        pylstm.stream : Takes pipelines too, and says which models can't be streamed.
        """
        return Stream(self, batch_size)

    def _describe(self) -> Description:
        check_is_fitted(self, "_model")
        labels = getattr(self, "classes_", None)
        return Description(
            self._model.spec, self._model, self, self._inputs, self._targets, labels, missing=self._missing
        )

    # ---- save

    def save(self, path: Any) -> None:
        """Write the fitted estimator to a file, from which `pylstm.load` reads it.

        Parameters
        ----------
        path : str or path-like
            The file. One that exists is replaced as a whole, or not at all.

        See Also
        --------
        pylstm.save : Takes pipelines too, and says what is kept.
        """
        above["save"]()(self, path)  # loads safetensors, or says which extra has it

    def _input_state(self) -> dict[str, Any]:
        """Return what is known of X."""
        return features_state(self)

    def _read_input_state(self, state: State) -> int:
        """Set what `_input_state` returned; return the net's input size."""
        read_features(self, state)
        return 1 if self._fitted_on_2d else self.n_features_in_

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return what `fit` left, for `_set_state`: values that JSON can hold, and arrays, by name."""
        check_is_fitted(self, "_model")
        model, weights = model_state(self._model)
        values = {
            **self._input_state(),
            **model,
            "n_updates": self._solver.t,
            "scored": self.validation_scores_ is not None,
        }
        arrays = {
            **weights,
            "moments": self._solver.moments,
            "loss_curve": np.array(self._history.loss_curve),
            "validation_scores": np.array(self._history.validation_scores),
            "random_state": random_state_state(self._random_state),
        }
        return values, arrays

    def _set_state(self, state: State) -> None:
        """Become the fitted estimator whose `_get_state` this was; the hyperparameters are set already."""
        self._missing = self._inputs = self._targets = None
        input_size = self._read_input_state(state)
        self._random_state = np.random.RandomState()
        self._model = read_model(
            state,
            input_size=input_size,
            losses=self._losses(),
            n_outputs=self._n_outputs(),
            poolings=[None] if self._pooling() is None else ["last", "mean", "max"],
            random_state=self._random_state,
            n_threads=effective_n_jobs(self.n_jobs),
        )
        self._n_jobs_of_model = self.n_jobs
        read_random_state(state, self._random_state)  # after the new net has drawn from it
        self._solver = self._new_solver(self._model)
        moments = state.array("moments", [self._model.dtype.name], self._solver.moments.shape)
        if not np.isfinite(moments).all():  # infinite squares would make all further steps zero
            raise ValueError("moments must be finite, got NaN or infinity")
        self._solver.moments[...] = moments
        self._solver.t = state.integer("n_updates", at_least=0, at_most=2**62)  # C goes on counting
        scored = state.boolean("scored")
        history = History(
            state.array("loss_curve", ["float64"], (None,), at_least=1).tolist(),
            state.array("validation_scores", ["float64"], (None,), at_least=int(scored)).tolist(),
        )
        self._set_history(history, scored=scored)

    def _fitted_steps(self, X: Any) -> Steps:
        """Return X's steps as the fitted net reads them: hyperparameters may be for the next fit."""
        dtype = self._model.dtype
        return self._steps_as_read(self._check_X(X, reset=False, dtype=dtype, is_new=False), dtype)

    def _check_X(self, X: Any, *, reset: bool, dtype: npt.DTypeLike, is_new: bool) -> Steps:
        """Return X's steps; `reset` notes what fit was given, else X must be of the same kind.

        If the model `is_new`, hyperparameters say how X is read, else what was fitted does.
        """
        finite = "or NaN" if self._is_nan_welcome(is_new=is_new) else True
        dtype = self._dtype_to_read(dtype, is_new=is_new)
        return validate_sequences(self, X, reset=reset, dtype=dtype, finite=finite)


@describe.register
def _describe(model: LSTMEstimator) -> Description:
    return model._describe()


def _copy_weights(source: Model, target: Model) -> None:
    """Let a model go on from the weights of another."""
    cells = [(m.cell, m.nonlinearity) for m in (source, target)]
    if cells[0] != cells[1]:
        raise ValueError(
            "cell and nonlinearity must stay what they were in the last fit with warm_start=True: "
            f"they were {cells[0]}, now {cells[1]}"
        )
    shapes, expected = ({name: shape for name, shape, _, _ in m.spec.parameters} for m in (source, target))
    if shapes != expected:
        raise ValueError(
            "hidden_layer_sizes, bidirectional and embedding_size must stay what they were in the last fit with "
            "warm_start=True: "
            f"weights had shapes {shapes}, now {expected}"
        )
    target.set_weights(source.copy_weights())
