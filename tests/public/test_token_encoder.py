"""`TokenEncoder`: texts become the numbers of their words or characters, and texts again."""

import json
import pickle
import re
import string
import unicodedata

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import estimator_checks, get_tags

from pylstm._estimators.state import State
from pylstm.preprocessing import TokenEncoder
from pylstm.preprocessing._texts import PIECE

TEXTS = ["I like pizza, and I like pasta.", "", "I don't like (cold) tea!\n\nNobody does."]
FAMILY = "\U0001f468\u200d\U0001f469\U0001f44d\U0001f3fd"  # five code points, joined and with a tone of skin
#: Any characters, lone surrogates and those that are not assigned among them.
ANY_TEXT = st.text(st.characters(), max_size=20)


def listed(sequences):
    return [sequence.tolist() for sequence in sequences]


# ---- words


def test_words_by_hand():
    encoder = TokenEncoder()
    got = encoder.fit_transform(["b a, a", "a b c"])
    assert encoder.vocabulary_ == {"a": 1, "b": 2, ",": 3, "c": 4}  # by frequency, then by code point
    assert encoder.tokens_.tolist() == ["\ufffd", "a", "b", ",", "c"]
    assert got.shape == (2,)
    assert got.dtype == object
    assert listed(got) == [[2, 1, 3, 1], [1, 2, 4]]
    assert all(sequence.dtype == np.uint8 for sequence in got)
    assert listed(encoder.transform(["c d", ""])) == [[4, 0], []]


def test_nothing_but_white_space_is_lost():
    encoder = TokenEncoder().fit(TEXTS)
    assert [encoder.tokens_[numbers].tolist() for numbers in encoder.transform(TEXTS)] == [
        ["I", "like", "pizza", ",", "and", "I", "like", "pasta", "."],
        [],
        ["I", "don", "'", "t", "like", "(", "cold", ")", "tea", "!", "Nobody", "does", "."],
    ]


def test_words_are_joined():
    encoder = TokenEncoder().fit(TEXTS)
    assert encoder.inverse_transform(encoder.transform(TEXTS)) == [
        "I like pizza, and I like pasta.",
        "",
        "I don't like (cold) tea! Nobody does.",
    ]
    text = "[a] ((b) c): {d} - the well-known dogs' bones\u2026 rock'n'roll? 50% ."
    again = TokenEncoder().fit([text])
    assert again.decode(again.encode(text)) == ("[a] ((b) c): {d} - the well-known dogs'bones\u2026 rock'n'roll? 50%.")


@given(st.lists(ANY_TEXT, min_size=1, max_size=4), ANY_TEXT)
def test_joined_words_are_the_same_words(texts, other):
    encoder = TokenEncoder().fit([*texts, "x"])
    for text in [*texts, other]:
        numbers = encoder.encode(text)
        assert_array_equal(encoder.encode(encoder.decode(numbers)), numbers)


@pytest.mark.parametrize("lowercase", [False, True])
def test_users_own_pattern_is_read_as_scikit_learn_does(lowercase):
    pattern = r"(?u)\b(\w\w+)\b"
    analyze = CountVectorizer(token_pattern=pattern, lowercase=lowercase).build_analyzer()
    encoder = TokenEncoder(token_pattern=pattern, lowercase=lowercase).fit(TEXTS)
    for text in TEXTS:
        assert encoder.tokens_[encoder.encode(text)].tolist() == analyze(text)
    assert "I" not in encoder.vocabulary_


def test_lower_case():
    assert TokenEncoder(lowercase=True).fit(["The the"]).vocabulary_ == {"the": 1}
    encoder = TokenEncoder(analyzer="char", lowercase=True).fit(["\u0130A\u03a3", "a"])
    assert encoder.encode("\u0130").tolist() == [encoder.vocabulary_["i"], encoder.vocabulary_["\u0307"]]
    assert "\u03c2" in encoder.vocabulary_  # the sigma of a word's end: of each text by itself
    assert (encoder.encode("\u0130A\u03a3") > 0).all()


