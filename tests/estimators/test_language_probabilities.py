"""What LSTMLanguageModel says of texts: against the equations in NumPy, and one method against the other."""

import numpy as np
import pytest
import reference

from pylstm import LSTMLanguageModel
from pylstm._estimators.language import likelihood
from pylstm.preprocessing import TokenEncoder

TEXT = "the cat sat on the mat; the rat sat on the cat. "
TEXTS = ["the cat", "a mat", "", "sat on the rat", "t"]
#: Of natural logarithms.
BOUND = {"float32": 2e-5, "float64": 1e-12}


def fitted(X=TEXT * 3, **keywords):
    settings = {"hidden_layer_sizes": 7, "batch_size": 3, "max_iter": 8, "window": 11, "learning_rate_init": 0.05}
    return LSTMLanguageModel(**settings | keywords, random_state=0).fit(X)


def probabilities(model, tokens):
    """Of what comes after each of the tokens (n_steps, n_tokens), by the equations."""
    spec = model._model.spec
    parameters = {name: np.asarray(values, np.float64) for name, values in model._model.parameters().items()}
    table = parameters.get("embedding", np.eye(spec.input_size))
    parameters.setdefault("weight_out", table)
    n_layers = len(spec.hidden_sizes)
    outputs, _ = reference.run(parameters, n_layers, False, [table[tokens]], cell=spec.cell)
    values = outputs[0] @ parameters["weight_out"].T + parameters["bias_out"]
    values = np.exp(values - values.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def log_probabilities(model, text, *, has_end):
    """Of the tokens of a text, by the equations."""
    tokens = model.encoder_.encode(text).tolist()
    following = [*tokens, model.end_] if has_end else tokens
    if not following:
        return np.empty(0)
    of_all = probabilities(model, [model.end_, *following][:-1])
    return np.log(of_all[np.arange(len(following)), following])


MODELS = {
    "characters": {},
    "float64": {"dtype": "float64"},
    "embedding": {"embedding_size": 5, "dtype": "float64"},
    "tied": {"tie_weights": True, "dtype": "float64"},
    "GRU of two layers": {"hidden_layer_sizes": (5, 7), "cell": "gru", "dtype": "float64"},
    "RNN": {"cell": "rnn", "dtype": "float64"},
    "words": {"analyzer": "word", "dtype": "float64"},
    "unknown": {"analyzer": TokenEncoder(analyzer="char", max_features=4), "dtype": "float64"},
}


@pytest.mark.parametrize("of_several", [False, True], ids=["one text", "several"])
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_against_the_equations(options, of_several):
    """All that there is to ask, after a fit on one text and on several."""
    model = fitted(TEXTS * 3 if of_several else TEXT * 3, **options)
    bound = BOUND[options.get("dtype", "float32")]
    expected = [log_probabilities(model, text, has_end=of_several) for text in TEXTS]
    np.testing.assert_allclose(model.score_samples(TEXTS), [part.sum() for part in expected], atol=99 * bound)
    mean = np.concatenate(expected).mean()
    assert model.score(TEXTS) == pytest.approx(mean, abs=bound)
    assert model.score(TEXTS, y=None) == model.score(TEXTS)
    assert model.perplexity(TEXTS) == pytest.approx(np.exp(-mean), rel=9 * bound)
    bits = -np.concatenate(expected).sum() / np.log(2) / sum(map(len, TEXTS))
    assert model.bits_per_character(TEXTS) == pytest.approx(bits, rel=9 * bound)
    one = log_probabilities(model, TEXT, has_end=False)  # of one text no end is said
    assert model.score(TEXT) == pytest.approx(one.mean(), abs=bound)
    np.testing.assert_allclose(model.surprisal(TEXT), -one / np.log(2), atol=9 * bound)
    after = probabilities(model, [model.end_, *model.encoder_.encode("the c")])[-1]
    named = dict(model.predict_next("the c", k=99))
    assert sum(named.values()) == pytest.approx(1, abs=bound)
    assert list(named.values()) == sorted(named.values(), reverse=True)
    names = [*model.encoder_.tokens_, ""]
    np.testing.assert_allclose([named[name] for name in names], after, atol=bound)


@pytest.mark.parametrize("of_several", [False, True], ids=["one text", "several"])
def test_one_method_and_the_other(of_several):
    model = fitted(TEXTS * 3 if of_several else TEXT * 3)
    assert model.score(TEXT) == pytest.approx(model.score_samples(TEXT)[0] / len(TEXT))
    assert model.perplexity(TEXT) == pytest.approx(np.exp(-model.score(TEXT)))
    assert model.bits_per_character(TEXT) == pytest.approx(model.surprisal(TEXT).mean())
    assert model.bits_per_character(TEXT) == pytest.approx(-model.score(TEXT) / np.log(2))
    of_next = dict(model.predict_next(TEXT[:-1], k=99))
    assert model.surprisal(TEXT)[-1] == pytest.approx(-np.log2(of_next[TEXT[-1]]), rel=1e-5)
    samples = model.score_samples(TEXTS)
    np.testing.assert_allclose(samples, [model.score_samples([text] if text else [text, "t"])[0] for text in TEXTS])


def test_predict_next():
    model = fitted()
    whole = model.predict_next("the", k=10**9)
    assert len(whole) == model.end_ + 1
    assert all(type(token) is str and type(probability) is float for token, probability in whole)
    for k in (1, 3):
        assert model.predict_next("the", k) == whole[:k]
    assert len(model.predict_next("the")) == 5
    assert model.predict_next() == model.predict_next("")
    assert model.predict_next(list("the"), k=3) == whole[:3]
    assert model.predict_next("€", k=1)[0][1] > 0  # an unknown character is read, too
    for k, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError), (True, TypeError)):
        with pytest.raises(error, match="k must be an integer >= 1"):
            model.predict_next("the", k=k)
    for text, error in ((b"the", TypeError), (None, ValueError), (3, TypeError), (["t", 3], TypeError)):
        with pytest.raises(error, match="text"):
            model.predict_next(text)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_stream_step_by_step(cell):
    """The bits of predict_next, and of a block at once; several texts side by side."""
    model = fitted(cell=cell, embedding_size=4)
    tokens = model.encoder_.encode(TEXT)
    stream = model.stream()
    assert [str(name) for name in stream.classes_] == [*model.encoder_.tokens_, ""]
    assert (stream.input_size, stream.output_size) == (model.end_ + 1, model.end_ + 1)
    steps = np.array([stream.step(token) for token in tokens])
    np.testing.assert_array_equal(model.stream().process(tokens), steps)
    order = np.argsort(-steps[-1], kind="stable")
    expected = [("" if k == model.end_ else model.encoder_.tokens_[k], float(steps[-1, k])) for k in order]
    assert model.predict_next(TEXT, k=99) == expected
    of_text = -np.log2(steps[np.arange(len(tokens) - 1), tokens[1:]])
    np.testing.assert_allclose(model.surprisal(TEXT)[1:], of_text, rtol=1e-4)
    both = model.stream(2)
    together = np.array([both.step([token, tokens[0]]) for token in tokens])
    np.testing.assert_array_equal(together[:, 0], steps)
    np.testing.assert_array_equal(together[0, 1], steps[0])
    stream.reset()
    stream.step(model.end_)
    np.testing.assert_array_equal(stream.step(tokens[0]), steps[0])
    for wrong, message in ((99, "from 0 to"), (-1, "from 0 to"), (1.5, "integers")):
        before = stream.state
        with pytest.raises((TypeError, ValueError), match=message):
            stream.step(wrong)
        np.testing.assert_array_equal(stream.state[0][0], before[0][0])
    with pytest.raises(ValueError, match="got 99 at sequence 1"):
        both.step([0, 99])


