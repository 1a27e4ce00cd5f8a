"""A `Pipeline` of `TokenEncoder` and an estimator, as a model: streams that take texts, and files."""

import json
import pickle

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMLanguageModel, LSTMTagger
from pylstm._devices.blob import blob_of
from pylstm._net.describe import describe
from pylstm.preprocessing import PerStep, TokenEncoder

TEXTS = ["I like tea, and so do you!", "do you like pizza?", "tea and pizza", "I am \N{GRINNING FACE}"]
LABELS = ["yes", "no", "yes", "no"]
FIT = {"max_iter": 2, "random_state": 0}


def fitted(encoder=None, **options):
    options = {"embedding_size": 3, **FIT, **options}
    return make_pipeline(encoder or TokenEncoder(), LSTMClassifier((4,), **options)).fit(TEXTS, LABELS)


# ---- streams


def test_a_stream_takes_tokens_and_their_texts():
    pipeline = fitted()
    words = ["do", "you", "know", "tea", "?"]
    numbers = pipeline[0].encode("do you know tea?")
    assert numbers[2] == 0
    expected = pylstm.stream(pipeline).process(numbers)
    for given in (words, tuple(words), np.array(words), np.array(words, object), [1, "you"]):
        stream = pylstm.stream(pipeline)
        first = numbers if len(given) == 5 else [1, numbers[1]]
        np.testing.assert_array_equal(stream.process(given), pylstm.stream(pipeline).process(first))
    stream = pylstm.stream(pipeline)
    steps = [stream.step(word) for word in words]
    np.testing.assert_array_equal(steps, expected)
    np.testing.assert_array_equal(steps[-1], pipeline.predict_proba(["do you know tea?"])[0])
    assert stream.classes_.tolist() == ["no", "yes"]


def test_streams_side_by_side():
    two, pipeline = pylstm.stream(fitted(), 2), fitted()
    got = two.process([["I", "like"], ["tea", "pizza"]])
    two.reset()
    np.testing.assert_array_equal([two.step(["I", "tea"]), two.step(["like", "pizza"])], got.swapaxes(0, 1))
    np.testing.assert_array_equal(got[1], pylstm.stream(pipeline).process(["tea", "pizza"]))
    for wrong in (["I"], "I", [["I", "tea"]]):
        with pytest.raises(ValueError, match="x must have shape"):
            two.step(wrong)


def test_a_pickled_stream_knows_the_texts():
    stream = pylstm.stream(fitted())
    stream.step("tea")
    as_array = pickle.loads(pickle.dumps(stream)).step(np.array("pizza"))
    np.testing.assert_array_equal(as_array, pickle.loads(pickle.dumps(stream)).step("pizza"))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stream)).step("pizza"), stream.step("pizza"))


def test_set_model_brings_its_own_texts():
    pipeline = fitted()
    other = fitted(TokenEncoder(vocabulary=pipeline[0].tokens_[:0:-1].tolist()))
    stream = pylstm.stream(pipeline)
    stream.set_model(other)
    np.testing.assert_array_equal(stream.step("pizza"), pylstm.stream(other).step("pizza"))


def test_a_language_model():
    model = LSTMLanguageModel((4,), batch_size=2, **FIT).fit(["ab\0", "ba"] * 5)
    by_text, by_number = model.stream(), model.stream()
    for character in ("a", "\0", "x", "b", ""):
        number = model.end_ if not character else int(model.encoder_.encode(character)[0])
        np.testing.assert_array_equal(by_text.step(character), by_number.step(number))
    assert by_text.classes_[-1] == ""


def test_texts_where_none_are_known():
    tagger = LSTMTagger((3,), embedding_size=2, **FIT).fit([[0, 1], [1, 0]], [[0, 1], [1, 0]])
    with pytest.raises(TypeError, match=r"x must hold tokens, integers from 0 to 1, got .*TokenEncoder first"):
        pylstm.stream(tagger).step("tea")


def test_what_describes_it():
    pipeline = fitted(vocabulary_size=40)
    described = describe(pipeline)
    assert described.tokens.tolist() == pipeline[0].tokens_.tolist()
    assert described.spec.input_size == 40
    assert described.estimator is pipeline[1]
    assert described.drawn is None
    assert len(blob_of(pipeline)) > 0


# ---- what is refused


def test_pipelines_that_are_no_models():
    language_model = LSTMLanguageModel((4,), batch_size=2, **FIT).fit("abc" * 5)
    encoder, values = TokenEncoder().fit(TEXTS), LSTMClassifier((4,), **FIT).fit(np.ones((4, 3, 2)), LABELS)
    for estimator, name in ((language_model, "LSTMLanguageModel"), (values, "LSTMClassifier")):
        with pytest.raises(ValueError, match=f"after a TokenEncoder must read tokens, with .*, got {name}"):
            pylstm.stream(make_pipeline(encoder, estimator))
    with pytest.raises(NotFittedError):
        pylstm.stream(make_pipeline(TokenEncoder(), fitted()[1]))
    with pytest.raises(TypeError, match=r"PerStep\(StandardScaler\(\)\) or TokenEncoder and an estimator"):
        pylstm.stream(make_pipeline(TokenEncoder(), PerStep(StandardScaler()), values))


