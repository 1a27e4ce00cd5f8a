"""The fitted state of estimators as JSON values and arrays, and reading it back out of a file that nobody vouches for.

What goes out is built by the functions ``*_state``; what comes in is read through a `State`, whose every method checks.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._net.cells import GATES
from .._net.core import Model, ModelSpec
from .._net.describe import Missing, Scaling
from .._net.initialisation import NAMED, SPREAD
from .._net.inputs import Array

#: The dtypes of the arrays that are kept, by their names in the file.
DTYPES = {
    "BOOL": "bool",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
}
#: Of which files say nothing.
DEFAULT_LOSSES = ("cross_entropy", "squared_error")
#: Words in the key of the Mersenne Twister, NumPy's RandomState.
KEY_LENGTH = 624


class State:
    """A JSON object of a file and the file's arrays: what is read is checked and taken out.

    Parameters
    ----------
    values : dict
        The JSON object.
    arrays : dict
        Arrays by name, shared by all objects of a file.
    """

    def __init__(self, values: dict[str, Any], arrays: dict[str, Array]) -> None:
        self.values = values
        self.arrays = arrays

    def value(self, key: str, expected: str, accepts: Callable[[Any], bool]) -> Any:
        """Return a value; `expected` says in words what `accepts` asks."""
        if key not in self.values:
            raise ValueError(f"{key} must be {expected}, but is missing")
        value = self.values.pop(key)
        if not accepts(value):
            raise ValueError(f"{key} must be {expected}, got {short(value)}")
        return value

    def null(self, key: str) -> bool:
        """Whether a value is there and null."""
        is_null = self.values.get(key, ...) is None
        if is_null:
            del self.values[key]
        return is_null

    def boolean(self, key: str) -> bool:
        """Return true or false."""
        return self.value(key, "true or false", lambda value: type(value) is bool)

    def integer(self, key: str, *, at_least: int, at_most: int = sys.maxsize) -> int:
        """Return an integer."""
        expected = f"an integer >= {at_least}" + (f" and <= {at_most}" if at_most < sys.maxsize else "")
        return self.value(key, expected, lambda value: _is_integer(value, at_least) and value <= at_most)

    def integers(
        self, key: str, *, at_least: int, at_most_long: int | None = None, exactly_long: int | None = None
    ) -> list[int]:
        """Return a list of integers."""
        length = "" if at_most_long is None else f"at most {at_most_long} "
        length += "" if exactly_long is None else f"{exactly_long} "
        return self.value(
            key,
            f"a list of {length}integers >= {at_least}",
            lambda value: (
                type(value) is list
                and (at_most_long is None or len(value) <= at_most_long)
                and (exactly_long is None or len(value) == exactly_long)
                and all(_is_integer(each, at_least) for each in value)
            ),
        )

    def strings(self, key: str, length: int) -> list[str]:
        """Return a list of so many strings."""
        return self.value(
            key,
            f"a list of {length} strings",
            lambda value: type(value) is list and len(value) == length and all(type(each) is str for each in value),
        )

    def choice(self, key: str, choices: Iterable[str | None]) -> Any:
        """Return one of some strings, or null where None is among them."""
        choices = list(choices)
        return self.value(
            key,
            "one of " + ", ".join(map(repr, choices)),
            lambda value: (value is None or type(value) is str) and value in choices,
        )

    def inner(self, key: str) -> "State":
        """Return an object within this one."""
        return State(self.value(key, "an object", lambda value: type(value) is dict), self.arrays)

    def array(self, key: str, dtypes: Iterable[str], shape: tuple[int | None, ...], *, at_least: int = 0) -> Array:
        """Return an array; None in `shape` is any length that is `at_least` so long."""
        wanted = [f">={at_least}" if length is None else str(length) for length in shape]
        expected = f"an array ({', '.join(wanted)}) of {' or '.join(dtypes)}"
        if key not in self.arrays:
            raise ValueError(f"{key} must be {expected}, but is missing")
        array = self.arrays.pop(key)
        fits = len(array.shape) == len(shape) and all(
            length >= at_least if asked is None else length == asked
            for length, asked in zip(array.shape, shape, strict=True)
        )
        if not fits or array.dtype.name not in dtypes:
            raise ValueError(f"{key} must be {expected}, got {array.shape} of {array.dtype}")
        return array

    def end(self) -> None:
        """Raise an error if a value has not been read."""
        if self.values:
            raise ValueError(f"there must be no more keys, got {short(sorted(self.values))} too")


def _is_integer(value: Any, at_least: int) -> bool:
    return type(value) is int and value >= at_least


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def short(value: Any) -> str:
    """Return what an error says of a value that may be large."""
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


# ---- what estimators and transformers of sequences know of X


def features_state(model: Any) -> dict[str, Any]:
    """Return what `fit` noted of X."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features_in_": model.n_features_in_,
        "feature_names_in_": None if names is None else names.tolist(),
        "fitted_on_2d": model._fitted_on_2d,
    }