# ---- in pieces


@pytest.mark.parametrize("most", [1, 16, 40, 100, 999])
@pytest.mark.parametrize("of_several", [False, True], ids=["one text", "several"])
def test_pieces_are_the_whole(most, of_several, monkeypatch):
    """To the bit: the state is carried on, and a row's softmax is its own."""
    model = fitted(TEXTS * 3 if of_several else TEXT * 3)
    texts = [*TEXTS, TEXT, "", *TEXTS[:2], TEXT * 3]
    expected, one, surprisal = model.score_samples(texts), model.score(TEXT * 4), model.surprisal(TEXT)
    called = []
    run = likelihood._of_outputs
    monkeypatch.setattr(likelihood, "_of_outputs", lambda outputs, _: called.append(len(outputs)) or run(outputs, _))
    monkeypatch.setattr(likelihood, "MOST_OUTPUTS", most * (model.end_ + 1))
    np.testing.assert_array_equal(model.score_samples(texts), expected)
    assert max(called) <= most
    assert model.score(TEXT * 4) == one
    np.testing.assert_array_equal(model.surprisal(TEXT), surprisal)


@pytest.mark.long
def test_a_million_tokens(monkeypatch):
    """Of one text, scored with room for a few outputs at once."""
    text = (TEXT * 30_000)[:1_000_000]
    model = LSTMLanguageModel((4,), batch_size=500, max_iter=1, random_state=0).fit(text)
    assert model.n_updates_ == 40
    largest = 0
    run = likelihood._of_outputs

    def measured(outputs, targets):
        nonlocal largest
        largest = max(largest, outputs.size)
        return run(outputs, targets)

    monkeypatch.setattr(likelihood, "_of_outputs", measured)
    assert np.log(1 / 20) < model.score(text) < 0
    assert largest <= likelihood.MOST_OUTPUTS
    assert len(model.surprisal(text)) == 1_000_000


def test_other_threads_same_bits():
    model = fitted(TEXTS * 20)
    expected = model.score_samples(TEXTS * 20)
    np.testing.assert_array_equal(model.set_params(n_jobs=2).score_samples(TEXTS * 20), expected)
