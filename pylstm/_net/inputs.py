"""What comes in from the user: sequences, dense or ragged, as rows of steps; states; sizes.

Everything that the compiled core is given has passed through here, so that its errors name the argument, what came and
what was expected.
"""

import sys
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as AbstractSequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: What is read as it is. A tuple, as a union takes longer to make than the rest of a check.
FORMS = (np.ndarray, list, tuple)


class Steps(NamedTuple):
    """The steps of all sequences, one sequence after the other."""

    rows: Array
    """(n_rows, n_features), C-contiguous unless read without a dtype."""
    lengths: npt.NDArray[np.intp]
    """(n_sequences,)"""
    is_dense: bool
    """Whether the sequences came as one 3-D array."""
    is_object_array: bool = False
    """Whether they came as a 1-D object array, not a list."""

    @property
    def starts(self) -> npt.NDArray[np.intp]:
        """The first row of each sequence (n_sequences,)."""
        return np.cumsum(self.lengths) - self.lengths


def check_int(value: object, name: str, minimum: int) -> int:
    """Return `value` as an int that is at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer >= {minimum}, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be an integer >= {minimum}, got {value!r}")
    return int(value)


def check_size(value: object, name: str) -> int:
    """Return `value` as an int that is at least 1 and one of C's."""
    size = check_int(value, name, 1)
    if size > sys.maxsize:
        raise ValueError(f"{name} must be an integer that the machine can count to, at most {sys.maxsize}, got {size}")
    return size


def check_real(value: object, name: str, low: float, high: float) -> float:
    """Return `value` as a float in [low, high)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in [{low}, {high}), got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        number = np.nan
    if not low <= number < high:
        raise ValueError(f"{name} must be a number in [{low}, {high}), got {value!r}")
    return number


def check_flag(value: object, name: str) -> bool:
    """Return `value` as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


@contextmanager
def as_floats(name: str) -> Iterator[None]:
    """Say of what is read within it that it has numbers, as Python's integers can be, beyond all floats."""
    try:
        yield
    except OverflowError as error:
        raise ValueError(f"{name} must hold numbers that a float can hold: {error}") from None


def check_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 in the machine's byte order: the very object that NumPy's arrays of it have."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be 'float32' or 'float64', got {dtype!r}") from None
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return np.dtype(found.type)


def check_unmasked(values: object, name: str) -> None:
    """Raise an error where a masked array masks something: NumPy would hand out what lies below the mask."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(f"{name} must have no masked values, got {np.ma.count_masked(values)}; fill them in first")


def as_form(values: Any, name: str) -> Any:
    """Return an array or list as it is, other forms of sequences as an array, and refuse what can't be read as either.

    A pandas or polars Series of sequences is an object array of them.
    """
    if isinstance(values, FORMS):
        return values
    if isinstance(values, memoryview):
        return np.asarray(values)
    is_other = isinstance(values, str | bytes | Mapping)
    is_list_like = hasattr(values, "__getitem__") and not is_other
    if not (is_list_like or hasattr(values, "__array__") or hasattr(values, "shape")):
        hint = f": list({name}) makes a list of it" if hasattr(values, "__iter__") and not is_other else ""
        raise TypeError(f"{name} must be an array or a list, got {described(values)}{hint}")
    if hasattr(values, "to_list") and any(map(is_sequence, elements := values.to_list())):
        return np.fromiter(elements, object, len(elements))
    return values


def as_array(values: object, name: str, shape_text: str = "") -> Array:
    """Return an array, or say why what came is none; `shape_text` is what was expected."""
    check_unmasked(values, name)
    try:
        return np.asarray(values)
    except ValueError as error:  # nested lists of unequal lengths
        raise ValueError(f"{name} must be an array{shape_text and ' '}{shape_text}: {error}") from None


def as_numbers(values: object, name: str, ndim: int, shape_text: str, dtype: npt.DTypeLike | None) -> Array:
    """Return a C-contiguous array of `dtype`, or say what came instead of `shape_text`.

    Without a `dtype` what the array holds, and how it lies in memory, is left as it came.
    """
    array = as_array(values, name, shape_text)
    if array.ndim != ndim:
        got = f"{array.ndim}-D {array.shape}" if array.ndim else described(values)
        raise ValueError(f"{name} must have shape {shape_text}, got {got}")
    if dtype is not None and array.dtype.kind == "O":
        with as_floats(name):
            try:
                array = array.astype(dtype)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name} must hold numbers, got an object array: {error}") from None
    if dtype is not None and array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array if dtype is None else np.require(array, dtype=dtype, requirements=["C", "A"])


def as_probabilities(quantiles: object) -> Array:
    """Return probabilities of quantiles (n,) as float64."""
    probabilities = as_numbers(quantiles, "quantiles", 1, "(n_quantiles,)", np.float64)
    if not ((probabilities > 0) & (probabilities < 1)).all():
        raise ValueError(f"quantiles must be in (0, 1), got {quantiles!r}")
    return probabilities


def is_sequence(value: object) -> bool:
    """Whether a value is an array or list, not a number or a label."""
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def holds_sequences(values: Any) -> bool:
    """Whether what has an entry for each sequence holds arrays or lists, not numbers."""
    if len(getattr(values, "shape", ())) > 1:
        return True
    holds_objects = isinstance(values, list | tuple) or getattr(values, "dtype", None) == np.dtype(object)
    return holds_objects and any(map(is_sequence, values))


def described(value: object) -> str:
    """Return what an error says of a value that is no array."""
    return "None" if value is None else repr(type(value).__name__)


def is_ragged(X: object) -> bool:
    """Whether X is a list or 1-D object array of sequences, each with steps and features of its own."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1
    if not isinstance(X, AbstractSequence) or isinstance(X, str | memoryview):
        return False
    try:
        return len(X) == 0 or np.ndim(X[0]) != 1
    except ValueError:  # a nested list that is no array: what is wrong with it is said where it is read
        return True


