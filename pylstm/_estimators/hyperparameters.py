"""Hyperparameters said once: an annotated class attribute with a default is an argument of the constructor."""

import inspect
import sys
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, dataclass_transform

from sklearn.utils._param_validation import Interval, StrOptions

from .._net.initialisation import NAMED
from .documentation import filled_in


class Number(Interval):
    """An interval of numbers that the machine has: True is none, nor are integers beyond those of C, or all floats.

    scikit-learn lets them pass. What was fitted with them would raise somewhere else, or be refused in its own file.
    """

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is one."""
        if isinstance(val, bool):
            return False
        if isinstance(val, Integral) and self.type is Integral:
            return abs(int(val)) <= sys.maxsize and super().is_satisfied_by(val)
        try:
            return isinstance(val, self.type) and super().is_satisfied_by(float(val))
        except OverflowError:
            return False


class Positional(NamedTuple):
    """The default of an argument that may come without its name."""

    default: Any


def positional(*, default: Any, kw_only: bool) -> Any:
    """Return what stands for a default; type checkers read `kw_only`, which has to be False."""
    assert not kw_only
    return Positional(default)


@dataclass_transform(kw_only_default=True, field_specifiers=(positional,))
class Hyperparameters:
    """Makes the constructors of its subclasses, which type checkers know of as they know of dataclasses'.

    Those of a class come before those of the classes that it inherits from. One that is said again, for another
    default, keeps its place. Names that begin with _ are none.
    """

    _own: ClassVar[dict[str, inspect.Parameter]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._own = {}
        for name, annotation in inspect.get_annotations(cls).items():
            if name in vars(cls) and not name.startswith("_"):
                default = vars(cls)[name]
                is_positional = isinstance(default, Positional)
                kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional else inspect.Parameter.KEYWORD_ONLY
                default = default.default if is_positional else default
                cls._own[name] = inspect.Parameter(name, kind, default=default, annotation=annotation)
                delattr(cls, name)  # estimators are asked what they have
        if "__init__" not in vars(cls):
            cls.__init__ = _constructor(cls)  # type: ignore[method-assign]


def _constructor(cls: type) -> Any:
    """Return the constructor of a class: the one function that sets hyperparameters."""
    by_class = [vars(base).get("_own", {}) for base in cls.__mro__]
    names = [
        name for k, own in enumerate(by_class) for name in own if not any(name in below for below in by_class[k + 1 :])
    ]
    parameters = [next(own[name] for own in by_class if name in own) for name in names]
    parameters.sort(key=lambda parameter: parameter.kind)  # what is positional comes first
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.Signature([itself, *parameters], return_annotation=None)

    def __init__(self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807
        try:
            bound = signature.bind(self, *arguments, **keywords)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}() {error}") from None
        bound.apply_defaults()
        del bound.arguments["self"]
        vars(self).update(bound.arguments)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    __init__.__qualname__, __init__.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return __init__


class SharedHyperparameters(Hyperparameters):
    """Those that all estimators have."""

    hidden_layer_sizes: Any = positional(default=(64,), kw_only=False)
    dropout: float = 0.0
    cell: str = "lstm"
    nonlinearity: str = "tanh"
    forget_bias: float | str = "auto"
    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.003
    power_t: float = 0.5
    max_iter: int | str = "auto"
    shuffle: bool = True
    random_state: Any = None
    tol: float = 0.0001
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool | str = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int | str = "auto"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    max_grad_norm: float | None = 1.0
    n_jobs: int | None = None
    dtype: str = "float32"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Number(Integral, 1, None, closed="left")],
        "dropout": [Number(Real, 0, 1, closed="left")],
        "cell": [StrOptions({"lstm", "gru", "rnn"})],
        "nonlinearity": [StrOptions({"tanh", "relu"})],
        "forget_bias": [Number(Real, None, None, closed="neither"), StrOptions({"auto", *NAMED})],
        "solver": [StrOptions({"adam", "sgd", "rmsprop"})],
        "alpha": [Number(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Number(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"auto", "constant", "invscaling", "adaptive", "cosine", "settling"})],
        "learning_rate_init": [Number(Real, 0, None, closed="neither")],
        "power_t": [Number(Real, 0, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Number(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Number(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Number(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Number(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [StrOptions({"auto"}), Number(Integral, 1, None, closed="left")],
        "beta_1": [Number(Real, 0, 1, closed="left")],
        "beta_2": [Number(Real, 0, 1, closed="left")],
        "epsilon": [Number(Real, 0, None, closed="neither")],
        "max_grad_norm": [Number(Real, 0, None, closed="neither"), None],
        "n_jobs": [None, Number(Integral, None, None, closed="neither")],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__doc__ = filled_in(cls.__doc__, inspect.signature(cls).parameters)
