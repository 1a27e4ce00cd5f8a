"""`LSTMForecaster`: accuracy, differencing, the warm state, the forms of y and X, errors."""

import copy
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
import pylstm._estimators.training as training
from pylstm import LSTMForecaster
from pylstm._estimators.forecaster.series import difference, integrate
from pylstm.datasets import load_airline, load_sunspots
from pylstm.preprocessing import PerStep

#: The recursive way, small, and y as it comes.
QUICK = {
    "horizon": None, "differences": (), "transform": None, "hidden_layer_sizes": 8, "max_iter": 3, "cv": 2,
    "n_paths": 20, "random_state": 0,
}  # fmt: skip


def quick(**options):
    return LSTMForecaster(**{**QUICK, **options})


def wave(n_steps=60, seed=0):
    rng = np.random.default_rng(seed)
    return 10 + np.sin(np.arange(n_steps) * 2 * np.pi / 8) + 0.1 * rng.standard_normal(n_steps)


def same(a, b):
    """Whether two predictions, of any form, have the same bits."""
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b)


# ---- accuracy


@pytest.mark.parametrize(
    ("load", "settings", "bar"),
    [(load_airline, {"differences": 12, "transform": "sqrt"}, 30), (load_sunspots, {"transform": "sqrt"}, 35.7)],
    ids=["airline", "sunspots"],
)
@pytest.mark.long
def test_last_fifth(load, settings, bar):
    y = load()
    n_steps = len(y) // 5
    errors, covered = [], []
    for seed in range(5):
        forecaster = LSTMForecaster(**settings, random_state=seed).fit(y[:-n_steps])
        forecast, (low, high) = forecaster.predict(n_steps, quantiles=[0.05, 0.95])
        errors.append(np.abs(forecast - y[-n_steps:]).mean())
        covered.append(np.mean((low <= y[-n_steps:]) & (y[-n_steps:] <= high)))
    assert np.mean(errors) < bar
    assert 0.8 <= np.mean(covered) <= 0.97


def test_a_wave_goes_on():
    y = wave(300)
    forecaster = LSTMForecaster(random_state=0, cv=None, max_iter=60).fit(y[:-24])
    assert np.abs(forecaster.predict(24) - y[-24:]).mean() < 0.3


def test_x_is_read_a_step_ahead():
    """Values that X alone determines, at random: they can't be forecast without, nor from a neighbouring row."""
    x = np.random.default_rng(0).standard_normal((400, 1))
    y = 5 + 3 * x[:, 0]
    forecaster = LSTMForecaster(random_state=0, cv=None, max_iter=60).fit(y[:-50], x[:-50])
    assert np.abs(forecaster.predict(50, x[-50:]) - y[-50:]).mean() < 0.5


def test_intervals_of_an_autoregression():
    """Half of the future is in the interval from the first quartile to the third, one step ahead and many."""
    rng = np.random.default_rng(0)
    y = np.zeros(1200)
    for t in range(1, len(y)):
        y[t] = 0.8 * y[t - 1] + rng.standard_normal()
    forecaster = LSTMForecaster(random_state=0, max_iter=10).fit(y[:600])
    covered = []
    for start in range(600, 1200, 10):
        low, high = forecaster.predict(10, quantiles=[0.25, 0.75])[1]
        future = y[start : start + 10]
        covered.append((low <= future) & (future <= high))
        forecaster.update(future)
    assert 0.4 <= np.mean(covered) <= 0.6


# ---- differencing, scaling


@pytest.mark.parametrize("lags", [(), (1,), (4,), (4, 1), (1, 1)], ids=str)
def test_integrate_undoes_difference(lags):
    values = np.random.default_rng(0).standard_normal((30, 2))
    _, tails = difference(values[:20], lags)
    differences, ends = difference(values[20:], lags, tails)
    np.testing.assert_allclose(integrate(differences[:, np.newaxis], lags, tails)[:, 0], values[20:])
    for found, expected in zip(ends, difference(values, lags)[1], strict=True):
        np.testing.assert_allclose(found, expected)


