"""The direct way: defaults that need no tuning, any horizon, panels of any lengths, X ahead, files, errors."""

import copy
import json
import pickle

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors

import pylstm
from pylstm import LSTMForecaster
from pylstm._estimators.forecaster.views import as_given, as_read, moved, read, views_of
from pylstm.datasets import load_airline, load_sunspots

QUICK = {"horizon": 6, "season_length": 4, "hidden_layer_sizes": 4, "max_iter": 2, "batch_size": 8, "random_state": 0}


def quick(**options):
    return LSTMForecaster(**{**QUICK, **options})


def series(n_steps=40, seed=0, season=4):
    rng = np.random.default_rng(seed)
    steps = np.arange(n_steps)
    return 10 + 0.1 * steps + 2 * np.sin(steps * 2 * np.pi / season) + 0.3 * rng.standard_normal(n_steps)


def panel(n_series=5):
    return [10.0**k * series(30 + 3 * k, k) for k in range(n_series)]


def same(a, b):
    """Whether two predictions, of any form, have the same bits."""
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b)


def mase(past, future, forecast, lag):
    return np.abs(forecast - future).mean() / np.abs(past[lag:] - past[:-lag]).mean()


# ---- defaults


@pytest.mark.parametrize(
    ("load", "horizon", "lag", "bar"), [(load_airline, 24, 12, 0.75), (load_sunspots, 20, 1, 0.64)],
    ids=["airline", "sunspots"],
)  # fmt: skip
@pytest.mark.long
def test_nothing_has_to_be_tuned(load, horizon, lag, bar):
    y = load()
    past, future = y[:-horizon], y[-horizon:]
    errors, covered = [], []
    for seed in range(3):
        forecaster = LSTMForecaster(horizon=horizon, random_state=seed).fit(past)
        forecast, (low, high) = forecaster.predict(horizon, quantiles=[0.05, 0.95])
        errors.append(mase(past, future, forecast, lag))
        covered.append(((low <= future) & (future <= high)).mean())
    assert np.mean(errors) < bar
    assert np.mean(covered) > 0.8


def test_what_was_found_is_told():
    airline = LSTMForecaster(max_iter=1, cv=None).fit(load_airline())
    assert (airline.season_length_, airline.transform_, airline.horizon_) == (12, ("sqrt", "log"), 12)
    assert airline.summary().splitlines() == [
        "Season: 12 steps",
        "Forecast: 12 steps at once, from windows of 24; longer ones go on so",
        "Read as: the level (sqrt)",
        "         the change over 12 steps (log)",
    ]
    sunspots = LSTMForecaster(horizon=20, max_iter=1, cv=None).fit(load_sunspots())
    assert (sunspots.season_length_, sunspots.transform_, sunspots.horizon_) == (None, "sqrt", None)
    assert sunspots.differences_ == ()
    assert sunspots.summary().splitlines() == [
        "Season: none",
        "Forecast: one step after the other (sqrt)",
        "          whatever the horizon, as values without a season come back to a level",
        "Differences: none",
    ]
    for asked in ({"horizon": None}, {"differences": ()}):
        steps = LSTMForecaster(max_iter=1, cv=None, **asked).fit(load_sunspots())
        assert steps.summary() == "Season: none\nForecast: one step after the other (sqrt)\nDifferences: none"


@pytest.mark.parametrize(
    ("y", "season_length", "expected"),
    [(series(), 4, ("sqrt", "log")), (series() - 11, 4, None), (np.maximum(series() - 11, 0), 4, "sqrt"),
     (np.cumsum(np.ones(40)), None, "sqrt"), (series(80), (4, 8), ("sqrt", "log", "log"))],
    ids=["positive", "negative", "zeros", "no season", "two seasons"],
)  # fmt: skip
def test_transforms(y, season_length, expected):
    forecaster = quick(season_length=season_length, cv=None).fit(y)
    assert forecaster.transform_ == expected
    assert forecaster.season_length_ == season_length
    assert np.isfinite(forecaster.predict(9)).all()


