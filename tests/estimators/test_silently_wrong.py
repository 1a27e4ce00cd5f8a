"""What once gave wrong numbers, or lost something, without a word."""

import copy
import pickle
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, flat, outputs, toy

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger


def small(cls, **options):
    return cls((4,), **{"max_iter": 2, "random_state": 0, **options})


# ---- training goes on as it would have


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("way", ["file", "pickle", "copy"])
def test_dropout_goes_on_after_a_partial_fit(cls, way, tmp_path):
    X, y = toy(cls)
    estimator = small(cls, dropout=0.3).fit(X, y).partial_fit(X, y)
    if way == "file":
        estimator.save(tmp_path / "model")
        other = pylstm.load(tmp_path / "model")
    else:
        other = pickle.loads(pickle.dumps(estimator)) if way == "pickle" else copy.deepcopy(estimator)
    for each in (estimator, other):
        for _ in range(2):
            each.partial_fit(X, y)
    np.testing.assert_array_equal(outputs(other, X), outputs(estimator, X))


def fit_on(estimator, X, y):
    for _ in range(5):
        estimator.partial_fit(X, y)


@pytest.mark.parametrize("cls", [LSTMRegressor, LSTMSequenceRegressor])
def test_a_partial_fit_that_fails_changes_nothing(cls):
    X, y = toy(cls)
    estimator, other = (small(cls, dropout=0.3).fit(X, y) for _ in range(2))
    n_epochs, best = estimator.n_iter_, estimator.best_loss_
    estimator.set_params(learning_rate_init=1e30, max_grad_norm=None)
    estimator._solver.learning_rate = 1e30
    with pytest.raises(ValueError, match="training diverged"):
        fit_on(estimator, X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_)
    if estimator.n_iter_ == n_epochs:
        assert estimator.best_loss_ == best
    other.set_params(learning_rate_init=1e30, max_grad_norm=None)
    other._solver.learning_rate = 1e30
    for _ in range(estimator.n_iter_ - n_epochs):
        other.partial_fit(X, y)
    first, second = (each._random_state.get_state(legacy=False)["state"] for each in (estimator, other))
    np.testing.assert_array_equal(first["key"], second["key"])
    assert first["pos"] == second["pos"]


def test_losses_of_an_epoch_that_fails_are_forgotten():
    X, y = toy(LSTMRegressor)
    estimator = small(LSTMRegressor).fit(X, y)
    before = list(estimator.loss_curve_)
    calls = []

    def loss(targets, outputs, weights):
        calls.append(1)
        if len(calls) > 1:
            raise KeyError("no more")
        return 1e-9, np.zeros_like(outputs)

    estimator.set_params(loss=loss)
    with pytest.raises(KeyError):
        estimator.partial_fit(X, y)
    assert estimator.loss_curve_ == before == estimator._history.loss_curve
    assert estimator.best_loss_ == min(before) == estimator._history.best_loss


# ---- one fit at a time


def test_two_fits_at_once():
    X, y = toy(LSTMClassifier, 200)
    estimator, refused = small(LSTMClassifier, max_iter=300, tol=0), []
    thread = threading.Thread(target=lambda: estimator.fit(X, y))
    thread.start()
    while thread.is_alive():
        if hasattr(estimator, "classes_"):  # it has begun
            with pytest.raises(RuntimeError, match="this LSTMClassifier is being fitted"):
                estimator.fit(X, ["other" if k % 2 else "labels" for k in range(len(X))])
            refused.append(1)
            break
        time.sleep(0.001)
    thread.join()
    assert refused
    assert estimator.classes_.tolist() == ["down", "up"]
    assert estimator.fit(X, y) is estimator  # free again


def test_what_fits_the_same_estimator_inside_its_own_fit():
    X, y = toy(LSTMRegressor)
    estimator = small(LSTMRegressor)

    def loss(targets, outputs, weights):
        for again in (estimator.fit, estimator.partial_fit):
            with pytest.raises(RuntimeError, match="this LSTMRegressor is being fitted"):
                again(X, y)
        small(LSTMRegressor).fit(X, y)  # another is free
        return float(((outputs - targets) ** 2).mean()), 2 * (outputs - targets) / outputs.size

    estimator.set_params(loss=loss).fit(X, y)
    assert np.isfinite(outputs(estimator, X)).all()


# ---- probabilities, threads, windows, weights


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_logarithms_of_probabilities_beyond_float(cls):
    X, y = toy(cls)
    estimator = small(cls).fit(X, y)
    p = outputs(estimator, X)
    np.testing.assert_allclose(np.exp(flat(estimator.predict_log_proba(X))), p, rtol=1e-5)
    estimator._model.parameters()["bias_out"][...] = [0, 300]
    assert (outputs(estimator, X) == 0).any()
    logarithms = flat(estimator.predict_log_proba(X))
    assert np.isfinite(logarithms).all()
    np.testing.assert_allclose(logarithms.min(), -300, atol=10)