# ---- characters


def test_characters_by_hand():
    encoder = TokenEncoder(analyzer="char").fit(["ab\n\n", "a a"])
    assert encoder.tokens_.tolist() == ["\ufffd", "a", "\n", " ", "b"]
    assert listed(encoder.transform(["b a\n", "ax"])) == [[4, 3, 1, 2], [1, 0]]
    assert encoder.inverse_transform([[4, 3, 0], []]) == ["b \ufffd", ""]


@given(st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_characters_come_back_exactly(texts):
    encoder = TokenEncoder(analyzer="char").fit([*texts, "x"])
    numbers = encoder.transform(texts)
    assert encoder.inverse_transform(numbers) == texts
    assert [len(sequence) for sequence in numbers] == [len(text) for text in texts]
    one_by_one = [encoder.encode(text) for text in texts]
    assert listed(one_by_one) == listed(numbers)
    assert listed(numbers) == [[encoder.vocabulary_[character] for character in text] for text in texts]


@pytest.mark.parametrize("text", [FAMILY, "e\u0301", "\ud83d\ude00", "a\x00", "\ufffd", "\U0010ffff"])
def test_characters_are_code_points(text):
    encoder = TokenEncoder(analyzer="char").fit([text])
    assert len(encoder.encode(text)) == len(text)
    assert encoder.decode(encoder.encode(text)) == text
    assert encoder.encode("\U00010000").tolist() == [0]


def test_nothing_is_normalised():
    composed, apart = "\u00e9", unicodedata.normalize("NFD", "\u00e9")
    assert TokenEncoder(analyzer="char").fit([composed]).encode(apart).tolist() == [0, 0]
    assert list(TokenEncoder().fit([apart]).vocabulary_) == ["e", "\u0301"]


def test_longer_than_a_piece():
    text = string.printable * (PIECE // 100 + 5) + "\u20ac"
    encoder = TokenEncoder(analyzer="char").fit(["ab", text])
    numbers = encoder.encode(text)
    assert len(numbers) == len(text) > PIECE
    assert encoder.decode(numbers) == text
    ends = TokenEncoder(analyzer="char", min_frequency=2).fit([text])
    assert set(string.printable) == set(ends.vocabulary_)
    assert encoder.decode(encoder.transform(["a", text, "b"])[2]) == "b"


def test_a_million_words_in_one_text():
    text = "a bc " * 500_000
    numbers = TokenEncoder().fit_transform([text])[0]
    assert_array_equal(numbers, np.tile([1, 2], 500_000))


# ---- lists of tokens, callables


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_lists_of_tokens_are_taken_as_they_are(analyzer):
    X = [["New York", "I"], ("I",), [], np.array(["I", "?"])]
    encoder = TokenEncoder(analyzer=analyzer, lowercase=True).fit(X)
    assert encoder.vocabulary_ == {"I": 1, "?": 2, "New York": 3}
    assert all(type(token) is str for token in encoder.vocabulary_)
    assert listed(encoder.transform(X)) == [[3, 1], [1], [], [1, 2]]
    assert encoder.inverse_transform([[3, 0], []]) == [["New York", "\ufffd"], []]
    assert encoder.encode(["?"]).tolist() == [2]
    with pytest.raises(TypeError, match=r"X\[0\] must be a list of tokens, as in fit, got a text"):
        encoder.transform(["I ?"])


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_tokens_after_a_fit_on_texts(analyzer):
    encoder = TokenEncoder(analyzer=analyzer).fit(["a b"])
    number = encoder.vocabulary_["b"]
    assert listed(encoder.transform([["b", "b c"], "b"])) == [[number, 0], [number]]


def test_rows_of_a_table_are_lists_of_tokens():
    assert listed(TokenEncoder().fit_transform(np.array([["a", "b"], ["b", "b"]]))) == [[2, 1], [1, 1]]


def test_callables():
    encoder = TokenEncoder(analyzer=str.split).fit(["a-b c", "c"])
    assert encoder.vocabulary_ == {"c": 1, "a-b": 2}
    assert encoder.inverse_transform(encoder.transform(["a-b x"])) == [["a-b", "\ufffd"]]
    pairs = TokenEncoder(analyzer=lambda tokens: [token.upper() for token in tokens]).fit([["a", "b"], ("b",)])
    assert pairs.vocabulary_ == {"B": 1, "A": 2}
    with pytest.raises(TypeError, match=r"tokens of X\[1\] must be str, got 3 at 0"):
        TokenEncoder(analyzer=lambda text: [len(text)] if len(text) > 2 else [text]).fit(["ab", "abc"])


# ---- the vocabulary


def test_rare_tokens_are_unknown():
    texts = ["a a a b b c", "a b c d"]
    assert TokenEncoder(min_frequency=3).fit(texts).vocabulary_ == {"a": 1, "b": 2}
    assert TokenEncoder(max_features=3).fit(texts).vocabulary_ == {"a": 1, "b": 2, "c": 3}
    assert TokenEncoder(max_features=2, min_frequency=4).fit(texts).vocabulary_ == {"a": 1}
    assert TokenEncoder(max_features=1).fit(texts).encode("a b a").tolist() == [1, 0, 1]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.randoms(), st.integers(1, 8))
def test_numbers_hang_on_no_order_and_on_no_limit(tokens, random, limit):
    shuffled = random.sample(tokens, len(tokens))
    all_of_them = TokenEncoder().fit([tokens]).tokens_
    assert_array_equal(TokenEncoder().fit([[token] for token in shuffled]).tokens_, all_of_them)
    assert_array_equal(TokenEncoder(max_features=limit).fit([tokens]).tokens_, all_of_them[: limit + 1])
    text = "".join(tokens)
    assert_array_equal(TokenEncoder(analyzer="char").fit([text]).tokens_, all_of_them)


@pytest.mark.parametrize(("n_tokens", "dtype"), [(1, "u1"), (255, "u1"), (256, "u2"), (65_535, "u2"), (65_536, "u4")])
def test_smallest_type(n_tokens, dtype):
    encoder = TokenEncoder().fit([[str(number) for number in range(n_tokens)]])
    last = encoder.tokens_[-1]
    numbers = encoder.encode([last])
    assert numbers.dtype == dtype
    assert numbers.tolist() == [n_tokens]
    assert encoder.decode(numbers) == [last]


@pytest.mark.parametrize("vocabulary", [["b", "a"], ("b", "a"), np.array(["b", "a"]), {"a": 2, "b": 1}])
def test_given_vocabulary(vocabulary):
    encoder = TokenEncoder(vocabulary=vocabulary, max_features=1, min_frequency=9).fit(["c c c"])
    assert encoder.vocabulary_ == {"b": 1, "a": 2}
    assert list(encoder.vocabulary_) == ["b", "a"]
    assert encoder.encode("a b c").tolist() == [2, 1, 0]
    again = TokenEncoder(vocabulary=encoder.vocabulary_).fit(["x"])
    assert_array_equal(again.tokens_, encoder.tokens_)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"vocabulary": {"a": 1, "b": 3}}, ValueError, "its 2 tokens from 1 to 2 .0 is the unknown token.*none has 2"),
        ({"vocabulary": {"a": 0, "b": 1}}, ValueError, "none has 2"),
        ({"vocabulary": {"a": 1, "b": 1}}, ValueError, "none has 2"),
        ({"vocabulary": ["a", "b", "a"]}, ValueError, "vocabulary must hold each token once, got 'a' more than once"),
        ({"vocabulary": []}, ValueError, "vocabulary must hold at least one token, got none"),
        ({"vocabulary": {}}, ValueError, "vocabulary must hold at least one token, got none"),
        ({"vocabulary": ["a", 1]}, TypeError, "vocabulary must hold str, got 1"),
        ({"vocabulary": {"a", "b"}}, TypeError, "vocabulary must have an order, got a set"),
        ({"vocabulary": "ab"}, ValueError, "The 'vocabulary' parameter of TokenEncoder must be"),
        ({"vocabulary": ["ab"], "analyzer": "char"}, ValueError, "single characters for analyzer='char', got 'ab'"),
        ({"vocabulary": ["A"], "lowercase": True}, ValueError, "in lower case for lowercase=True, got 'A'"),
        ({"min_frequency": 0}, ValueError, "The 'min_frequency' parameter of TokenEncoder must be"),
        ({"max_features": 0}, ValueError, "The 'max_features' parameter of TokenEncoder must be"),
        ({"analyzer": "char_wb"}, ValueError, "The 'analyzer' parameter of TokenEncoder must be"),
        ({"token_pattern": "("}, ValueError, r"token_pattern must be a regular expression, got '\('"),
        ({"token_pattern": "(a)(b)"}, ValueError, r"token_pattern must have one group at most, got '\(a\)\(b\)' of 2"),
        ({"analyzer": lambda text: None}, TypeError, r"analyzer must return a list of tokens, got None for X\[0\]"),
        ({"min_frequency": 3}, ValueError, "occurs min_frequency=3 times, got 2 different tokens.*occurs 2 times"),
    ],
)
def test_wrong_parameters(options, error, message):
    with pytest.raises(error, match=message):
        TokenEncoder(**options).fit(["a b", "a"])