def test_units_do_not_matter():
    y = wave()
    forecaster = quick(differences=8)
    expected = 1e6 * forecaster.fit(y).predict(5)
    np.testing.assert_allclose(forecaster.fit(1e6 * y).predict(5), expected, rtol=1e-6)


@pytest.mark.parametrize("differences", [(), 1])
def test_a_constant_series_stays(differences):
    forecaster = quick(differences=differences).fit(np.full(30, 7.0))
    np.testing.assert_array_equal(forecaster.predict(4), 7)
    assert np.isfinite(forecaster.score(np.full(4, 7.0)))


@pytest.mark.parametrize("transform", ["log", "sqrt"])
def test_transforms_are_undone(transform):
    forecast, std, bounds = (
        quick(transform=transform).fit(wave()).predict(5, return_std=True, quantiles=[0.1, 0.5, 0.9])
    )
    assert ((forecast > 8) & (forecast < 12)).all()
    assert ((std > 0) & (std < 3)).all()
    assert (np.diff(bounds, axis=0) > 0).all()
    np.testing.assert_allclose(bounds[1], forecast)  # the forecast is the median


# ---- the warm state


def test_forecasts_continue_the_state(monkeypatch):
    """One call to the network per step, of one step: nothing of the series is read again."""
    forecaster = quick().fit(wave(200))
    model, seen = forecaster._model, []

    class Spy:
        def predict(self, steps, state):
            seen.append((len(steps.rows), state is not None))
            return model.predict(steps, state)

    monkeypatch.setattr(forecaster, "_model", Spy())
    forecaster.predict(7)
    assert seen == [(1, True)] * 7


def test_a_forecast_taken_as_observed_changes_nothing():
    forecaster = quick(differences=(8, 1), dtype="float64").fit(wave())
    whole = forecaster.predict(10)
    np.testing.assert_allclose(forecaster.update(whole[:4]).predict(6), whole[4:], rtol=1e-9)


def test_update_in_pieces():
    y, x = wave(), np.cos(np.arange(60))[:, np.newaxis]
    at_once = quick(differences=8).fit(y[:40], x[:40])
    in_pieces = copy.deepcopy(at_once)
    at_once.update(y[40:50], x[40:50])
    for t in range(40, 50):
        in_pieces.update(y[t : t + 1], x[t : t + 1])
    np.testing.assert_allclose(at_once.predict(5, x[50:55]), in_pieces.predict(5, x[50:55]), rtol=1e-6)


