"""What makes a method one that fits: one at a time, checked first, and undone by an error."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from sklearn import get_config
from sklearn.base import _fit_context

from .documentation import filled_in

Method = TypeVar("Method", bound=Callable[..., Any])

#: What is being fitted. Not said by an attribute: those are pickled, cloned, and put back after an error.
_FITTING: dict[tuple[int, int], object] = {}


def fits(method: Method) -> Method:
    """Make a method one that fits: parameters are checked first, and an error leaves the estimator as it was."""
    checked = _fit_context(prefer_skip_nested_validation=True)(method)
    is_partial = method.__name__ == "partial_fit"

    @wraps(method)
    def fit(estimator: Any, *args: Any, **keywords: Any) -> Any:
        # The child of a fork, which goes on alone, has another process number.
        key, this = (os.getpid(), id(estimator)), object()
        if _FITTING.setdefault(key, this) is not this:
            raise RuntimeError(
                f"this {type(estimator).__name__} is being fitted: by another thread, or what was called meanwhile, a "
                "callback or a loss, fits it again. Fit a clone"
            )
        before = dict(vars(estimator))
        history = before.get("_history")
        n_epochs = 0 if history is None else len(history.loss_curve)
        try:
            if is_partial and not get_config()["skip_parameter_validation"]:  # scikit-learn does so the first time only
                estimator._validate_params()
            return checked(estimator, *args, **keywords)
        except BaseException:
            vars(estimator).clear()
            vars(estimator).update(before)
            if history is not None:
                history.cut(n_epochs)  # to which partial_fit adds
            raise
        finally:
            del _FITTING[key]

    fit.__doc__ = filled_in(method.__doc__)
    return cast(Method, fit)
