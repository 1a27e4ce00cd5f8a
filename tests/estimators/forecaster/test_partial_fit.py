"""`LSTMForecaster.partial_fit`: an epoch a call, in both ways; what stays, what goes on, and what an error undoes."""

import pickle

import numpy as np
import pytest

import pylstm
from pylstm import LSTMForecaster

WAYS = {"direct": {"horizon": 6}, "recursive": {"horizon": None}}
ways = pytest.mark.parametrize("way", WAYS)


def quick(way, **options):
    defaults = {"hidden_layer_sizes": (8,), "cv": None, "random_state": 0}
    return LSTMForecaster(**defaults | WAYS[way] | options)


def panel(n_series=20, n_steps=60, seed=0):
    """Return series with a season of 6 and a level of their own, with noise."""
    rng, t = np.random.default_rng(seed), np.arange(n_steps)
    season = np.sin(np.pi * t / 3) + 0.7 * np.cos(2 * np.pi * t / 3)
    return [20 + 5 * k + (1 + k % 3) * (season + rng.normal(0, 0.2, n_steps)) for k in range(n_series)]


def error(forecaster, series, n=6):
    """Return the mean scaled error of forecasts of the last steps, of which the forecaster was told nothing."""
    pasts, futures = [y[:-n] for y in series], [y[-n:] for y in series]
    said = forecaster.partial_fit(pasts).predict(n)
    return np.mean([np.abs(a - b).mean() / np.abs(np.diff(b)).mean() for a, b in zip(said, futures, strict=True)])


@ways
def test_it_learns(way):
    """The season, which it is not told of."""
    forecaster = quick(way, season_length=None, learning_rate_init=0.005)
    errors = [error(forecaster, panel(seed=call)) for call in range(25)]
    assert np.mean(errors[-5:]) < 0.5 * errors[0]
    assert forecaster.n_iter_ == len(forecaster.loss_curve_) == 25
    assert forecaster.loss_ < 0.5 * forecaster.loss_curve_[0]


@ways
def test_the_first_call_is_the_first_epoch_of_a_fit(way):
    y = panel(3)
    fitted = quick(way, max_iter=1).fit(y)
    for a, b in zip(quick(way).partial_fit(y).predict(8), fitted.predict(8), strict=True):
        np.testing.assert_array_equal(a, b)


@ways
def test_same_seed_same_bits(way):
    several = [quick(way).partial_fit(panel(3)).partial_fit(panel(3, seed=1)).predict(9) for _ in range(2)]
    np.testing.assert_array_equal(*several)


@ways
def test_choices_stay_and_forecasts_follow_what_was_given(way):
    first, other = panel(4), [100 + np.cumsum(np.random.default_rng(k).normal(size=70)) for k in range(7)]
    forecaster = quick(way, learning_rate_init=1e-30).partial_fit(first)
    chosen = forecaster.summary(), forecaster.season_length_, forecaster.transform_
    assert forecaster.season_length_ == 6
    forecaster.set_params(transform="log", season_length=4, window=5, dtype="float64").partial_fit(other)
    assert (forecaster.summary(), forecaster.season_length_, forecaster.transform_) == chosen
    said = forecaster.predict(3)
    assert len(said) == 7
    assert all(abs(a - y[-1]).max() < 40 for a, y in zip(said, other, strict=True))
    back = forecaster.partial_fit(first).predict(3)  # with weights that have not changed
    np.testing.assert_array_equal(back, quick(way, learning_rate_init=1e-30).partial_fit(first).predict(3))


@ways
def test_a_fit_goes_on(way):
    y = panel(3)
    forecaster = quick(way, max_iter=3).fit(y)
    updates = forecaster.n_updates_
    assert forecaster.partial_fit(y).n_iter_ == 4
    assert forecaster.n_updates_ * 3 == updates * 4