def test_update_keeps_series_apart():
    """The batch is laid out longest first, and which that is changes from piece to piece."""
    y = [wave(60, 0), wave(45, 1)]
    at_once = quick().fit(y)
    in_pieces = copy.deepcopy(at_once)
    at_once.update([y[0][:9], y[1][:7]])
    in_pieces.update([y[0][:1], y[1][:6]]).update([y[0][1:9], y[1][6:7]])
    for a, b in zip(at_once.predict(5), in_pieces.predict(5), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_parameters_set_later_wait_for_the_next_fit():
    forecaster = quick(differences=8, transform="sqrt").fit(wave())
    other = copy.deepcopy(forecaster).set_params(differences=(), transform=None, dtype="float64")
    assert same(other.predict(5), forecaster.predict(5))
    assert same(other.update(wave(9)).predict(5), forecaster.update(wave(9)).predict(5))


def test_predict_changes_nothing():
    forecaster = quick().fit(wave())
    before = pickle.dumps(forecaster)
    first = forecaster.predict(5, return_std=True, quantiles=[0.5])
    assert same(forecaster.predict(5, return_std=True, quantiles=[0.5]), first)
    assert pickle.dumps(forecaster) == before


# ---- forms of y and X


def test_several_columns():
    y = np.column_stack([wave(seed=0), 100 * wave(seed=1), -wave(seed=2)])
    forecaster = quick(differences=1).fit(y)
    assert forecaster.n_series_ == 3
    forecast, std, bounds = forecaster.predict(5, return_std=True, quantiles=[0.1, 0.9])
    assert forecast.shape == std.shape == (5, 3)
    assert bounds.shape == (2, 5, 3)
    assert forecaster.update(y[:4]).predict(2).shape == (2, 3)
    assert np.isfinite(forecaster.score(y[:4]))


@pytest.mark.parametrize("as_given", [list, tuple, lambda y: np.array([*y, None], dtype=object)[:-1]])
def test_list_of_series(as_given):
    y = [wave(60, 0), 1000 * wave(45, 1)]
    x = [np.ones((60, 2)), np.zeros((45, 2))]
    forecaster = quick().fit(as_given(y), x)
    future = [np.ones((5, 2)), np.zeros((5, 2))]
    with pytest.warns(UserWarning, match="for each of the 2 series, not for each of the 2 quantiles"):
        forecast, std, bounds = forecaster.predict(5, future, return_std=True, quantiles=[0.1, 0.9])
    assert [f.shape for f in forecast] == [s.shape for s in std] == [(5,), (5,)]
    assert [b.shape for b in bounds] == [(2, 5), (2, 5)]
    assert abs(forecast[0].mean() - 10) < 3
    assert abs(forecast[1].mean() - 10_000) < 3000
    assert std[1].mean() > 100 * std[0].mean()
    assert forecaster.score([wave(5), 1000 * wave(5)], future) < 0


def test_list_of_one_series():
    one = np.empty(1, dtype=object)
    one[0] = wave()
    (forecast,) = quick().fit(one).predict(5)
    assert same(forecast, quick().fit([wave()]).predict(5)[0])


def test_exogenous_columns_are_scaled():
    X = np.random.default_rng(0).normal(size=(60, 2))
    one, two = (quick().fit(wave(), x).predict(5, x[:5]) for x in (X, 1000 * X + 3000))
    np.testing.assert_allclose(one, two, rtol=1e-4)


def test_one_exogenous_column_is_saved(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 1))
    forecaster = quick().fit(wave(), x)
    pylstm.save(forecaster, tmp_path / "model")
    assert same(pylstm.load(tmp_path / "model").predict(5, x[:5]), forecaster.predict(5, x[:5]))


def test_a_column_is_a_series():
    column = quick().fit(wave()[:, np.newaxis]).predict(5)
    assert column.shape == (5, 1)
    assert same(column[:, 0], quick().fit(wave()).predict(5))


def test_pandas_and_lists_of_numbers():
    expected = quick().fit(wave()).predict(5)
    series = pd.Series(wave(), index=pd.date_range("2000", periods=60))
    assert same(quick().fit(series).predict(5), expected)
    assert same(quick().fit(wave().tolist()).predict(5), expected)
    frame = pd.DataFrame({"a": wave(), "b": wave(seed=1)})
    assert quick().fit(frame, frame).predict(5, frame[:5]).shape == (5, 2)


# ---- hyperparameters


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "options",
    [{"window": None}, {"burn_in": 10}, {"hidden_layer_sizes": (6, 4)}, {"dropout": 0.0}, {"dtype": "float64"},
     {"solver": "sgd"}, {"learning_rate": "constant"}, {"early_stopping": True, "burn_in": 5}, {"n_jobs": 2},
     {"forget_bias": "chrono"}],
    ids=str,
)  # fmt: skip
def test_options(options):
    forecaster = quick(**options).fit(wave())
    forecast, std = forecaster.predict(5, return_std=True)
    assert np.isfinite(forecast).all()
    assert (std > 0).all()
    assert forecaster.loss_curve_[-1] == forecaster.loss_
    assert (forecaster.validation_scores_ is None) == (not forecaster.early_stopping)


def test_early_stopping_does_not_learn_the_tail():
    """What the held-out steps are changes their score, and neither the weights nor the loss."""
    settings = {**QUICK, "cv": None, "early_stopping": True, "window": None, "validation_fraction": 0.2, "max_iter": 1}
    y = np.tile([1.0, 3.0], 20)
    changed = y.copy()
    changed[-4:-2] = changed[-2:] = [3.0, 1.0]  # of the same mean and scale
    a, b = LSTMForecaster(**settings).fit(y), LSTMForecaster(**settings).fit(changed)
    np.testing.assert_allclose(a._model.copy_weights(), b._model.copy_weights(), rtol=1e-6)
    assert a.best_validation_score_ != b.best_validation_score_


