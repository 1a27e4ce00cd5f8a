"""What is wanted of every step: a weight for each, and steps, or outputs of them, without a target."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import PER_STEP, as_it_comes, flat, outputs, sequences, toy, weights

from pylstm import LSTMSequenceRegressor, LSTMTagger
from pylstm._estimators.losses import LOSSES
from pylstm.metrics import per_step
from pylstm.preprocessing import PerStep

every_estimator = pytest.mark.parametrize("cls", PER_STEP)
RNG = np.random.default_rng(0)
OPTIONS = [{}, {"window": 3}, {"burn_in": 1, "early_stopping": True}, {"bidirectional": True}]


def small(cls, **options):
    return cls(**{"hidden_layer_sizes": (4,), "learning_rate_init": 0.02, "random_state": 0, "max_iter": 4, **options})


def two_outputs(n_sequences=60):
    X = sequences(n_sequences)
    return X, [np.column_stack([x[:, 0].cumsum(), x[:, 1]]) for x in X]


def drawn(X, share=0.6):
    """Return of which steps something is true."""
    return [np.random.default_rng(k).random(len(x)) < share for k, x in enumerate(X)]


def assert_same(one, two):
    for name, values in weights(one).items():
        np.testing.assert_array_equal(weights(two)[name], values)


# ---- weights


@every_estimator
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_weights_of_all_steps_of_a_sequence_are_its_own(cls, options):
    X, y = toy(cls)
    of_sequences = RNG.uniform(0.1, 2, len(X))
    of_steps = [np.full(len(x), weight) for x, weight in zip(X, of_sequences, strict=True)]
    options = {**as_it_comes(cls), **options}  # what scales is not weighted by steps
    one, two = small(cls, **options).fit(X, y, of_sequences), small(cls, **options).fit(X, y, of_steps)
    assert_same(one, two)
    assert one.score(X, y, of_sequences) == one.score(X, y, of_steps)


@every_estimator
def test_a_step_without_weight_has_no_part(cls):
    X, y = toy(cls)
    counted = drawn(X)
    other = [np.where(at, target, target[::-1]) for target, at in zip(y, counted, strict=True)]
    assert_same(*(small(cls).fit(X, targets, [at.astype(float) for at in counted]) for targets in (y, other)))
    of_steps = [RNG.uniform(0, 2, len(x)) for x in X]
    model = small(cls).fit(X, y, of_steps)
    metric = accuracy_score if cls is LSTMTagger else r2_score
    expected = metric(flat(y), flat(model.predict(X)), sample_weight=flat(of_steps))
    assert model.score(X, y, of_steps) == pytest.approx(expected)
    assert per_step("accuracy" if cls is LSTMTagger else "r2")(model, X, y, sample_weight=of_steps) == expected


@every_estimator
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: [w[0][:-1], *w[1:]], r"sample_weight\[0\] must have as many steps as X\[0\], 7, got 6"),
        (lambda w: w[1:], "sample_weight must have an entry for each of the 60 sequences of X, got 59"),
        (lambda w: [-w[0], *w[1:]], "sample_weight must be finite and not negative, got -1.0"),
        (lambda w: [w[0] * np.nan, *w[1:]], "sample_weight must be finite and not negative, got nan"),
        (lambda w: [np.ones((7, 1)), *w[1:]], r"sample_weight\[0\] must have shape \(n_steps_i,\).*, got \(7, 1\)"),
        (lambda w: [["a"] * 7, *w[1:]], "sample_weight must hold real numbers"),
        (lambda w: [1.0, *w[1:]], r"sample_weight\[0\] must have shape \(n_steps_i,\), .*, got 'float'"),
    ],
)
def test_bad_weights(cls, change, message):
    X, y = toy(cls)
    model = small(cls).fit(X, y)
    before, given = weights(model), change([np.ones(len(x)) for x in X])
    for call in (model.fit, model.score):
        with pytest.raises((ValueError, TypeError), match=message):
            call(X, y, given)
    for name, values in weights(model).items():
        np.testing.assert_array_equal(values, before[name])


def test_the_scorer_checks_weights():
    X, y = toy(LSTMTagger)
    model = small(LSTMTagger).fit(X, y)
    with pytest.raises(ValueError, match=r"sample_weight\[0\] must have 7 steps, as X\[0\], got 6"):
        per_step("accuracy")(model, X, y, sample_weight=[np.ones(len(x) - (k == 0)) for k, x in enumerate(X)])


@every_estimator
def test_weights_are_routed(cls):
    X, y = toy(cls)
    of_steps = [RNG.uniform(0, 2, len(x)) for x in X]
    metric = make_scorer(accuracy_score if cls is LSTMTagger else r2_score)
    of_model = cls.__name__.lower()
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(PerStep(StandardScaler()), small(cls).set_fit_request(sample_weight=True))
        scorer = per_step(metric.set_score_request(sample_weight=True))
        found = cross_validate(
            model, X, y, cv=3, scoring=scorer, params={"sample_weight": of_steps}, return_estimator=True
        )
        search = GridSearchCV(model, {f"{of_model}__max_iter": [4]}, cv=3, scoring=scorer)
        search.fit(X, y, sample_weight=of_steps)
        alone = small(cls).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        of_alone = cross_validate(alone, X, y, cv=3, params={"sample_weight": of_steps}, return_estimator=True)
    first = of_alone["estimator"][0]
    assert of_alone["test_score"][0] == first.score(X[:20], y[:20], of_steps[:20]) != first.score(X[:20], y[:20])
    expected = make_pipeline(PerStep(StandardScaler()), small(cls))
    expected.fit(X[20:], y[20:], **{f"{of_model}__sample_weight": of_steps[20:]})
    assert_same(found["estimator"][0][-1], expected[-1])
    assert found["test_score"][0] == scorer(expected, X[:20], y[:20], sample_weight=of_steps[:20])
    assert search.best_score_ == found["test_score"].mean()
    assert_same(search.best_estimator_[-1], expected.fit(X, y, **{f"{of_model}__sample_weight": of_steps})[-1])


# ---- steps without a target


def without(cls, y, known):
    """Return y with no target but where it is `known`."""
    missing = np.nan if cls is LSTMSequenceRegressor else None
    return [[value if at else missing for value, at in zip(*pair, strict=True)] for pair in zip(y, known, strict=True)]


@every_estimator
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_step_without_a_target_is_one_without_weight(cls, options):
    X, y = toy(cls)
    known = drawn(X)
    known[3][:] = False  # a sequence of none
    missing = without(cls, y, known)
    one = small(cls, **options).fit(X, missing)
    two = small(cls, **options).fit(X, y, [at.astype(float) for at in known])
    assert_same(one, two)
    assert one.loss_curve_ == two.loss_curve_
    metric = accuracy_score if cls is LSTMTagger else r2_score
    expected = metric(flat(y)[flat(known)], flat(one.predict(X))[flat(known)])
    assert one.score(X, missing) == pytest.approx(expected)
    of_steps = [RNG.uniform(0, 2, len(x)) for x in X]
    expected = metric(
        flat(y)[flat(known)], flat(one.predict(X))[flat(known)], sample_weight=flat(of_steps)[flat(known)]
    )
    scorer = per_step("accuracy" if cls is LSTMTagger else "r2")
    assert scorer(one, X, missing, sample_weight=of_steps) == pytest.approx(expected)
    assert one.score(X, missing, of_steps) == pytest.approx(expected)
    assert np.isfinite(cross_validate(small(cls), X, missing, cv=3, scoring=scorer)["test_score"]).all()


@every_estimator
def test_more_later(cls):
    X, y = toy(cls)
    known = drawn(X)
    more = {"classes": ["down", "up"]} if cls is LSTMTagger else {}
    one = small(cls).partial_fit(X, without(cls, y, known), **more).partial_fit(X, y)
    two = small(cls).partial_fit(X, y, sample_weight=[at.astype(float) for at in known], **more).partial_fit(X, y)
    assert_same(one, two)


@pytest.mark.parametrize("form", ["lists", "objects", "mixed", "dense"])
def test_integer_labels_stay_integers(form):
    X = RNG.normal(size=(30, 4, 1))
    y = (X[:, :, 0].cumsum(axis=1) > 0).astype(int) + 5
    known = RNG.random(y.shape) < 0.7
    known[0], known[1] = False, True
    given = np.where(known, y.astype(object), None)
    if form == "lists":
        given = given.tolist()
    elif form != "dense":
        given = [y[1] if k == 1 and form == "mixed" else labels for k, labels in enumerate(given)]
    tagger = small(LSTMTagger).fit(X, given)
    assert tagger.classes_.dtype == y.dtype
    assert tagger.classes_.tolist() == [5, 6]
    assert tagger.predict(X).dtype == y.dtype
    assert_same(tagger, small(LSTMTagger).fit(X, y, known.astype(float)))
    assert per_step("f1_macro")(tagger, X, given) == per_step("f1_macro")(tagger, X, y, sample_weight=known)
    np.testing.assert_array_equal(small(LSTMTagger).fit(X, np.where(known, y, np.nan)).classes_, [5.0, 6.0])


def test_labels_in_two_dimensions_are_labels():
    X, y = RNG.normal(size=(20, 4, 1)), RNG.integers(0, 2, (20, 4))
    tagger = small(LSTMTagger).fit(X, y)
    assert tagger.classes_.tolist() == [0, 1]
    assert tagger.predict_proba(X).shape == (20, 4, 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("window", [None, 3])
def test_the_loss_is_the_mean_of_what_is_known(loss, window, weighted):
    X, y = two_outputs()
    y = [np.where(RNG.random(of_one.shape) < 0.4, np.nan, of_one) for of_one in y]
    of_steps = [RNG.uniform(0, 2, len(x)) for x in X] if weighted else None
    still = {
        "normalize_y": False,
        "max_iter": 1,
        "learning_rate_init": 1e-30,
        "alpha": 0.0,
        "dtype": "float64",
        "window": window,
    }
    model = small(LSTMSequenceRegressor, loss=loss, **still).fit(X, y, of_steps)
    errors = flat(model.predict(X)) - flat(y)
    known = ~np.isnan(errors)
    counted = known * (flat(of_steps)[:, np.newaxis] if weighted else 1.0)
    parameter = {"huber": 1.0, "quantile": 0.5}.get(loss, 0.0)
    losses = np.where(known, LOSSES[loss](errors, parameter), 0)
    assert model.loss_curve_ == [pytest.approx(np.average(losses, weights=counted), rel=1e-9)]


def test_outputs_that_are_known_in_turns():
    X, y = two_outputs(100)
    in_turns = [np.where(np.arange(len(of_one))[:, np.newaxis] % 2 == [0, 1], of_one, np.nan) for of_one in y]
    model = small(LSTMSequenceRegressor, hidden_layer_sizes=(8,), max_iter=60).fit(X, in_turns)
    assert model.score(X, y) > 0.8
    predicted, true = flat(model.predict(X)), flat(in_turns)
    each = [r2_score(true[at, k], predicted[at, k]) for k, at in enumerate(~np.isnan(true).T)]
    assert model.score(X, in_turns) == pytest.approx(np.mean(each))
    for loss in LOSSES:
        held = small(LSTMSequenceRegressor, loss=loss, early_stopping=True).fit(X, in_turns)
        assert np.isfinite(held.validation_scores_).all()


def test_a_loss_of_ones_own():
    X, y = two_outputs()
    y = [np.where(RNG.random(of_one.shape) < 0.3, np.nan, of_one) for of_one in y]

    def plain(targets, outputs, weights):
        errors, share = outputs - targets, weights[:, np.newaxis] / weights.sum() / 2
        return (share * errors**2).sum() / 2, share * errors

    def leaving_out(targets, outputs, weights):
        value, slope = plain(np.where(np.isnan(targets), outputs, targets), outputs, weights)
        n_known = (weights[:, np.newaxis] * ~np.isnan(targets)).sum() / weights.sum() / 2
        return value / n_known, slope / n_known

    own, built_in = (
        small(LSTMSequenceRegressor, loss=loss, window=4, normalize_y=False, dtype="float64").fit(X, y)
        for loss in (leaving_out, "squared_error")
    )
    np.testing.assert_allclose(own._model.copy_weights(), built_in._model.copy_weights(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(own.loss_curve_, built_in.loss_curve_, rtol=1e-8)
    before = weights(own)
    with pytest.raises(ValueError, match="loss must leave out targets that are NaN, as y has them: it returned nan"):
        own.set_params(loss=plain).fit(X, y)
    for name, values in weights(own).items():
        np.testing.assert_array_equal(values, before[name])


def test_too_few_targets():
    X, y = two_outputs()
    never = [np.column_stack([of_one[:, 0], np.full(len(of_one), np.nan)]) for of_one in y]
    with pytest.raises(ValueError, match="y must have a value of some weight for each output, got none for output 1"):
        small(LSTMSequenceRegressor).fit(X, never)
    model = small(LSTMSequenceRegressor).fit(X, y)
    assert model.score(X, never) == r2_score(flat(y)[:, 0], flat(model.predict(X))[:, 0])
    assert np.isfinite(model.partial_fit(X, never).loss_)
    nothing = [np.full_like(of_one, np.nan) for of_one in y]
    with pytest.raises(ValueError, match="y must have at least two values of an output to score, got less"):
        model.score(X, nothing)
    X, y = toy(LSTMTagger)
    tagger = small(LSTMTagger).fit(X, y)
    nothing = [[None] * len(x) for x in X]
    for call in (tagger.fit, tagger.score, lambda *given: per_step("accuracy")(tagger, *given)):
        with pytest.raises(ValueError, match="y must have a target for at least one step, got none"):
            call(X, nothing)
    assert np.isfinite(outputs(tagger, X)).all()


@every_estimator
def test_validation_data_of_ones_own(cls):
    X, y = toy(cls)
    known = drawn(X)
    missing = without(cls, y, known)
    of_steps = [RNG.uniform(0, 2, len(x)) for x in X]
    options = {"max_iter": 20, "dtype": "float64"}
    one = small(cls, **options).fit(
        X[:40], missing[:40], X_val=X[40:], y_val=missing[40:], sample_weight_val=of_steps[40:]
    )
    assert one.best_validation_score_ == pytest.approx(one.score(X[40:], missing[40:], of_steps[40:]))


def test_what_is_said_of_a_fit():
    X, y = two_outputs()
    in_turns = [np.where(np.arange(len(of_one))[:, np.newaxis] % 2 == [0, 1], of_one, np.nan) for of_one in y]
    noise = [np.where(np.isnan(of_one), np.nan, RNG.normal(size=of_one.shape)) for of_one in in_turns]
    with pytest.warns(ConvergenceWarning, match="nothing was learnt: R² on the training data is"):
        small(LSTMSequenceRegressor, max_iter=2, learning_rate_init=1e-9).fit(X, noise)
    same = [np.where(np.isnan(of_one), np.nan, 1.0) for of_one in in_turns]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(LSTMSequenceRegressor).fit(X, same)  # whose values do not vary
        small(LSTMSequenceRegressor, max_iter=60, learning_rate="cosine").fit(X, in_turns)
