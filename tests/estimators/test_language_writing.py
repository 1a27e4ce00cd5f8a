"""LSTMLanguageModel writes: what is drawn, what is never drawn, and from which probabilities."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare

from pylstm import LSTMLanguageModel
from pylstm._estimators.language import writing

TEXT = "the cat sat on the mat; the rat sat on the cat. "
TEXTS = ["the cat", "a mat", "", "sat on the rat", "t"] * 3


@pytest.fixture(scope="module")
def model():
    return LSTMLanguageModel((7,), batch_size=3, max_iter=9, learning_rate_init=0.05, random_state=0).fit(TEXT * 3)


@pytest.fixture(scope="module")
def with_ends():
    return LSTMLanguageModel((7,), batch_size=3, max_iter=9, learning_rate_init=0.05, random_state=0).fit(TEXTS)


@pytest.mark.parametrize(
    "how",
    [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.7}, {"temperature": 2, "top_k": 4, "top_p": 0.9}],
    ids=str,
)
def test_a_seed_is_a_text(model, how, monkeypatch):
    """As a whole, token by token, and in blocks of any size."""
    expected = model.generate("the ", 70, random_state=5, **how)
    assert len(expected) == 70
    assert model.generate("the ", 70, random_state=5, **how) == expected
    assert "".join(model.iter_tokens("the ", 70, random_state=5, **how)) == expected
    assert model.generate("the ", 70, random_state=np.int64(5), **how) == expected
    assert model.generate(list("the "), 70, random_state=5, **how) == expected
    assert model.generate("the ", 30, random_state=5, **how) == expected[:30]
    assert model.generate("the ", 70, random_state=6, **how) != expected
    monkeypatch.setattr("pylstm._estimators.language.estimator.BLOCK", 3)
    monkeypatch.setattr(writing, "BLOCK", 2)
    assert model.generate("the ", 70, random_state=5, **how) == expected


def test_other_random_states(model):
    """Of a generator each text is another, and the same from the same state."""
    one, two = (np.random.RandomState(3) for _ in range(2))
    texts = [model.generate(random_state=one) for _ in range(2)]
    assert texts == [model.generate(random_state=two) for _ in range(2)]
    assert texts[0] != texts[1]
    assert len({model.generate() for _ in range(3)}) == 3
    assert model.generate(random_state=2**64 + 5) == model.generate(random_state=5)
    for wrong in (-1, "5", 0.5, np.random.default_rng(0)):
        with pytest.raises(ValueError, match=r"random_state|cannot be used to seed"):
            model.generate(random_state=wrong)


def greedy(model, prompt, n):
    """The most probable token, and so on, by `predict_next`."""
    written = prompt
    for _ in range(n):
        written += next(token for token, _ in model.predict_next(written, k=99) if token not in ("", "\ufffd"))
    return written[len(prompt) :]


@pytest.mark.parametrize(
    "how",
    [{"temperature": 0}, {"temperature": 0, "top_k": 3}, {"top_k": 1}, {"top_p": 1e-9}, {"top_p": 1e-300},
     {"temperature": 1e-30}, {"temperature": 1e-38}, {"temperature": 1e-300}, {"temperature": 0, "top_p": 0.5}],
    ids=str,
)  # fmt: skip
def test_greedy(model, how):
    for prompt in ("", "the ", "€"):
        assert model.generate(prompt, 25, random_state=1, **how) == greedy(model, prompt, 25)


def test_greedy_of_large_outputs(model):
    """Divided by a temperature they would be infinite: nothing that can't come is drawn for that."""
    sure = LSTMLanguageModel((7,), batch_size=3, max_iter=1, random_state=0).fit(TEXT)
    weights = sure._model.parameters()
    weights["bias_out"][...] = np.linspace(100, 1000, len(weights["bias_out"]))
    del weights
    expected = str(sure.encoder_.tokens_[-1]) * 5
    for temperature in (0, 1e-300, 1e-38, 1e-37, 1):
        assert sure.generate(max_new_tokens=5, temperature=temperature, random_state=0) == expected


@pytest.mark.parametrize("temperature", [1e-38, 1.0, 50.0, 1e38, 1e39, 1e300])
@pytest.mark.parametrize("how", [{}, {"top_k": 10**30}, {"top_p": 1.0}, {"top_p": 0.999}], ids=str)
def test_what_is_never_drawn(model, with_ends, temperature, how):
    """The unknown token that training has not met; the end, where there was none to learn."""
    end, unknown = model.encoder_.tokens_[0], ""
    for seed in range(9):
        written = list(model.iter_tokens("€", 99, random_state=seed, temperature=temperature, **how))
        assert len(written) == 99
        assert not {end, unknown} & set(written)
        assert not {end, unknown} & set(
            with_ends.iter_tokens("", 99, random_state=seed, temperature=temperature, **how)
        )


def test_an_unknown_that_was_met_is_drawn():
    model = LSTMLanguageModel((7,), max_iter=2, random_state=0).partial_fit("abab").partial_fit("axax" * 5)
    assert "\ufffd" in model.generate(max_new_tokens=50, random_state=0)


def test_ends(with_ends):
    written = [with_ends.generate(max_new_tokens=99, random_state=seed) for seed in range(40)]
    assert all(len(text) < 99 for text in written)
    assert len({len(text) for text in written}) > 5
    greedily = with_ends.generate("sat on the ra", temperature=0, max_new_tokens=99)
    assert greedily == with_ends.generate("sat on the ra", temperature=0, max_new_tokens=len(greedily))
    assert with_ends.predict_next("sat on the ra" + greedily, k=1)[0][0] == ("" if len(greedily) < 99 else greedily[0])


