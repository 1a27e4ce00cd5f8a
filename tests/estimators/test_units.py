"""Numbers of any size, and such as never vary: what comes out is right, or it is said."""

import numpy as np
import pytest
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import r2_score

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMSequenceRegressor
from pylstm._estimators.losses import score, starting_point
from pylstm._estimators.targets import Targets

X = np.random.default_rng(0).standard_normal((32, 6, 2))
SUMS, RUNNING = X.sum(axis=(1, 2)), X.sum(axis=2).cumsum(axis=1)
QUICK = {"hidden_layer_sizes": 4, "max_iter": 3, "random_state": 0}
#: As it comes, unscaled.
RAW = {**QUICK, "standardize": False, "normalize_y": False, "forget_bias": 1.0}
#: The recursive way, and y as it comes.
SERIES = {**QUICK, "cv": 2, "n_paths": 20, "horizon": None, "differences": (), "transform": None}


def wave(n_steps=60, seed=0):
    rng = np.random.default_rng(seed)
    return 10 + np.sin(np.arange(n_steps) * 2 * np.pi / 8) + 0.1 * rng.standard_normal(n_steps)


# ---- gradients too large to be squared


@pytest.mark.parametrize("solver", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (LSTMRegressor(), SUMS),
        (LSTMRegressor(loss="huber", huber_delta=1e25), SUMS),
        (LSTMRegressor(loss=lambda y, z, w: (1.0, np.sign(z - y) * 1e21)), SUMS),
        (LSTMSequenceRegressor(window=3), RUNNING),
        (LSTMSequenceRegressor(n_jobs=2, cell="gru"), RUNNING),
    ],
    ids=["values", "huber", "own loss", "windows", "steps"],
)
def test_averages_of_squares_that_would_be_infinite(estimator, y, solver):
    """After them each step is zero: nothing is learnt any more."""
    estimator.set_params(**RAW, solver=solver, max_grad_norm=None)
    with pytest.raises(ValueError, match=r"training diverged in epoch \d: .* too large for float32\. Lower"):
        estimator.fit(X, y * 1e21)
    estimator.set_params(max_grad_norm=1.0).fit(X, y * 1e21)
    assert np.isfinite(estimator._solver.moments).all()


@pytest.mark.parametrize("solver", ["adam", "rmsprop"])
def test_averages_of_squares_that_are_large(solver):
    """With beta_2 = 0 they are the squares; the gradient's norm is as large as it may be, or a little larger."""
    options = {**RAW, "solver": solver, "beta_2": 0.0, "max_grad_norm": None, "batch_size": 32, "max_iter": 1}
    fitted = LSTMRegressor(**options, alpha=0, learning_rate_init=1e-9).fit(X, SUMS * 1e15)
    moments = fitted._solver.moments[1].astype(np.float64)
    most = np.sqrt(np.finfo(np.float32).max / 2 / moments.sum())
    fitted.fit(X, SUMS * 1e15 * most * 0.999)
    assert np.isfinite(fitted._solver.moments).all()
    assert (fitted._solver.moments[1] > 0).any()
    with pytest.raises(ValueError, match="training diverged"):
        fitted.fit(X, SUMS * 1e15 * most * 1.001)


def test_float64_has_room():
    fitted = LSTMRegressor(**RAW, dtype="float64", max_grad_norm=None).fit(X, SUMS * 1e100)
    assert np.isfinite(fitted._solver.moments).all()
    with pytest.raises(ValueError, match="too large for float64"):
        fitted.fit(X, SUMS * 1e160)


def test_inputs_whose_gradients_are_too_large():
    """Of a net that does not saturate."""
    estimator = LSTMClassifier(**QUICK, standardize=False, cell="rnn", nonlinearity="relu", max_grad_norm=None)
    with pytest.raises(ValueError, match="training diverged"):
        estimator.fit(X * 1e21, SUMS > 0)


def test_nothing_is_remembered_of_a_gradient_too_large():
    estimator = LSTMRegressor(**RAW, max_grad_norm=None).fit(X, SUMS)
    moments, t, expected = estimator._solver.moments.copy(), estimator._solver.t, estimator.predict(X)
    with pytest.raises(ValueError, match="training diverged"):
        estimator.partial_fit(X, SUMS * 1e21)
    np.testing.assert_array_equal(estimator._solver.moments, moments)
    assert estimator._solver.t == t
    np.testing.assert_array_equal(estimator.predict(X), expected)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_file_whose_solver_would_learn_no_more(value, tmp_path):
    estimator = LSTMRegressor(**RAW).fit(X, SUMS)
    estimator._solver.moments[1, 3] = value
    estimator.save(tmp_path / "model")
    with pytest.raises(ValueError, match="moments must be finite"):
        pylstm.load(tmp_path / "model")


