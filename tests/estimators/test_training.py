"""Fitting by all four estimators: epochs, stopping, warm starts, weights, interruption, divergence."""

import copy
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, flat, outputs, targets, toy, weights

import pylstm
import pylstm._estimators.training as training
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger

every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)


def small(cls, **options):
    constant = {"learning_rate": "constant", "learning_rate_init": 0.01}
    return cls(**{"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, **constant, **options})


def full_batch(cls, **options):
    """Return an estimator whose fit depends on sums over all sequences only."""
    return small(cls, **{"dtype": "float64", "batch_size": 1000, "max_iter": 10, "noise": 0.0, **options})


def assert_same_bits(one, two):
    for name, values in weights(one).items():
        np.testing.assert_array_equal(weights(two)[name], values)


# ---- seeds and order


@every_estimator
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"dropout": 0.3, "bidirectional": True}], ids=str)
def test_same_seed_same_fit_bit_for_bit(cls, options):
    X, y = toy(cls)
    one, two, other = (small(cls, random_state=seed, **options).fit(X, y) for seed in (3, 3, 4))
    assert_same_bits(one, two)
    assert one.loss_curve_ == two.loss_curve_
    assert not np.array_equal(outputs(one, X), outputs(other, X))


@every_estimator
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_order_of_ragged_input_permutes_predictions(cls, pooling, dtype):
    X, y = toy(cls, 101)
    options = {"pooling": pooling} if "pooling" in cls().get_params() else {}
    estimator = small(cls, hidden_layer_sizes=(33,), dtype=dtype, max_iter=1, **options).fit(X, y)
    method = estimator.predict_proba if cls in CLASSIFIERS else estimator.predict
    expected = method(X)
    order = np.random.default_rng(0).permutation(len(X))
    for k, values in zip(order, method([X[k] for k in order]), strict=True):
        np.testing.assert_array_equal(values, expected[k])
    for k in (0, 7, 100):
        np.testing.assert_array_equal(method(X[k : k + 1])[0], expected[k])


@every_estimator
def test_random_state_instance_is_drawn_from(cls):
    X, y = toy(cls)
    state = np.random.RandomState(0)
    one, two = (small(cls, random_state=state).fit(X, y) for _ in range(2))
    assert not np.array_equal(outputs(one, X), outputs(two, X))
    assert_same_bits(one, small(cls, random_state=np.random.RandomState(0)).fit(X, y))


# ---- what fit leaves behind


@every_estimator
def test_attributes(cls):
    X, y = toy(cls)
    estimator = small(cls).fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 4
    assert estimator.loss_ == estimator.loss_curve_[-1]
    assert estimator.best_loss_ == min(estimator.loss_curve_)
    assert estimator.validation_scores_ is None
    assert estimator.best_validation_score_ is None
    assert estimator.n_features_in_ == 2


@every_estimator
def test_verbose_prints_a_line_per_epoch(cls, capsys):
    small(cls, verbose=True).fit(*toy(cls))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"Epoch 4/4, loss = \d+\.\d{6}", lines[-1])
    small(cls, verbose=True, early_stopping=True).fit(*toy(cls))
    first = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(r"Epoch 1/4, loss = \S+, validation score = -?\d+\.\d{6}, about \d+ s left", first)
    small(cls).fit(*toy(cls))
    assert capsys.readouterr().out == ""


@every_estimator
def test_batches_partition_the_sequences(cls, monkeypatch):
    """Each epoch uses every sequence once, those of a mini-batch alike in length, and in another order each time."""
    X, y = toy(cls)
    epochs = []
    batches = training.Data.batches

    def recorded(self, *arguments):
        epochs.append([batch.copy() for batch in batches(self, *arguments)])
        return iter(epochs[-1])

    monkeypatch.setattr(training.Data, "batches", recorded)
    small(cls, batch_size=7).fit(X, y)
    small(cls, batch_size=7, shuffle=False, max_iter=1).fit(X, y)
    assert len(epochs) == 5
    for epoch in epochs:
        assert sorted(np.concatenate(epoch)) == list(range(60))
        assert max(map(len, epoch)) == 7
    assert not np.array_equal(np.concatenate(epochs[0]), np.concatenate(epochs[1]))
    assert np.concatenate(epochs[4]).tolist() == list(range(60))
    spread = [np.ptp([len(X[k]) for k in batch]) for batch in epochs[0]]
    assert np.mean(spread) < np.mean([np.ptp([len(X[k]) for k in batch]) for batch in epochs[4]]) / 2