def test_warm_start_goes_on():
    forecaster = quick(warm_start=True).fit(wave())
    before = forecaster._model.copy_weights()
    forecaster.fit(wave(80))
    assert forecaster.n_iter_ == 6
    assert not np.array_equal(forecaster._model.copy_weights(), before)


def test_same_seed_same_bits():
    def run():
        return quick().fit(wave()).predict(5, return_std=True, quantiles=[0.2])

    assert same(run(), run())


def test_without_cv_there_are_forecasts_only():
    forecaster = quick(cv=None).fit(wave())
    assert forecaster.predict(3).shape == (3,)
    with pytest.raises(ValueError, match="need a fit with cv that was not interrupted, got cv=None"):
        forecaster.predict(3, return_std=True)


@pytest.mark.parametrize(("whole_epochs", "n_iter"), [(2, 2), (3, 3), (4, 3)], ids=["fit", "first of block", "block"])
def test_interrupt_keeps_what_is_learnt(whole_epochs, n_iter, monkeypatch):
    """In the network's own training, before the first epoch of a block's has ended, and after."""
    epochs, train_epoch = [], training.train_epoch

    def interrupted(*arguments):
        if len(epochs) == whole_epochs:
            raise KeyboardInterrupt
        epochs.append(train_epoch(*arguments))
        return epochs[-1]

    monkeypatch.setattr(training, "train_epoch", interrupted)
    with pytest.warns(UserWarning, match="interrupted by user"):
        forecaster = quick().fit(wave())
    assert (forecaster.n_iter_, len(epochs)) == (n_iter, whole_epochs)
    assert forecaster.predict(3).shape == (3,)
    with pytest.raises(ValueError, match="a fit with cv that was not interrupted, got cv=2"):
        forecaster.predict(3, return_std=True)


def test_score_is_the_scaled_error():
    y = wave()
    forecaster = quick(differences=8).fit(y[:50])
    naive = np.abs(y[8:50] - y[:42]).mean()
    assert forecaster.score(y[50:]) == pytest.approx(-np.abs(forecaster.predict(10) - y[50:]).mean() / naive)


# ---- what scikit-learn asks of all estimators, where the contract is the same


def test_parameters_and_clone():
    forecaster = LSTMForecaster(hidden_layer_sizes=(3, 2), differences=(12, 1))
    assert clone(forecaster).get_params() == forecaster.get_params()
    assert "bidirectional" not in forecaster.get_params()
    assert forecaster.set_params(cv=3).cv == 3
    forecaster.set_params(**QUICK).fit(wave())
    assert not hasattr(clone(forecaster), "n_iter_")
    assert re.match(r"LSTMForecaster\(", repr(forecaster))
    assert forecaster._repr_html_()


