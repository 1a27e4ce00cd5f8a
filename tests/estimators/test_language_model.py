"""LSTMLanguageModel: what it is fitted to, what it refuses, how it goes on, what is kept."""

import copy
import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from toys import weights

import pylstm
from pylstm import LSTMLanguageModel
from pylstm.preprocessing import TokenEncoder

SENTENCE = "the cat sat on the mat. "
WORDS = ["I like tea", "you like rum", "I like rum a lot", "we"]


def small(**keywords):
    return LSTMLanguageModel((6,), **{"batch_size": 4, "max_iter": 2, "window": 7, "random_state": 0} | keywords)


def assert_equal_models(one, two):
    """The same vocabulary, the same weights, bit for bit."""
    assert one.encoder_.vocabulary_ == two.encoder_.vocabulary_
    assert (one.end_, one._has_ends, one._met.tolist()) == (two.end_, two._has_ends, two._met.tolist())
    expected = weights(two)
    assert list(weights(one)) == list(expected)
    for name, values in weights(one).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.fixture(scope="module")
def learnt():
    """A model that has learnt its text by heart."""
    return small(max_iter=60, window=50, learning_rate_init=0.02).set_params(hidden_layer_sizes=32).fit(SENTENCE * 40)


# ---- what it is fitted to


def test_one_text_has_no_end_several_have():
    one, several = small().fit(SENTENCE), small().fit([SENTENCE])
    assert (one._has_ends, several._has_ends) == (False, True)
    assert one.encoder_.vocabulary_ == several.encoder_.vocabulary_
    assert one.end_ == len(one.encoder_.tokens_) == one._model.spec.n_outputs - 1 == one._model.spec.input_size - 1
    assert one.n_features_in_ == 1
    assert len(one.score_samples([SENTENCE, ""])) == 2


@pytest.mark.parametrize("form", [tuple, np.array, pd.Series, iter, lambda X: np.array(X, object)])
def test_forms_of_texts(form):
    expected = small().fit(WORDS)
    got = small().fit(form(WORDS))
    assert_equal_models(got, expected)
    np.testing.assert_array_equal(got.score_samples(form(WORDS)), expected.score_samples(WORDS))
    assert got.bits_per_character(form(WORDS)) == expected.bits_per_character(WORDS)


@pytest.mark.parametrize("form", [lambda text: text, tuple, np.array])
def test_lists_of_tokens(form):
    lists = [form(text.split()) for text in WORDS]
    model = small().fit(lists)
    assert_equal_models(model, small(analyzer=TokenEncoder(analyzer=str.split)).fit(WORDS))
    assert model.generate(["I", "like"], 3, random_state=0) == list(model.iter_tokens(["I", "like"], 3, random_state=0))
    for of_nothing in (model.generate(random_state=0), model.generate([], random_state=0)):
        assert isinstance(of_nothing, list)
    assert [token for token, _ in model.predict_next(k=99)] == [token for token, _ in model.predict_next([], k=99)]
    assert model.surprisal("").shape == (0,)
    with pytest.raises(TypeError, match="must be a list of tokens, as in fit, got a text"):
        model.score(WORDS)


def test_words_and_an_encoder_of_ones_own():
    words = small(analyzer="word").fit(WORDS)
    assert set(words.encoder_.vocabulary_) == {"I", "like", "tea", "you", "rum", "a", "lot", "we"}
    assert_equal_models(words, small(analyzer=TokenEncoder()).fit(WORDS))
    encoder = TokenEncoder(min_frequency=2)
    model = small(analyzer=encoder).fit(WORDS)
    assert set(model.encoder_.vocabulary_) == {"I", "like", "rum"}
    assert not hasattr(encoder, "vocabulary_")
    assert model._met[0]  # of which there is much, so it is drawn, too
    written = [model.generate(max_new_tokens=20, random_state=seed) for seed in range(9)]
    assert "\ufffd" in "".join(written)
    assert model.get_params()["analyzer__min_frequency"] == 2
    assert clone(model).set_params(analyzer__min_frequency=1).fit(WORDS).end_ == words.end_