# ---- learning rate


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1]),
        ("invscaling", [0.1, 0.1 / 2**0.7, 0.1 / 3**0.7, 0.1 / 4**0.7]),
        ("cosine", [0.1, 0.05 * (1 + np.sqrt(0.5)), 0.05, 0.05 * (1 - np.sqrt(0.5))]),
        ("auto", [0.1, 0.1, 0.1, 0.1]),
        ("adaptive", [0.1, 0.1, 0.1, 0.02]),  # two epochs after the first without an improvement by tol
    ],
)
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_schedules(schedule, expected, solver, monkeypatch):
    rates = []
    of_epoch = training.Schedule.of_epoch
    monkeypatch.setattr(training.Schedule, "of_epoch", lambda *a: rates.append(of_epoch(*a)) or rates[-1])
    small(
        LSTMClassifier, learning_rate=schedule, learning_rate_init=0.1, power_t=0.7, solver=solver,
        tol=100.0 if schedule == "adaptive" else 0.0, n_iter_no_change=1 if schedule == "adaptive" else 9,
    ).fit(*toy(LSTMClassifier))  # fmt: skip
    np.testing.assert_allclose(rates, expected)


def test_a_rate_settles_over_the_last_fifth():
    schedule = training.Schedule("settling", 0.1, 0.5, 10, 10)
    np.testing.assert_allclose([schedule.of_epoch(k) for k in range(10)], [0.1] * 9 + [0.05])
    schedule = training.Schedule("settling", 0.1, 0.5, 20, 20)
    np.testing.assert_allclose([schedule.of_epoch(k) for k in range(20)], [0.1] * 17 + [0.075, 0.05, 0.025])
    assert training.Schedule("settling", 0.1, 0.5, 1, 1).of_epoch(0) == 0.1  # as partial_fit asks


@pytest.mark.parametrize(
    ("losses", "n_epochs"),
    [
        ([1.0] + [0.1] * 40, 20),
        ([1.0] * 40, 32),
        ([1.0] * 18 + [0.1] * 20, 24),  # settles from the epoch on before which two have a mean of 0.1
        ([1.0] * 16 + [0.1] * 4 + [1.0] * 20, 22),  # once it settles, nothing is looked at
        ([0.1] * 40, 32),
    ],
)
def test_a_rate_waits_with_settling(losses, n_epochs):
    schedule = training.Schedule("settling", 0.1, 0.5, 20, 32)
    for epoch in range(32):
        schedule.wait(epoch, losses[:epoch])
        if epoch == schedule.max_iter:
            break
        rate = schedule.of_epoch(epoch)
        assert rate == (0.1 if epoch <= n_epochs - 4 else pytest.approx(0.1 * (n_epochs - epoch) / 4))
    assert schedule.max_iter == n_epochs


def test_rate_of_the_schedule_is_what_the_solver_uses():
    """With plain gradient descent on one batch, weights move by the rate times the gradient."""
    X, y = toy(LSTMRegressor)
    options = {"solver": "sgd", "momentum": 0.0, "max_grad_norm": None, "learning_rate_init": 1e-3, "alpha": 0.0}
    one = full_batch(LSTMRegressor, **options, max_iter=1, learning_rate="cosine").fit(X, y)
    two = full_batch(LSTMRegressor, **options, max_iter=2, learning_rate="cosine").fit(X, y)  # 1e-3, then half of it
    plain = full_batch(LSTMRegressor, **{**options, "learning_rate_init": 5e-4}, max_iter=1, warm_start=True)
    plain.__dict__.update(copy.deepcopy({name: value for name, value in vars(one).items() if name.startswith("_")}))
    plain.n_features_in_ = 2
    np.testing.assert_allclose(outputs(plain.fit(X, y), X), outputs(two, X), rtol=1e-12)