def is_2d(X: Any, in_fit: bool | None = None) -> bool:
    """Whether X is (n_sequences, n_steps) with one feature per step, not sequences with features of their own.

    Raises ValueError where X is not what fit was given: `in_fit` is this function's answer then, None in fit itself.
    """
    ragged = is_ragged(X)
    ndim = None if ragged else _ndim(X)
    found = not ragged and ndim != 3
    if in_fit is None or found == in_fit:
        return found
    if in_fit:
        expected = "2-D (n_sequences, n_steps), as in fit; from 3-D with one feature: X[:, :, 0]"
    else:
        expected = (
            "3-D (n_sequences, n_steps, n_features) or a list of 2-D arrays, as in fit; of one sequence "
            "(n_steps, n_features): [X]; from 2-D with one feature per step: X.reshape(n_sequences, n_steps, 1)"
        )
    raise ValueError(f"X must be {expected}; got {'a list of 2-D arrays' if ragged else f'{ndim}-D'}")


def _ndim(X: Any) -> int:
    if hasattr(X, "shape"):
        return len(X.shape)
    try:
        return np.asarray(X).ndim  # np.ndim would ask for __array_function__, which array-likes may refuse
    except ValueError:
        raise ValueError(
            "X must be a list of 2-D arrays (n_steps, n_features) where sequences differ in length; "
            "with one feature per step: [np.reshape(x, (-1, 1)) for x in X]"
        ) from None


def as_steps(X: Any, n_features: int | None, dtype: npt.DTypeLike | None, name: str = "X") -> Steps:
    """Lay sequences out as rows of steps.

    Parameters
    ----------
    X : array (n_sequences, n_steps, n_features), or a list or 1-D object array of (n_steps_i, n_features) array-likes
    n_features : int or None
        What is expected; None takes the first sequence's.
    dtype : dtype or None
        Of the rows; None takes what comes, numbers or not, in any order of memory.
    name : str
        What the caller calls X.

    Returns
    -------
    Steps
        Its rows are X's own memory where that is contiguous and of `dtype` already.
    """
    X = as_form(X, name)
    if not is_ragged(X):
        shape_text = f"(n_sequences, n_steps, n_features), or be a list of 2-D arrays, of one sequence [{name}]"
        dense = as_numbers(X, name, 3, shape_text, dtype)
        n_sequences, n_steps, width = dense.shape
        if n_sequences == 0:
            raise ValueError(f"{name} must hold at least one sequence, got shape {dense.shape}")
        if n_steps == 0:
            raise ValueError(f"{name} must have at least one step per sequence, got shape {dense.shape}")
        if n_features is not None and width != n_features:
            raise ValueError(f"{name} must have {n_features} features per step, got {width}")
        if width == 0:
            raise ValueError(f"{name} must have at least one feature per step, got shape {dense.shape}")
        return Steps(dense.reshape(n_sequences * n_steps, width), np.full(n_sequences, n_steps, np.intp), True)

    if len(X) == 0:
        raise ValueError(f"{name} must hold at least one sequence, got none")
    sequences: list[Array] = []
    each_steps: list[int] = []
    wanted = None if dtype is None else np.dtype(dtype)
    for index, sequence in enumerate(X):
        array = sequence
        if not (type(array) is np.ndarray and (wanted is None or array.dtype == wanted) and array.ndim == 2):
            array = as_numbers(sequence, f"{name}[{index}]", 2, "(n_steps, n_features)", dtype)
        n_steps, width = array.shape
        if n_steps == 0:
            raise ValueError(f"{name}[{index}] must have at least one step, got shape {array.shape}")
        if n_features is None:
            n_features = width
        if width != n_features:
            raise ValueError(f"{name}[{index}] must have {n_features} features per step, got {width}")
        if width == 0:
            raise ValueError(f"{name}[{index}] must have at least one feature per step, got shape {array.shape}")
        sequences.append(array)
        each_steps.append(n_steps)
    lengths = np.array(each_steps, dtype=np.intp)
    is_object_array = isinstance(X, np.ndarray)
    if dtype is None:
        return Steps(np.concatenate(sequences), lengths, False, is_object_array)
    rows = np.empty((int(lengths.sum()), sequences[0].shape[1]), dtype)  # else Fortran order would make Fortran order
    return Steps(np.concatenate(sequences, out=rows), lengths, False, is_object_array)


