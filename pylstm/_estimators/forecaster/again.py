"""Another network, trained as that of the fit was, with less: by it is seen how far forecasts are off."""

import warnings
from contextlib import nullcontext
from typing import Any

from sklearn.base import clone

from ..._net.core import Model
from ..training import Data, History, train


def trained_again(forecaster: Any, data: Data) -> Model | None:
    """Return a network trained with `data`, for as many epochs as that of the fit; None if Ctrl-C was pressed."""
    silent = clone(forecaster).set_params(verbose=False)
    silent._stands_for = forecaster._stands_for
    model = forecaster._new_model(data.steps, forecaster._random_state)
    try:
        end = train(
            model,
            forecaster._new_solver(model),
            data,
            History(),
            silent,
            n_epochs=forecaster.n_iter_,
            longest=forecaster.n_iter_,
            random_state=forecaster._random_state,
            score=None,
            on_epoch=lambda: nullcontext([]),
        )
    except KeyboardInterrupt:  # before the first epoch's end: there is nothing of this network to keep
        warnings.warn("Training interrupted by user: there will be no intervals.", stacklevel=6)
        return None
    return None if end == "interrupt" else model