def test_pickle_predicts_the_same_bits(tmp_path):
    forecaster = quick(differences=8).fit(wave())
    expected = forecaster.predict(5, quantiles=[0.1, 0.9])
    path = tmp_path / "forecaster.pickle"
    path.write_bytes(pickle.dumps(forecaster))
    done = subprocess.run(
        [sys.executable, "-c",
         "import pickle, sys; f = pickle.load(open(sys.argv[1], 'rb')); "
         "sys.stdout.buffer.write(pickle.dumps(f.predict(5, quantiles=[0.1, 0.9])))", str(path)],
        capture_output=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert same(pickle.loads(done.stdout), expected)


def test_nothing_given_is_changed():
    y, x = wave(), np.random.default_rng(0).standard_normal((60, 2))
    y_before, x_before = y.copy(), x.copy()
    forecaster = quick(differences=[2])
    parameters = copy.deepcopy(forecaster.get_params())
    forecaster.fit(y, x)
    forecaster.predict(5, x[:5], return_std=True)
    forecaster.update(y, x)
    assert same([y, x], [y_before, x_before])
    assert forecaster.get_params() == parameters


def test_not_fitted():
    for call in (lambda f: f.predict(3), lambda f: f.update(wave()), lambda f: f.score(wave())):
        with pytest.raises(NotFittedError):
            call(LSTMForecaster())


# ---- save and load


def rows(n_steps, seed=1):
    return np.random.default_rng(seed).standard_normal((n_steps, 2))


@pytest.mark.parametrize(
    ("y", "X", "options"),
    [
        (wave(), None, {}),
        (wave(), None, {"cv": None, "transform": "log"}),
        (wave(), rows(60), {"differences": (3, 1), "dtype": "float64"}),
        (np.column_stack([wave(), wave(seed=1)]), None, {"differences": 8, "hidden_layer_sizes": (4, 3)}),
        ([wave(), wave(50, 1)], [rows(60), rows(50)], {"transform": "sqrt", "early_stopping": True}),
    ],
    ids=["one", "no cv", "with X", "two columns", "list"],
)
def test_saved_goes_on_with_the_same_bits(y, X, options, tmp_path):
    forecaster = quick(**options, warm_start=True).fit(y, X)
    forecaster.set_params(differences=5, transform=None)  # not what was fitted
    forecaster.save(tmp_path / "model.safetensors")
    loaded = pylstm.load(tmp_path / "model.safetensors")
    assert loaded.get_params() == forecaster.get_params()
    attributes = [name for name in vars(forecaster) if name.endswith("_") and not name.startswith("_")]
    assert {name: getattr(loaded, name) for name in attributes} == {
        name: getattr(forecaster, name) for name in attributes
    }
    several = isinstance(y, list)
    ahead = None if X is None else [rows(4, 2), rows(4, 3)] if several else rows(4, 2)
    more = [values[:4] for values in y] if several else y[:4]
    with_intervals = {} if forecaster.cv is None else {"return_std": True, "quantiles": [0.1]}
    for _ in range(2):
        assert same(loaded.predict(4, ahead, **with_intervals), forecaster.predict(4, ahead, **with_intervals))
        assert loaded.score(more, ahead) == forecaster.score(more, ahead)
        for each in (forecaster, loaded):
            each.update(more, ahead)
    assert same(loaded.fit(y, X).predict(4, ahead), forecaster.fit(y, X).predict(4, ahead))


def change(name, value):
    return lambda state, arrays: state.update({name: value})


def replace(name, value):
    return lambda state, arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("n_features_in_", -1), "n_features_in_ must be an integer >= 0, got -1"),
        (change("n_features_in_", 1), r"weight_ih_l0 must be an array \(32, 2\)"),
        (change("columns", [1, 1]), "columns must be a list of at most 1 integers >= 1"),
        (change("given_as_list", 1), "given_as_list must be true or false, got 1"),
        (change("lags", [7]), r"tail_0 must be an array \(1, 7, 1\)"),
        (change("lags", []), "there must be no more arrays, got .'tail_0'"),
        (change("transform", "cube"), "transform must be one of None, 'log', 'sqrt', got 'cube'"),
        (change("path_seed", 2**32), "path_seed must be an integer >= 0 and <= 4294967295"),
        (change("n_errors", [1, 2]), "n_errors must be a list of 1 integers >= 1"),
        (change("n_errors", [10**9]), r"errors must be an array \(1000000000, 1\)"),
        (change("n_errors", None), "there must be no more arrays, got .'errors'"),
        (replace("last", np.zeros((2, 1))), "last must be of one series, as given_as_list is false, got 2"),
        (replace("last", np.zeros((0, 1))), r"last must be an array \(>=1, 1\)"),
        (replace("h_l0", np.zeros((1, 1, 8))), r"h_l0 must be an array \(1, 1, 8\) of float32, got .* of float64"),
    ],
)  # fmt: skip
def test_hostile_files(edit, message, tmp_path):
    path = tmp_path / "model.safetensors"
    quick(differences=8).fit(wave()).save(path)
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["pylstm"])
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    edit(document["state"], arrays)
    path.write_bytes(to_safetensors(arrays, {"pylstm": json.dumps(document)}))
    with pytest.raises(ValueError, match=message):
        pylstm.load(path)


def test_no_pipelines(tmp_path):
    pipeline = make_pipeline(PerStep(StandardScaler()), quick().fit(wave()))
    with pytest.raises(TypeError, match="one of them that is no forecaster"):
        pylstm.save(pipeline, tmp_path / "model.safetensors")


