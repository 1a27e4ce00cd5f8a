"""From texts to what a language model reads, and what it is to say: the token that comes next."""

from typing import Any, NamedTuple

import numpy as np

from ..._net.inputs import Array, Steps
from ..._net.tokens import token_dtype
from ...preprocessing import TokenEncoder
from ...preprocessing._texts import as_list
from ..targets import Targets
from ..training import Data


class Text(NamedTuple):
    """A text to read, and at each step the token that comes next."""

    tokens: Array
    """(n_steps,): first the end of the text before."""
    targets: Array
    """(n_steps,) of intp."""


def as_texts(X: Any) -> tuple[list[Any], bool]:
    """Return texts as a list, and whether they came as several: of those, the end is to be learnt, too."""
    if isinstance(X, str):
        if not X:
            raise ValueError("X must have a character at least, got an empty text")
        return [X], False
    return as_list(X, "a text, or a list of texts or of lists of tokens"), True


def read(encoder: TokenEncoder, X: Any, *, has_ends: bool) -> list[Text]:
    """Return the texts of X as they are read. One without tokens is nothing but its end, if there is one to say.

    Parameters
    ----------
    encoder : TokenEncoder
        The number after its tokens' is the end of a text.
    X : str, or list of str or of lists of tokens
    has_ends : bool
        Whether the end of a text of a list is something to say.
    """
    texts, are_several = as_texts(X)
    end = len(encoder.tokens_)
    says_end = are_several and has_ends
    found = []
    for encoded in encoder.transform(texts):
        following = np.append(encoded.astype(np.intp), end) if says_end else encoded.astype(np.intp)
        tokens = np.concatenate([[end], following])[:-1].astype(token_dtype(end + 1))
        found.append(Text(tokens, following))
    if not any(len(text.targets) for text in found):
        raise ValueError("X must have a token at least, got none")
    return found


def streams(texts: list[Text], batch_size: int, window: int) -> Data:
    """Return texts as sequences that are learnt side by side: long ones in as many pieces as make a mini-batch.

    A piece begins at a state of zeros, as a text does. Pieces of a text are a group.
    """
    n_steps = sum(len(text.targets) for text in texts)
    longest = max(window, -(-n_steps // batch_size))
    pieces = [
        Text(text.tokens[start : start + longest], text.targets[start : start + longest])
        for text in texts
        for start in range(0, len(text.targets), longest)
    ]
    lengths = np.array([len(piece.targets) for piece in pieces], np.intp)
    rows = np.concatenate([piece.tokens for piece in pieces]).reshape(-1, 1)
    targets = np.concatenate([piece.targets for piece in pieces])
    of_text = np.repeat(np.arange(len(texts)), [-(-len(text.targets) // longest) for text in texts])
    return Data(Steps(rows, lengths, False), Targets(targets, None), of_text)
