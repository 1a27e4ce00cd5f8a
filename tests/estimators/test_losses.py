"""`loss=` of the regressors: what it leads to, one of one's own, and what files keep of it."""

import pickle

import numpy as np
import pytest

import pylstm
from pylstm import LSTMRegressor, LSTMSequenceRegressor
from pylstm._estimators.losses import LOSSES

RNG = np.random.default_rng(0)
#: What comes in says nothing of what is to come out, which is skewed.
NOISE, SKEWED = RNG.normal(size=(400, 3, 1)), RNG.exponential(size=400)
SETTINGS = {"hidden_layer_sizes": (3,), "random_state": 0, "max_iter": 40, "learning_rate_init": 0.01}


def squared(targets, outputs, weights):
    errors, share = outputs - targets, weights[:, np.newaxis] / weights.sum() / outputs.shape[1]
    return (share * errors**2).sum() / 2, share * errors


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 1.0), ({"loss": "absolute_error"}, np.log(2)), ({"loss": "quantile", "quantile": 0.9}, np.log(10)),
     ({"loss": "quantile", "quantile": 0.1}, np.log(10 / 9)), ({"loss": "huber", "huber_delta": 1e3}, 1.0)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("cls", [LSTMRegressor, LSTMSequenceRegressor])
def test_what_is_learnt_without_a_clue(cls, options, expected):
    """A constant near the mean, median or quantile of an exponential distribution."""
    y = SKEWED if cls is LSTMRegressor else np.repeat(SKEWED[:, np.newaxis], 3, axis=1)
    predicted = cls(**SETTINGS, **options).fit(NOISE, y).predict(NOISE)
    assert np.mean(predicted) == pytest.approx(expected, abs=0.25 * max(1, expected))


def test_outliers_move_the_absolute_error_least():
    y = NOISE.sum(axis=(1, 2))
    outlying = np.where(np.arange(400) % 20 == 0, 50.0, y)
    errors = {
        loss: np.abs(LSTMRegressor(**SETTINGS, loss=loss).fit(NOISE, outlying).predict(NOISE) - y).mean()
        for loss in ("squared_error", "huber", "absolute_error")
    }
    assert errors["huber"] < errors["squared_error"] / 2
    assert errors["absolute_error"] < errors["squared_error"] / 2


@pytest.mark.parametrize("cls", [LSTMRegressor, LSTMSequenceRegressor])
def test_one_of_ones_own(cls):
    y = np.stack([NOISE.sum(axis=1)[:, 0], SKEWED], axis=1)
    y = y if cls is LSTMRegressor else np.repeat(y[:, np.newaxis], 3, axis=1)
    weights = np.linspace(0.5, 2, 400)
    settings = {**SETTINGS, "max_iter": 3, "dtype": "float64", "dropout": 0.1, "normalize_y": False}
    own, built_in = (
        cls(**settings, loss=loss).fit(NOISE, y, sample_weight=weights) for loss in (squared, "squared_error")
    )
    assert own._model.spec.loss == "caller"
    np.testing.assert_allclose(own._model.copy_weights(), built_in._model.copy_weights(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(own.loss_curve_, built_in.loss_curve_, rtol=1e-8)


def test_early_stopping_scores_by_the_loss():
    scores = {}
    for loss in (*LOSSES, squared):
        model = LSTMRegressor(**{**SETTINGS, "max_iter": 2}, loss=loss, early_stopping=True).fit(NOISE, SKEWED)
        scores[loss] = model.best_validation_score_
    assert scores["squared_error"] <= 1
    assert scores["absolute_error"] == pytest.approx(2 * scores["quantile"], rel=0.02)  # of the quantile 0.5
    assert scores[squared] < 0


def test_stream_export_and_pickle_go_by_the_outputs(tmp_path):
    y = np.repeat(SKEWED[:, np.newaxis], 3, axis=1)
    for loss in ("huber", squared):
        model = LSTMSequenceRegressor(**{**SETTINGS, "max_iter": 2}, loss=loss).fit(NOISE, y)
        expected = model.predict(NOISE[:1])[0]
        np.testing.assert_array_equal(model.stream().process(NOISE[0])[:, 0], expected)
        assert pylstm.export_c(model, tmp_path / "model.c").flash_bytes > 0
        if loss == squared:
            with pytest.raises(ValueError, match="model must have a loss by name to be trainable, got a callable"):
                pylstm.export_c(model, tmp_path / "model.c", trainable="head", window=3)
        else:
            pylstm.export_c(model, tmp_path / "model.c", trainable="head", window=3)
            assert "LOSS_PARAMETER 1" in (tmp_path / "model.c").read_text()
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(NOISE[:1])[0], expected)


# ---- files


@pytest.mark.parametrize(
    "options",
    [{"loss": "huber", "huber_delta": 0.5}, {"loss": "quantile", "quantile": 0.25}, {"loss": "absolute_error"}],
)
def test_files_keep_the_loss(options, tmp_path):
    model = LSTMRegressor(**{**SETTINGS, "max_iter": 1}, **options).fit(NOISE, SKEWED)
    model.save(tmp_path / "model")
    loaded = pylstm.load(tmp_path / "model")
    assert loaded.get_params() == model.get_params()
    assert loaded._model.spec == model._model.spec
    after = [each.partial_fit(NOISE, SKEWED)._model.copy_weights() for each in (loaded, model)]
    np.testing.assert_array_equal(*after)


def test_files_keep_no_callable(tmp_path):
    model = LSTMRegressor(**{**SETTINGS, "max_iter": 1}, loss=squared).fit(NOISE, SKEWED)
    with pytest.warns(UserWarning, match="loss is a callable, which a file can't keep") as caught:
        model.save(tmp_path / "model")
    assert caught[0].filename == __file__
    loaded = pylstm.load(tmp_path / "model")
    assert loaded.loss is None
    np.testing.assert_array_equal(loaded.predict(NOISE), model.predict(NOISE))
    for train in (loaded.fit, loaded.partial_fit):
        with pytest.raises(ValueError, match=r"loss must be given again, by set_params\(loss=...\)"):
            train(NOISE, SKEWED)
    after = [each.partial_fit(NOISE, SKEWED) for each in (loaded.set_params(loss=squared), model)]
    np.testing.assert_array_equal(*(each._model.copy_weights() for each in after))


def test_partial_fit_by_another_loss():
    model = LSTMRegressor(**{**SETTINGS, "max_iter": 5}).fit(NOISE, SKEWED)
    before = model._model.copy_weights()
    model.set_params(loss="quantile", quantile=0.9).partial_fit(NOISE, SKEWED)
    assert (model._model.spec.loss, model._model.spec.loss_parameter) == ("quantile", 0.9)
    assert np.abs(model._model.copy_weights() - before).max() > 0


@pytest.mark.parametrize(
    "options", [{"loss": "mse"}, {"loss": 3}, {"huber_delta": 0}, {"quantile": 1.0}, {"quantile": 0.0}], ids=str
)
def test_errors(options):
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"'{name}' parameter of LSTMRegressor"):
        LSTMRegressor(**options).fit(NOISE, SKEWED)
