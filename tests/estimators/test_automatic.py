"""What "auto" stands for: epochs that make so many updates, when a fit may end, how units start to remember."""

import numpy as np
import pytest
from toys import ESTIMATORS, toy

from pylstm import LSTMClassifier, LSTMRegressor, LSTMTagger
from pylstm._estimators import automatic
from pylstm._net.inputs import Steps


def steps_of(*lengths):
    return Steps(np.empty((sum(lengths), 1), np.float32), np.array(lengths, np.intp), False)


def test_updates():
    for cls in ESTIMATORS:
        n_updates = 500 if cls is LSTMRegressor else 1000
        X, y = toy(cls)
        model = cls((8,), noise=0.0, random_state=0).fit(X, y)
        assert n_updates <= model.n_updates_ < n_updates + 4  # of which there are 4 an epoch
        assert model.n_iter_ == model.n_updates_ / 4


@pytest.mark.parametrize(
    ("lengths", "options", "n_epochs"),
    [
        ([5] * 36, {}, 334),
        ([5] * 16, {}, 400),
        ([5] * 1600, {}, 30),
        ([5] * 36, {"batch_size": 1}, 30),
        ([5] * 36, {"batch_size": 1000}, 400),
        ([5] * 36, {"max_iter": 7}, 7),
        ([100_000], {}, 40),
        ([1_000_000], {}, 30),
        ([100_000], {"window": 1000}, 30),
        ([400, 100], {"window": 50}, 125),
        ([1000] + [10] * 15, {"window": 100}, 100),
    ],
)
def test_epochs(lengths, options, n_epochs):
    assert automatic.max_iter(LSTMTagger(**options), steps_of(*lengths)) == n_epochs


@pytest.mark.parametrize(
    ("lengths", "options", "n_epochs"),
    [
        ([5] * 36, {}, 534),  # 1.6 times 334
        ([5] * 16, {}, 640),
        ([5] * 1600, {}, 48),
        ([100_000], {}, 40),  # of which there are no more in 4 million steps
        ([1_000_000], {}, 30),
        ([5] * 36, {"learning_rate": "constant"}, 334),
        ([5] * 36, {"learning_rate": "settling"}, 534),
        ([5] * 36, {"max_iter": 50}, 50),
        ([5] * 36, {"learning_rate": "settling", "max_iter": 50}, 50),
    ],
)
def test_epochs_where_the_loss_is_high(lengths, options, n_epochs):
    assert automatic.longest(LSTMClassifier(**options), steps_of(*lengths)) == n_epochs


def test_a_rate_that_settles_waits_for_the_loss():
    X, y = toy(LSTMClassifier)
    plateau = [np.zeros_like(x) for x in X]
    assert LSTMClassifier((2,), random_state=0).fit(plateau, y).n_iter_ == 400
    for options in ({"learning_rate": "constant"}, {"batch_size": 60, "max_iter": 250}):
        assert LSTMClassifier((2,), random_state=0, **options).fit(plateau, y).n_iter_ == 250
    easy = LSTMClassifier((8,), noise=0.0, random_state=0, warm_start=True).fit(X, y)
    assert easy.n_iter_ == easy.fit(X, y).n_iter_ - 250 == 250  # high is told from the first epoch of all


@pytest.mark.parametrize(
    "given", [{}, {"max_iter": 10}, {"n_iter_no_change": 3}, {"learning_rate": "adaptive"}], ids=str
)
def test_when_a_fit_may_end(given):
    steps = steps_of(*[5] * 36)
    plain, held = (automatic.n_iter_no_change(LSTMClassifier(**given), steps, holds_out=held) for held in (False, True))
    assert plain == {"n_iter_no_change": 3}.get(next(iter(given), None), 534 if not given else 134)
    assert held == given.get("n_iter_no_change", 134)


def test_a_plateau_does_not_end_a_fit_but_what_is_held_out_does():
    X, y = toy(LSTMClassifier)
    X = [np.zeros_like(x) for x in X]
    plateau = LSTMClassifier((2,), random_state=0).fit(X, y)
    assert plateau.n_iter_ == 400
    held = LSTMClassifier((2,), random_state=0).fit(X, y, X_val=X, y_val=y)
    assert held.n_iter_ < 250
    assert held.n_iter_ > 100


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_memories_to_start_with(cls):
    X, y = toy(cls)
    spec = cls((4,), max_iter=1, random_state=0).fit(X, y)._model.spec
    assert (spec.forget_bias, spec.t_max) == ("mixed", 8)
    assert cls((4,), cell="gru", max_iter=1).fit(X, y)._model.spec.forget_bias == 1
    assert cls((4,), forget_bias=2, max_iter=1).fit(X, y)._model.spec.forget_bias == 2
    if cls in (LSTMClassifier, LSTMRegressor):
        for pooling in ("mean", "max"):
            assert cls((4,), pooling=pooling, max_iter=1).fit(X, y)._model.spec.forget_bias == 1