@pytest.mark.parametrize("text", ["👩🏽‍🚀 é é́ \u0301", "a\ud800b", "tab\tnul\x00 line\r\n\n"])
def test_all_characters_are_tokens(text):
    model = small().fit(text * 3)
    assert set(model.encoder_.vocabulary_) == set(text)
    assert len(model.surprisal(text)) == len(text)
    assert set(model.generate(text, 50, random_state=0)) <= set(text)
    assert model.encoder_.decode(model.encoder_.encode(text)) == text


@pytest.mark.parametrize(
    "X", ["a", "aaaa", ["a"], ["a", "a"], ["", "a"], ["a", ""], [["a"]], [[], ["a"]]], ids=lambda X: repr(X)
)
def test_a_vocabulary_of_one(X):
    model = small().fit(X)
    assert model.encoder_.vocabulary_ == {"a": 1}
    assert np.isfinite([model.score(X), model.perplexity(X), model._model.copy_weights().sum()]).all()
    written = model.generate(max_new_tokens=5, random_state=0)
    assert set(written) <= {"a"}
    assert isinstance(X, list) or len(written) == 5


def test_empty_texts_of_a_list():
    texts = ["ab", "", "b", ""]
    model = small().fit(texts)
    assert (model.score_samples(texts) < 0).all()  # an end is said of each
    assert model.score([""]) == pytest.approx(np.log(dict(model.predict_next(k=9))[""]), rel=1e-6)
    of_one = small().fit("abab")
    samples = of_one.score_samples(texts)
    assert samples[[1, 3]].tolist() == [0, 0]
    np.testing.assert_array_equal(samples[[0, 2]], of_one.score_samples(["ab", "b"]))
    assert of_one.score(texts) == of_one.score(["ab", "b"])


# ---- what it refuses


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("", ValueError, "X must have a character at least, got an empty text"),
        ([], ValueError, "X must hold at least one text, got none"),
        (["", ""], ValueError, "X must have a token"),
        (b"abc", TypeError, "X must be a text, or a list of texts or of lists of tokens, got a bytes"),
        ([b"abc"], TypeError, r"X\[0\] must be a str or a list of str, got bytes"),
        (None, TypeError, "X must be a text, or a list .* got a NoneType"),
        (3, TypeError, "X must be a text, or a list .* got a int"),
        ([3], TypeError, r"X\[0\] must be a str or a list of str, got 'int'"),
        ([["a"], ["b", 3]], TypeError, r"tokens of X\[1\] must be str, got 3 at 1"),
        (["a", None], ValueError, r"X\[1\] must be a str or a list of str, got None"),
        ({"a": 1}, TypeError, "X must be a text, or a list .* got a dict"),
        (pd.DataFrame({"text": ["a", "b"]}), TypeError, r"got a DataFrame: X\[column\]"),
    ],
)
def test_what_is_no_text(X, error, message):
    with pytest.raises(error, match=message):
        small().fit(X)
    model = small().fit("ab")
    before = vars(model).copy()
    with pytest.raises(error):
        model.fit(X)
    assert vars(model) == before
    with pytest.raises((TypeError, ValueError)):
        model.score(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"analyzer": "chars"}, "analyzer"),
        ({"embedding_size": 0}, "embedding_size"),
        ({"embedding_size": None}, "embedding_size"),
        ({"window": None}, "window"),
        ({"tie_weights": 1}, "tie_weights"),
        ({"tie_weights": True, "embedding_size": 5}, "tie_weights=True needs an embedding .* as wide as"),
        ({"tie_weights": True, "embedding_size": "one-hot"}, "tie_weights=True needs an embedding"),
        ({"analyzer": TokenEncoder(min_frequency=9)}, "min_frequency=9"),
    ],
)
def test_hyperparameters_that_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit("abcabc")