@ways
def test_intervals_stay_those_of_the_fit(way):
    y = panel(3)
    forecaster = quick(way, max_iter=3, cv=2, n_paths=20, learning_rate_init=1e-30).fit(y)
    before = forecaster.predict(6, quantiles=[0.1, 0.9])
    after = forecaster.partial_fit(y).predict(6, quantiles=[0.1, 0.9])
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    more = forecaster.partial_fit(panel(5))
    if way == "direct":
        assert len(more.predict(6, return_std=True)[1]) == 5
    else:
        with pytest.raises(ValueError, match="partial_fit makes no errors of its own, and keeps those of as many"):
            more.predict(6, return_std=True)
    with pytest.raises(ValueError, match="need a fit with cv"):
        quick(way).partial_fit(y).predict(6, return_std=True)


@ways
@pytest.mark.parametrize("n_steps", [60, 2000])
def test_what_is_kept_goes_on(way, n_steps, tmp_path):
    """With the same learning rate and mini-batches, too, where these are chosen by how much there is to learn."""
    y, later = panel(3, n_steps), panel(3, n_steps, seed=1)
    forecaster = quick(way).partial_fit(y)
    pickled = pickle.loads(pickle.dumps(forecaster))
    forecaster.save(tmp_path / "model.safetensors")
    loaded = pylstm.load(tmp_path / "model.safetensors")
    expected = forecaster.partial_fit(later).predict(8)
    for other in (pickled, loaded):
        np.testing.assert_array_equal(other.partial_fit(later).predict(8), expected)
        assert other.n_updates_ == forecaster.n_updates_


def test_dates_follow_what_was_given():
    pd = pytest.importorskip("pandas")
    dates = pd.date_range("2024-01-01", periods=120, freq="D")
    y = pd.Series(10.0 + np.arange(120) % 7, dates, name="sold")
    forecaster = quick("direct", calendar=("weekday",)).partial_fit(y[:100])
    assert forecaster.predict(2).index[0] == dates[100]
    assert forecaster.partial_fit(y[40:]).predict(2).index[0] == dates[-1] + pd.Timedelta(days=1)


@ways
def test_an_error_leaves_all_as_it_was(way, monkeypatch):
    y = panel(3)
    unfitted = quick(way)
    with pytest.raises(ValueError, match=r"y\[0\] contains NaN"):
        unfitted.partial_fit([np.full(60, np.nan)])
    assert not [name for name in vars(unfitted) if name.endswith("_")]
    forecaster = quick(way, max_iter=2, shuffle=False).fit(y)
    before, losses = forecaster.predict(9), list(forecaster.loss_curve_)

    def same():
        np.testing.assert_array_equal(forecaster.predict(9), before)
        assert forecaster.loss_curve_ == losses
        assert forecaster.n_iter_ == 2

    for bad, message in (
        ([np.ones(2)], "must have at least"),
        (y[0], "y must be a list of series"),
        ([np.full(60, -1.0)], "must be at least 0 with|must be positive with"),
    ):
        with pytest.raises(ValueError, match=message):
            forecaster.partial_fit(bad)
        same()
    with pytest.raises(ValueError, match="X must have 0 features per step, as in fit, got 1"):
        forecaster.partial_fit(y, [np.ones(60)] * 3)
    with pytest.raises(ValueError, match="early_stopping"):
        forecaster.set_params(early_stopping=True).partial_fit(y)
    forecaster.set_params(early_stopping=False)
    with monkeypatch.context() as patched:  # the last of all that can go wrong
        patched.setattr(LSTMForecaster, "_set_history", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forecaster.partial_fit(y)
    same()
    again = quick(way, max_iter=2, shuffle=False).fit(y).partial_fit(panel(3, seed=2)).predict(9)
    np.testing.assert_array_equal(forecaster.partial_fit(panel(3, seed=2)).predict(9), again)


def test_what_stands_beside_y_stays():
    y, X = panel(3), [np.arange(60.0) % 5] * 3
    forecaster = quick("direct").partial_fit(y, X, X_past=X)
    with pytest.raises(ValueError, match=r"X_past and static must have as many columns as before, {'X_past': 1, 'sta"):
        forecaster.partial_fit(y, [np.stack([x, x], axis=1) for x in X])
    forecaster.partial_fit(y, X, X_past=X)
    assert len(forecaster.predict(2, [np.ones(2)] * 3)) == 3
