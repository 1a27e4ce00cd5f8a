"""The warning of a fit that learnt nothing, or was still learning when it ended; and of no other."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, as_it_comes, flat, toy

from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm._estimators.learnt import _falling

every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)
REGRESSORS = [LSTMRegressor, LSTMSequenceRegressor]


def said(model, *data, **given):
    """Fit a model; return the texts of all warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data, **given)
    return [str(each.message) for each in caught]


def small(cls, **options):
    plain = {"learning_rate": "constant", "learning_rate_init": 0.01, "forget_bias": 1.0}
    own = {} if cls is LSTMForecaster else {**as_it_comes(cls), **plain}
    return cls(**{"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0, **own, **options})


def noise(cls, seed=1):
    """Return X that says nothing of y, and y."""
    X, y = toy(cls)
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(x.shape) for x in X], y


# ---- nothing was learnt


@every_estimator
@pytest.mark.parametrize("options", [{"max_iter": 1}, {"max_iter": 20}, {"learning_rate": "cosine"}], ids=str)
def test_where_x_says_nothing(cls, options):
    X, y = toy(cls)
    (text,) = said(small(cls, **options), [np.zeros_like(x) for x in X], y)
    if cls in CLASSIFIERS:
        share = np.mean(flat(y) == "down")
        share, label = max((share, "down"), (1 - share, "up"))
        figures = f"accuracy on the training data is {share:.3g}, that of always answering '{label}' is {share:.3g}."
        assert figures in text
        assert "class_weight" in text
    else:
        assert "R² on the training data is " in text
        assert "that of always answering the mean is " in text
        assert "normalize_y=True" in text
    assert "standardize=True" in text
    assert text.startswith("nothing was learnt: ")
    assert f"another learning_rate_init (0.01), more epochs (max_iter={options.get('max_iter', 5)})" in text
    assert ("another pooling ('last')" in text) == (cls not in PER_STEP)


def test_prices_without_scaling():
    """Predictions that hardly leave the mean are no better, though R² is not quite 0."""
    X = np.random.default_rng(0).standard_normal((100, 10, 1))
    y = 250_000 + 80_000 * X[:, -1, 0]
    model = small(LSTMRegressor, max_iter=60)
    (text,) = said(model, X, y)
    assert 0 < model.score(X, y) < 0.01
    assert "nothing was learnt: R² on the training data is 0.00" in text
    for loss, called in {"absolute_error": "the median", "huber": "the mean", "quantile": "the quantile 0.5"}.items():
        (text,) = said(small(LSTMRegressor, loss=loss), X, y)
        assert "negated loss on the training data is -" in text
        assert f"always answering {called} is -" in text
    assert said(small(LSTMRegressor, max_iter=100, normalize_y=True), X, y) == []


@pytest.mark.parametrize(("n_known", "is_luck"), [(2, True), (20, False)])
def test_a_little_more_than_the_most_frequent_class_is_luck(n_known, is_luck):
    """Of 50 and 50 sequences, some of the first can be told; 0.05 is the standard error of a share of a half."""
    X, y = np.zeros((100, 3, 1)), np.repeat(["up", "down"], 50)
    X[:n_known] = 3
    model = small(LSTMClassifier, max_iter=60, learning_rate_init=0.03)
    texts = said(model, X, y)
    assert model.score(X, y) == (50 + n_known) / 100
    assert any("nothing was learnt" in text for text in texts) == is_luck


@every_estimator
@pytest.mark.parametrize("own", [False, True])
def test_held_out_data_are_judged(cls, own):
    X, y = np.zeros((60, 4, 2)), toy(cls)[1]
    y = [np.resize(each, 4) for each in y] if cls in PER_STEP else y
    given = {"X_val": X[30:], "y_val": y[30:]} if own else {}
    options = {} if own else {"early_stopping": True, "validation_fraction": 0.4}
    model = small(cls, hidden_layer_sizes=(4,), learning_rate_init=1e-3, **options)
    (text,) = said(model, *((X[:30], y[:30]) if own else (X, y)), **given)
    name, score = ("accuracy" if cls in CLASSIFIERS else "R²"), model.best_validation_score_
    assert text.startswith(f"nothing was learnt: {name} on what was held out is {score:.3g}, that of always ")


def test_what_is_held_out_may_be_learnt_where_it_was_not_by_heart():
    """The other way round: all of the training data right, and nothing of the others, is something."""
    X, y = toy(LSTMClassifier)
    wrong = np.where(y == "up", "down", "up")
    options = {"max_iter": 60, "early_stopping": "auto", "n_iter_no_change": 100, "warm_start": True}
    model = small(LSTMClassifier, **options).fit(X, y)
    assert model.score(X, y) == 1
    model.set_params(max_iter=1, learning_rate_init=1e-6)
    assert said(model, X, y, X_val=X, y_val=wrong) == []
    assert model.best_validation_score_ == 0


# ---- all is well


@every_estimator
def test_one_class_or_a_constant(cls):
    X, y = toy(cls)
    same = ["up" if cls in CLASSIFIERS else 3.0] * 60
    same = [[value] * len(x) for value, x in zip(same, X, strict=True)] if cls in PER_STEP else same
    assert said(small(cls), X, same) == []
    assert said(small(cls, early_stopping=True), X, same) == []
    # Where there are others in the training data, those held out say nothing.
    val = {"X_val": X, "y_val": same}
    assert not any("nothing was learnt" in text for text in said(small(cls), X, y, **val))


def test_all_right_is_learnt_though_the_loss_falls():
    X = np.random.default_rng(0).standard_normal((80, 6, 1)) + np.repeat([6.0, -6.0], 40)[:, np.newaxis, np.newaxis]
    y = np.repeat(["up", "down"], 40)
    for cls, targets in {LSTMClassifier: y, LSTMTagger: np.repeat(y, 6).reshape(80, 6)}.items():
        model = small(cls, max_iter=10, learning_rate_init=0.003)
        texts = said(model, X, targets)
        while model.score(X, targets) < 1:
            model.set_params(max_iter=2 * model.max_iter)
            texts = said(model, X, targets)
        assert _falling(model.loss_curve_, []) is not None
        assert texts == []
    model = small(LSTMRegressor, max_iter=100)
    assert said(model, X, X[:, -1, 0]) == []
    assert model.score(X, X[:, -1, 0]) > 0.99


@every_estimator
def test_patience_ends_it(cls):
    X, y = toy(cls)
    model = small(cls, max_iter=300, tol=0.01, n_iter_no_change=3)
    assert said(model, X, y) == []
    assert model.n_iter_ < 300


@every_estimator
def test_partial_fit_says_nothing(cls):
    X, y = noise(cls)
    first = {"classes": ["up", "down"]} if cls in CLASSIFIERS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(cls, learning_rate_init=1e-9).partial_fit(X, y, **first)


def test_white_noise_can_be_forecast_by_its_mean():
    y = np.random.default_rng(0).standard_normal(60)
    assert said(LSTMForecaster((2,), max_iter=3, cv=None, random_state=0), y) == []


# ---- still learning


@every_estimator
def test_a_loss_that_falls(cls):
    X, y = toy(cls)
    model = small(cls, max_iter=20, learning_rate_init=0.02 if cls is LSTMClassifier else 0.004)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    assert [each.filename for each in caught] == [__file__]
    last, before = np.mean(model.loss_curve_[-2:]), np.mean(model.loss_curve_[-4:-2])
    assert last < 0.9 * before
    assert str(caught[0].message) == (
        f"the loss was still falling when max_iter=20 ended the fit: its mean is {last:.3g} over the last tenth of the "
        f"epochs, {before:.3g} over the tenth before. Try max_iter=40"
    )
    assert said(model.set_params(warm_start=True, max_iter=1), X, y) == []  # of which there is no tenth before


def test_a_loss_of_the_caller():
    def squares(targets, outputs, weights):
        return float(np.mean((outputs - targets) ** 2)) - 100, 2 * (outputs - targets) / len(targets)

    X = np.random.default_rng(0).standard_normal((60, 5, 1))
    assert said(small(LSTMRegressor, loss=squares, learning_rate_init=1e-9), X, X[:, :, 0].sum(axis=1)) == []
    (text,) = said(
        small(LSTMRegressor, loss=lambda *given: (squares(*given)[0] + 100, squares(*given)[1])), X, X[:, -1, 0]
    )
    assert text.startswith("the loss was still falling")


@pytest.mark.parametrize(
    ("losses", "scores", "expected"),
    [
        ([1.0], [], None),
        ([1.0, 0.89], [], (1, 0.89)),
        ([1.0, 0.91], [], None),
        ([0.5, 1.0], [], None),
        ([-1.0, -1.2], [], (-1, -1.2)),
        ([-1.0, -1.05], [], None),
        ([9.0] * 16 + [2.0, 4.0, 1.0, 3.0], [], (3, 2)),
        ([9.0] * 17 + [2.0, 2.0, 2.0], [], (5.5, 2)),
        ([1.0, 0.5], [0.1, 0.2], (1, 0.5)),
        ([1.0, 0.5], [0.2, 0.2], None),  # the first is the best, and kept: going on is in vain
    ],
)
def test_what_falls(losses, scores, expected):
    assert _falling(losses, scores) == expected


# ---- numbers of any size


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_weights_of_any_size(scale):
    X, y = toy(LSTMClassifier)
    weights = np.linspace(0.5, 1, 60)
    plain, scaled = (said(small(LSTMClassifier, dtype="float64", alpha=0, learning_rate_init=1e-9), X, y, w)
                     for w in (weights, scale * weights))  # fmt: skip
    assert plain == scaled
    assert len(plain) == 1


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e15])
def test_targets_of_any_size(scale):
    X, y = toy(LSTMRegressor)
    texts = said(small(LSTMRegressor, dtype="float64"), X, y * scale)
    assert all(text.startswith(("nothing was learnt", "the loss was still")) for text in texts)
