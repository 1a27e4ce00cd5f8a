"""Estimators that read tokens, by `embedding_size`: forms, the unknown token, what goes on, what is kept."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, outputs, weights

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm.preprocessing import TokenEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EMBEDDINGS = ["one-hot", 3]
TEXTS = ["I like tea", "you like rum", "I drink", "rum"] * 4


def make(cls, embedding_size=3, **keywords):
    return cls((5,), embedding_size=embedding_size, **{"max_iter": 3, "random_state": 0} | keywords)


def tokens(n_sequences=24, n_tokens=9, seed=0):
    """Sequences of 1 to 6 tokens from 1 on, of which the last is there."""
    rng = np.random.default_rng(seed)
    X = [rng.integers(1, n_tokens, rng.integers(1, 7)) for _ in range(n_sequences)]
    X[0][0] = n_tokens - 1
    return X


def targets(cls, X):
    """Whether tokens are large, or how large."""
    names = np.array(["small", "large"])
    return {
        LSTMClassifier: lambda: np.array([names[int(x[0] > 4)] for x in X]),
        LSTMRegressor: lambda: np.array([float(sum(x)) for x in X]),
        LSTMTagger: lambda: [names[(np.asarray(x) > 4).astype(int)] for x in X],
        LSTMSequenceRegressor: lambda: [np.cumsum(x).astype(float) for x in X],
    }[cls]()


def assert_equal_models(one, two):
    assert one._model.spec == two._model.spec
    assert (one._n_tokens, one._met.tolist(), one.n_features_in_) == (two._n_tokens, two._met.tolist(), 1)
    expected = weights(two)
    for name, values in weights(one).items():
        np.testing.assert_array_equal(values, expected[name])


# ---- forms


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda X: [x.tolist() for x in X],
        lambda X: np.fromiter(X, object, len(X)),
        lambda X: pd.Series([x.tolist() for x in X]),
        lambda X: [x.astype(np.uint8) for x in X],
        lambda X: [x.astype(object) for x in X],
    ],
)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_forms(cls, form):
    X = tokens()
    y = targets(cls, X)
    expected = make(cls).fit(X, y)
    model = make(cls).fit(form(X), y)
    assert_equal_models(model, expected)
    assert (model.n_features_in_, model._fitted_on_2d, hasattr(model, "feature_names_in_")) == (1, False, False)
    np.testing.assert_array_equal(outputs(model, form(X)), outputs(expected, X))
    assert isinstance(model.predict(form(X)), np.ndarray) or cls in PER_STEP


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_equal_lengths(cls, embedding_size):
    """A table, lists, an object array, a DataFrame: all the same; then tokens of any length."""
    table = np.random.default_rng(0).integers(1, 9, (12, 4))
    y = targets(cls, table)
    expected = make(cls, embedding_size).fit(list(table), y)
    frame = pd.DataFrame(table, columns=list("abcd"))
    for X in (table, table.tolist(), table.astype(object), table.astype(np.uint16)[:, ::1], frame):
        model = make(cls, embedding_size).fit(X, y)
        assert_equal_models(model, expected)
        assert not hasattr(model, "feature_names_in_")
        np.testing.assert_array_equal(outputs(model, X), outputs(expected, list(table)))
        np.testing.assert_array_equal(outputs(model, [[1], [2, 3, 4, 5, 6]]), outputs(expected, [[1], [2, 3, 4, 5, 6]]))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_sequence(cls):
    x = np.array([3, 1, 2])
    y = targets(cls, [x])
    if cls in CLASSIFIERS and cls not in PER_STEP:
        pytest.skip("a classifier has two classes")
    model = make(cls).fit(x, y)
    assert_equal_models(model, make(cls).fit([x], y))
    np.testing.assert_array_equal(outputs(model, x), outputs(model, [x]))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_hot_is_an_array_of_zeros_and_ones(cls):
    """Without scaling, bit for bit."""
    X = tokens()
    y = targets(cls, X)
    options = {"standardize": False, "dropout": 0.2, "noise": 0.0}
    model = make(cls, "one-hot", **options).fit(X, y)
    arrays = make(cls, None, **options).fit([np.eye(9)[x] for x in X], y)
    name = "weight_ih_l0"
    got, expected = weights(model), weights(arrays)
    np.testing.assert_array_equal(got[name][:, 1:], expected[name][:, 1:])
    for other in got.keys() - {name}:
        np.testing.assert_array_equal(got[other], expected[other])
    np.testing.assert_array_equal(outputs(model, X), outputs(arrays, [np.eye(9)[x] for x in X]))


# ---- errors


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[1, 2], [3, -1]], ValueError, r"X\[1\] must hold tokens from 0 to \d+, got -1 at step 1"),
        ([[1.0, 2], [3]], TypeError, r"X\[0\] must hold tokens, integers from 0"),
        (np.ones((2, 3)), TypeError, "X must hold tokens, .* float64"),
        (["ab", "c"], TypeError, "TokenEncoder first"),
        ([["a", "b"], ["c"]], TypeError, "TokenEncoder first"),
        (None, TypeError, "X must be an array or a list, got None"),
        ([None, None], TypeError, "X must hold tokens"),
        (np.ones((2, 3, 1), int), ValueError, "got 3-D"),
        ([[[1, 2], [3]], [[1]]], ValueError, r"X\[0\] must be an array of tokens"),
        ([], ValueError, "X must hold at least one sequence"),
        (np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]]), ValueError, "masked"),
    ],
)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_what_are_no_tokens(cls, X, error, message):
    good = tokens()
    y = targets(cls, [[1, 2], [5]])
    with pytest.raises(error, match=message):
        make(cls).fit(X, y)
    model = make(cls).fit(good, targets(cls, good))
    before, expected = vars(model).copy(), outputs(model, good)
    for call in (
        lambda: model.fit(X, y),
        lambda: model.predict(X),
        lambda: model.partial_fit(X, y),
        lambda: model.trace(X),
    ):
        with pytest.raises(error, match=message):
            call()
    assert vars(model) == before
    np.testing.assert_array_equal(outputs(model, good), expected)


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_tokens_of_another_encoder(cls, embedding_size):
    X = tokens()
    model = make(cls, embedding_size).fit(X, targets(cls, X))
    for call in (model.predict, model.trace):
        with pytest.raises(ValueError, match=r"X\[1\] must hold tokens from 0 to 8, got 9 at step 2"):
            call([[1], [1, 2, 9]])
        with pytest.raises(ValueError, match="X must hold tokens from 0 to 8, got 9 at sequence 1, step 0"):
            call(np.array([[1, 2], [9, 1]]))
    with pytest.raises(ValueError, match=r"of X_val.*: X\[0\] must hold tokens from 0 to 8, got 9 at step 0"):
        make(cls).fit(X, targets(cls, X), X_val=[[9]], y_val=targets(cls, [[9]]))


@pytest.mark.parametrize(
    "options",
    [{"embedding_size": 0}, {"embedding_size": "onehot"}, {"embedding_size": True}, {"embedding_size": 2.0},
     {"vocabulary_size": 0}, {"vocabulary_size": 2**31}, {"vocabulary_size": "auto"},
     {"embedding_init": "zeros"}, {"freeze_embedding": "yes"}],
    ids=str,
)  # fmt: skip
def test_hyperparameters_that_are_refused(options):
    X = tokens()
    with pytest.raises(ValueError, match=f"The '{next(iter(options))}' parameter of LSTMClassifier must be"):
        make(LSTMClassifier, **{"embedding_size": 3} | options).fit(X, targets(LSTMClassifier, X))


@pytest.mark.parametrize("cls", PER_STEP)
def test_empty_sequences_have_no_steps_to_answer(cls):
    X = tokens()
    model = make(cls).fit(X, targets(cls, X))
    with pytest.raises(ValueError, match=r"X\[1\] must have at least one step, got none"):
        model.predict([[1], []])
    with pytest.raises(ValueError, match=r"X\[0\] must have at least one step, got none"):
        make(cls).fit([[], [1]], targets(cls, [[], [1]]))


# ---- the unknown token


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"pooling": "mean"}, {"dtype": "float64"}], ids=str)
@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
def test_unknown_is_the_mean_of_those_met(embedding_size, options):
    X = [[1, 2], [5, 2], [1], [5, 5, 1]] * 3
    model = make(LSTMClassifier, embedding_size, vocabulary_size=9, **options).fit(X, targets(LSTMClassifier, X))
    assert np.flatnonzero(model._met).tolist() == [1, 2, 5]
    found = weights(model)
    tables = [values.T for name, values in found.items() if name.startswith("weight_ih_l0")]
    for table in tables if embedding_size == "one-hot" else [found["embedding"]]:
        np.testing.assert_allclose(table[0], table[[1, 2, 5]].mean(axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(model.predict_proba([[]]), model.predict_proba([[0]]))
    np.testing.assert_array_equal(model.predict_proba([[1], []])[1:], model.predict_proba([[0]]))


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_unknown_tokens_of_validation_data_are_scored_as_the_fitted_model_reads_them(cls, embedding_size):
    X = tokens()
    X_val = [np.append(x, 0) for x in X]
    y, y_val = targets(cls, X), targets(cls, X_val)
    estimator = make(cls, embedding_size, learning_rate_init=0.1, max_iter=6).fit(X, y, X_val=X_val, y_val=y_val)
    assert estimator.best_validation_score_ == pytest.approx(estimator.score(X_val, y_val), rel=1e-5)


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
def test_unknown_that_was_met_is_learnt(embedding_size):
    """An empty sequence of a list is one that has it."""
    X = [[1, 2], [5, 2], [], [5, 5, 1]] * 3
    y = np.array(["b", "b", "a", "b"] * 3)
    model = make(LSTMClassifier, embedding_size, max_iter=80, learning_rate_init=0.05).fit(X, y)
    assert model._met[0]
    assert model.predict([[], [0], [5, 2]]).tolist() == ["a", "a", "b"]
    again = make(LSTMClassifier, embedding_size, max_iter=80, learning_rate_init=0.05)
    assert_equal_models(model, again.fit([x or [0] for x in X], y))


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_unknown_after_several_calls(cls, embedding_size):
    """Stands for all that was met, not for what the last call had; once it is met, it is learnt."""
    model = make(cls, embedding_size, vocabulary_size=9)
    classes = {"classes": ["large", "small"]} if cls in CLASSIFIERS else {}
    for X in ([[1, 2], [7]], [[3, 7], [1]], [[2, 2]]):
        model.partial_fit(X, targets(cls, X), **classes)
    found = weights(model)
    table = found["weight_ih_l0"].T if embedding_size == "one-hot" else found["embedding"]
    np.testing.assert_allclose(table[0], table[[1, 2, 3, 7]].mean(axis=0), rtol=1e-5, atol=1e-7)
    model.partial_fit([[0]], targets(cls, [[0]]))
    model.partial_fit([[2, 2]], targets(cls, [[2, 2]]))
    after = weights(model)
    table = after["weight_ih_l0"].T if embedding_size == "one-hot" else after["embedding"]
    assert not np.allclose(table[0], table[[1, 2, 3, 7]].mean(axis=0), rtol=1e-5)


# ---- vectors from elsewhere


def vectors(n_tokens=9, size=3):
    return np.random.default_rng(1).standard_normal((n_tokens, size))


@pytest.mark.parametrize("form", [np.array, np.ndarray.tolist, pd.DataFrame, np.asfortranarray, np.float16])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_frozen_vectors_stay_and_the_rest_is_learnt(cls, form):
    X = tokens()
    y, given = targets(cls, X), form(vectors())
    model = make(cls, embedding_init=given, freeze_embedding=True).fit(X, y)
    np.testing.assert_array_equal(weights(model)["embedding"], np.array(given, np.float32))
    first = make(cls, embedding_init=given, freeze_embedding=True, max_iter=1).fit(X, y)
    assert not np.array_equal(weights(first)["weight_ih_l0"], weights(model)["weight_ih_l0"])
    assert_equal_models(clone(model).fit(X, y), model)
    classes = {"classes": ["large", "small"]} if cls in CLASSIFIERS else {}
    part = make(cls, embedding_init=given, freeze_embedding=True).partial_fit(X, y, **classes)
    part.partial_fit(X, y)
    np.testing.assert_array_equal(weights(part)["embedding"], np.array(given, np.float32))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_given_vectors_are_where_training_starts(cls):
    """Tokens that it does not meet keep theirs, the unknown one too: they are known from elsewhere."""
    X = [[1, 2], [5, 2], [1], [5, 5, 1]] * 3
    model = make(cls, embedding_init=vectors()).fit(X, targets(cls, X))
    table, given = weights(model)["embedding"], vectors().astype(np.float32)
    met = [1, 2, 5]
    np.testing.assert_array_equal(np.delete(table, met, axis=0), np.delete(given, met, axis=0))
    assert (table[met] != given[met]).any(axis=1).all()
    assert np.abs(table[met] - given[met]).max() < 0.5
    with pytest.raises(ValueError, match="must hold tokens from 0 to 8, got 9 at step 1"):
        make(cls, embedding_init=vectors()).fit([[1, 9]], targets(cls, [[1, 9]]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_are_what_a_model_of_values_reads(dtype):
    X = tokens()
    y, table = targets(LSTMClassifier, X), vectors()
    model = make(LSTMClassifier, embedding_init=table, freeze_embedding=True, dtype=dtype).fit(X, y)
    values = [table.astype(dtype)[x] for x in X]
    other = make(LSTMClassifier, None, dtype=dtype, standardize=False).fit(values, y)
    for name, own in other._model.parameters().items():
        own[...] = weights(model)[name]
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(values))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_frozen_first_then_learnt(cls):
    X = tokens()
    model = make(cls, embedding_init=vectors(), freeze_embedding=True, warm_start=True).fit(X, targets(cls, X))
    before = {name: values.copy() for name, values in weights(model).items()}
    model.set_params(freeze_embedding=False, max_iter=1).fit(X, targets(cls, X))
    assert model.n_iter_ == 4
    assert (weights(model)["embedding"] != before["embedding"]).any()
    assert np.abs(weights(model)["weight_hh_l0"] - before["weight_hh_l0"]).max() < 0.1


def test_frozen_table_without_vectors_is_the_one_that_was_drawn():
    X = [[1, 2], [2, 1]] * 4
    y = targets(LSTMRegressor, X)
    one, three = (make(LSTMRegressor, freeze_embedding=True, max_iter=n).fit(X, y) for n in (1, 3))
    np.testing.assert_array_equal(weights(one)["embedding"], weights(three)["embedding"])


FROZEN_ALONE = {"embedding_init": None, "freeze_embedding": True}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_size": None}, "embedding_init needs an integer as embedding_size, got None"),
        ({"embedding_size": "one-hot"}, "embedding_init needs an integer as embedding_size, got 'one-hot'"),
        ({"embedding_size": None} | FROZEN_ALONE, "freeze_embedding=True needs an integer as embedding_size, got None"),
        ({"embedding_size": "one-hot"} | FROZEN_ALONE, "freeze_embedding=True needs an integer"),
        ({"embedding_size": 4}, r"shape \(n_tokens, embedding_size\) = \(9, 4\), got \(9, 3\)"),
        ({"vocabulary_size": 10}, r"shape \(vocabulary_size, embedding_size\) = \(10, 3\), got \(9, 3\)"),
        ({"embedding_init": vectors()[0]}, "Expected 2D array, got 1D"),
        ({"embedding_init": vectors() * np.nan}, "embedding_init contains NaN"),
        ({"embedding_init": vectors()[:0]}, "0 sample"),
        ({"embedding_init": [["a", "b", "c"]]}, "could not convert string to float"),
    ],
    ids=str,
)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_vectors_that_are_refused(cls, options, message):
    X = tokens()
    y = targets(cls, X)
    model = make(cls, **{"embedding_init": vectors()} | options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_vectors_in_files_and_pickles(cls, tmp_path):
    """A file has the table, which goes on as it was; a pickle the vectors as well."""
    X = tokens()
    y = targets(cls, X)
    model = make(cls, embedding_init=vectors(), freeze_embedding=True, warm_start=True).fit(X, y)
    with pytest.warns(UserWarning, match="embedding_init is not kept in the file"):
        model.save(tmp_path / "model.safetensors")
    loaded, copied = pylstm.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))
    assert loaded.embedding_init is None
    assert loaded.freeze_embedding
    np.testing.assert_array_equal(copied.embedding_init, vectors())
    for other in (loaded, copied):
        assert_equal_models(other, model)
        assert_equal_models(other.partial_fit(X, y), copy.deepcopy(model).partial_fit(X, y))
        np.testing.assert_array_equal(weights(other)["embedding"], weights(model)["embedding"])


def test_vectors_of_words(tmp_path):
    """Words that only the vectors know are told apart."""
    known = {"good": [1.0, 0.0], "great": [0.9, 0.1], "bad": [-1.0, 0.0], "awful": [-0.9, -0.1], "film": [0.0, 1.0]}
    texts = ["good film", "bad film", "film good", "film bad"] * 4
    encoder = TokenEncoder(vocabulary=list(known))
    classifier = LSTMClassifier(
        (8,),
        embedding_size=2,
        embedding_init=np.vstack([np.zeros(2), *known.values()]),
        freeze_embedding=True,
        max_iter=40,
        random_state=0,
    )
    pipeline = make_pipeline(encoder, classifier).fit(texts, ["up", "down"] * 8)
    assert pipeline.predict(["great film", "awful film", "film great"]).tolist() == ["up", "down", "up"]
    stream = pylstm.stream(pipeline)
    steps = [stream.step(word) for word in ("film", "great")]
    np.testing.assert_array_equal(steps[-1], pipeline.predict_proba(["film great"])[0])
    pylstm.export_c(pipeline, tmp_path / "film.c", trainable=True, window=4)


# ---- how it goes on


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_vocabulary_size(cls):
    X = tokens()
    y = targets(cls, X)
    assert make(cls).fit(X, y)._model.spec.input_size == 9
    assert make(cls, vocabulary_size=50).fit(X, y)._model.spec.input_size == 50
    with pytest.raises(ValueError, match="must hold tokens from 0 to 4, got"):
        make(cls, vocabulary_size=5).fit(X, y)
    classes = {"classes": ["large", "small"]} if cls in CLASSIFIERS else {}
    part = make(cls, vocabulary_size=9).partial_fit(X[1:5], y[1:5], **classes)
    part.partial_fit(X, y)
    assert part._model.spec.input_size == 9
    few = [[1, 2]]
    small = make(cls).partial_fit(few, targets(cls, few), **classes)
    with pytest.raises(ValueError, match="must hold tokens from 0 to 2, got"):
        small.partial_fit(X, y)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_early_stopping(cls):
    X = tokens(60)
    y = targets(cls, X)
    held = make(cls, early_stopping=True, vocabulary_size=9).fit(X, y)
    given = make(cls).fit(X, y, X_val=X[:9], y_val=y[:9])
    for model in (held, given):
        assert len(model.validation_scores_) == 3
    if cls in CLASSIFIERS:
        assert given.best_validation_score_ == pytest.approx(given.score(X[:9], y[:9]))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_warm_start(cls):
    X = tokens()
    y = targets(cls, X)
    model = make(cls, "one-hot", warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ == 6
    expected = outputs(model, X)
    for size, message in ((None, "embedding_size must stay what"), (3, "embedding_size must stay what")):
        with pytest.raises(ValueError, match=message):
            model.set_params(embedding_size=size).fit(X, y)
    np.testing.assert_array_equal(outputs(model, X), expected)  # it goes by what was fitted
    model.set_params(embedding_size=None).partial_fit(X, y)
    values = make(cls, None, warm_start=True).fit([np.ones((len(x), 1)) for x in X], y)
    with pytest.raises(ValueError, match="it read values, now it is 3"):
        values.set_params(embedding_size=3).fit([np.ones((len(x), 1)) for x in X], y)


def test_values_after_tokens_after_values():
    """Each fit anew."""
    model = make(LSTMClassifier)
    X = tokens()
    y = targets(LSTMClassifier, X)
    frame = pd.DataFrame({f"t{k}": np.linspace(0, 1, 24) for k in range(4)})
    for _ in range(2):
        model.set_params(embedding_size=3).fit(X, y)
        assert (model.n_features_in_, hasattr(model, "feature_names_in_")) == (1, False)
        model.set_params(embedding_size=None).fit(frame, y)
        assert (model.n_features_in_, model._n_tokens) == (4, None)
        assert list(model.feature_names_in_) == list(frame.columns)


def test_a_loss_of_ones_own():
    X = tokens()
    y = targets(LSTMRegressor, X)

    def half_squares(targets, outputs, weights):
        residuals = outputs - targets
        share = weights[:, None] / weights.sum()
        return (share * residuals**2 / 2).sum(), share * residuals

    expected = make(LSTMRegressor, normalize_y=False, dtype="float64").fit(X, y)
    model = make(LSTMRegressor, normalize_y=False, dtype="float64", loss=half_squares).fit(X, y)
    np.testing.assert_allclose(outputs(model, X), outputs(expected, X), rtol=1e-6)


# ---- what is kept


@pytest.mark.parametrize("embedding_size", EMBEDDINGS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_kept(cls, embedding_size, tmp_path):
    X = tokens()
    y = targets(cls, X)
    model = make(cls, embedding_size, vocabulary_size=12).fit(X, y)
    model.save(tmp_path / "model")
    for twin in (pylstm.load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_equal_models(twin, model)
        np.testing.assert_array_equal(outputs(twin, X), outputs(model, X))
        assert twin.get_params()["embedding_size"] == embedding_size
        before = weights(twin)
        twin.partial_fit(X, y)
        assert_equal_models(twin, copy.deepcopy(model).partial_fit(X, y))
        assert any((before[name] != values).any() for name, values in weights(twin).items())
    unfitted = clone(model)
    assert unfitted.get_params() == model.get_params()
    assert_equal_models(unfitted.fit(X, y), model)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_streamed(cls):
    X = tokens()
    model = make(cls).fit(X, targets(cls, X))
    predict = model.predict_proba if cls in CLASSIFIERS else model.predict
    last = np.reshape(predict([X[3]])[0], -1)
    streamed = model.stream().process(X[3])[-1]
    np.testing.assert_allclose(streamed, last[-len(streamed) :], rtol=1e-6)
    stream = model.stream()
    np.testing.assert_array_equal([stream.step(token) for token in X[3]], model.stream().process(X[3]))


# ---- in pipelines and searches


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_pipeline(analyzer):
    y = ["a", "b", "a", "b"] * 4
    model = make_pipeline(TokenEncoder(analyzer=analyzer), make(LSTMClassifier, max_iter=60, learning_rate_init=0.03))
    model.fit(TEXTS, y)
    assert model.score(TEXTS, y) == 1
    assert model.predict(["", "quite another text"]).shape == (2,)
    assert model[-1]._model.spec.input_size == len(model[0].tokens_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(TEXTS), model.predict_proba(TEXTS))
    scores = cross_val_score(clone(model), TEXTS, y, cv=2)
    assert scores.tolist() == [1, 1]
    search = GridSearchCV(model, {"lstmclassifier__embedding_size": ["one-hot", 4]}, cv=2).fit(TEXTS, y)
    assert search.best_score_ == 1


def test_pipeline_with_less_in_a_fold():
    """A vocabulary of the fold: what stands in the other alone is unknown."""
    texts = [f"{word} {k}" for k in range(6) for word in ("yes", "no")]
    model = make_pipeline(TokenEncoder(), make(LSTMClassifier, max_iter=80, learning_rate_init=0.03))
    assert cross_val_score(model, texts, ["y", "n"] * 6, cv=3).min() > 0.7
