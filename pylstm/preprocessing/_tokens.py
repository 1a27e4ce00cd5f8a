"""`TokenEncoder`, which makes numbers of the words or characters of texts."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, repeat
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._net.inputs import Array
from ._texts import as_list, as_tokens, by_code_point, check_list, count_characters, joined, look_up, packed, unpacked

#: Words and punctuation: nothing is lost but white space.
WORDS = r"\w+|[^\w\s]"
#: The name of the unknown token: Unicode's "replacement character", or else the first that is no token.
NAMES_OF_UNKNOWN = [0xFFFD], range(0xE000, 0x110000)

Tokens = npt.NDArray[np.unsignedinteger]


# scikit-learn's set_output makes frames of what comes out; sequences are none.
class TokenEncoder(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Encode texts as sequences of tokens: the number of each word, or of each character, in reading order.

    Parameters
    ----------
    analyzer : {"word", "char"} or callable, default="word"
        What a token is. "word" takes what `token_pattern` finds; "char" takes every character as it stands, white space
        too. A callable gets each text, or list of tokens, and returns the tokens, a list of strings.
    token_pattern : str, default=r"\w+|[^\w\s]"
        Regular expression of a token for ``analyzer="word"``: by default words, numbers and single punctuation marks.
        Where it has a group, the token is what the group holds.
    lowercase : bool, default=False
        Whether to read all letters as lower case. A callable gets texts as they are.
    min_frequency : int, default=1
        How often a token has to occur in the texts of `fit` to get a number. What is rarer is unknown.
    max_features : int, default=None
        How many tokens get a number at most: the most frequent. None sets no limit.
    vocabulary : list of str, or dict of str to int, default=None
        The tokens, numbered from 1 in the order of a list, or as a dict says. `fit` learns none then, and
        `min_frequency` and `max_features` are not read.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The number of each token, from 1 on. The most frequent token has 1; those that are equally frequent are in the
        order of their code points. Fewer tokens by `max_features` or `min_frequency` have the same numbers, unless
        they are given.
    tokens_ : ndarray of str objects (n_tokens,)
        The tokens by number. ``tokens_[0]`` is the name of the unknown token, see Notes.

    See Also
    --------
    sklearn.feature_extraction.text.CountVectorizer : Counts of tokens, without their order.

    Notes
    -----
    X may be a list, an array, a Series or any other iterable of texts, or of lists of tokens that are split already.
    These are taken as they are: `analyzer` and `lowercase` have no say, unless a callable asks for lists. After a fit
    on lists of tokens, texts are refused.

    **The unknown token** is 0: all that has no number of its own. Its name is ``"\ufffd"`` (�), with which Unicode
    replaces what is not known. Where texts have that character as a token, it has a number as any other, and the name
    of the unknown token is the first of ``"\ue000"``, ``"\ue001"``, ... that is no token. Nothing is padded, so there
    is no number for it.

    **Characters** are code points. An emoji with a modifier, or a letter with a combining mark, is several of them; to
    "word" such a mark is a token of its own. Nothing is normalised: ``unicodedata.normalize("NFC", text)`` makes one of
    a letter and its mark, where there is one.

    **An empty text** has no tokens: an array of length 0.

    The numbers are of the smallest type that holds all of the vocabulary: uint8 for up to 255 tokens and the unknown
    one, then uint16, then uint32.

    Examples
    --------
    >>> from pylstm.preprocessing import TokenEncoder
    >>> texts = ["I like pizza, and I like pasta.", "I like tea."]
    >>> encoder = TokenEncoder().fit(texts)
    >>> encoder.vocabulary_
    {'I': 1, 'like': 2, '.': 3, ',': 4, 'and': 5, 'pasta': 6, 'pizza': 7, 'tea': 8}
    >>> encoder.transform(["I like tea, and coffee."])
    array([array([1, 2, 8, 4, 5, 0, 3], dtype=uint8)], dtype=object)
    >>> encoder.inverse_transform([[1, 2, 8, 4, 5, 0, 3]])
    ['I like tea, and �.']

    By characters, what is known comes back exactly:

    >>> characters = TokenEncoder(analyzer="char").fit(["to be, or not to be"])
    >>> characters.encode("bet")
    array([4, 5, 3], dtype=uint8)
    >>> characters.decode([4, 5, 3])
    'bet'
    """

    vocabulary_: dict[str, int]
    tokens_: npt.NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "analyzer": [StrOptions({"word", "char"}), callable],
        "token_pattern": [str],
        "lowercase": ["boolean"],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "vocabulary": ["array-like", Mapping, None],
    }

    def __init__(
        self,
        *,
        analyzer: str | Callable[[Any], Iterable[str]] = "word",
        token_pattern: str = WORDS,
        lowercase: bool = False,
        min_frequency: int = 1,
        max_features: int | None = None,
        vocabulary: Any = None,
    ) -> None:
        self.analyzer = analyzer
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.min_frequency = min_frequency
        self.max_features = max_features
        self.vocabulary = vocabulary

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Number the tokens of texts.

        Parameters
        ----------
        X : iterable of str, or of lists of str
            Texts, or lists of tokens.
        y : None
            Ignored.

        Returns
        -------
        self : TokenEncoder
            The fitted encoder.
        """
        texts = as_list(X)
        if not texts:
            raise ValueError("X must hold at least one text, got none")
        on_lists = not isinstance(texts[0], str)
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                check_list(text, f"X[{index}]")
            if not callable(self.analyzer) and isinstance(text, str) is on_lists:
                raise TypeError(
                    f"X must hold either texts or lists of tokens, got a {type(texts[0]).__name__} and, at {index}, a "
                    f"{type(text).__name__}"
                )
        if self.vocabulary is None:
            tokens = self._most_frequent(self._count(texts, on_lists))
        else:
            tokens = as_tokens(self.vocabulary)
            self._check_can_occur(tokens, on_lists)
        self._set_tokens(tokens, on_lists)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> npt.NDArray[np.object_]:
        """Number the tokens of texts, and encode them.

        Parameters
        ----------
        X : iterable of str, or of lists of str
            Texts, or lists of tokens.
        y : None
            Ignored.

        Returns
        -------
        ndarray of objects (n_texts,)
            As of `transform`.
        """
        texts = as_list(X)  # an iterator can be read but once
        return self.fit(texts).transform(texts)

    def transform(self, X: Any) -> npt.NDArray[np.object_]:
        """Encode texts.

        Parameters
        ----------
        X : iterable of str, or of lists of str
            Texts, or lists of tokens.

        Returns
        -------
        ndarray of objects (n_texts,)
            For each text a 1-D array of the numbers of its tokens, of the smallest unsigned integers.
        """
        check_is_fitted(self, "vocabulary_")
        texts = as_list(X)
        return np.fromiter(self._encode(texts, "X[{}]"), object, len(texts))

    def inverse_transform(self, X: Any) -> list[Any]:
        """Decode sequences of tokens.

        Parameters
        ----------
        X : iterable of 1-D arrays of int
            The numbers of tokens.

        Returns
        -------
        list of str, or list of lists of str
            The texts, as of `decode`.
        """
        check_is_fitted(self, "vocabulary_")
        sequences = as_list(X, "a list of sequences of tokens")
        return [self._decode(sequence, f"sequence {index} of X") for index, sequence in enumerate(sequences)]

    def encode(self, text: Any) -> Tokens:
        """Encode one text.

        Parameters
        ----------
        text : str or list of str
            The text, or its tokens.

        Returns
        -------
        ndarray of int (n_tokens_of_text,)
            The numbers of its tokens, of the smallest unsigned integers.
        """
        check_is_fitted(self, "vocabulary_")
        return self._encode([text], "text")[0]

    def decode(self, tokens: Any) -> Any:
        """Decode one sequence of tokens.

        Parameters
        ----------
        tokens : 1-D array-like of int
            The numbers of tokens.

        Returns
        -------
        str or list of str
            With ``analyzer="char"`` the text, exactly, if all its characters were known. With "word" a text with a
            space between tokens, but none before ``. , ; : ! ? % ) ] } …``, none after ``( [ {``, and none around an
            apostrophe or hyphen between words; by the default `token_pattern` it has the same tokens again. With a
            callable, or after a fit on lists of tokens, the list of tokens.
        """
        check_is_fitted(self, "vocabulary_")
        return self._decode(tokens, "tokens")

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the name of what each step holds.

        Parameters
        ----------
        input_features : any
            Ignored.

        Returns
        -------
        ndarray of str objects (1,)
            "token".
        """
        check_is_fitted(self, "vocabulary_")
        return np.array(["token"], dtype=object)

    # ---- from texts to tokens

    def _encode(self, texts: list[Any], name: str) -> list[Tokens]:
        """Return the tokens of each text; `name` has the place of a text in braces, if there are several."""
        vocabulary, on_lists = self.vocabulary_, self._fitted_on_lists
        dtype = np.min_scalar_type(len(vocabulary))
        if self.analyzer == "char" and not on_lists and all(isinstance(text, str) for text in texts):
            return look_up(self._as_read(texts), by_code_point(vocabulary, dtype))
        tokens_of = self._tokens_of(on_lists)
        split = (tokens_of(text, name.format(index)) for index, text in enumerate(texts))
        return [np.fromiter(map(vocabulary.get, tokens, repeat(0)), dtype, len(tokens)) for tokens in split]

    def _as_read(self, texts: list[str]) -> list[str]:
        return [text.lower() for text in texts] if self.lowercase else texts

    def _tokens_of(self, on_lists: bool) -> Callable[[Any, str], list[str]]:
        """Return a function that splits a text, or takes a list of tokens; it is told the name of the argument."""
        by_callable = callable(self.analyzer)
        analyze = self._analyze()

        def tokens_of(text: Any, name: str) -> list[str]:
            if isinstance(text, str):
                if by_callable:
                    return _checked(_returned(analyze(text), name), name)
                if on_lists:
                    raise TypeError(f"{name} must be a list of tokens, as in fit, got a text: split it as those were")
                return analyze(text)
            check_list(text, name)
            return _checked(_returned(analyze(text), name) if by_callable else list(text), name)

        return tokens_of

    def _analyze(self) -> Callable[[Any], Any]:
        """Return what makes tokens of a text: of the user's own ways scikit-learn's reading."""
        if self.analyzer == "char":
            return list
        if self.analyzer == "word" and self.token_pattern == WORDS:
            find = re.compile(WORDS).findall
            return (lambda text: find(text.lower())) if self.lowercase else find
        if self.analyzer == "word":
            try:
                n_groups = re.compile(self.token_pattern).groups
            except re.error as error:
                raise ValueError(
                    f"token_pattern must be a regular expression, got {self.token_pattern!r}: {error}"
                ) from None
            if n_groups > 1:
                raise ValueError(f"token_pattern must have one group at most, got {self.token_pattern!r} of {n_groups}")
        options = {"analyzer": self.analyzer, "token_pattern": self.token_pattern, "lowercase": self.lowercase}
        return CountVectorizer(**options).build_analyzer()

    # ---- the vocabulary

    def _count(self, texts: list[Any], on_lists: bool) -> dict[str, int]:
        if self.analyzer == "char" and not on_lists:
            return count_characters(self._as_read(texts))
        tokens_of = self._tokens_of(on_lists)
        counted: Counter[str] = Counter()
        for index, text in enumerate(texts):
            counted.update(tokens_of(text, f"X[{index}]"))
        return counted

    def _most_frequent(self, counts: Mapping[str, int]) -> list[str]:
        """Return the tokens that are frequent enough, the most frequent first."""
        kept = [token for token, count in counts.items() if count >= self.min_frequency]
        if not kept:
            most = max(counts.values(), default=0)
            raise ValueError(
                f"X must have a token that occurs min_frequency={self.min_frequency} times, got {len(counts)} "
                f"different tokens, of which the most frequent occurs {most} times"
            )
        kept.sort(key=lambda token: (-counts[token], token))
        return [str(token) for token in kept[: self.max_features]]  # NumPy's strings become Python's

    def _check_can_occur(self, tokens: list[str], on_lists: bool, name: str = "vocabulary") -> None:
        """Refuse tokens that no text can have."""
        if callable(self.analyzer) or on_lists:
            return
        for token in tokens:
            if self.analyzer == "char" and len(token) != 1:
                raise ValueError(f"{name} must hold single characters for analyzer='char', got {token!r}")
            if self.lowercase and token != token.lower():
                raise ValueError(f"{name} must be in lower case for lowercase=True, got {token!r}")

    def _set_tokens(self, tokens: list[str], on_lists: bool) -> None:
        self._fitted_on_lists = on_lists
        self.vocabulary_ = {token: number for number, token in enumerate(tokens, 1)}
        unknown = next(name for name in map(chr, chain(*NAMES_OF_UNKNOWN)) if name not in self.vocabulary_)
        self.tokens_ = np.fromiter(chain([unknown], tokens), object, len(tokens) + 1)

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return what `fit` left, for `_set_state`: values that JSON can hold, and arrays, by name."""
        codes, lengths = packed(self.tokens_[1:].tolist())
        return {"fitted_on_lists": self._fitted_on_lists}, {"tokens": codes, "token_lengths": lengths}

    def _set_state(self, state: Any) -> None:
        """Become the fitted encoder whose `_get_state` this was; the hyperparameters are set already."""
        on_lists = state.boolean("fitted_on_lists")
        lengths = state.array("token_lengths", ["int64"], (None,), at_least=1)
        tokens = as_tokens(unpacked(state.array("tokens", ["uint32"], (None,)), lengths), "tokens")
        self._check_can_occur(tokens, on_lists, "tokens")
        self._set_tokens(tokens, on_lists)

    # ---- and back

    def _decode(self, tokens: Any, name: str) -> Any:
        numbers = np.asarray(tokens)
        if numbers.ndim != 1:
            raise ValueError(f"{name} must be 1-D (n_tokens,), got shape {numbers.shape}")
        if numbers.size == 0:
            numbers = numbers.astype(np.intp)
        if numbers.dtype.kind not in "iu":
            raise TypeError(f"{name} must hold integers, got dtype {numbers.dtype}")
        is_wrong = (numbers < 0) | (numbers >= len(self.tokens_))
        if is_wrong.any():
            step = int(np.argmax(is_wrong))
            raise ValueError(
                f"{name} must hold numbers of tokens, 0 to {len(self.tokens_) - 1}, got {numbers[step]} at step {step}"
            )
        words = self.tokens_[numbers].tolist()
        if callable(self.analyzer) or self._fitted_on_lists:
            return words
        return "".join(words) if self.analyzer == "char" else joined(words)


def _returned(tokens: Any, name: str) -> list[Any]:
    """Return what a callable made of a text as a list."""
    if not isinstance(tokens, Iterable):
        raise TypeError(f"analyzer must return a list of tokens, got {tokens!r} for {name}")
    return list(tokens)


def _checked(tokens: list[Any], name: str) -> list[str]:
    for place, token in enumerate(tokens):
        if not isinstance(token, str):
            raise TypeError(f"tokens of {name} must be str, got {token!r} at {place}")
    return tokens