def test_the_way_that_values_ask_for():
    """Noise about a level is forecast step by step, unless there is a season or a short series; a walk never is."""
    noise = np.random.default_rng(0).standard_normal(80)
    season = np.tile([0.0, 3, 0, -3], 20)
    for y, horizon in ((noise, None), (noise + season, 4), (np.cumsum(noise), 4), ([noise, noise[:9]], 4)):
        assert LSTMForecaster(horizon=4, max_iter=1, cv=None).fit(y).horizon_ == horizon


@pytest.mark.parametrize("options", [{"horizon": None}, {"differences": 4}, {"differences": ()}], ids=str)
def test_the_recursive_way_is_asked_for(options):
    forecaster = quick(**options).fit(series())
    assert forecaster.horizon_ is None
    assert forecaster.differences_ == ((4,) if options != {"differences": ()} else ())


def walks_with_a_season(growth, seed):
    """Return 120 series that have a season and wander, and what comes after."""
    rng = np.random.default_rng(seed)
    past, future = [], []
    for k in range(120):
        n = int(rng.integers(48, 90))
        walk = np.cumsum(0.2 * rng.standard_normal(n + 8))
        level = (series(n + 8, k) + (growth - 0.1) * np.arange(n + 8)) / 2 + walk
        y = np.exp(rng.normal(3, 1)) * np.exp(0.1 * level)
        past.append(y[:-8])
        future.append(y[-8:])
    return past, future


@pytest.mark.long
def test_a_panel_is_better_than_naive():
    past, future = walks_with_a_season(0.1, 0)
    forecaster = LSTMForecaster(horizon=8, cv=None, random_state=0).fit(past)
    assert forecaster.season_length_ == 4
    naive = np.mean([mase(p, f, np.tile(p[-4:], 2), 4) for p, f in zip(past, future, strict=True)])
    forecasts = forecaster.predict(8)
    assert np.mean([mase(p, f, q, 4) for p, f, q in zip(past, future, forecasts, strict=True)]) < 0.9 * naive


@pytest.mark.long
def test_panels_are_covered():
    """As many of the future's values are in intervals as should be, of panels that don't grow."""
    inside = []
    for seed in range(2):
        past, future = walks_with_a_season(0, seed)
        bounds = LSTMForecaster(horizon=8, random_state=0).fit(past).predict(8, quantiles=[0.05, 0.25, 0.75, 0.95])[1]
        inside += [[(b[0] <= f) & (f <= b[3]), (b[1] <= f) & (f <= b[2])] for b, f in zip(bounds, future, strict=True)]
    wide, narrow = np.mean(inside, axis=(0, 2))
    assert 0.84 <= wide <= 0.96
    assert 0.4 <= narrow <= 0.6


# ---- forecasts


@pytest.mark.parametrize("y", [series(), panel(), np.column_stack([series(), -series(seed=1)])], ids=["1", "list", "2"])
def test_shorter_forecasts_are_the_beginning_of_longer_ones(y):
    forecaster = quick().fit(y)
    whole = forecaster.predict(17, return_std=True, quantiles=[0.1, 0.2, 0.9])
    for n in (1, 5, 6, 7, 16):
        part = forecaster.predict(n, return_std=True, quantiles=[0.1, 0.2, 0.9])
        if isinstance(y, list):
            assert same(part[0], [values[:n] for values in whole[0]])
            assert same(part[2], [values[:, :n] for values in whole[2]])
        else:
            assert same(part, (whole[0][:n], whole[1][:n], whole[2][:, :n]))


def test_a_forecast_taken_as_observed_changes_nothing():
    """Of a whole horizon."""
    forecaster = quick(dtype="float64").fit(panel())
    whole = forecaster.predict(15)
    after = forecaster.update([values[:6] for values in whole]).predict(9)
    for a, b in zip(after, whole, strict=True):
        np.testing.assert_allclose(a, b[6:], rtol=1e-9)


