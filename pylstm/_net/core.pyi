from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._inside.explain import Explanation
from .._inside.trace import Trace
from .inputs import Steps

_Array = npt.NDArray[Any]
_State = list[tuple[_Array, ...]]

isa: str
isas: list[str]

class Gradients(NamedTuple):
    parameters: dict[str, _Array]
    input: Any
    state: _State

class _Net:
    @property
    def n_directions(self) -> int: ...
    @property
    def hidden_sizes(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def cell(self) -> str: ...
    @property
    def nonlinearity(self) -> str: ...
    @property
    def is_packed(self) -> bool: ...
    def copy_weights(self) -> _Array: ...
    def run_traced(
        self, steps: Steps, state: Any, held: _Array | None
    ) -> tuple[_Array, _State, _State, list[_Array]]: ...

class Cell(_Net):
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dtype: npt.DTypeLike = "float32",
        forget_bias: float | str = 1.0,
        random_state: Any = None,
        *,
        t_max: int | None = None,
        cell: str = "lstm",
        nonlinearity: str = "tanh",
    ) -> None: ...
    @property
    def input_size(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def forget_bias(self) -> float | str: ...
    @property
    def t_max(self) -> int | None: ...
    @property
    def weight_ih(self) -> _Array: ...
    @property
    def weight_hh(self) -> _Array: ...
    @property
    def bias(self) -> _Array: ...
    def step(self, x: npt.ArrayLike, state: Any = None) -> Any: ...
    def gates(self, x: npt.ArrayLike, state: Any = None) -> Any: ...
    def explain(self, x: npt.ArrayLike, state: Any = None, unit: int = 0) -> Explanation: ...

class Sequence(_Net):
    def __init__(
        self,
        input_size: int,
        hidden_size: int | tuple[int, ...] | list[int],
        bidirectional: bool = False,
        dropout: float = 0.0,
        dtype: npt.DTypeLike = "float32",
        forget_bias: float | str = 1.0,
        random_state: Any = None,
        n_threads: int = 1,
        *,
        t_max: int | None = None,
        cell: str = "lstm",
        nonlinearity: str = "tanh",
    ) -> None: ...
    @property
    def n_threads(self) -> int: ...
    @property
    def input_size(self) -> int: ...
    @property
    def hidden_size(self) -> int | tuple[int, ...]: ...
    @property
    def bidirectional(self) -> bool: ...
    @property
    def dropout(self) -> float: ...
    @property
    def forget_bias(self) -> float | str: ...
    @property
    def t_max(self) -> int | None: ...
    def parameters(self) -> dict[str, _Array]: ...
    def stream(self, batch_size: int = 1) -> Stream: ...
    def forward(self, X: Any, state: Any = None, *, training: bool = False, hold: Any = None) -> tuple[Any, _State]: ...
    def trace(self, X: Any, state: Any = None, *, hold: Any = None) -> Trace: ...
    def backward(self, dY: Any, dstate: Any = None) -> Gradients: ...

class Stream(_Net):
    def __init__(
        self,
        sizes: tuple[int, tuple[int, ...], int, str, str, str, str],
        weights: tuple[_Array, _Array | None, _Array | None],
        batch_size: int,
        state: _State | None = None,
    ) -> None: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def input_size(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def state(self) -> _State: ...
    @state.setter
    def state(self, state: Any) -> None: ...
    def step(self, x: npt.ArrayLike, out: _Array | None = None) -> _Array: ...
    def process(self, block: npt.ArrayLike, out: _Array | None = None) -> _Array: ...
    def reset(self, to: str = "zero", x: npt.ArrayLike | None = None) -> None: ...
    def set_model(self, model: Any) -> None: ...

class Model(_Net):
    def __init__(
        self,
        input_size: int,
        hidden_sizes: tuple[int, ...],
        n_outputs: int,
        *,
        pooling: str | None,
        loss: str,
        bidirectional: bool,
        dropout: float,
        dtype: npt.DTypeLike,
        forget_bias: float | str,
        t_max: int | None,
        random_state: Any,
        n_threads: int,
        cell: str = "lstm",
        nonlinearity: str = "tanh",
    ) -> None: ...
    def set_weights(self, flat: _Array) -> None: ...
    def is_finite(self) -> bool: ...
    @property
    def configuration(self) -> dict[str, Any]: ...
    def parameters(self) -> dict[str, _Array]: ...
    def predict(self, steps: Steps, state: Any = None, hold: Any = None) -> tuple[_Array, _State]: ...

class Solver:
    learning_rate: float
    t: int
    def __init__(
        self,
        model: Model,
        kind: str,
        *,
        learning_rate: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        momentum: float,
        nesterov: bool,
        alpha: float,
        max_grad_norm: float,
    ) -> None: ...
    @property
    def moments(self) -> _Array: ...
    def update(self, model: Model, gradient: Gradient, total_weight: float, loss: float) -> float: ...

class Gradient:
    def __init__(
        self,
        model: Model,
        steps: Steps,
        targets: _Array | None,
        weights: npt.NDArray[np.float64] | None = None,
        *,
        batch_size: int,
        windows: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None = None,
    ) -> None: ...
    @property
    def values(self) -> _Array: ...
    def draw_seed(self) -> int: ...
    def begin(self) -> None: ...
    def add(
        self,
        indices: npt.NDArray[np.intp],
        state: Any = None,
        *,
        rows: npt.NDArray[np.intp] | None = None,
        total_weight: float | None = None,
        seed: int | None = None,
    ) -> tuple[float, _State]: ...
    def outputs(
        self, indices: npt.NDArray[np.intp], state: Any = None, *, seed: int | None = None
    ) -> tuple[_Array, float, _State]: ...
    def backward(self, doutputs: _Array) -> None: ...
    def finish(self) -> float: ...
    def step(self, solver: Solver, indices: npt.NDArray[np.intp], state: Any = None) -> tuple[float, float, _State]: ...

LOSSES: tuple[str, ...]

class Head:
    def __init__(
        self,
        width: int,
        n_outputs: int,
        *,
        loss: str = "cross-entropy",
        loss_parameter: float = 0.0,
        dtype: npt.DTypeLike = "float32",
        n_threads: int = 1,
    ) -> None: ...
    def gradient(
        self,
        features: _Array,
        weight: _Array,
        bias: _Array,
        targets: _Array,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> tuple[float, _Array, _Array, _Array]: ...