def test_an_estimator_that_knows_fewer_tokens():
    encoder = TokenEncoder(vocabulary=["I", "tea", "you", "coffee"])
    with pytest.raises(ValueError, match=r"must know the 5 tokens of the encoder, got one of 4: .*vocabulary_size=5"):
        pylstm.stream(fitted(encoder))
    assert pylstm.stream(fitted(encoder, vocabulary_size=5)).input_size == 5


# ---- files

ENCODERS = {
    "words": TokenEncoder(lowercase=True, min_frequency=2),
    "characters": TokenEncoder(analyzer="char", max_features=9),
    "pattern": TokenEncoder(token_pattern="[a-z]+"),
    "list": TokenEncoder(vocabulary=np.array(["tea", "pizza"], object)),
    "dict": TokenEncoder(vocabulary={"tea": 2, "pizza": 1}),
}


@pytest.mark.parametrize("which", ENCODERS)
def test_saved_and_loaded(which, tmp_path):
    pipeline = fitted(ENCODERS[which])
    pylstm.save(pipeline, tmp_path / "model")
    loaded = pylstm.load(tmp_path / "model")
    assert [type(step) for step in loaded] == [TokenEncoder, LSTMClassifier]
    assert [name for name, _ in loaded.steps] == ["tokenencoder", "lstmclassifier"]
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), pipeline.predict_proba(TEXTS))
    assert loaded[0].vocabulary_ == pipeline[0].vocabulary_
    assert loaded[0].tokens_.tolist() == pipeline[0].tokens_.tolist()
    expected = pipeline[0].get_params() | ({"vocabulary": ("tea", "pizza")} if which == "list" else {})
    assert loaded[0].get_params() == expected
    loaded.fit(TEXTS, LABELS)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), pipeline.predict_proba(TEXTS))


def test_fitted_on_lists(tmp_path):
    texts = [["x", "y z"], ["y z"], ["x"], ["x", "\ud800"]]
    pipeline = make_pipeline(TokenEncoder(), LSTMClassifier((4,), embedding_size=2, **FIT)).fit(texts, LABELS)
    pylstm.save(pipeline, tmp_path / "model")
    loaded = pylstm.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(texts), pipeline.predict_proba(texts))
    with pytest.raises(TypeError, match="must be a list of tokens, as in fit, got a text"):
        loaded.predict(["x"])


def test_what_no_file_holds(tmp_path):
    with pytest.raises(
        ValueError, match=r"analyzer must consist of .* to be saved, got .*: set_params\(analyzer=...\)"
    ):
        pylstm.save(fitted(TokenEncoder(analyzer=str.split)), tmp_path / "model")
    encoder = TokenEncoder().fit(TEXTS)
    for estimator in (LSTMForecaster(), LSTMLanguageModel((4,), batch_size=2, **FIT).fit("abc" * 5)):
        with pytest.raises(
            TypeError, match=r"model must be one of .*, or a Pipeline of .* TokenEncoder and one of them"
        ):
            pylstm.save(make_pipeline(encoder, estimator), tmp_path / "model")
    with pytest.raises(NotFittedError):
        pylstm.save(make_pipeline(TokenEncoder(), fitted()[1]), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def edited(path, edit):
    """Write a file again whose JSON, and arrays, a function changed."""
    with safe_open(path, "np") as file:
        document = json.loads(file.metadata()["pylstm"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it has no other way)
    edit(document, arrays)
    save_file(arrays, path, {"pylstm": json.dumps(document)})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d, _: d["pipeline"].update(scaler={}), "no more keys"),
        (lambda d, _: d["pipeline"].update(encoder=[]), "encoder must be an object"),
        (lambda d, _: d["pipeline"]["encoder"]["parameters"].update(analyzer="x"), "'analyzer' parameter"),
        (lambda d, _: d["pipeline"]["encoder"]["parameters"].update(memory=1), "no more keys"),
        (lambda d, _: d["pipeline"]["encoder"]["state"].update(fitted_on_lists=3), "fitted_on_lists must be true or f"),
        (lambda d, _: d["pipeline"]["encoder"].update(more=1), "no more keys"),
        (lambda _, a: a.pop("tokens"), "tokens must be an array .* missing"),
        (lambda _, a: a.update(token_lengths=a["token_lengths"] + 1), "token_lengths must add up"),
        (lambda _, a: a.update(tokens=a["tokens"] | 2**31), "code points of at most"),
    ],
)
def test_hostile_files(edit, message, tmp_path):
    path = tmp_path / "model"
    pylstm.save(fitted(), path)
    edited(path, edit)
    with pytest.raises(ValueError, match=message):
        pylstm.load(path)


def test_an_encoder_before_what_reads_values(tmp_path):
    X = np.ones((4, 3, 2))
    scaled = make_pipeline(PerStep(StandardScaler()), LSTMClassifier((4,), **FIT)).fit(X, LABELS)
    pylstm.save(scaled, tmp_path / "values")
    pylstm.save(fitted(), tmp_path / "tokens")
    with safe_open(tmp_path / "tokens", "np") as file:
        pipeline = json.loads(file.metadata()["pylstm"])["pipeline"]
    edited(tmp_path / "values", lambda document, _: document.update(pipeline=pipeline))
    with pytest.raises(ValueError, match="encoder must come before an estimator that reads tokens"):
        pylstm.load(tmp_path / "values")
