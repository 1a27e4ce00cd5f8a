"""Several labels of a sequence at once: an indicator matrix as y of `LSTMClassifier`."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.utils import get_tags
from toys import sequences, weights

import pylstm
from pylstm import LossCurveDisplay, LSTMClassifier, LSTMTagger, SaliencyDisplay

X = sequences(80)
#: Sums above 0, sums far above 0, and long ones: none, one or several at once.
Y = np.array([[x[:, 0].sum() > 0, x[:, 0].sum() > 1, len(x) > 4] for x in X]).astype(int)


def small(**options):
    return LSTMClassifier(
        **{"hidden_layer_sizes": (6,), "max_iter": 5, "learning_rate_init": 0.02, "random_state": 0, **options}
    )


@pytest.fixture(scope="module")
def fitted():
    return small(max_iter=60).fit(X, Y)


def test_learns_labels_by_themselves(fitted):
    assert fitted.score(X, Y) == accuracy_score(Y, fitted.predict(X)) > 0.8
    assert fitted.classes_.tolist() == [0, 1, 2]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (80, 3)
    assert np.abs(probabilities.sum(axis=1) - 1).max() > 0.5
    np.testing.assert_array_equal(fitted.predict(X), probabilities > 0.5)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), probabilities, rtol=1e-5)
    extreme = copy.deepcopy(fitted)
    extreme._model.parameters()["bias_out"][...] = -1e4
    assert np.isfinite(extreme.predict_log_proba(X)).all()


def test_answers_have_the_form_of_the_perceptrons(fitted):
    flat = np.array([x[0] for x in X])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = MLPClassifier((2,), max_iter=1).fit(flat, Y)
    assert fitted.classes_.dtype == np.asarray(other.classes_).dtype
    for method in ("predict", "predict_proba", "predict_log_proba"):
        ours, theirs = getattr(fitted, method)(X), getattr(other, method)(flat)
        assert ours.shape == theirs.shape
        assert ours.dtype.kind == theirs.dtype.kind
    assert get_tags(fitted).classifier_tags.multi_label


@pytest.mark.parametrize(
    "form",
    [bool, float, np.ndarray.tolist, csr_array, pd.DataFrame, lambda y: [tuple(of_one) for of_one in y.tolist()]],
)
def test_forms_of_y(form):
    given = Y.astype(form) if form in (bool, float) else form(Y)
    one, two = small().fit(X, given), small().fit(X, Y)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert one.score(X, given) == two.score(X, Y)


def test_loss_and_weights():
    """The mean over sequences, by their weights, and labels."""
    sample_weight = np.random.default_rng(0).uniform(0, 2, len(X))
    still = {"max_iter": 1, "learning_rate_init": 1e-30, "alpha": 0.0, "noise": 0.0, "dtype": "float64"}
    model = small(**still).fit(X, Y, sample_weight)
    p = model.predict_proba(X)
    losses = -np.where(Y == 1, np.log(p), np.log(1 - p)).mean(axis=1)
    assert model.loss_ == pytest.approx(np.average(losses, weights=sample_weight))
    expected = accuracy_score(Y, model.predict(X), sample_weight=sample_weight)
    assert model.score(X, Y, sample_weight) == pytest.approx(expected)


def test_searches_and_early_stopping():
    assert cross_val_score(small(max_iter=30), X, Y, cv=3, scoring="roc_auc").mean() > 0.7
    model = small(early_stopping=True, validation_fraction=0.3, max_iter=30).fit(X, Y)
    assert 0 < model.best_validation_score_ <= 1
    assert roc_auc_score(Y, model.predict_proba(X)) > 0.7


def test_more_later(fitted):
    one = small().partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X[:20], Y[:20])
    assert one.predict(X).shape == (80, 3)
    before = weights(one)
    labels = Y[:, 0]
    for call in (
        lambda: one.partial_fit(X, labels),
        lambda: copy.deepcopy(fitted).set_params(warm_start=True).fit(X, labels),
    ):
        with pytest.raises(ValueError, match="y must be an indicator matrix, as before, got a label for each sequence"):
            call()
    with pytest.raises(ValueError, match="a column for each of classes_, which count from 0, got 2 columns"):
        one.partial_fit(X, Y[:, :2])
    with pytest.raises(ValueError, match=r"got 3 columns and classes_ \['a', 'b', 'c'\]"):
        small().partial_fit(X, Y, classes=["a", "b", "c"])
    for name, values in weights(one).items():
        np.testing.assert_array_equal(values, before[name])
    plain = small().fit(X, labels)
    with pytest.raises(ValueError, match="y must be a label for each sequence, as before, got an indicator matrix"):
        plain.partial_fit(X, Y)
    assert plain.fit(X, Y).predict(X).shape == (80, 3)
    assert plain.fit(X, labels).predict(X).shape == (80,)
    warm = small(warm_start=True).fit(X, Y)
    assert warm.fit(X, Y).n_iter_ == 10


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (Y * 2, {}, "y must hold 0 and 1 alone, in a column for each label, got 2"),
        (Y[:-1], {}, "y must have one row of labels for each of the 80 sequences of X, got 79"),
        (np.where(Y == 1, np.nan, 0), {}, "Input y contains NaN"),
        (Y + 2 * Y[:, :1], {}, "y should be a 1d array"),
        (Y, {"class_weight": "balanced"}, "class_weight must be None where y is an indicator matrix, got 'balanced'"),
        (Y, {"class_weight": {0: 2.0}}, "class_weight must be None where y is an indicator matrix"),
    ],
)
def test_refuses(y, options, message):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(X, y)


def test_what_may_be_labels_of_steps_is_warned_of():
    rng = np.random.default_rng(0)
    dense, y = rng.normal(size=(20, 4, 1)), rng.integers(0, 2, (20, 4))
    for given in (dense, list(dense), dense[:, :, 0]):
        with pytest.warns(UserWarning, match="y has a 0 or 1 for each of the 4 steps .* as 4 labels of each") as caught:
            model = small(max_iter=1).fit(given, y)
        assert [warning.filename for warning in caught if warning.category is UserWarning] == [__file__]
        assert model.predict(given).shape == (20, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        small(max_iter=1).fit(dense, y[:, :3])
    with pytest.raises(ValueError, match="one for each step, which LSTMTagger takes"):
        small().fit(dense, y * 2 + 3 * (y == 0) + np.arange(4))
    assert LSTMTagger((2,), max_iter=1).fit(dense, y).classes_.tolist() == [0, 1]


# ---- wherever models go


def test_files_and_pickles(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    skops.io.dump(fitted, tmp_path / "model.skops")
    for again in (
        pylstm.load(tmp_path / "model.safetensors"),
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
        skops.io.load(tmp_path / "model.skops", trusted=[f"pylstm._estimators.classifier.{LSTMClassifier.__name__}"]),
    ):
        np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        more = [copy.deepcopy(model).partial_fit(X, Y).predict_proba(X) for model in (again, fitted)]
        np.testing.assert_array_equal(*more)
        with pytest.raises(ValueError, match="y must be an indicator matrix, as before"):
            again.partial_fit(X, Y[:, 0])


def test_streams(fitted):
    stream = fitted.stream()
    for x in X[:5]:
        stream.reset()
        np.testing.assert_array_equal(stream.process(x)[-1], fitted.predict_proba([x])[0])
    assert stream.classes_.tolist() == [0, 1, 2]


def test_exported(fitted, tmp_path):
    pylstm.export_c(fitted, tmp_path / "several.c")
    text = (tmp_path / "several.c").read_text()
    assert "sigmoids_row_in_several(3, y)" in text
    exported = pylstm.export_c(fitted, tmp_path / "small.c", weights="int8", data=(X, Y))
    assert exported.score == fitted.score(X, Y)
    learns = pylstm.export_c(fitted, tmp_path / "learns.c", trainable="head", window=4)
    assert "sigmoid_row" in (tmp_path / "learns.c").read_text()
    assert learns.ram_bytes > 0


def test_displays(fitted):
    pytest.importorskip("matplotlib").use("agg")
    shown = SaliencyDisplay.from_estimator(fitted, X, target=2)
    assert shown.output == "log-odds of label 2"
    x = X[0].astype(np.float64)

    def logit(values):
        p = fitted.predict_proba([values])[0, 2].astype(np.float64)
        return np.log(p / (1 - p))

    step = 1e-2
    moved = [logit(x + sign * step * np.eye(len(x), 2)) for sign in (1, -1)]
    expected = (moved[0] - moved[1]) / (2 * step)
    assert (shown.gradients * np.eye(len(x), 2)).sum() == pytest.approx(expected, rel=0.05, abs=1e-3)
    assert LossCurveDisplay.from_estimator(fitted).loss_name == "cross-entropy"


def test_a_file_of_other_classes_is_refused(fitted, tmp_path):
    other = copy.deepcopy(fitted)
    other.classes_ = np.array([3, 4, 5])
    other.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="classes_ must count from 0 with the loss 'sigmoid', got"):
        pylstm.load(tmp_path / "model.safetensors")


def test_what_is_said_where_nothing_was_learnt():
    y = np.random.default_rng(0).integers(0, 2, (80, 2))
    with pytest.warns(ConvergenceWarning, match=r"that of always answering \[\d, \d\] is 0\.") as caught:
        small(max_iter=2, learning_rate_init=1e-6).fit(X, y)
    assert "class_weight" not in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(max_iter=60, learning_rate="cosine").fit(X, Y)


def test_validation_data_of_ones_own():
    model = small(max_iter=30).fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:])
    assert model.best_validation_score_ == model.score(X[60:], Y[60:])
    with pytest.raises(ValueError, match="y must be an indicator matrix, as before, got a label for each sequence"):
        small().fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:, 0])
