"""How an estimator reads X: what stands for missing values, what scales the rest. All of it is part of the model."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions

from .._net.core import Model, ModelSpec
from .._net.describe import Missing
from .._net.inputs import Array, Steps
from .._net.tokens import as_token_steps, largest_token
from ..preprocessing._validation import check_finite, warn_of_integers
from .base import LSTMEstimator
from .hyperparameters import Number
from .missing import complete, scaling_of_all
from .scaling import as_scaled, scaling_of
from .state import State, read_missing, read_scaling, with_missing, with_scaling
from .targets import Targets
from .training import Data

#: How much larger the input weights of the first layer are at the start where X is scaled. Within 1/sqrt(H), a feature
#: of variance 1 hardly moves a gate of many units, and nets rest longer on plateaus.
INPUT_GAIN = 4


class TokenEstimator(LSTMEstimator):
    """Knows which tokens training has met, where tokens are what it reads."""

    def _take_tokens(self, n_tokens: int) -> None:
        """Note for a new model how many tokens there are."""
        self._n_tokens, self._met = n_tokens, np.zeros(n_tokens, bool)
        self.n_features_in_, self._fitted_on_2d = 1, False
        self.__dict__.pop("feature_names_in_", None)

    def _finish(self, model: Model, data: Data) -> None:
        super()._finish(model, data)
        if self._n_tokens is None:
            return
        self._met = self._met | (np.bincount(data.steps.rows.reshape(-1), minlength=self._n_tokens) > 0)
        if not self._met[0]:
            set_unknown(model, self._met)

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values, arrays = super()._get_state()
        return values, arrays if self._n_tokens is None else {**arrays, "met_tokens": self._met}

    def _set_tokens(self, state: State, n_tokens: int) -> None:
        """Set what `_take_tokens` and `_finish` noted."""
        self._take_tokens(n_tokens)
        self._met = state.array("met_tokens", ["bool"], (n_tokens,))

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        if self._model.spec.reads_tokens != (self._n_tokens is not None):
            raise ValueError("embedding must be there where X has tokens, and only there")


class SequenceEstimator(TokenEstimator):
    """Reads X in both directions if asked to, with missing values if they are said to be there, and scales it.

    Or reads tokens.
    """

    embedding_size: int | str | None = None
    embedding_init: Any = None
    freeze_embedding: bool = False
    vocabulary_size: int | None = None
    bidirectional: bool = False
    standardize: bool = True
    noise: float = 0.0
    missing: str = "error"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LSTMEstimator._parameter_constraints,
        "embedding_size": [Number(Integral, 1, None, closed="left"), StrOptions({"one-hot"}), None],
        "embedding_init": ["array-like", None],
        "freeze_embedding": ["boolean"],
        "vocabulary_size": [Number(Integral, 1, 2**31 - 1, closed="both"), None],
        "bidirectional": ["boolean"],
        "standardize": ["boolean"],
        "noise": [Number(Real, 0, None, closed="left")],
        "missing": [StrOptions({"error", "indicator", "hold"})],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error" and self.embedding_size is None
        return tags

    def _advice(self) -> list[str]:
        is_unscaled = self._inputs is None and self._n_tokens is None
        return [*(["standardize=True"] if is_unscaled else []), *super()._advice()]

    # ---- in fit

    def _learn_reading(self, data: Data) -> None:
        super()._learn_reading(data)
        if self._n_tokens is not None:
            return
        steps, weights = data.steps, data.sequence_weights
        of_steps = None if weights is None else np.repeat(weights, steps.lengths)
        if not self.standardize and self.missing == "error":
            return
        scaling = scaling_of(steps.rows, of_steps)
        if self.missing != "error":
            has_missing = np.isnan(steps.rows).any(axis=0) & (self.missing == "indicator")
            self._missing = Missing(self.missing, scaling.mean, np.flatnonzero(has_missing))
            scaling = scaling_of_all(scaling, complete(steps, self._missing), self._missing)
        if self.standardize:
            self._inputs = scaling

    def _start(self, model: Model, targets: Targets) -> None:
        super()._start(model, targets)
        table = self._given_table()
        if table is not None:
            model.parameters()["embedding"][...] = table
            self._met = np.ones(len(table), bool)  # training need not meet a token whose row is known
        if self._inputs is not None:
            for name, values in model.parameters().items():
                if name.startswith("weight_ih_l0"):
                    values *= INPUT_GAIN

    def _input_arguments(self, steps: Steps) -> dict[str, Any]:
        if (self._n_tokens is None) != (self.embedding_size is None):
            read = "values" if self._n_tokens is None else "tokens"
            raise ValueError(
                f"embedding_size must stay what it was in the last fit with warm_start=True: it read {read}, now it is "
                f"{self.embedding_size!r}"
            )
        if self._n_tokens is None:
            return super()._input_arguments(steps)
        return {
            "input_size": self._n_tokens,
            "embedding_size": self.embedding_size,
            "freeze_embedding": self.freeze_embedding,
        }

    def _given_table(self) -> Array | None:
        """Return the table that a new model starts from; None where there is none, or it is drawn."""
        if not isinstance(self.embedding_size, Integral) and (self.freeze_embedding or self.embedding_init is not None):
            given = "freeze_embedding=True" if self.embedding_init is None else "embedding_init"
            raise ValueError(f"{given} needs an integer as embedding_size, got {self.embedding_size!r}")
        if self.embedding_init is None:
            return None
        table: Array = check_array(self.embedding_init, dtype=self.dtype, input_name="embedding_init")
        shape = (self.vocabulary_size or len(table), self.embedding_size)
        if table.shape != shape:
            rows = "n_tokens" if self.vocabulary_size is None else "vocabulary_size"
            raise ValueError(f"embedding_init must have shape ({rows}, embedding_size) = {shape}, got {table.shape}")
        return table

    # ---- in all

    def _reads_tokens(self, *, is_new: bool) -> bool:
        return self.embedding_size is not None if is_new else self._n_tokens is not None

    def _check_X(self, X: Any, *, reset: bool, dtype: npt.DTypeLike, is_new: bool) -> Steps:
        table = self._given_table() if reset else None
        if not self._reads_tokens(is_new=is_new):
            if reset:
                self._n_tokens = None
                warn_of_integers(X)
            return super()._check_X(X, reset=reset, dtype=dtype, is_new=is_new)
        if reset:
            known = self.vocabulary_size if table is None else len(table)
            self._take_tokens(known or largest_token(X) + 1)
        assert self._n_tokens is not None
        return as_token_steps(X, self._n_tokens, empty=0 if self._pooling() is not None else None)

    def _is_nan_welcome(self, *, is_new: bool) -> bool:
        if self._reads_tokens(is_new=is_new):
            return False
        return self.missing != "error" if is_new else self._missing is not None

    def _dtype_to_read(self, dtype: npt.DTypeLike, *, is_new: bool) -> npt.DTypeLike:
        is_scaled = self.standardize if is_new else self._inputs is not None
        return np.float64 if is_scaled or self._is_nan_welcome(is_new=is_new) else dtype

    def _steps_as_read(self, steps: Steps, dtype: npt.DTypeLike) -> Steps:
        if self._missing is None and self._inputs is None:
            return steps  # which are in that dtype, and finite
        if self._missing is not None:
            steps = complete(steps, self._missing)
        if self._inputs is not None:
            steps = steps._replace(rows=as_scaled(steps.rows, self._inputs, dtype, "steps of X"))
        if steps.rows.dtype != dtype:
            with np.errstate(over="ignore"):  # what is infinite then, is looked for
                steps = steps._replace(rows=steps.rows.astype(dtype))
        return steps if np.isfinite(steps.rows).all() else check_finite(steps)  # which says where, and takes longer

    # ---- in files

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        return with_missing(with_scaling(super()._get_state(), "input", self._inputs), self._missing)

    def _input_state(self) -> dict[str, Any]:
        values = super()._input_state()
        if self._n_tokens is not None:
            values["n_tokens"] = self._n_tokens
        return values

    def _read_input_state(self, state: State) -> int:
        n_features = super()._read_input_state(state)
        self._n_tokens = None
        if "n_tokens" in state.values:
            n_tokens = state.integer("n_tokens", at_least=1, at_most=2**31 - 1)
            self._set_tokens(state, n_tokens)
            return n_tokens
        self._missing = read_missing(state, n_features)
        return n_features if self._missing is None else n_features + 2 * len(self._missing.columns)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._inputs = read_scaling(state, "input", self._model.spec.row_size)
        if self._n_tokens is not None and self._inputs is not None:
            raise ValueError("input_mean must not be there with n_tokens: tokens are not scaled")


def set_unknown(model: Model, met: Array) -> None:
    """Let token 0, which training has not met, stand for what the tokens that it has met are on average."""
    spec: ModelSpec = model.spec
    for name, values in model.parameters().items():
        if name == "embedding" and not (spec.tie_weights or spec.freeze_embedding):
            values[0] = values[met].mean(axis=0)
        elif spec.embedding_size == "one-hot" and name.startswith("weight_ih_l0"):
            values[:, 0] = values[:, met].mean(axis=1)