# ---- the unknown token


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_name_of_the_unknown_token_is_no_token(analyzer):
    encoder = TokenEncoder(analyzer=analyzer).fit(["\ufffd a", "\ue000"])
    assert encoder.tokens_[0] == "\ue001"
    assert encoder.vocabulary_["\ufffd"] > 0
    numbers = encoder.encode("\ufffd \ue000 \u20ac a")
    assert numbers[0] == encoder.vocabulary_["\ufffd"]
    assert (numbers == 0).sum() == 1
    text = encoder.decode(numbers)
    assert text == "\ufffd \ue000 \ue001 a"
    assert_array_equal(encoder.encode(text), numbers)


def test_unknown_stays_unknown():
    encoder = TokenEncoder().fit(["a b"])
    assert encoder.encode("\ufffd <unk> a").tolist() == [0, 0, 0, 0, 1]
    assert "\ufffd" not in encoder.vocabulary_


# ---- X


@pytest.mark.parametrize(
    "form",
    [
        tuple,
        iter,
        np.array,
        lambda texts: np.array(texts, object),
        pd.Series,
        lambda texts: pd.Series(texts, index=[5, 3, 4], dtype="category"),
        pl.Series,
    ],
)
def test_forms_of_texts(form):
    expected = listed(TokenEncoder().fit_transform(TEXTS))
    assert listed(TokenEncoder().fit_transform(form(TEXTS))) == expected
    assert listed(TokenEncoder().fit(TEXTS).transform(form(TEXTS))) == expected