def test_n_jobs_set_after_fit():
    X = np.random.default_rng(0).standard_normal((64, 50, 8)).astype(np.float32)
    estimator = LSTMRegressor((32,), max_iter=1, random_state=0, n_jobs=1).fit(X, X.sum(axis=(1, 2)))
    asked = []
    model = estimator._model

    class Watched:
        def __getattr__(self, name):
            return getattr(model, name)

        def predict(self, *arguments, **keywords):
            asked.append(keywords["n_threads"])
            return model.predict(*arguments, **keywords)

    estimator._model = Watched()
    expected = estimator.predict(X)
    np.testing.assert_array_equal(estimator.set_params(n_jobs=2).predict(X), expected)
    np.testing.assert_array_equal(estimator.set_params(n_jobs=None).predict(X), expected)
    assert asked == [None, 2, 1]


@pytest.mark.parametrize("cls", PER_STEP)
def test_window_set_after_a_bidirectional_fit(cls):
    X, y = toy(cls)
    estimator = small(cls, bidirectional=True).fit(X, y)
    with pytest.raises(ValueError, match="window must be None with bidirectional=True, got 3"):
        estimator.set_params(window=3).partial_fit(X, y)
    with pytest.raises(ValueError, match="window must be None with bidirectional=True, got 3"):
        small(cls, bidirectional=True, window=3).fit(X, y)
    estimator.set_params(window=None).partial_fit(X, y)


@pytest.mark.parametrize("cls", CLASSIFIERS)
@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_class_weights_that_are_none(cls, weight):
    X, y = toy(cls)
    with pytest.raises(ValueError, match=r"class_weight must be finite and not negative, got .* for 'up'"):
        small(cls, class_weight={"up": weight, "down": 1.0}).fit(X, y)
    small(cls, class_weight={"up": 0.5, "down": 0}).fit(X, y)


# ---- streams


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_value_that_is_no_number_does_not_poison_a_stream(bad, dtype):
    stream = pylstm.Sequence(2, 3, dtype=dtype, random_state=0).stream()
    x = np.ones(2, dtype)
    stream.step(x)
    before = stream.state
    for k in range(2):
        block = np.ones((5, 2), dtype)
        block[-1, k] = bad
        with pytest.raises(ValueError, match="block must be finite, got NaN or infinity"):
            stream.process(block)
        with pytest.raises(ValueError, match="x must be finite, got NaN or infinity"):
            stream.step(block[-1].tolist())
    np.testing.assert_array_equal(stream.state[0][0], before[0][0])
    assert np.isfinite(stream.step(x)).all()


def test_reset_while_another_thread_runs():
    """It is refused, and neither the outputs of the running block nor the state change."""
    seq = pylstm.Sequence(8, 128, random_state=0)
    block = np.random.default_rng(0).standard_normal((20_000, 8)).astype(np.float32)
    expected = seq.stream().process(block)
    refused = {"zero": 0, "rest": 0, "state": 0}
    stream, state = seq.stream(), seq.stream().state
    for _ in range(20):
        stream.reset()
        found, started = [], threading.Event()

        def run(stream=stream, found=found, started=started):
            started.set()
            found.append(stream.process(block))

        thread = threading.Thread(target=run)
        thread.start()
        started.wait()
        time.sleep(0.002)  # it is within C now, or has ended
        while thread.is_alive():
            for to in refused:
                with suppress(RuntimeError):
                    stream.reset(to) if to != "state" else setattr(stream, "state", state)
                    thread.join()  # it had ended
                    break
                refused[to] += 1
            break
        thread.join()
        np.testing.assert_array_equal(found[0], expected)
        if all(refused.values()):
            break
    assert all(refused.values())


def test_an_error_in_reset_leaves_the_state():
    stream = pylstm.Sequence(1, 1, cell="rnn", nonlinearity="relu", random_state=0).stream()
    stream.step(np.ones(1))
    growing = pylstm.Sequence(1, 1, cell="rnn", nonlinearity="relu", random_state=0)
    for name, values in growing.parameters().items():
        values[...] = 2 if "weight" in name else 1
    stream.set_model(growing)
    before = stream.state[0][0].copy()
    with pytest.raises(ValueError, match="does not come to rest"):
        stream.reset("rest", x=np.ones(1))
    np.testing.assert_array_equal(stream.state[0][0], before)
    stream.step(np.ones(1))


# ---- partial_fit takes no longer with history


def test_partial_fit_copies_no_history():
    X, y = toy(LSTMSequenceRegressor)
    estimator = small(LSTMSequenceRegressor).fit(X, y)
    curve = estimator._history.loss_curve
    estimator.partial_fit(X, y)
    assert estimator._history.loss_curve is curve is estimator.loss_curve_
    assert len(curve) == 3
    assert estimator.best_loss_ == min(curve)
    again = pickle.loads(pickle.dumps(estimator))
    assert again.best_loss_ == estimator.best_loss_
    assert again.partial_fit(X, y).n_iter_ == 4


def test_a_tagger_and_its_copy_do_not_share_a_history():
    X, y = toy(LSTMTagger)
    estimator = small(LSTMTagger).fit(X, y)
    other = copy.deepcopy(estimator)
    other.partial_fit(X, y)
    assert len(estimator.loss_curve_) == len(estimator._history.loss_curve) == 2
