"""How an estimator reads X: what stands for missing values, what scales the rest. All of it is part of the model."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.utils._param_validation import StrOptions

from .._net.core import Model
from .._net.describe import Missing
from .._net.inputs import Array, Steps
from ..preprocessing._validation import check_finite
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


class SequenceEstimator(LSTMEstimator):
    """Reads X in both directions if asked to, with missing values if they are said to be there, and scales it."""

    bidirectional: bool = False
    standardize: bool = True
    noise: float = 0.0
    missing: str = "error"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LSTMEstimator._parameter_constraints,
        "bidirectional": ["boolean"],
        "standardize": ["boolean"],
        "noise": [Number(Real, 0, None, closed="left")],
        "missing": [StrOptions({"error", "indicator", "hold"})],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        return tags

    def _advice(self) -> list[str]:
        return [*([] if self.standardize else ["standardize=True"]), *super()._advice()]

    # ---- in fit

    def _learn_reading(self, data: Data) -> None:
        super()._learn_reading(data)
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
        if self._inputs is not None:
            for name, values in model.parameters().items():
                if name.startswith("weight_ih_l0"):
                    values *= INPUT_GAIN

    # ---- in all

    def _is_nan_welcome(self, *, is_new: bool) -> bool:
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

    def _read_input_state(self, state: State) -> int:
        n_features = super()._read_input_state(state)
        self._missing = read_missing(state, n_features)
        return n_features if self._missing is None else n_features + 2 * len(self._missing.columns)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._inputs = read_scaling(state, "input", self._model.spec.input_size)
