"""Sample paths: spread at each step as quantiles say, and their errors hang together as errors that were made."""

import numpy as np
import pandas as pd
import pytest
from saved_files import rewrite

import pylstm
from pylstm import LSTMForecaster
from pylstm._estimators.forecaster.intervals import bounds, errors_of, sample_paths

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PROBABILITIES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
ways = pytest.mark.parametrize("way", [{}, {"horizon": None, "differences": 1}], ids=["direct", "recursive"])


def walks_held_out(n=200, n_steps=6, seed=0):
    """Return forecasts, what came, and spreads: errors are those of walks."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.5, 2, (n, 1))
    said = rng.uniform(50, 99, (n, n_steps, 1))
    return said, said + np.cumsum(rng.standard_normal(said.shape), axis=1) * spread[:, np.newaxis], spread


def drawn(errors, n_steps=6, transform=None, n_paths=20_000):
    given = np.full((n_steps, 1), 70.0), np.array([0.5]), errors
    return sample_paths(*given, n_paths, np.random.RandomState(0), transform), bounds(*given, PROBABILITIES, transform)


@pytest.mark.parametrize("transform", [None, "sqrt", "log"])
@pytest.mark.parametrize("n_steps", [4, 6, 11])
def test_each_step_has_its_quantiles(transform, n_steps):
    paths, expected = drawn(errors_of(*walks_held_out(), transform), n_steps, transform)
    assert paths.shape == (40_000, n_steps, 1)
    np.testing.assert_allclose(np.quantile(paths, PROBABILITIES, axis=0), expected, rtol=2e-3)


def test_errors_hang_together_as_those_that_were_made():
    said, true, spread = walks_held_out(2000)
    steps, (_, alone) = drawn(errors_of(said, true, spread, None)), drawn(errors_of(said, true, spread, None))
    expected = np.corrcoef(((true - said) / spread[:, np.newaxis])[:, :, 0].T)
    np.testing.assert_allclose(np.corrcoef(steps[0][:, :, 0].T), expected, atol=0.15)
    of_sum = np.quantile(steps[0].sum(axis=(1, 2)), [0.05, 0.95])
    assert np.diff(of_sum) == pytest.approx((alone[-1] - alone[0]).sum(), rel=0.2)  # nearly all err to one side


def test_behind_the_paths_are_their_mirror_images():
    paths, _ = drawn(errors_of(*walks_held_out(), None), n_paths=50)
    np.testing.assert_allclose(paths[:50] + paths[50:], 140)


def test_errors_that_are_not_known_stay_what_they_were():
    """Those behind the end of the series: a path goes on where it is."""
    said, true, spread = walks_held_out()
    true[:, 3:] = np.where(np.arange(len(true))[:, np.newaxis, np.newaxis] % 2, true[:, 3:], np.nan)
    paths, expected = drawn(errors_of(said, true, spread, None))
    assert np.isfinite(paths).all()
    np.testing.assert_allclose(np.quantile(paths, PROBABILITIES, axis=0), expected, rtol=2e-3)


# ---- of a forecaster


def series(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return 20 + 3 * np.sin(np.arange(n) * np.pi / 2) + np.cumsum(0.3 * rng.standard_normal(n))


def quick(**options):
    given = {"hidden_layer_sizes": (4,), "max_iter": 2, "cv": 3, "n_paths": 200, "random_state": 0, "horizon": 5}
    return LSTMForecaster(**given | options)


FORMS = {
    "one": series(),
    "two columns": np.column_stack([series(), np.full(60, 3.0)]),
    "list": [series(), series(50, 1), np.full(40, 2.0)],
}


@ways
@pytest.mark.parametrize("form", FORMS)
def test_paths_agree_with_quantiles(way, form):
    forecaster = quick(**way).fit(FORMS[form])
    paths, (_, expected) = forecaster.sample_paths(8), forecaster.predict(8, quantiles=PROBABILITIES)
    if form != "list":
        paths, expected = [paths], [expected]
    for of_one, quantiles in zip(paths, expected, strict=True):
        assert of_one.shape == (400, *quantiles.shape[1:])
        width = (quantiles[-1] - quantiles[0]).max()
        found = np.quantile(of_one, PROBABILITIES, axis=0)
        np.testing.assert_allclose(found, quantiles, atol=1e-9 + (0.01 if way else 0.1) * width)
    again = forecaster.sample_paths(8)
    assert np.array_equal(again[0], paths[0] if form == "list" else paths[0][0])


def test_dates_stand_beside_paths():
    y = pd.Series(series(), pd.date_range("2024-01", periods=60, freq="MS"), name="sales")
    forecaster = quick(n_paths=3).fit(y)
    paths = forecaster.sample_paths(4)
    assert paths.columns.tolist() == [f"sales_path{k}" for k in range(6)]
    assert paths.index.equals(forecaster.predict(4).index)


@ways
def test_saved(way, tmp_path):
    forecaster = quick(**way).fit(FORMS["list"])
    forecaster.save(tmp_path / "model")
    for ours, theirs in zip(forecaster.sample_paths(7), pylstm.load(tmp_path / "model").sample_paths(7), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_file_from_before_there_were_any(tmp_path):
    forecaster = quick().fit(series())
    forecaster.save(tmp_path / "model")
    rewrite(tmp_path / "model", lambda _, arrays: arrays.pop("error_runs"))
    old = pylstm.load(tmp_path / "model")
    np.testing.assert_array_equal(old.predict(3, quantiles=[0.1])[1], forecaster.predict(3, quantiles=[0.1])[1])
    with pytest.raises(ValueError, match="sample paths need a fit by this version"):
        old.sample_paths(3)


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_a_file_of_runs_that_are_none(value, tmp_path):
    quick().fit(series()).save(tmp_path / "model")
    rewrite(tmp_path / "model", lambda _, arrays: arrays["error_runs"].fill(value))
    with pytest.raises(ValueError, match="error_runs must be from -1 to 1"):
        pylstm.load(tmp_path / "model")


@ways
def test_without_errors(way):
    with pytest.raises(ValueError, match=r"return_std, quantiles and sample paths need a fit with cv .* got cv=None"):
        quick(cv=None, **way).fit(series()).sample_paths(3)
    with pytest.raises(ValueError, match="n_steps must be an integer >= 1, got 0"):
        quick(**way).fit(series()).sample_paths(0)