def test_texts_and_lists_of_tokens_are_not_mixed():
    with pytest.raises(TypeError, match="X must hold either texts or lists of tokens"):
        small().fit(["a", ["b"]])


def test_unfitted():
    calls = ["score", "perplexity", "bits_per_character", "score_samples", "surprisal", "predict_next", "generate",
             "iter_tokens", "trace", "save"]  # fmt: skip
    for name in calls:
        with pytest.raises(NotFittedError, match="This LSTMLanguageModel instance is not fitted yet"):
            getattr(small(), name)("a")
    with pytest.raises(NotFittedError):
        small().stream()


# ---- how it goes on


def test_partial_fit_goes_on():
    model = small(solver="adam").partial_fit(SENTENCE)
    vocabulary = dict(model.encoder_.vocabulary_)
    losses = [model.loss_]
    for _ in range(30):
        losses.append(model.partial_fit(SENTENCE).loss_)
    assert losses[-1] < losses[0] - 0.1
    assert model.n_iter_ == 31
    model.partial_fit("the xyz")
    assert model.encoder_.vocabulary_ == vocabulary  # what it has not seen is unknown
    assert model._met[0]
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        small(early_stopping=True).partial_fit(SENTENCE)


def test_unknown_stands_for_all_that_was_met():
    """Also where the last of several calls has met few."""
    model = small(embedding_size=3).partial_fit(SENTENCE)
    for text in (SENTENCE, "tttt"):
        table = weights(model.partial_fit(text))["embedding"]
        np.testing.assert_allclose(table[0], table[1:].mean(axis=0), rtol=1e-5)


def test_warm_start():
    model = small(warm_start=True).fit(SENTENCE)
    before = weights(model)
    model.fit(SENTENCE[::-1])
    assert model.n_iter_ == 4
    assert not np.array_equal(weights(model)["weight_out"], before["weight_out"])
    with pytest.raises(ValueError, match="embedding_size must stay what"):
        model.set_params(embedding_size=4).fit(SENTENCE)


def test_same_seed_same_fit():
    assert_equal_models(small(dropout=0.2).fit(SENTENCE * 9), small(dropout=0.2).fit(SENTENCE * 9))


@pytest.mark.parametrize("hidden", [16, (64, 8)])
@pytest.mark.parametrize(
    "options", [{"embedding_size": "one-hot"}, {"embedding_size": 7}, {"tie_weights": True}], ids=str
)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_a_token_adds_to_a_gate_starts_with_a_variance_of_1(cell, options, hidden):
    text = "".join(chr(0x4E00 + k) for k in range(300))
    model = LSTMLanguageModel(hidden, cell=cell, max_iter=1, learning_rate_init=1e-9, random_state=0, **options).fit(
        text
    )
    found = weights(model)
    added = found["embedding"] @ found["weight_ih_l0"].T if "embedding" in found else found["weight_ih_l0"]
    assert added.std() == pytest.approx(1, rel=0.1)
    if not isinstance(hidden, int):
        assert found["weight_ih_l1"].std() == pytest.approx((3 * hidden[1]) ** -0.5, rel=0.1)


def test_ties():
    model = small(tie_weights=True, max_iter=20).fit(SENTENCE * 9)
    assert model._model.spec.embedding_size == 6
    assert "weight_out" not in weights(model)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    plain = small(embedding_size=6).fit(SENTENCE * 9)
    size = plain._model.spec.n_outputs * 6
    assert plain._model.spec.n_parameters - model._model.spec.n_parameters == size


@pytest.mark.parametrize(("n", "expected"), [(255, "one-hot"), (256, 128)])
def test_embedding_by_default(n, expected):
    """Of n tokens, with the unknown one, and the end."""
    model = small(max_iter=1).fit("".join(map(chr, range(0x4E00, 0x4E00 + n - 1))))
    assert (model._model.spec.input_size, model._model.spec.embedding_size) == (n + 1, expected)