def as_given(rows: Array, steps: Steps) -> Array | list[Array]:
    """Give rows (n_rows, ...) the form that the sequences of `steps` came in: one array, a list, or an object array."""
    if steps.is_dense:
        return rows.reshape(len(steps.lengths), int(steps.lengths[0]), *rows.shape[1:])
    ends = np.cumsum(steps.lengths).tolist()
    # np.split takes five times as long.
    sequences = [rows[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return np.fromiter(sequences, object, len(sequences)) if steps.is_object_array else sequences


def as_rows_like(values: Any, width: int, steps: Steps, dtype: npt.DTypeLike, name: str) -> Array:
    """Return `values`, of the same form and lengths as `steps`, as rows (n_rows, width)."""
    given = as_steps(values, width, dtype, name)
    if not np.array_equal(given.lengths, steps.lengths):
        raise ValueError(
            f"{name} must have as many sequences and steps as X, {_describe(steps)}, got {_describe(given)}"
        )
    return given.rows


def _describe(steps: Steps) -> str:
    if steps.is_dense:
        return f"({len(steps.lengths)}, {steps.lengths[0]}, n)"
    shown = ", ".join(str(length) for length in steps.lengths[:5])
    return f"{len(steps.lengths)} sequences of {shown}{', ...' if len(steps.lengths) > 5 else ''} steps"


def fill_state(flat: Array, state: Any, layers: list[tuple[Array, ...]], name: str) -> Array:
    """Copy a user's state into a flat one, and return that.

    Parameters
    ----------
    flat : array
        The memory that the arrays in `layers` are views of.
    state : list with one pair (h, c), or (h,), per layer, each (n_directions, n_sequences, hidden_size)
    layers : list of tuples of arrays
    name : str
    """
    of_layer = "a pair (h, c)" if len(layers[0]) == 2 else "a tuple (h,)"
    expected = f"{name} must be a list with {of_layer} for each of the {len(layers)} layers"
    if not isinstance(state, list | tuple) or len(state) != len(layers):
        got = f"{len(state)} entries" if isinstance(state, list | tuple) else repr(type(state).__name__)
        raise ValueError(f"{expected}, got {got}")
    for index, (pair, views) in enumerate(zip(state, layers, strict=True)):
        if not isinstance(pair, list | tuple) or len(pair) != len(views):
            got = (
                f"a {type(pair).__name__} of {len(pair)}"
                if isinstance(pair, list | tuple)
                else repr(type(pair).__name__)
            )
            raise ValueError(f"{expected}, got {got} for layer {index}")
        for values, view, letter in zip(pair, views, "hc", strict=False):
            fill(view, values, f"{letter} of {name}[{index}]")
    return flat


def fill(view: Array, values: object, name: str) -> None:
    """Copy `values` into `view`, which they must match in shape."""
    array = as_numbers(values, name, view.ndim, str(view.shape), view.dtype)
    if array.shape != view.shape:
        raise ValueError(f"{name} must have shape {view.shape}, got {array.shape}")
    view[...] = array