def test_adaptive_rate_ends_training_at_last():
    clf = small(LSTMClassifier, learning_rate="adaptive", learning_rate_init=1e-5, tol=100.0, n_iter_no_change=1,
                max_iter=50)  # fmt: skip
    assert clf.fit(*toy(LSTMClassifier)).n_iter_ == 7  # 3 at 1e-5, 2 at 2e-6, 2 at 4e-7


# ---- how much


@every_estimator
def test_number_of_updates(cls, tmp_path):
    X, y = toy(cls)
    model = small(cls, batch_size=25, warm_start=True).fit(X, y)
    assert model.n_updates_ == 4 * 3  # 25, 25 and 10 sequences
    assert model.fit(X, y).n_updates_ == 12  # by a new solver
    model.partial_fit(X, y)
    assert model.n_updates_ == 15
    model.save(tmp_path / "model")
    for copied in (pylstm.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert copied.n_updates_ == 15


@pytest.mark.parametrize("cls", PER_STEP)
def test_number_of_updates_by_windows(cls):
    X, y = toy(cls, 20)
    longest = max(len(x) for x in X)
    assert small(cls, window=3, batch_size=20).fit(X, y).n_updates_ == 4 * -(-longest // 3)


# ---- when to stop


@every_estimator
def test_stops_without_improvement_by_tol(cls, recwarn):
    X, y = toy(cls)
    estimator = small(cls, tol=100.0, n_iter_no_change=3, max_iter=50).fit(X, y)
    assert estimator.n_iter_ == 5  # the first, three without, and the one that is one too many
    assert not recwarn


@every_estimator
@pytest.mark.parametrize("options", [{}, {"dtype": "float64", "bidirectional": True}], ids=str)
def test_early_stopping_keeps_the_best_weights(cls, options, monkeypatch):
    X, y = toy(cls)
    held = []
    take = training.Data.take
    monkeypatch.setattr(training.Data, "take", lambda self, indices: held.append(indices) or take(self, indices))
    estimator = small(cls, early_stopping=True, validation_fraction=0.25, max_iter=30, n_iter_no_change=3,
                      learning_rate_init=0.05, tol=0.0, **options).fit(X, y)  # fmt: skip
    validation, training_set = held
    assert sorted([*validation, *training_set]) == list(range(60))
    assert len(validation) == 15
    assert len(estimator.validation_scores_) == estimator.n_iter_
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert estimator.best_loss_ is None
    if estimator.n_iter_ < 30:
        assert max(estimator.validation_scores_[-4:]) <= estimator.best_validation_score_
    metric = accuracy_score if cls in CLASSIFIERS else r2_score
    predicted = estimator.predict([X[k] for k in validation])
    score = metric(flat([y[k] for k in validation]), flat(predicted))
    assert score == pytest.approx(estimator.best_validation_score_, rel=1e-6)


def test_validation_split_is_stratified(monkeypatch):
    X, _ = toy(LSTMClassifier, 100)
    y = np.arange(100) % 10 == 0
    held = []
    take = training.Data.take
    monkeypatch.setattr(training.Data, "take", lambda self, indices: held.append(indices) or take(self, indices))
    small(LSTMClassifier, early_stopping=True, validation_fraction=0.2).fit(X, y)
    assert y[held[0]].sum() == 2


@every_estimator
def test_validation_of_nearly_nothing_is_refused(cls):
    X = [np.ones((1, 2)), np.zeros((1, 2)), np.ones((1, 2))]
    y = ["a", "a", "a"] if cls in CLASSIFIERS else [1.0, 2.0, 3.0]
    y = [[value] for value in y] if cls in (LSTMTagger, LSTMSequenceRegressor) else y
    with pytest.raises(ValueError, match="validation_fraction must hold out at least two targets to score, got 1"):
        small(cls, early_stopping=True).fit(X, y)
    small(cls, early_stopping=True, validation_fraction=0.6, batch_size=1).fit(X, y)  # two of them


@pytest.mark.parametrize(
    ("cls", "n_sequences", "fraction"),
    [(LSTMClassifier, 1, 0.1), (LSTMRegressor, 1, 0.1), *((cls, 5, 0.9) for cls in ESTIMATORS)],
)
def test_validation_that_leaves_nothing_is_refused(cls, n_sequences, fraction):
    X, y = toy(cls, n_sequences)
    message = f"whole sequences, and validation_fraction={fraction} of {n_sequences} leaves none to train on"
    with pytest.raises(ValueError, match=message):
        small(cls, early_stopping=True, validation_fraction=fraction).fit(X, y)


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        ([*["a"] * 28, "b", "c"], 0.1, r"each class, which must have at least two sequences, got one of \['b', 'c'\]"),
        (np.arange(30) // 3, 0.1, "=0.1 of 30 sequences holds out 3, which is less than one of each of the 10 classes"),
        (np.arange(30) // 3, 0.9, "=0.9 of 30 sequences leaves 3, which is less than one of each of the 10 classes"),
    ],
)
def test_validation_without_a_class_is_refused(y, fraction, message):
    X, _ = toy(LSTMClassifier, 30)
    with pytest.raises(ValueError, match=message):
        small(LSTMClassifier, early_stopping=True, validation_fraction=fraction).fit(X, y)


@every_estimator
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupt_keeps_the_best_so_far(cls, early_stopping, monkeypatch):
    X, y = toy(cls)
    options = {"early_stopping": early_stopping, "learning_rate_init": 0.3}
    train_epoch = training.train_epoch
    epochs = []

    def interrupted(*arguments):
        if len(epochs) == 3:
            raise KeyboardInterrupt
        epochs.append(train_epoch(*arguments))
        return epochs[-1]

    monkeypatch.setattr(training, "train_epoch", interrupted)
    estimator = small(cls, max_iter=30, **options)
    with pytest.warns(UserWarning, match="interrupted by user: the best model so far is kept"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 3
    monkeypatch.undo()
    curve = estimator.validation_scores_ if early_stopping else [-loss for loss in estimator.loss_curve_]
    best = int(np.argmax(curve)) + 1
    assert_same_bits(estimator, small(cls, max_iter=best, **options).fit(X, y))


@every_estimator
def test_interrupt_in_the_first_epoch_leaves_all_as_it_was(cls, monkeypatch):
    X, y = toy(cls)
    fitted = small(cls).fit(X, y)
    before = outputs(fitted, X)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_epoch", interrupted)
    for estimator in (small(cls), fitted):
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X, y)
    np.testing.assert_array_equal(outputs(fitted, X), before)


# ---- divergence


@every_estimator
@pytest.mark.parametrize("method", ["fit", "warm fit", "partial_fit"])
def test_divergence_is_an_error_and_changes_nothing(cls, method):
    """With targets or weights out of range the loss is no number: it is told what to lower."""
    X, y = toy(cls)
    estimator = small(cls, solver="sgd", warm_start=method == "warm fit").fit(X, y)
    before, attributes = outputs(estimator, X), dict(vars(estimator))
    estimator.set_params(learning_rate_init=1e39)
    attributes.update(learning_rate_init=1e39)
    with pytest.raises(ValueError, match=r"diverged.* Lower learning_rate_init \(1e\+39\) or max_grad_norm \(1.0\)"):
        getattr(estimator, method.removeprefix("warm "))(X, y)
    assert vars(estimator) == attributes
    np.testing.assert_array_equal(outputs(estimator, X), before)


@every_estimator
def test_errors_leave_a_fitted_estimator_as_it_was(cls):
    X, y = toy(cls)
    estimator = small(cls).fit(X, y)
    before = dict(vars(estimator))
    bad = [(np.ones((60, 4, 3)), y[:-1]), (np.full((60, 7), np.nan), y), ([*X[:-1], X[-1] * np.nan], y), (X, None)]
    for X_bad, y_bad in bad:
        for method in (estimator.fit, estimator.partial_fit):
            with pytest.raises(ValueError):
                method(X_bad, y_bad)
            assert vars(estimator) == before


# ---- going on


@every_estimator
def test_warm_start_goes_on(cls):
    X, y = toy(cls)
    estimator = small(cls, warm_start=True, solver="sgd", momentum=0.0, shuffle=False, noise=0.0).fit(X, y)
    before = estimator.loss_
    estimator.fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 8
    assert estimator.loss_ < before
    # Without memory of the solver's, shuffling or noise, going on is the same as never having stopped.
    whole = small(cls, solver="sgd", momentum=0.0, shuffle=False, noise=0.0, max_iter=8).fit(X, y)
    assert_same_bits(estimator, whole)
    assert estimator.loss_curve_ == whole.loss_curve_


@every_estimator
def test_without_warm_start_fit_starts_again(cls):
    X, y = toy(cls)
    estimator = small(cls).fit(X, y)
    expected = weights(estimator)
    for name, values in weights(estimator.fit(X, y)).items():
        np.testing.assert_array_equal(values, expected[name])
    assert estimator.n_iter_ == 4


@every_estimator
def test_warm_start_with_other_sizes_is_refused(cls):
    X, y = toy(cls)
    estimator = small(cls, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="hidden_layer_sizes, bidirectional and embedding_size must stay"):
        estimator.set_params(hidden_layer_sizes=(7,)).fit(X, y)
    with pytest.raises(ValueError, match="must have 2 features per step, got 1"):
        estimator.set_params(hidden_layer_sizes=(6,)).fit([x[:, :1] for x in X], y)


@every_estimator
def test_warm_start_with_early_stopping_never_gets_worse(cls):
    X, y = toy(cls)
    estimator = small(cls, warm_start=True, early_stopping=True, max_iter=20, learning_rate_init=0.02).fit(X, y)
    best, expected = estimator.best_validation_score_, weights(estimator)
    estimator.set_params(learning_rate_init=1e3, max_iter=2).fit(X, y)  # which ruins it
    assert estimator.best_validation_score_ == pytest.approx(best)
    for name, values in weights(estimator).items():
        np.testing.assert_array_equal(values, expected[name])


@every_estimator
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_partial_fit_twice_is_fit_of_two_epochs(cls, solver):
    X, y = toy(cls)
    whole = small(cls, solver=solver, shuffle=False, max_iter=2).fit(X, y)
    parts = small(cls, solver=solver, shuffle=False)
    first = {"classes": ["up", "down"]} if cls in CLASSIFIERS else {}
    assert parts.partial_fit(X, y, **first) is parts
    parts.partial_fit(X, y)
    assert_same_bits(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 2


@every_estimator
def test_partial_fit_takes_the_learning_rate_that_is_set(cls):
    X, y = toy(cls)
    sgd = {"solver": "sgd", "momentum": 0, "max_grad_norm": None}
    estimator = full_batch(cls, learning_rate="invscaling", **sgd).fit(X, y)
    half = copy.deepcopy(estimator).set_params(learning_rate_init=estimator.learning_rate_init / 2)
    before = weights(estimator)
    whole, halved = (weights(each.partial_fit(X, y)) for each in (estimator, half))
    for name, start in before.items():
        assert np.abs(whole[name] - start).max() > 0
        np.testing.assert_allclose(halved[name] - start, (whole[name] - start) / 2, rtol=1e-9, atol=1e-15)


@every_estimator
def test_partial_fit_after_fit_goes_on(cls):
    X, y = toy(cls)
    estimator = small(cls, shuffle=False).fit(X, y)
    assert_same_bits(estimator.partial_fit(X, y), small(cls, shuffle=False, max_iter=5).fit(X, y))


@every_estimator
def test_partial_fit_does_not_stop_early(cls):
    first = {"classes": ["up", "down"]} if cls in CLASSIFIERS else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        small(cls, early_stopping=True).partial_fit(*toy(cls), **first)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_classes_of_partial_fit(cls):
    X, y = toy(cls)
    clf = small(cls)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        clf.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"labels out of classes_ \['down'\], got \['up'\] too"):
        clf.partial_fit(X, y, classes=["down"])
    clf.partial_fit(X, y, classes=["up", "sideways", "down"])
    assert clf.classes_.tolist() == ["down", "sideways", "up"]
    assert np.shape(clf.predict_proba(X)[0])[-1] == 3
    with pytest.raises(ValueError, match="classes"):
        clf.partial_fit(X, y, classes=["up", "down"])


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_new_labels_in_a_warm_start_are_refused(cls):
    X, y = toy(cls)
    clf = small(cls, warm_start=True).fit(X, y)
    other = np.array(["new"] * len(X)) if cls is LSTMClassifier else [np.array(["new"] * len(x)) for x in X]
    with pytest.raises(ValueError, match=r"labels out of classes_ \['down', 'up'\], got \['new'\] too"):
        clf.fit(X, other)


# ---- noise


def test_noise_is_of_the_deviation_that_is_asked():
    rows, out = np.full((50_000, 2), 7, np.float32), np.empty((50_000, 2), np.float32)
    random_state = np.random.RandomState(0)
    training.with_noise(rows, 0.3, random_state, out)
    np.testing.assert_allclose(out.mean(axis=0), 7, atol=0.01)
    np.testing.assert_allclose(out.std(axis=0), 0.3, atol=0.005)
    assert abs(np.corrcoef(out.T)[0, 1]) < 0.02
    another = np.empty_like(out)
    training.with_noise(rows, 0.3, random_state, another)
    assert abs(np.corrcoef(out[:, 0], another[:, 0])[0, 1]) < 0.02
    assert (rows == 7).all()
    assert random_state.get_state()[3] == 0  # no deviate is kept back, which files would lose


@every_estimator
def test_noise_is_in_training_only(cls):
    """It is as learning each epoch other sequences, of which the scaling knows nothing."""
    X, y = toy(cls)
    before = copy.deepcopy(X)
    plain, noisy = (small(cls, noise=noise).fit(X, y) for noise in (0.0, 0.5))
    for x, unchanged in zip(X, before, strict=True):
        np.testing.assert_array_equal(x, unchanged)
    np.testing.assert_array_equal(plain._inputs.scale, noisy._inputs.scale)
    assert plain.loss_curve_[0] != noisy.loss_curve_[0]
    np.testing.assert_array_equal(outputs(noisy, X), outputs(noisy, X))
    held = small(cls, noise=0.5, learning_rate_init=1e-9, forget_bias=1.0).fit(X, y, X_val=X, y_val=y)
    np.testing.assert_allclose(held.validation_scores_, held.validation_scores_[0], atol=1e-4)
    assert len(set(held.loss_curve_)) == 4


@every_estimator
def test_there_is_no_noise_on_what_is_not_scaled(cls):
    X, y = toy(cls)
    plain, noisy = (small(cls, noise=noise, standardize=False).fit(X, y) for noise in (0.0, 0.5))
    assert_same_bits(plain, noisy)


@every_estimator
def test_noise_goes_on_after_a_file(cls, tmp_path):
    X, y = toy(cls)
    model = small(cls, noise=0.5).fit(X, y)
    pylstm.save(model, tmp_path / "model.safetensors")
    loaded = pylstm.load(tmp_path / "model.safetensors")
    assert_same_bits(model.partial_fit(X, y), loaded.partial_fit(X, y))


@pytest.mark.parametrize("cls", PER_STEP)
def test_windows_have_noise(cls):
    X, y = toy(cls)
    plain, noisy = (small(cls, noise=noise, window=2).fit(X, y) for noise in (0.0, 0.5))
    assert plain.loss_curve_ != noisy.loss_curve_


# ---- weights


def assert_equivalent(one, two, X):
    np.testing.assert_allclose(outputs(one, X), outputs(two, X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-9)


def take(values, indices):
    return [values[k] for k in indices]


@every_estimator
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_weight_two_is_being_there_twice(cls, solver):
    X, y = toy(cls)
    counts = np.random.default_rng(1).integers(0, 4, len(X))
    repeated = np.repeat(np.arange(len(X)), counts)
    weighted = full_batch(cls, solver=solver).fit(X, y, sample_weight=counts)
    assert_equivalent(weighted, full_batch(cls, solver=solver).fit(take(X, repeated), take(y, repeated)), X)
    assert not np.allclose(outputs(weighted, X), outputs(full_batch(cls, solver=solver).fit(X, y), X))


@every_estimator
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"forget_bias": "chrono"}], ids=str)
def test_weight_zero_is_absence(cls, options):
    """Bit for bit, in mini-batches of any size: it also plays no part in the split or the initial weights."""
    X, y = toy(cls)
    X[5] = np.ones((30, 2))  # the longest, which "chrono" would look at
    y = targets(cls, X)
    there = np.ones(len(X), bool)
    there[[3, 5, 17, 40]] = False
    weighted = small(cls, batch_size=7, **options).fit(X, y, sample_weight=there)
    kept = np.flatnonzero(there)
    assert_same_bits(
        weighted, small(cls, batch_size=7, **options).fit(take(X, kept), take(y, kept), np.ones(len(kept)))
    )