def test_update_in_pieces():
    y = [series(60, 0), series(50, 1)]
    at_once = quick().fit([values[:40] for values in y])
    in_pieces = copy.deepcopy(at_once)
    at_once.update([y[0][40:52], y[1][40:47]])
    in_pieces.update([y[0][40:41], y[1][40:45]]).update([y[0][41:52], y[1][45:47]])
    assert same(at_once.predict(8), in_pieces.predict(8))


def test_units_do_not_matter():
    y = series() - 11
    expected = quick().fit(y).predict(8, quantiles=[0.1])
    found = quick().fit(1e6 * y).predict(8, quantiles=[0.1])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a / 1e6, b, rtol=1e-5)


def test_x_is_read_ahead():
    """Values that X alone determines, at random."""
    x = np.random.default_rng(0).standard_normal((300, 1))
    y = np.cumsum(0.1 * np.ones(300)) + 3 * x[:, 0]
    forecaster = LSTMForecaster(horizon=10, season_length=None, cv=None, random_state=0)
    forecast = forecaster.fit(y[:-20], x[:-20]).predict(20, x[-20:])
    assert np.abs(forecast - y[-20:]).mean() < 0.7  # without X: 2.4
    assert same(forecaster.predict(7, x[-20:-13]), forecast[:7])


@pytest.mark.parametrize("value", [7.0, 0.0, -3.0])
def test_a_constant_series_stays(value):
    forecaster = quick().fit([np.full(30, value), series() + value])
    forecasts, stds, bounds = forecaster.predict(9, return_std=True, quantiles=[0.1, 0.5, 0.9])
    assert (forecasts[0] == value).all()
    assert (stds[0] == 0).all()
    np.testing.assert_allclose(bounds[0], value, rtol=1e-12)
    assert (stds[1] > 0).all()
    with pytest.warns(UserWarning, match="y varies in a column that never did in fit"):
        forecaster.update([np.full(2, value + 1), series(2)])
    assert (forecaster.predict(3)[0] == value + 1).all()


def test_nothing_varies():
    forecast, std, bounds = quick().fit(np.full(30, 7.0)).predict(9, return_std=True, quantiles=[0.1, 0.9])
    assert (forecast == 7).all()
    assert (std == 0).all()
    assert (bounds == 7).all()


def test_short_series_are_welcome():
    """Shorter than a window, a season, two values."""
    y = [series(40), series(9), series(4), series(3), series(2), series(1)]
    forecaster = quick().fit(y)
    forecasts, bounds = forecaster.predict(8, quantiles=[0.1, 0.9, 0.5])
    assert np.isfinite(np.stack(forecasts)).all()
    assert np.isfinite(np.stack(bounds)).all()
    assert (forecasts[-1] == y[-1][0]).all()
    assert forecaster.update([values[:1] for values in y]).predict(2)[0].shape == (2,)


def test_quantiles_do_not_cross_and_widen():
    _, bounds = quick().fit(panel()).predict(14, quantiles=np.linspace(0.01, 0.99, 9))
    for each in bounds:
        assert (np.diff(each, axis=0) >= 0).all()
    narrow = np.sqrt(np.stack(bounds))[:, -1] - np.sqrt(np.stack(bounds))[:, 0]
    assert (np.diff(narrow, axis=1) >= -1e-9 * narrow[:, 1:]).all()


def test_score_is_scaled_by_the_season():
    y = series()
    forecaster = quick().fit(y[:34])
    naive = np.abs(y[4:34] - y[:30]).mean()
    assert forecaster.score(y[34:]) == pytest.approx(-np.abs(forecaster.predict(6) - y[34:]).mean() / naive)
    recursive = quick(horizon=None, differences=1).fit(y[:34])
    assert recursive.score(y[34:]) == pytest.approx(-np.abs(recursive.predict(6) - y[34:]).mean() / naive)


# ---- views