# ---- early stopping


def test_validation_text():
    model = small(max_iter=5).fit(SENTENCE * 9, X_val=SENTENCE)
    assert len(model.validation_scores_) == 5
    assert model.best_validation_score_ == pytest.approx(model.score(SENTENCE), rel=1e-6)
    several = small(max_iter=5).fit(WORDS * 3, X_val=WORDS[:2])
    assert several.best_validation_score_ == pytest.approx(several.score(WORDS[:2]), rel=1e-6)
    unknown = small(max_iter=5).fit(SENTENCE * 9, X_val="Qq" + SENTENCE)  # which stand for the mean of the others
    assert unknown.best_validation_score_ == pytest.approx(unknown.score("Qq" + SENTENCE), rel=1e-6)
    with pytest.raises(ValueError, match="early_stopping must be 'auto' or True where X_val is given"):
        small(early_stopping=False).fit(SENTENCE, X_val=SENTENCE)
    with pytest.raises(ValueError, match="at least two targets"):
        small().fit(SENTENCE, X_val="t")


def test_held_out_is_the_end_of_one_text():
    """What stands there alone is not learnt, so it is as improbable as at the start."""
    text = "ab" * 90 + "xy" * 10
    model = small(early_stopping=True, max_iter=8).fit(text)
    assert len(model.validation_scores_) == model.n_iter_
    assert model._met[model.encoder_.encode("ab")].all()
    assert not model._met[model.encoder_.encode("xy")].any()
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 must leave something of 2 tokens"):
        small(early_stopping=True).fit("ab")


@pytest.mark.parametrize("length", [3, 99])
def test_held_out_of_several_are_whole_ones(length):
    """Also of such as are learnt in pieces: all of each letter is held out, or nothing."""
    texts = [letter * length for letter in "abcdefghij"]
    model = small(early_stopping=True, max_iter=3, validation_fraction=0.2).fit(texts)
    assert np.count_nonzero(~model._met[1:]) == 2
    with pytest.raises(ValueError, match="leaves none to train on"):
        small(early_stopping=True, validation_fraction=0.9).fit(texts[:2])


def test_held_out_is_the_end_of_a_list_of_one():
    model = small(early_stopping=True, max_iter=3).fit(["ab" * 90 + "xy" * 10])
    assert not model._met[model.encoder_.encode("xy")].any()
    assert model._met[model.encoder_.encode("ab")].all()


# ---- errors and interrupts


def test_an_error_leaves_it_as_it_was(monkeypatch):
    model = small().fit(SENTENCE)
    before, written = vars(model).copy(), model.generate(random_state=0)
    for error in (MemoryError, KeyboardInterrupt):
        with monkeypatch.context() as patched:
            patched.setattr(
                "pylstm._estimators.training.train_epoch", lambda *_, error=error: (_ for _ in ()).throw(error)
            )
            for fit in (model.fit, model.partial_fit):
                with pytest.raises(error):
                    fit("another text")
        assert vars(model) == before
    assert model.generate(random_state=0) == written
    untied = small(tie_weights=True, embedding_size=5)  # which is found out when the vocabulary is known
    with pytest.raises(ValueError, match="tie_weights"):
        untied.fit(SENTENCE)
    assert vars(untied) == untied.get_params()


def test_interrupt_keeps_the_best(monkeypatch):
    from pylstm._estimators import training

    run, epochs = training.train_epoch, []

    def interrupted(*arguments):
        epochs.append(None)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return run(*arguments)

    monkeypatch.setattr(training, "train_epoch", interrupted)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = small(max_iter=9).fit(SENTENCE)
    assert model.n_iter_ == 2
    assert model.generate(random_state=0)


# ---- what is kept