BAD = [
    ("a b", ValueError, r"got a single str: \[X\] is a list of one text"),
    (b"a b", TypeError, "got a bytes"),
    ({"a": 1}, TypeError, "got a dict"),
    (None, TypeError, "got a NoneType"),
    (5, TypeError, "got a int"),
    (pd.DataFrame({"a": ["b"]}), TypeError, r"got a DataFrame: X\[column\] is one of texts"),
    (np.array([["a"], ["b"]]), ValueError, r"got an array of shape \(2, 1\): X\[:, 0\] is one of texts"),
    (np.array("a"), ValueError, r"got an array of shape \(\)"),
    (["a", b"b"], TypeError, r"X\[1\] must be a str or a list of str, got bytes: decode them before"),
    (["a", None], ValueError, r"X\[1\] must be a str or a list of str, got None"),
    ([np.nan, "a"], ValueError, r"X\[0\] must be a str or a list of str, got nan"),
    (pd.Series(["a", pd.NA], dtype="string"), ValueError, r"X\[1\] must be .* got <NA>"),
    (["a", 1], TypeError, r"X\[1\] must be a str or a list of str, got 'int'"),
    ([["a", None]], TypeError, r"tokens of X\[0\] must be str, got None at 1"),
    ([["a"], [b"b"]], TypeError, r"tokens of X\[1\] must be str, got b'b' at 0"),
    ([np.array([1, 2])], TypeError, r"tokens of X\[0\] must be str, got np.int64\(1\) at 0"),
]