@every_estimator
def test_partial_fit_takes_weights(cls):
    X, y = toy(cls)
    counts = np.arange(len(X)) % 3
    repeated = np.repeat(np.arange(len(X)), counts)
    first = {"classes": ["up", "down"]} if cls in CLASSIFIERS else {}
    one = full_batch(cls).partial_fit(X, y, sample_weight=counts, **first)
    assert_equivalent(one, full_batch(cls).partial_fit(take(X, repeated), take(y, repeated), **first), X)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_class_weight(cls):
    X, y = toy(cls)
    y = [np.where(np.cumsum(np.ones(np.shape(label))) > 1, "down", label) for label in y] if cls is LSTMTagger else y
    labels = flat(y)
    ups, downs = (labels == "up").sum(), (labels == "down").sum()
    balanced = full_batch(cls, class_weight="balanced").fit(X, y)
    by_hand = {"up": len(labels) / 2 / ups, "down": len(labels) / 2 / downs}
    assert_equivalent(full_batch(cls, class_weight=by_hand).fit(X, y), balanced, X)
    assert not np.allclose(outputs(full_batch(cls).fit(X, y), X), outputs(balanced, X))
    none = full_batch(cls, class_weight={"up": 1}).fit(X, y)  # a label that is not named has 1
    assert_equivalent(none, full_batch(cls).fit(X, y), X)


