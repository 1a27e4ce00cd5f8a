"""Drawing tokens, one after the other."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from ..._net.core import Stream
from ..._net.inputs import check_int, check_real

#: Tokens that are read, or drawn, at once.
BLOCK = 256


@dataclass
class Sampler:
    """How tokens are drawn; what `Stream.generate` takes, and changes.

    Parameters
    ----------
    seed : int
        Of the next token, 64 bits.
    temperature, top_k, top_p
        As in `LSTMLanguageModel.generate`.
    excluded : ndarray of int
        Tokens that are never drawn.
    """

    seed: int
    temperature: float
    top_k: int | None
    top_p: float | None
    excluded: npt.NDArray[Any]

    def __post_init__(self) -> None:
        self.temperature = check_real(self.temperature, "temperature", 0.0, np.inf)
        if self.top_k is not None:
            self.top_k = min(check_int(self.top_k, "top_k", 1), sys.maxsize)
        if self.top_p is not None:
            message = f"top_p must be a number in (0, 1], got {self.top_p!r}"
            if isinstance(self.top_p, bool) or not isinstance(self.top_p, Real):
                raise TypeError(message)
            if not 0 < self.top_p <= 1:
                raise ValueError(message)
            self.top_p = float(self.top_p)


def seed_of(random_state: Any) -> int:
    """Return the 64 bits that tokens are drawn by: an integer as it is, so that C can be given the same."""
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return check_int(random_state, "random_state", 0) % 2**64
    try:
        generator = check_random_state(random_state)
    except ValueError:
        raise ValueError(f"random_state must be None, an integer or a RandomState, got {random_state!r}") from None
    return int(generator.randint(2**32, dtype=np.uint64)) << 32 | int(generator.randint(2**32, dtype=np.uint64))


def read_on(stream: Stream, tokens: npt.NDArray[Any]) -> None:
    """Let a stream read tokens, whatever it says."""
    for start in range(0, len(tokens), BLOCK):
        stream.process(tokens[start : start + BLOCK])


def written(stream: Stream, prompt: npt.NDArray[Any], n: int, sampler: Sampler, block: int) -> Iterator[int]:
    """Yield tokens that a stream writes after a prompt, of one token at least, `block` of them drawn at once."""
    read_on(stream, prompt[:-1])
    token = int(prompt[-1])
    for start in range(0, n, block):
        drawn = stream.generate(token, min(block, n - start), sampler)
        yield from drawn.tolist()
        token = int(drawn[-1])