# ---- sums of many, or of large numbers


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_means_and_scores_of_many_targets(n_outputs):
    values = (1e6 + np.random.default_rng(0).standard_normal((300_000, n_outputs)) * 10).astype(np.float32)
    targets, exact = Targets(values, None), values.astype(np.float64)
    np.testing.assert_allclose(starting_point("squared_error", 0, targets), exact.mean(axis=0), rtol=1e-12)
    expected = r2_score(exact, exact + 1)
    np.testing.assert_allclose(score("squared_error", 0, values + np.float32(1), targets), expected, rtol=1e-9)


def test_scores_of_large_targets():
    """Of a net that stays where it started: its R² does not depend on the unit."""
    found = []
    for unit in (1e10, 1e25):
        fitted = LSTMRegressor(**RAW, early_stopping=True, validation_fraction=0.3).fit(X, SUMS * unit)
        found.append(fitted.validation_scores_)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3)


# ---- targets far from zero


@pytest.mark.parametrize(
    ("estimator", "y"),
    [(LSTMRegressor(), np.tile([0, 1], 16)), (LSTMSequenceRegressor(), np.tile([0, 1, 2], (32, 2)))],
    ids=["values", "steps"],
)
@pytest.mark.parametrize("level", [1e7, 1e9, -1e9])
@pytest.mark.parametrize("form", [np.asarray, lambda y: y.astype(int), list], ids=["float", "int", "list"])
def test_targets_that_float32_runs_together(estimator, y, level, form):
    message = r"y is rounded to float32: there, numbers near 1e\+0\d are (1|64) apart, .* a range of (1|2)\. "
    for fit in ("fit", "partial_fit"):
        with pytest.warns(DataConversionWarning, match=message):
            getattr(estimator.set_params(**RAW), fit)(X, form(y + level))


def test_the_output_that_float32_runs_together():
    with pytest.warns(DataConversionWarning, match=r"y \(output 1\) is rounded to float32"):
        LSTMRegressor(**RAW).fit(X, np.column_stack([SUMS, 1e9 + SUMS]))


@pytest.mark.parametrize(
    "y", [SUMS, 1e5 + SUMS, 1e9 + 1e5 * SUMS, np.full(32, 1e9 + 1), 0.1 + 1e-17 * np.arange(32), 1e-30 * SUMS]
)
def test_targets_that_float32_tells_apart_or_that_never_vary(y):
    LSTMRegressor(**RAW).fit(X, y)  # a warning is an error here


def test_what_the_warning_names_helps():
    y, settings = 1e9 + (SUMS > 0), {"max_iter": 100, "learning_rate_init": 0.01, "random_state": 0}
    assert LSTMRegressor((8,), normalize_y=False, dtype="float64", **settings).fit(X, y).score(X, y) > 0.5
    assert LSTMRegressor((8,), **settings).fit(X, y).score(X, y) > 0.5


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_targets_beyond_float32(fit):
    for estimator, y in ((LSTMRegressor(), SUMS), (LSTMSequenceRegressor(), RUNNING)):
        with pytest.raises(ValueError, match="y must be finite, got a value too large for float32"):
            getattr(estimator.set_params(normalize_y=False), fit)(X, y * 1e60)


# ---- forecasts


@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e-160, 1e-7, 1e9, 1e160, 1e300])
def test_units_of_a_series_do_not_matter(unit):
    x = np.cos(np.arange(65.0))
    (expected, bounds), (found, found_bounds) = (
        LSTMForecaster(**SERIES).fit(wave() * k, X=x[:60] * k).predict(5, X=x[60:] * k, quantiles=[0.1, 0.9])
        for k in (1, unit)
    )
    np.testing.assert_allclose(found / unit, expected, rtol=1e-6)
    np.testing.assert_allclose(found_bounds / unit, bounds, rtol=1e-6)


def test_a_series_far_from_zero():
    y = np.tile([0.0, 1, 2], 20)
    expected, found = (LSTMForecaster(**SERIES).fit(k + y, X=k + y).predict(3, X=k + y[:3]) - k for k in (0, 1e9))
    np.testing.assert_allclose(found, expected, atol=1e-5)


