"""What estimators with a target for each step share: windows, what is held out of one recording, weights of steps."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._net.inputs import Steps, as_form, holds_sequences
from .base import LSTMEstimator
from .held_out import check_enough, split_ends
from .hyperparameters import Number
from .targets import weights_per_step
from .training import Data


class StepEstimator(LSTMEstimator):
    """One target per step, and training on windows of long sequences."""

    window: int | None = None
    burn_in: int = 0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "window": [Number(Integral, 1, None, closed="left"), None],
        "burn_in": [Number(Integral, 0, None, closed="left")],
    }

    def _hold_out(self, data: Data) -> tuple[Data, Data]:
        if len(data.steps.lengths) > 1:
            return super()._hold_out(data)
        kept, held = split_ends(data, self.validation_fraction, self.burn_in)  # of a single recording
        n_steps = len(data.steps.rows)
        given = f": {self.validation_fraction} of {n_steps} steps"
        check_enough(held.targets, "validation_fraction must hold out", given)
        return kept, held

    def _weights_of_sequences(self, sample_weight: Any, steps: Steps) -> npt.NDArray[np.float64] | None:
        if sample_weight is None or holds_sequences(as_form(sample_weight, "sample_weight")):
            return None
        return super()._weights_of_sequences(sample_weight, steps)

    def _step_weights(
        self, sample_weight: Any, steps: Steps, known: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64] | None:
        """Return the weight of every step, 0 where no target is `known` (n_rows,), and within `burn_in`."""
        weights = weights_per_step(sample_weight, steps)
        if self.burn_in > 0:
            if self.burn_in >= steps.lengths.max():
                raise ValueError(
                    f"burn_in must leave steps to learn from: {self.burn_in}, of at most {steps.lengths.max()}"
                )
            known = known & (np.arange(len(steps.rows)) - np.repeat(steps.starts, steps.lengths) >= self.burn_in)
        if known.all():
            return weights
        return known.astype(np.float64) if weights is None else weights * known