@pytest.mark.parametrize("cls", CLASSIFIERS)
@pytest.mark.parametrize("class_weight", ["balanced", {"up": 3.0, "down": 0.5}])
def test_class_weight_and_sample_weight(cls, class_weight):
    """Frequencies are those of the weighted samples."""
    X, y = toy(cls)
    counts = np.random.default_rng(1).integers(0, 4, len(X))
    repeated = np.repeat(np.arange(len(X)), counts)
    one = full_batch(cls, class_weight=class_weight).fit(X, y, sample_weight=counts)
    two = full_batch(cls, class_weight=class_weight).fit(take(X, repeated), take(y, repeated))
    assert_equivalent(one, two, X)


def test_class_weight_of_labels_is_that_of_samples():
    X, y = toy(LSTMClassifier)
    one = full_batch(LSTMClassifier, class_weight={"up": 3.0}, standardize=False).fit(X, y)
    two = full_batch(LSTMClassifier, standardize=False).fit(X, y, sample_weight=np.where(y == "up", 3.0, 1.0))
    assert_equivalent(one, two, X)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_balanced_weights_of_parts_are_refused(cls):
    with pytest.raises(ValueError, match="partial_fit does not support class_weight='balanced'"):
        small(cls, class_weight="balanced").partial_fit(*toy(cls), classes=["up", "down"])