def read_features(model: Any, state: State) -> None:
    """Set what `features_state` returned."""
    model.n_features_in_ = state.integer("n_features_in_", at_least=1)
    model._fitted_on_2d = state.boolean("fitted_on_2d")
    if not state.null("feature_names_in_"):
        names = state.strings("feature_names_in_", model.n_features_in_)
        model.feature_names_in_ = np.array(names, dtype=object)


# ---- labels


def labels_state(labels: Array) -> tuple[str, Array]:
    """Return the kind of labels, "numbers", "strings" or "objects" (strings too), and an array that a file can hold.

    That of strings has their code points, (n_labels, longest): unlike a JSON list it says how wide NumPy's strings
    were, and can't be a small file for a large array.
    """
    if labels.dtype.name in DTYPES.values():
        return "numbers", labels
    if labels.dtype.kind == "U" or (labels.dtype == object and all(isinstance(label, str) for label in labels)):
        strings = labels.astype(str)
        strings = strings.astype(strings.dtype.newbyteorder("="))
        if np.array_equal(strings, labels):  # NumPy's strings lose zeros at their end
            kind = "objects" if labels.dtype == object else "strings"
            return kind, strings.view(np.uint32).reshape(len(labels), -1)
    raise ValueError(
        f"classes_ must be integers, floats, booleans or strings to be saved, got dtype {labels.dtype}: "
        f"{short(labels.tolist())}"
    )


def read_labels(state: State, key: str) -> Array:
    """Return sorted labels that `labels_state` took apart."""
    kind = state.choice(key, ["numbers", "strings", "objects"])
    if kind == "numbers":
        labels = state.array(key, DTYPES.values(), (None,), at_least=1)
    else:
        codes = state.array(key, ["uint32"], (None, None), at_least=1)
        if codes.max() > sys.maxunicode:
            raise ValueError(f"{key} must hold code points of at most {sys.maxunicode}, got {codes.max()}")
        labels = codes.view(f"U{codes.shape[1]}")[:, 0]
    if not np.array_equal(np.unique(labels), labels):
        raise ValueError(f"{key} must be sorted and each be there once, got {short(labels.tolist())}")
    return labels.astype(object) if kind == "objects" else labels


# ---- nets


def model_state(model: Model) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what a net was made with, but for what its estimator knows, and its weights."""
    spec = model.spec
    values = {
        "hidden_sizes": list(spec.hidden_sizes),
        "bidirectional": spec.bidirectional,
        "dropout": spec.dropout,
        "pooling": spec.pooling,
        "dtype": spec.dtype.name,
        "cell": spec.cell,
        "nonlinearity": spec.nonlinearity,
        "forget_bias": spec.forget_bias,
        "t_max": spec.t_max,
    }
    if spec.loss not in DEFAULT_LOSSES:  # files that say nothing of a loss are as those from before there were others
        values |= {"loss": spec.loss, "loss_parameter": spec.loss_parameter}
    if spec.reads_tokens:
        values |= {"embedding": spec.embedding_size, "tie_weights": spec.tie_weights}
    if spec.freeze_embedding:
        values["freeze_embedding"] = True
    return values, model.parameters()


def read_model(
    state: State,
    *,
    input_size: int,
    losses: list[str],
    n_outputs: int,
    poolings: list[str | None],
    random_state: np.random.RandomState,
    n_threads: int,
) -> Model:
    """Return the net that `model_state` took apart; `losses` are those that there may be, first the usual one.

    The arrays are compared with the sizes before anything of these sizes is allocated.
    """
    # Each layer has arrays of its own: of more layers than arrays not even the names are to be listed.
    hidden_sizes = tuple(state.integers("hidden_sizes", at_least=1, at_most_long=len(state.arrays)))
    bidirectional = state.boolean("bidirectional")
    dropout = state.value("dropout", "a number in [0, 1)", lambda value: _is_number(value) and 0 <= value < 1)
    pooling = state.choice("pooling", poolings)
    dtype = state.choice("dtype", ["float32", "float64"])
    cell = state.choice("cell", list(GATES))
    nonlinearity = state.choice("nonlinearity", ["tanh", "relu"])
    forget_bias = state.value(
        "forget_bias", "a number, 'chrono', 'mixed' or 'uniform'", lambda value: value in NAMED or _is_number(value)
    )
    t_max = state.value(
        "t_max",
        "an integer >= 3" if forget_bias in SPREAD else "null",
        lambda value: _is_integer(value, 3) if forget_bias in SPREAD else value is None,
    )
    embedding_size, tie_weights = None, False
    if "embedding" in state.values:
        embedding_size = state.value(
            "embedding", "an integer >= 1 or 'one-hot'", lambda value: value == "one-hot" or _is_integer(value, 1)
        )
        tie_weights = state.boolean("tie_weights")
    freeze_embedding = "freeze_embedding" in state.values and state.boolean("freeze_embedding")
    loss, loss_parameter = losses[0], 0.0
    if "loss" in state.values:
        loss = state.choice("loss", losses)
        loss_parameter = state.value("loss_parameter", "a number", _is_number)
    spec = ModelSpec(
        input_size,
        hidden_sizes,
        bidirectional=bidirectional,
        dropout=dropout,
        dtype=dtype,
        cell=cell,
        nonlinearity=nonlinearity,
        forget_bias=forget_bias,
        t_max=t_max,
        loss=loss,
        n_outputs=n_outputs,
        pooling=pooling,
        loss_parameter=loss_parameter,
        embedding_size=embedding_size,
        freeze_embedding=freeze_embedding,
        tie_weights=tie_weights,
    )
    weights = {name: state.array(name, [dtype], shape) for name, shape, _, _ in spec.parameters}
    model = Model(spec, random_state=random_state, n_threads=n_threads)
    for name, values in model.parameters().items():
        values[...] = weights[name]
    return model


# ---- scaling


def with_scaling(
    fitted: tuple[dict[str, Any], dict[str, Array]], name: str, scaling: Scaling | None
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return values and arrays with those of a scaling; of none, there is nothing to say."""
    if scaling is None:
        return fitted
    values, arrays = fitted
    of_scaling = {f"{name}_{part}": getattr(scaling, part) for part in Scaling._fields}
    return {**values, f"{name}_scaled": True}, {**arrays, **of_scaling}