STILL = {
    "level": (np.full(60, 1e-7), {}, np.full(3, 1e-7)),
    "zeros": (np.zeros(60), {"transform": "sqrt"}, np.zeros(3)),
    "large": (np.full(60, 3e9), {}, np.full(3, 3e9)),
    "log": (np.full(60, 1e-7), {"transform": "log"}, np.full(3, 1e-7)),
    "trend": (1e-7 * np.arange(60), {"differences": 1}, 1e-7 * np.arange(60, 63)),
    "trend, exact": (2.0**-30 * np.arange(60), {"differences": 1}, 2.0**-30 * np.arange(60, 63)),
    "growth": (1e-7 * 1.01 ** np.arange(60), {"differences": 1, "transform": "log"}, 1e-7 * 1.01 ** np.arange(60, 63)),
    "season": (1e-7 * np.tile([1, 2, 3, 5], 15), {"differences": 4}, 1e-7 * np.array([1, 2, 3])),
    "rounding": (0.1 + 1e-17 * np.arange(60), {}, np.full(3, 0.1)),
}


@pytest.mark.parametrize(("y", "options", "expected"), STILL.values(), ids=STILL)
def test_a_series_that_never_varies(y, options, expected):
    forecast, std, bounds = (
        LSTMForecaster(**{**SERIES, **options}).fit(y).predict(3, return_std=True, quantiles=[0.1, 0.9])
    )
    np.testing.assert_allclose(forecast, expected, rtol=1e-12)
    np.testing.assert_allclose(std, 0, atol=1e-12 * y.max())
    np.testing.assert_allclose(bounds, [expected, expected], rtol=1e-12)


def test_a_column_that_never_varies(tmp_path):
    y = np.column_stack([wave(), np.full(60, 1e-7)])
    forecaster = LSTMForecaster(**SERIES).fit(y)
    forecaster.save(tmp_path / "model")
    for each in (forecaster, pylstm.load(tmp_path / "model")):
        each.update(y[:5])
        forecast, bounds = each.predict(4, quantiles=[0.1, 0.9])
        assert (forecast[:, 1] == 1e-7).all()
        assert (bounds[:, :, 1] == 1e-7).all()
        assert (bounds[0, :, 0] < bounds[1, :, 0]).all()
        assert each.score(np.column_stack([wave(4), np.full(4, 1e-7)])) < 0


def test_the_network_reads_zeros_of_a_column_that_never_varies(monkeypatch):
    """Of what came as of its own forecasts."""
    y, seen = np.column_stack([wave(), np.full(60, 1e-7)]), []
    forecaster = LSTMForecaster(**SERIES).fit(y)
    model = forecaster._model

    class Watched:
        def predict(self, steps, state):
            seen.append(steps.rows)
            return model.predict(steps, state)

    monkeypatch.setattr(forecaster, "_model", Watched())
    forecaster.update(y[:5]).predict(4, return_std=True)
    rows = np.concatenate(seen)
    assert (rows[:, 0] != 0).any()
    assert (rows[:, 1] == 0).all()


def test_one_series_of_a_list_never_varies():
    forecaster = LSTMForecaster(**SERIES).fit([wave(), np.full(40, 1e-7)])
    forecasts, stds = forecaster.predict(3, return_std=True)
    assert (forecasts[1] == 1e-7).all()
    assert (stds[1] == 0).all()
    assert (stds[0] > 0).all()


def test_what_never_varied_and_does_now():
    y, x = np.column_stack([wave(), np.full(60, 2.0)]), np.full((60, 1), 3.0)
    forecaster = LSTMForecaster(**SERIES).fit(y, X=x)
    expected = forecaster.predict(3, X=x[:3])
    with pytest.warns(UserWarning, match="X varies in a column that never did in fit"):
        found = forecaster.predict(3, X=x[:3] + 1)
    np.testing.assert_array_equal(found, expected)
    with pytest.warns(UserWarning, match="y varies in a column that never did in fit"):
        forecaster.update(y[:3] + 1, x[:3])
    forecaster.update(y[:3], x[:3])
    assert (forecaster.predict(3, X=x[:3])[:, 1] == 2).all()


def test_a_small_deviation_from_a_large_mean_is_one():
    """scikit-learn's scaler takes such a column for a constant."""
    y = 1e15 + np.tile([0.0, 1, 2, 1], 15)
    forecaster = LSTMForecaster(**SERIES).fit(y)
    np.testing.assert_allclose(forecaster._scale, [[np.sqrt(0.5)]], rtol=1e-6)