@pytest.mark.parametrize("analyzer", ["word", "char"])
@pytest.mark.parametrize(("X", "error", "message"), BAD)
def test_what_is_no_text(X, error, message, analyzer):
    with pytest.raises(error, match=message):
        TokenEncoder(analyzer=analyzer).fit(X)
    encoder = TokenEncoder(analyzer=analyzer).fit(["a"])
    with pytest.raises(error, match=message):
        encoder.transform(X)
    with pytest.raises(error, match=message):
        encoder.fit_transform(X)
    assert encoder.encode("a").tolist() == [1]  # a fit that fails leaves what was fitted


@pytest.mark.parametrize("analyzer", ["word", "char", str.split])
def test_nothing_to_learn_from(analyzer):
    encoder = TokenEncoder(analyzer=analyzer)
    with pytest.raises(ValueError, match="X must hold at least one text, got none"):
        encoder.fit([])
    with pytest.raises(ValueError, match="X must have a token that occurs min_frequency=1 times, got 0 different"):
        encoder.fit(["", ""])
    assert encoder.fit(["a", ""]).transform([]).shape == (0,)
    assert listed(encoder.transform(["", ""])) == [[], []]
    assert encoder.transform([""])[0].dtype == np.uint8


def test_texts_and_lists_in_one_fit():
    with pytest.raises(TypeError, match="either texts or lists of tokens, got a str and, at 1, a list"):
        TokenEncoder().fit(["a", ["b"]])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[1], [2, 9, 3]], ValueError, "sequence 1 of X must hold numbers of tokens, 0 to 2, got 9 at step 1"),
        ([[0, 1, -1]], ValueError, "sequence 0 of X must hold numbers of tokens, 0 to 2, got -1 at step 2"),
        ([np.array([2**63], np.uint64)], ValueError, "got 9223372036854775808 at step 0"),
        ([[1.0]], TypeError, "sequence 0 of X must hold integers, got dtype float64"),
        ([["a"]], TypeError, "sequence 0 of X must hold integers, got dtype <U1"),
        ([[[1]]], ValueError, r"sequence 0 of X must be 1-D \(n_tokens,\), got shape \(1, 1\)"),
        (np.array([1, 2]), ValueError, r"sequence 0 of X must be 1-D \(n_tokens,\), got shape \(\)"),
        ("ab", ValueError, "X must be a list of sequences of tokens, got a single str"),
    ],
)
def test_what_is_no_sequence_of_tokens(X, error, message):
    encoder = TokenEncoder().fit(["a b"])
    with pytest.raises(error, match=message):
        encoder.inverse_transform(X)
    if not isinstance(X, str):
        with pytest.raises(error, match=re.sub(r"sequence \d of X", "tokens", message)):
            encoder.decode(X[-1])


def test_forms_of_numbers():
    encoder = TokenEncoder(analyzer="char").fit(["aab"])
    for X in ([[1, 2]], np.array([[1, 2]]), np.array([[1, 2]], np.uint8), (np.array([1, 2], np.int32),)):
        assert encoder.inverse_transform(X) == ["ab"]
    assert encoder.inverse_transform(np.array([[1], [2]])) == ["a", "b"]


# ---- as a transformer of scikit-learn


def test_unfitted():
    encoder = TokenEncoder(vocabulary=["a"])
    for use in (encoder.transform, encoder.inverse_transform, encoder.encode, encoder.decode):
        with pytest.raises(NotFittedError):
            use(["a"])
    with pytest.raises(NotFittedError):
        encoder.get_feature_names_out()