def read_scaling(state: State, name: str, n_columns: int) -> Scaling | None:
    """Return the scaling that `with_scaling` took apart."""
    if f"{name}_scaled" not in state.values or not state.boolean(f"{name}_scaled"):
        return None
    mean, scale = (state.array(f"{name}_{part}", ["float64"], (n_columns,)) for part in Scaling._fields)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError(f"{name}_mean and {name}_scale must be finite, and {name}_scale positive")
    return Scaling(mean, scale)


def with_missing(
    fitted: tuple[dict[str, Any], dict[str, Array]], missing: Missing | None
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return values and arrays with what stands for missing ones; of nothing, there is nothing to say."""
    if missing is None:
        return fitted
    of_missing = {"missing_mean": missing.mean, "missing_columns": missing.columns.astype(np.int64)}
    return {**fitted[0], "missing": missing.kind}, {**fitted[1], **of_missing}


def read_missing(state: State, n_features: int) -> Missing | None:
    """Return what `with_missing` took apart."""
    if "missing" not in state.values:
        return None
    kind = state.choice("missing", ["indicator", "hold"])
    mean = state.array("missing_mean", ["float64"], (n_features,))
    columns = state.array("missing_columns", ["int64"], (None,))
    if not np.isfinite(mean).all():
        raise ValueError("missing_mean must be finite, got NaN or infinity")
    if not (np.diff(columns, prepend=-1) > 0).all() or (len(columns) and columns[-1] >= n_features):
        raise ValueError(f"missing_columns must be features out of {n_features}, sorted, got {short(columns.tolist())}")
    if kind == "hold" and len(columns):
        raise ValueError(f"missing_columns must be none with 'hold', got {short(columns.tolist())}")
    return Missing(kind, mean, columns.astype(np.intp))


def as_plain(named: Any) -> Any:
    """Return what a pickle keeps of a named tuple, or None."""
    return None if named is None else tuple(named)


def from_plain(kind: Any, plain: Any) -> Any:
    """Return the named tuple that `as_plain` took apart."""
    return None if plain is None else kind(*plain)


# ---- random numbers


def random_state_state(random_state: np.random.RandomState) -> Array:
    """Return the key of a stream of random numbers, and last the position in it.

    A normal deviate that NumPy may have kept back is dropped: training draws none.
    """
    state: Any = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise ValueError(f"random_state must be NumPy's MT19937 to be saved, got {state['bit_generator']}")
    return np.append(state["state"]["key"], np.uint32(state["state"]["pos"]))


def read_random_state(state: State, random_state: np.random.RandomState) -> None:
    """Make `random_state` go on where the stream was that `random_state_state` took apart."""
    words = state.array("random_state", ["uint32"], (KEY_LENGTH + 1,))
    position = int(words[-1])
    if position > KEY_LENGTH:  # NumPy would read beyond the key
        raise ValueError(f"random_state must end in a position of at most {KEY_LENGTH}, got {position}")
    random_state.set_state(("MT19937", words[:-1], position, 0, 0.0))
