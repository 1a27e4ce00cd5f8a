"""Texts and vocabularies as users pass them, characters as code points, and words as a text again."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .._net.inputs import Array, described
from ._known import is_missing

#: Characters that are looked up at once, so that a long text needs no four bytes more for each of its characters.
PIECE = 1 << 20
#: Spaces between words and punctuation that a text does not have: before closing marks, after opening ones, around
#: those within a word. Each begins with what is rare, which is several times as fast.
SPACES = [
    re.compile(r" ([.,;:!?%)\]}…])(?= |$)"),
    re.compile(r"([(\[{])(?<![^ ].) "),
    re.compile(r" (?<=\w )(['\u2019-]) (?=\w)"),
]


def as_list(X: Any, expected: str = "a list of texts, or of lists of tokens") -> list[Any]:
    """Return the elements of X, which may be any iterable but a single text and what is no sequence of texts."""
    if isinstance(X, str):
        raise ValueError(f"X must be {expected}, got a single str: [X] is a list of one text")
    is_column = isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "iu"
    if is_column or (isinstance(X, np.ndarray) and X.ndim not in (1, 2)):
        hint = ": X[:, 0] is one of texts" if is_column and X.dtype.kind in "UO" else ""
        raise ValueError(f"X must be {expected}, got an array of shape {X.shape}{hint}")
    if isinstance(X, bytes | Mapping) or hasattr(X, "columns") or not hasattr(X, "__iter__"):
        hint = ": X[column] is one of texts" if hasattr(X, "columns") else ""
        raise TypeError(f"X must be {expected}, got a {type(X).__name__}{hint}")
    return list(X)


def check_list(text: Any, name: str) -> None:
    """Refuse what is neither a text nor a list of tokens."""
    if isinstance(text, list | tuple) or (isinstance(text, np.ndarray) and text.ndim == 1):
        return
    if isinstance(text, bytes | bytearray):
        raise TypeError(f"{name} must be a str or a list of str, got bytes: decode them before, by .decode('utf-8')")
    if is_missing(text):
        raise ValueError(f"{name} must be a str or a list of str, got {text!r}: a text that is missing may be ''")
    raise TypeError(f"{name} must be a str or a list of str, got {described(text)}")


def as_tokens(vocabulary: Any, name: str = "vocabulary") -> list[str]:
    """Return the tokens of a vocabulary that was given, in the order of their numbers."""
    if isinstance(vocabulary, set | frozenset):
        raise TypeError(f"{name} must have an order, got a set: sorted({name}) has one")
    tokens = list(vocabulary)
    if not tokens:
        raise ValueError(f"{name} must hold at least one token, got none")
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"{name} must hold str, got {token!r}")
    counted = Counter(tokens)
    if len(counted) < len(tokens):
        raise ValueError(f"{name} must hold each token once, got {counted.most_common(1)[0][0]!r} more than once")
    if isinstance(vocabulary, Mapping):
        numbers = set(vocabulary.values())
        for number in range(1, len(tokens) + 1):
            if number not in numbers:
                raise ValueError(
                    f"{name} must number its {len(tokens)} tokens from 1 to {len(tokens)} (0 is the unknown "
                    f"token), but none has {number}"
                )
        tokens.sort(key=vocabulary.__getitem__)
    return [str(token) for token in tokens]


def _code_points(text: str) -> Iterator[tuple[int, npt.NDArray[np.uint32]]]:
    """Yield the code points of a text, piece by piece, each with the place where it begins."""
    for start in range(0, len(text), PIECE):
        # A lone surrogate is no character, but a code point: it passes.
        yield start, np.frombuffer(text[start : start + PIECE].encode("utf-32-le", "surrogatepass"), "<u4")


def count_characters(texts: list[str]) -> dict[str, int]:
    """Return how often each character occurs."""
    counts = np.zeros(0x110000, np.int64)
    for _, codes in _code_points("".join(texts)):
        found = np.bincount(codes)
        counts[: len(found)] += found
    return {chr(code): int(counts[code]) for code in np.flatnonzero(counts)}


def by_code_point(vocabulary: Mapping[str, int], dtype: npt.DTypeLike) -> Array:
    """Return a table of the numbers of characters by their code points; the last element is of all beyond it: 0."""
    number_of = {ord(token): number for token, number in vocabulary.items() if len(token) == 1}
    table = np.zeros(max(number_of, default=0) + 2, dtype)
    table[list(number_of)] = list(number_of.values())
    return table


def look_up(texts: list[str], numbers_of: Array) -> list[Array]:
    """Return the numbers of the characters of each text, one text after the other in memory."""
    whole, ends = "".join(texts), np.cumsum([len(text) for text in texts]).tolist()
    numbers = np.empty(len(whole), numbers_of.dtype)
    for place, codes in _code_points(whole):
        numbers[place : place + len(codes)] = numbers_of[np.minimum(codes, len(numbers_of) - 1)]
    return [numbers[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def joined(tokens: list[str]) -> str:
    """Return words and punctuation as a text."""
    text = " ".join(tokens)
    for pattern in SPACES:
        text = pattern.sub(r"\1", text)
    return text


def packed(tokens: list[str]) -> tuple[Array, Array]:
    """Return the code points of tokens, one token after the other, and their lengths: what a file can hold."""
    codes = np.frombuffer("".join(tokens).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    return codes, np.array([len(token) for token in tokens], np.int64)


def unpacked(codes: Array, lengths: Array) -> list[str]:
    """Return the tokens that `packed` took apart."""
    if (lengths < 0).any() or (lengths > len(codes)).any() or lengths.sum() != len(codes):
        raise ValueError(f"token_lengths must add up to the {len(codes)} code points of tokens")
    if codes.max(initial=0) > sys.maxunicode:
        raise ValueError(f"tokens must hold code points of at most {sys.maxunicode}, got {codes.max()}")
    whole = codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum(lengths).tolist()
    return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