# ---- errors


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.array([*wave(), np.nan]), "Input y contains NaN"),
        ([wave(), np.array([*wave(), np.inf])], r"Input y\[1\] contains infinity"),
        (wave(5), r"y must have at least 16 steps with differences=\(10,\), burn_in=0 and cv=5, got 5"),
        ([wave(), wave(15)], r"y\[1\] must have at least 16 steps"),
        (np.zeros((2, 3, 4)), r"y must have shape \(n_steps,\) or \(n_steps, n_columns\), or .*, got 3-D"),
        (np.zeros(0), "y must have at least one step and column"),
        ([wave(), np.zeros((30, 2))], r"y\[1\] must have as many columns as y\[0\]"),
        (-wave(), "y must be at least 0 with transform='sqrt', got -"),
    ],
    ids=str,
)
def test_y_refused(y, message):
    with pytest.raises(ValueError, match=message):
        LSTMForecaster(differences=10, transform="sqrt").fit(y)


def test_text_refused():
    with pytest.raises(TypeError, match="y must hold real numbers"):
        LSTMForecaster().fit(np.array(["a"] * 30))


def test_log_takes_positive_values_only():
    with pytest.raises(ValueError, match=r"y must be positive with transform='log', got 0\.0"):
        LSTMForecaster(transform="log").fit(np.zeros(30))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"differences": 0}, "differences"), ({"differences": (1, 0)}, "differences must be an integer >= 1, got 0"),
     ({"transform": "cube"}, "transform"), ({"cv": 1}, "cv"), ({"n_paths": 0}, "n_paths"), ({"window": 0}, "window"),
     ({"burn_in": 57}, "y must have at least 60 steps"),
     ({"early_stopping": True, "validation_fraction": 0.99}, "validation_fraction=0.99 leaves no step")],
    ids=str,
)  # fmt: skip
def test_hyperparameters_refused(options, message):
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(wave(59))


def test_x_refused():
    y, x = wave(), np.zeros((60, 2))
    with pytest.raises(ValueError, match="X must have one row for each of 60 steps, got 59"):
        quick().fit(y, x[:-1])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        quick().fit(y, np.where(x == 0, np.nan, x))
    with pytest.raises(ValueError, match="X must be one array, as y in fit, got a list of 1"):
        quick().fit(y, [x])
    forecaster = quick().fit(y, x)
    assert forecaster.n_features_in_ == 2
    with pytest.raises(ValueError, match="X must be given, with 2 features per step"):
        forecaster.predict(3)
    with pytest.raises(ValueError, match="X must have 2 features per step, as in fit, got 3"):
        forecaster.predict(3, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="X must have one row for each of 3 steps, got 4"):
        forecaster.predict(3, np.zeros((4, 2)))
    without = quick().fit(y)
    assert without.n_features_in_ == 0
    with pytest.raises(ValueError, match="X must have 0 features per step, as in fit, got 2"):
        without.predict(3, x[:3])


def test_predict_refused():
    forecaster = quick().fit(wave())
    with pytest.raises(ValueError, match="n_steps must be an integer >= 1, got 0"):
        forecaster.predict(0)
    with pytest.raises(TypeError, match="n_steps must be an integer"):
        forecaster.predict(2.5)
    with pytest.raises(ValueError, match=r"quantiles must be in \(0, 1\), got \[0, 0.5\]"):
        forecaster.predict(3, quantiles=[0, 0.5])
    with pytest.raises(ValueError, match="quantiles must have shape"):
        forecaster.predict(3, quantiles=0.5)


def test_update_and_score_refuse_another_form():
    forecaster = quick().fit(wave())
    with pytest.raises(ValueError, match=r"y must be one series .*\(n_steps,\), as in fit, got a list of series"):
        forecaster.update([wave()])
    with pytest.raises(ValueError, match=r"as in fit, got one series of shape \(60, 2\)"):
        forecaster.score(np.zeros((60, 2)))
    several = quick().fit([wave(), wave()])
    with pytest.raises(ValueError, match="y must have 2 series, as in fit, got 1"):
        several.update([wave()])
    with pytest.raises(ValueError, match=r"y must have series of the same length, got lengths \[3, 4\]"):
        several.score([wave(3), wave(4)])