@pytest.mark.parametrize("transforms", [(None, None), ("sqrt", "log")])
def test_views_are_undone(transforms):
    """A series that goes on as it is read comes back as it was, whatever has been seen since."""
    y = [values[:, np.newaxis] for values in (series(40), series(33, 1))]
    views = views_of((4,), transforms)
    known = [values[:24] for values in y]
    reading = read(known, views)
    later = moved(reading, np.array([len(values) - 24 for values in y]))
    for k, values in enumerate(y):
        whole = as_read(values, k, views, later)
        np.testing.assert_allclose(whole[:, :24], as_read(known[k], k, views, reading), rtol=1e-12)
        ahead = whole[:, np.newaxis, 24:30]
        for place, since in ((reading, 0), (later, 24 - len(values))):
            found = as_given(ahead, np.array([k]), np.array([since]), views, place)
            np.testing.assert_allclose(found, np.stack([values[np.newaxis, 24:30]] * 2), rtol=1e-12)


# ---- fits


@pytest.mark.parametrize(
    "options",
    [{"window": None}, {"window": 5}, {"hidden_layer_sizes": (6, 4)}, {"dropout": 0.3}, {"dtype": "float64"},
     {"solver": "sgd"}, {"early_stopping": True}, {"shuffle": False}, {"n_jobs": 2}, {"cell": "gru"}],
    ids=str,
)  # fmt: skip
def test_options(options):
    forecaster = quick(**options).fit(panel())
    forecasts, stds = forecaster.predict(7, return_std=True)
    assert np.isfinite(np.concatenate(forecasts)).all()
    assert (np.concatenate(stds) > 0).all()
    assert (forecaster.validation_scores_ is None) == (not forecaster.early_stopping)


def test_same_seed_same_bits():
    assert same(*(quick().fit(panel()).predict(7, return_std=True) for _ in range(2)))


def test_warm_start_goes_on():
    forecaster = quick(warm_start=True).fit(panel())
    before = forecaster._model.copy_weights()
    assert forecaster.fit(panel()).n_iter_ == 4
    assert not np.array_equal(forecaster._model.copy_weights(), before)


def test_early_stopping_does_not_learn_the_tail():
    """What it is changes the score, and not the weights."""
    y, changed = series() - 11, series() - 11
    changed[-4:-2], changed[-2:] = y[-2:], y[-4:-2]
    a, b = (
        quick(early_stopping=True, cv=None, season_length=None, transform=None, max_iter=1).fit(values)
        for values in (y, changed)
    )
    assert a.best_validation_score_ != b.best_validation_score_
    assert a.loss_ == pytest.approx(b.loss_, rel=0.1)  # but for the scale, of all values


def test_without_cv_there_are_forecasts_only():
    forecaster = quick(cv=None).fit(panel())
    with pytest.raises(ValueError, match=r"return_std, quantiles and sample paths need a fit with cv .* got cv=None"):
        forecaster.predict(3, return_std=True)


def test_trace_reads_the_last_window():
    trace = quick().fit(panel()).trace([values[:2] for values in panel()])
    assert len(trace.output) == 5
    assert trace.output[0].shape == (9, 4)


# ---- files


def rows(n_steps, seed=1):
    return np.random.default_rng(seed).standard_normal((n_steps, 2))