@pytest.mark.parametrize(
    ("X", "parameters"),
    [
        (SENTENCE * 3, {}),
        (SENTENCE * 3, {"embedding_size": 5, "cell": "gru", "dtype": "float64"}),
        (WORDS, {"analyzer": "word", "tie_weights": True}),
        ([text.split() for text in WORDS], {}),
        (WORDS, {"analyzer": TokenEncoder(lowercase=True, min_frequency=2)}),
        (WORDS, {"analyzer": TokenEncoder(token_pattern=r"[a-z]+")}),
        ("👩🏽‍🚀é", {}),
    ],
    ids=str,
)
def test_kept(X, parameters, tmp_path):
    model = small(**parameters).fit(X)
    path = tmp_path / "model.safetensors"
    model.save(path)
    twins = {"file": pylstm.load(path), "pickle": pickle.loads(pickle.dumps(model)), "copy": copy.deepcopy(model)}
    for twin in twins.values():
        assert type(twin) is LSTMLanguageModel
        assert_equal_models(twin, model)
        assert twin.generate(random_state=3) == model.generate(random_state=3)
        assert twin.score(X) == model.score(X)
        assert twin.predict_next(k=3) == model.predict_next(k=3)
        np.testing.assert_array_equal(twin.stream().step(1), model.stream().step(1))
        assert repr(twin.get_params()) == repr(model.get_params())
        assert clone(twin).fit(X).encoder_.vocabulary_ == model.encoder_.vocabulary_
    model.partial_fit(X)
    for twin in twins.values():
        assert_equal_models(twin.partial_fit(X), model)


def test_texts_that_are_missing_have_no_characters():
    model = small().fit(WORDS)
    with pytest.raises(ValueError, match=r"X\[1\] must be a str.*got None"):
        model.bits_per_character([WORDS[0], None])
    with pytest.raises(TypeError, match="X must hold texts, whose characters can be counted, got lists of tokens"):
        small().fit([["a", "b"]] * 3).bits_per_character([["a"]])


def test_an_encoder_within_an_encoder_is_refused(tmp_path):
    model = small(analyzer=TokenEncoder(lowercase=True)).fit(WORDS)
    model.save(tmp_path / "model")
    data = (tmp_path / "model").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    described = json.loads(header["__metadata__"]["pylstm"])
    within = described["parameters"]["analyzer"]["parameters"]
    within["analyzer"] = {"parameters": dict(within)}
    header["__metadata__"]["pylstm"] = json.dumps(described)
    text = json.dumps(header).encode()
    (tmp_path / "model").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    with pytest.raises(ValueError, match="analyzer must be a number, string"):
        pylstm.load(tmp_path / "model")


def test_a_callable_is_not_saved(tmp_path):
    model = small(analyzer=TokenEncoder(analyzer=str.split)).fit(WORDS)
    with pytest.raises(ValueError, match="analyzer must not be a callable to be saved"):
        model.save(tmp_path / "model")
    assert pickle.loads(pickle.dumps(model)).generate(random_state=0) == model.generate(random_state=0)


def test_in_searches():
    scores = cross_val_score(small(), WORDS * 3, cv=3)
    assert scores.shape == (3,)
    assert (scores < 0).all()
    search = GridSearchCV(small(), {"analyzer": ["char", "word"]}, cv=2).fit(WORDS * 3)
    assert search.best_params_["analyzer"] in ("char", "word")
    assert clone(small(window=3)).get_params()["window"] == 3


def test_what_the_docstring_says(learnt):
    assert learnt.generate("the cat ", max_new_tokens=16, temperature=0) == "sat on the mat. "
    assert learnt.perplexity(SENTENCE) < 1.1
    assert re.search("sat on the mat", learnt.generate("the cat ", random_state=0))


def test_trace(learnt):
    """The first step is after the end of the text before."""
    assert learnt.trace("the cat")["h_l0"][0].shape == (8, 32)
    assert learnt.trace("")["h_l0"][0].shape == (1, 32)
