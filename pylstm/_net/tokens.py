"""Tokens that come in from the user: numbers from 0 on, each of which stands for a word, a character, a category.

As rows of steps, a token is the one feature of its step. They are kept as they lie where they are unsigned integers of
1, 2 or 4 bytes.
"""

from functools import cached_property
from typing import Any

import numpy as np

from .inputs import Array, Steps, as_array, as_form, described

#: What C reads.
TOKEN_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32))


def token_dtype(n_tokens: int) -> np.dtype[Any]:
    """Return the smallest type that numbers all tokens."""
    for dtype in TOKEN_DTYPES[:-1]:
        if n_tokens <= np.iinfo(dtype).max + 1:
            return dtype
    return TOKEN_DTYPES[-1]


def as_tokens(values: Any, n_tokens: int, name: str, places: tuple[str, ...] = ("sequence", "step")) -> Array:
    """Return integers of any shape as tokens, or say which is none; `places` is what its last axes count."""
    array = as_array(values, name, "of tokens")
    if array.dtype == object and array.ndim > 0:
        array = _of_objects(array)
    if array.size == 0 and array.dtype.kind == "f":  # an empty list
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold tokens, integers from 0 to {n_tokens - 1}, got {described(values)} of {array.dtype}"
            + (": text goes through pylstm.preprocessing.TokenEncoder first" if array.dtype.kind in "US" else "")
        )
    if array.size and (array.min() < 0 or array.max() >= n_tokens):
        at = np.unravel_index(np.flatnonzero((array < 0) | (array >= n_tokens))[0], array.shape)
        counted = places[-array.ndim :] if 0 < array.ndim <= len(places) else ()
        where = ", ".join(f"{place} {index}" for place, index in zip(counted, at, strict=False))
        raise ValueError(
            f"{name} must hold tokens from 0 to {n_tokens - 1}, got {array[at]}" + (f" at {where}" if where else "")
        )
    return array if array.dtype in TOKEN_DTYPES and array.dtype.isnative else array.astype(token_dtype(n_tokens))


class Texts:
    """The texts of tokens by their numbers, and the way back; 0 is the unknown one.

    Parameters
    ----------
    texts : sequence of str
        Of each token.
    """

    def __init__(self, texts: Any) -> None:
        self.texts = texts

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Numbers by texts, made when the first text comes: of many tokens that takes a while."""
        return {str(text): number for number, text in enumerate(self.texts) if number}

    def looked_up(self, tokens: Any) -> Any:
        """Return what a user gave with numbers in place of the texts of tokens: 0 for those that are unknown."""
        if isinstance(tokens, np.ndarray) and tokens.dtype.kind in "UO":
            tokens = tokens.tolist()
        if isinstance(tokens, str):
            return self.numbers.get(tokens, 0)
        return [self.looked_up(token) for token in tokens] if isinstance(tokens, list | tuple) else tokens


def _of_objects(array: Array) -> Array:
    """Return an array of the integers that one of objects holds, or that itself."""
    try:
        found = np.array(array.tolist())
    except ValueError:  # sequences of unequal lengths among them
        return array
    return found if found.dtype.kind in "iu" and found.shape == array.shape else array


def largest_token(X: Any, name: str = "X") -> int:
    """Return the largest of the tokens that a user gave, whatever their number."""
    rows = as_token_steps(X, np.iinfo(np.int32).max, name, empty=0).rows
    return int(rows.max())


def as_token_steps(X: Any, n_tokens: int, name: str = "X", *, empty: int | None = None) -> Steps:
    """Lay sequences of tokens out as rows of steps.

    Parameters
    ----------
    X : integers (n_sequences, n_steps), or (n_steps,) of one sequence; or a list or 1-D object array of (n_steps_i,)
    n_tokens : int
        How many there are.
    name : str
        What the caller calls X.
    empty : int, default=None
        The token that a sequence of a list without any is read as; None: that is an error.

    Returns
    -------
    Steps
        Its rows (n_rows, 1) are X's own memory where that is contiguous, and of unsigned integers of 1, 2 or 4 bytes.
    """
    X = as_form(X, name)
    if not holds_rows(X):
        dense = as_tokens(X, n_tokens, name)
        if dense.ndim not in (1, 2):
            raise ValueError(
                f"{name} must have shape (n_sequences, n_steps) or (n_steps,), or be a list of 1-D arrays, "
                f"got {dense.ndim}-D {dense.shape}"
            )
        dense = np.require(np.atleast_2d(dense), requirements=["C", "A"])
        n_sequences, n_steps = dense.shape
        if n_sequences == 0 or n_steps == 0:
            raise ValueError(f"{name} must have at least one sequence, and each one step, got shape {np.shape(X)}")
        return Steps(dense.reshape(-1, 1), np.full(n_sequences, n_steps, np.intp), True)
    if len(X) == 0:
        raise ValueError(f"{name} must hold at least one sequence, got none")
    sequences = [_sequence(sequence, n_tokens, f"{name}[{index}]", empty) for index, sequence in enumerate(X)]
    lengths = np.array([len(sequence) for sequence in sequences], np.intp)
    rows = np.concatenate(sequences, dtype=token_dtype(n_tokens), casting="unsafe")
    return Steps(rows.reshape(-1, 1), lengths, False, isinstance(X, np.ndarray))


def holds_rows(X: Any) -> bool:
    """Whether X is a list, or an object array, of sequences, not of tokens."""
    is_object_array = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not (is_object_array or isinstance(X, list | tuple)):
        return False
    try:
        return len(X) == 0 or np.ndim(X[0]) > 0
    except ValueError:  # a nested list that is no array: what is wrong with it is said where it is read
        return True


def _sequence(sequence: Any, n_tokens: int, name: str, empty: int | None) -> Array:
    array = as_tokens(sequence, n_tokens, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be 1-D, one token per step, got {array.ndim}-D {array.shape}")
    if len(array) == 0 and empty is None:
        raise ValueError(f"{name} must have at least one step, got none")
    return array if len(array) else np.array([empty], token_dtype(n_tokens))