@pytest.mark.parametrize(
    ("y", "X", "options"),
    [(series(), None, {}), (series(), rows(40), {"cv": None, "dtype": "float64"}),
     (panel(), None, {"season_length": (4, 8)}),
     (np.column_stack([series(), -series(seed=1)]), None, {"season_length": None, "early_stopping": True})],
    ids=["one", "with X", "list", "two columns"],
)  # fmt: skip
def test_saved_goes_on_with_the_same_bits(y, X, options, tmp_path):
    forecaster = quick(**options, warm_start=True).fit(y, X)
    forecaster.save(tmp_path / "model")
    several = isinstance(y, list)
    more = [values[:3] for values in y] if several else y[:3]
    ahead = None if X is None else rows(9, 2)
    extra = {} if forecaster.cv is None else {"return_std": True, "quantiles": [0.1]}
    for again in (pylstm.load(tmp_path / "model"), pickle.loads(pickle.dumps(forecaster)), copy.deepcopy(forecaster)):
        attributes = {name: value for name, value in vars(forecaster).items() if name.endswith("_") and name[0] != "_"}
        assert {name: getattr(again, name) for name in attributes} == attributes
        assert again.summary() == forecaster.summary()
        assert same(again.predict(9, ahead, **extra), forecaster.predict(9, ahead, **extra))
        whole, part = (copy.deepcopy(each).update(more, None if X is None else rows(3)) for each in (forecaster, again))
        assert same(part.predict(9, ahead, **extra), whole.predict(9, ahead, **extra))
        assert same(again.fit(y, X).predict(4, rows(4) if X is not None else None),
                    copy.deepcopy(forecaster).fit(y, X).predict(4, rows(4) if X is not None else None))  # fmt: skip


def change(name, value):
    return lambda state, arrays: state.update({name: value})


def replace(name, value):
    return lambda state, arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("seasons", [1]), "seasons must be a list of integers >= 2"),
        (change("seasons", [4, 8]), "transforms must be a list of 3 strings"),
        (change("seasons", [5]), r"season_0 must be an array \(1, 5, 1\)"),
        (change("horizon", 0), "horizon must be an integer >= 1, got 0"),
        (change("transforms", ["sqrt", "cube"]), "transforms must be of 'none', 'log', 'sqrt', got"),
        (change("window", 10**9), "window must be an integer >= 1 and <= 13"),
        (change("n_tails", [0]), "n_tails must be a list of integers >= 1"),
        (change("n_tails", [20]), r"tails must be an array \(20, 1\)"),
        (change("n_tails", [6, 10]), "n_tails must be of one series, as given_as_list is false, got 2"),
        (replace("scales", np.zeros((2, 1, 1))), "scales must be finite and positive"),
        (change("n_errors", 7), r"error_runs must be an array \(>=1, 7, 1\)"),
        (change("n_errors", None), "there must be no more arrays, got .'error_quantiles'"),
    ],
)
def test_hostile_files(edit, message, tmp_path):
    path = tmp_path / "model"
    quick().fit(series()).save(path)
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["pylstm"])
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    edit(document["state"], arrays)
    path.write_bytes(to_safetensors(arrays, {"pylstm": json.dumps(document)}))
    with pytest.raises(ValueError, match=message):
        pylstm.load(path)


# ---- errors


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (series(6), {}, "y must have at least one series longer than horizon=6, .* got 6 steps at most"),
        ([series(1), series(1)], {"horizon": 1}, "y must have at least one series longer than horizon=1, .* got 1 "),
        (series() - 20, {"transform": "log"}, "y must be positive with transform='log', got -"),
        (series() - 20, {"transform": "sqrt"}, "y must be at least 0 with transform='sqrt', got -"),
        (np.array([*series(), np.inf]), {}, "Input y contains infinity"),
        (series(), {"season_length": (4, 1)}, "season_length must be an integer >= 2, got 1"),
        (series(), {"season_length": 1}, "season_length"),
        (series(), {"horizon": 0}, "horizon"),
        (series(), {"early_stopping": True, "validation_fraction": 0.99}, "validation_fraction=0.99 leaves no step"),
    ],
)
def test_refused(y, options, message):
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(y)


def test_what_follows_has_to_be_of_the_kind():
    forecaster = quick().fit(series())
    with pytest.raises(ValueError, match="y must be at least 0 with transform='sqrt', got -1"):
        forecaster.update([1.0, -1.0])
    with pytest.raises(ValueError, match="y must be positive with transform='log', got 0"):
        forecaster.update([1.0, 0.0])
    with pytest.raises(ValueError, match="keeps its state itself: use update and predict"):
        pylstm.stream(forecaster)