def test_none_at_all(model, with_ends):
    for each in (model, with_ends):
        assert each.generate("the", 0) == ""
        assert list(each.iter_tokens("the", 0)) == []


def test_tokens_come_one_at_a_time(model):
    tokens = model.iter_tokens("the ", 10**12, random_state=0)
    assert "".join(next(tokens) for _ in range(300)) == model.generate("the ", 300, random_state=0)


def test_a_long_prompt(model):
    """Longer than what is read at once."""
    prompt = TEXT * 40
    assert model.generate(prompt, 20, temperature=0) == greedy(model, prompt, 20)


def allowed(model, prompt, *, temperature=1, top_k=None, top_p=None):
    """The probabilities that tokens are drawn with, by `predict_next`."""
    named = [(name, p) for name, p in model.predict_next(prompt, k=99) if name not in ("", "\ufffd")]
    weights = np.array([p for _, p in named]) ** (1 / temperature)
    weights /= weights.sum()
    n = len(named) if top_k is None else top_k
    if top_p is not None:
        n = min(n, int(np.searchsorted(weights.cumsum(), top_p)) + 1)
    return [name for name, _ in named[:n]], weights[:n] / weights[:n].sum()


@pytest.mark.parametrize(
    "how",
    [{}, {"temperature": 0.6}, {"temperature": 3}, {"top_k": 4}, {"top_k": 99}, {"top_p": 0.6}, {"top_p": 0.95},
     {"temperature": 2, "top_k": 6}, {"temperature": 0.8, "top_k": 5, "top_p": 0.8}],
    ids=str,
)  # fmt: skip
def test_frequencies(model, how):
    """Of one token after a prompt, for as many seeds; and of pairs of tokens within one long text."""
    names, expected = allowed(model, "the ", **how)
    drawn = [model.generate("the ", 1, random_state=seed, **how) for seed in range(2000)]
    counts = np.array([drawn.count(name) for name in names])
    assert counts.sum() == len(drawn)
    is_frequent = expected * len(drawn) >= 5
    counts, expected = (np.append(each[is_frequent], each[~is_frequent].sum()) for each in (counts, expected))
    some = expected > 0
    assert chisquare(counts[some], expected[some] * len(drawn)).pvalue > 0.001


def test_draws_are_independent(model):
    """One after the other, from the same probabilities: a net that reads nothing gives the same each time."""
    deaf = LSTMLanguageModel((7,), batch_size=3, max_iter=9, random_state=0).fit("aab" * 40)
    weights = deaf._model.parameters()
    weights["weight_out"][...] = 0
    del weights
    p = dict(deaf.predict_next(k=9))
    p = p["a"] / (p["a"] + p["b"])
    written = deaf.generate(max_new_tokens=20_000, random_state=0)
    pairs = [one + two for one, two in pairwise(written)][::2]
    expected = {"aa": p * p, "ab": p * (1 - p), "ba": p * (1 - p), "bb": (1 - p) ** 2}
    counts = [pairs.count(pair) for pair in expected]
    assert chisquare(counts, np.array(list(expected.values())) * len(pairs)).pvalue > 0.001


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"temperature": -0.1}, ValueError, r"temperature must be a number in \[0.0, inf\), got -0.1"),
        ({"temperature": np.inf}, ValueError, "temperature"),
        ({"temperature": np.nan}, ValueError, "temperature"),
        ({"temperature": None}, TypeError, "temperature"),
        ({"temperature": True}, TypeError, "temperature"),
        ({"top_k": 0}, ValueError, "top_k must be an integer >= 1, got 0"),
        ({"top_k": 1.5}, TypeError, "top_k"),
        ({"top_p": 0}, ValueError, r"top_p must be a number in \(0, 1\], got 0"),
        ({"top_p": 1.01}, ValueError, r"top_p must be a number in \(0, 1\], got 1.01"),
        ({"top_p": -1}, ValueError, "top_p"),
        ({"top_p": np.nan}, ValueError, r"top_p must be a number in \(0, 1\], got nan"),
        ({"top_p": True}, TypeError, r"top_p must be a number in \(0, 1\], got True"),
        ({"random_state": "a"}, ValueError, "random_state must be None, an integer or a RandomState, got 'a'"),
        ({"top_p": "1"}, TypeError, "top_p"),
        ({"max_new_tokens": -1}, ValueError, "max_new_tokens must be an integer >= 0, got -1"),
        ({"max_new_tokens": 1.0}, TypeError, "max_new_tokens"),
        ({"max_new_tokens": None}, TypeError, "max_new_tokens"),
        ({"prompt": b"the"}, TypeError, "text must be a str or a list of str, got bytes"),
        ({"prompt": None}, ValueError, "text must be a str or a list of str, got None"),
        ({"prompt": ["t", 3]}, TypeError, "tokens of text must be str, got 3 at 1"),
    ],
)
def test_what_is_refused(model, how, error, message):
    """Before the first token is asked for."""
    for write in (model.generate, model.iter_tokens):
        with pytest.raises(error, match=message):
            write(**how)


def test_tokens_are_named_by_what_was_learnt_when_they_were_asked_for():
    model = LSTMLanguageModel((8,), max_iter=5, random_state=0).fit("abc " * 50)
    expected = list(model.iter_tokens("a", 9, random_state=1))
    drawn = model.iter_tokens("a", 9, random_state=1)
    first = [next(drawn), next(drawn)]
    model.fit("xyz " * 50)
    assert first + list(drawn) == expected
