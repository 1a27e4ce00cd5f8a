"""The tokens of a model as texts, as C has them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .._net.inputs import Array
from .._net.tokens import Texts


class Vocabulary(NamedTuple):
    """The texts of all tokens, by number, as vocabulary.h reads them."""

    texts: list[str]
    sorted: Array
    """(n_sorted,): the tokens that can be looked up, in the order of their bytes."""

    @property
    def place(self) -> str:
        """The type, in C, of a token's number, and of where its text begins."""
        return "uint16_t" if _n_bytes(self.texts) < 1 << 16 and len(self.texts) <= 1 << 16 else "uint32_t"

    def constants(self) -> Iterator[tuple[str, Array]]:
        """Name the arrays."""
        dtype = np.uint16 if self.place == "uint16_t" else np.uint32
        lengths = [len(_as_bytes(text)) for text in self.texts]
        yield "token_bytes", np.frombuffer(b"".join(map(_as_bytes, self.texts)), np.uint8)
        yield "token_starts", np.concatenate([[0], np.cumsum(lengths)]).astype(dtype)
        yield "tokens_sorted", self.sorted.astype(dtype)


def vocabulary_of(names: Array, n_tokens: int) -> Vocabulary:
    """Return the vocabulary of a net of `n_tokens`, of which the first ones have names; the others' are empty."""
    texts = [str(name) for name in names]
    of_text = Texts(texts).numbers
    in_order = [of_text[text] for text in sorted(of_text, key=_as_bytes)]
    return Vocabulary(texts + [""] * (n_tokens - len(texts)), np.array(in_order, np.int64))


def _as_bytes(text: str) -> bytes:
    """Return a text as C has it; a lone surrogate, which is no character, is encoded as if it were one."""
    return text.encode("utf-8", "surrogatepass") + b"\0"


def _n_bytes(texts: list[str]) -> int:
    return sum(len(_as_bytes(text)) for text in texts)