@every_estimator
@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (np.ones(3), r"shape \(60,\), one weight for each sequence.*; got \(3,\)"),
        (np.ones((60, 2)), r"one weight for each sequence, got 2-D \(60, 2\)|as many steps as X\[0\], 7, got 2"),
        (np.zeros(60), "only zeros"),
        (np.full(60, -1.0), "sample_weight must be finite and not negative, got -1.0"),
        (np.full(60, np.nan), "sample_weight must be finite and not negative, got nan"),
    ],
)
def test_bad_weights(cls, sample_weight, message):
    with pytest.raises(ValueError, match=message):
        small(cls).fit(*toy(cls), sample_weight=sample_weight)


@every_estimator
def test_score_takes_weights(cls):
    X, y = toy(cls)
    estimator = small(cls, max_iter=10).fit(X, y)
    counts = np.arange(len(X)) % 3
    repeated = np.repeat(np.arange(len(X)), counts)
    expected = estimator.score(take(X, repeated), take(y, repeated))
    assert estimator.score(X, y, sample_weight=counts) == pytest.approx(expected)
    metric = accuracy_score if cls in CLASSIFIERS else r2_score
    assert estimator.score(X, y) == metric(flat(y), flat(estimator.predict(X)))


# ---- options that all share


@every_estimator
@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"hidden_layer_sizes": (0,)}, r"hidden_layer_sizes\[0\] must be an integer >= 1, got 0"),
     ({"hidden_layer_sizes": (4, 2.5)}, r"hidden_layer_sizes\[1\] must be an integer >= 1, got 2.5"),
     ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes must name at least one layer, got \(\)"),
     ({"hidden_layer_sizes": "64"}, "hidden_layer_sizes"), ({"dropout": 1.0}, "dropout"), ({"alpha": -1}, "alpha"),
     ({"batch_size": 0}, "batch_size"), ({"learning_rate_init": 0}, "learning_rate_init"),
     ({"max_iter": 0}, "max_iter"), ({"max_grad_norm": 0}, "max_grad_norm"), ({"dtype": "float16"}, "dtype"),
     ({"forget_bias": "x"}, "forget_bias"),
     ({"beta_1": 1.0}, "beta_1"), ({"solver": "lbfgs"}, "solver"), ({"learning_rate": "x"}, "learning_rate"),
     ({"momentum": 1}, "momentum"), ({"validation_fraction": 1.0}, "validation_fraction"), ({"tol": -1}, "tol"),
     ({"n_iter_no_change": 0}, "n_iter_no_change"), ({"epsilon": 0}, "epsilon"), ({"n_jobs": 1.5}, "n_jobs")],
    ids=str,
)  # fmt: skip
def test_bad_parameters(cls, parameters, named):
    with pytest.raises((ValueError, TypeError), match=named):
        cls(**parameters).fit(*toy(cls))


@every_estimator
def test_threads_change_rounding_only(cls):
    X, y = toy(cls)
    one, two = (full_batch(cls, hidden_layer_sizes=(64,), max_iter=2, n_jobs=n_jobs).fit(X, y) for n_jobs in (None, 2))
    np.testing.assert_allclose(outputs(one, X), outputs(two, X), rtol=1e-9)


@every_estimator
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_solvers_learn(cls, solver):
    X, y = toy(cls)
    rate = 0.1 if solver == "sgd" else 0.02
    estimator = clone(small(cls)).set_params(solver=solver, max_iter=20, learning_rate_init=rate).fit(X, y)
    assert estimator.loss_ < 0.8 * estimator.loss_curve_[0]