def test_names_tags_and_copies():
    encoder = TokenEncoder(analyzer="char", max_features=9).fit(TEXTS)
    assert encoder.get_feature_names_out().tolist() == ["token"]
    assert not hasattr(encoder, "n_features_in_")
    assert not hasattr(encoder, "set_output")
    tags = get_tags(encoder).input_tags
    assert (tags.string, tags.two_d_array) == (True, False)
    again = pickle.loads(pickle.dumps(encoder))
    assert listed(again.transform(TEXTS)) == listed(encoder.transform(TEXTS))
    assert clone(encoder).get_params() == encoder.get_params()
    assert listed(encoder.fit_transform(TEXTS, [0, 1, 0])) == listed(again.transform(TEXTS))


def as_words(row):
    return [f"{value:.2f}" for value in row]


#: scikit-learn's runner stops at the first: it has no texts to try. These need none, or rows that `as_words` reads, and
#: do not compare what comes out as one array.
CHECKS = [
    "check_no_attributes_set_in_init",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_mixin_order",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_param_validation",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_unfitted",
    "check_transformers_unfitted",
    "check_get_feature_names_out_error",
    "check_n_features_in_after_fitting",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_estimators_fit_returns_self",
    "check_estimators_overwrite_params",
    "check_fit_check_is_fitted",
    "check_f_contiguous_array_estimator",
    "check_readonly_memmap_input",
    "check_requires_y_none",
    "check_positive_only_tag_during_fit",
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CHECKS)
def test_checks_of_scikit_learn(name):
    getattr(estimator_checks, name)("TokenEncoder", TokenEncoder(analyzer=as_words))


@settings(max_examples=20)
@given(st.lists(st.lists(st.text(max_size=3), max_size=5), min_size=1, max_size=5))
def test_lists_come_back(X):
    encoder = TokenEncoder().fit([*X, ["x"]])
    assert encoder.inverse_transform(encoder.transform(X)) == X


# ---- in files


def sent(encoder, **changed):
    """Return an encoder with the state of another, as files keep it, some of it changed."""
    values, arrays = encoder._get_state()
    again = clone(encoder)
    state = State(json.loads(json.dumps(values)), {name: array.copy() for name, array in arrays.items()} | changed)
    again._set_state(state)
    state.end()
    assert not state.arrays
    return again


@pytest.mark.parametrize("analyzer", ["word", "char"])
@pytest.mark.parametrize(
    "X", [TEXTS, ["\ud83d\ude00\x00 \ufffd", FAMILY], [["New York", "", "\ud83d\ude00", "\x00"], []]]
)
def test_state(X, analyzer):
    encoder = TokenEncoder(analyzer=analyzer).fit(X)
    again = sent(encoder)
    assert again.vocabulary_ == encoder.vocabulary_
    assert_array_equal(again.tokens_, encoder.tokens_)
    assert listed(again.transform(X)) == listed(encoder.transform(X))
    assert again.inverse_transform([[0, 1]]) == encoder.inverse_transform([[0, 1]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"token_lengths": np.array([1, 2])}, "token_lengths must add up to the 2 code points of tokens"),
        ({"token_lengths": np.array([3, -1])}, "token_lengths must add up to the 2 code points of tokens"),
        ({"token_lengths": np.array([2**63 - 1, 2**63 - 1, 4])}, "token_lengths must add up to the 2 code points"),
        ({"token_lengths": np.array([2, 0])}, "tokens must hold single characters for analyzer='char', got 'ab'"),
        ({"token_lengths": np.array([], int)}, "token_lengths must be an array .>=1. of int64, got .0,. of int64"),
        ({"tokens": np.array([97, 0x110000], np.uint32)}, "code points of at most 1114111, got 1114112"),
        ({"tokens": np.array([97, 97], np.uint32)}, "tokens must hold each token once, got 'a' more than once"),
    ],
)
def test_state_that_is_none(changed, message):
    with pytest.raises(ValueError, match=message):
        sent(TokenEncoder(analyzer="char").fit(["ab"]), **changed)
