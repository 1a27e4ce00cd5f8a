"""Intervals of the direct way: errors of what was held out, as sizes by step and quantiles of ratios."""

import numpy as np
import pytest

from pylstm import LSTMForecaster
from pylstm._estimators.forecaster.intervals import bounds, deviations, errors_of, how_unusual


def held_out(n=4000, n_steps=6, seed=0):
    """Return forecasts, what came, and the spread of each series: errors are normal, and grow with step and spread."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.5, 2, (n, 1))
    said = rng.standard_normal((n, n_steps, 1))
    deviation = np.sqrt(np.arange(1, n_steps + 1))[:, np.newaxis]
    return said, said + rng.standard_normal(said.shape) * deviation * spread[:, np.newaxis], spread


def test_normal_errors_have_normal_quantiles():
    errors = errors_of(*held_out(), None)
    centre, spread = np.full((6, 1), 5.0), np.array([3.0])
    low, middle, high = bounds(centre, spread, errors, np.array([0.05, 0.5, 0.95]), None)
    expected = 1.645 * 3 * np.sqrt(np.arange(1, 7))
    np.testing.assert_allclose(high[:, 0] - 5, expected, rtol=0.05)
    np.testing.assert_allclose(high + low, 10, rtol=1e-12)
    np.testing.assert_array_equal(middle, centre)
    np.testing.assert_allclose(deviations(centre, spread, errors, None)[:, 0], expected / 1.645, rtol=0.05)


def test_sizes_never_shrink_and_grow_with_the_root_beyond():
    said, true, spread = held_out()
    errors = errors_of(said, said + 0.5 * (true - said)[:, ::-1], spread, None)  # smaller from step to step
    assert (np.diff(errors.sizes) >= 0).all()
    _, high = bounds(np.zeros((24, 1)), np.ones(1), errors, np.array([0.1, 0.9]), None)
    assert (np.diff(high[:, 0]) >= 0).all()
    assert high[23, 0] == pytest.approx(2 * high[5, 0])


@pytest.mark.parametrize("transform", ["log", "sqrt"])
def test_in_a_transform_no_bound_is_negative(transform):
    said, true, spread = held_out()
    errors = errors_of(np.exp(said), np.exp(true), spread, transform)
    low, high = bounds(np.ones((6, 1)), np.ones(1), errors, np.array([0.01, 0.99]), transform)
    assert (low >= 0).all()
    assert (high > 1).all()


def test_what_never_varies_says_nothing():
    said, true, spread = held_out()
    spread[::2] = 0
    true[::2] = np.inf
    found, expected = errors_of(said, true, spread, None), errors_of(said[1::2], true[1::2], spread[1::2], None)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b)
    assert errors_of(said, true, 0 * spread, None) is None


def test_steps_that_have_not_come_are_left_out():
    said, true, spread = held_out()
    true[::2, 3:] = np.nan
    errors = errors_of(said, true, spread, None)
    np.testing.assert_allclose(errors.sizes, 0.8 * np.sqrt(np.arange(1, 7)), rtol=0.1)


@pytest.mark.parametrize(("n_horizons", "expected"), [(3, 1), (5, 1), (7.5, 1.5**0.5), (10, 1.5), (40, 1.5)])
def test_a_long_past_says_what_is_usual(n_horizons, expected):
    spread = np.array([[1.0], [2], [0]])
    whole = 3 * spread
    assert how_unusual(1.5 * spread, spread, whole, n_horizons) == pytest.approx(expected)
    assert how_unusual(spread / 1.5, spread, whole, n_horizons) == pytest.approx(1 / expected)


def test_chance_alone_is_not_unusual():
    """The mean of ratios of what is drawn alike is above 1."""
    changes, spread = np.random.default_rng(0).chisquare(4, (2, 5000, 1))
    assert np.mean(changes / spread) > 1.5
    assert how_unusual(changes, spread, (changes + spread) / 2, 20) == pytest.approx(1, abs=0.03)


def test_nothing_is_more_unusual_than_twofold():
    spread = np.ones((3, 1))
    assert [how_unusual(changes * spread, spread, spread, 20) for changes in (0, 0.1, 9)] == [0.5, 0.5, 2]
    assert how_unusual(spread, 0 * spread, spread, 20) == 1


def walks(n, at_end):
    """Return walks whose last steps are of another size."""
    steps = np.random.default_rng(0).standard_normal((n, 60))
    steps[:, -4:] *= at_end
    return list(np.cumsum(steps, axis=1) + 100)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_years_that_were_unlike_all_others_are_not_the_rule():
    """Errors on the last steps would be twice as large, and with the steps before 1.6 times."""
    calm, wild = (
        LSTMForecaster((4,), horizon=4, season_length=None, transform=None, max_iter=1, random_state=0)
        .fit(walks(100, at_end))
        .predict(4, quantiles=[0.5, 0.95])[1]
        for at_end in (1, 2)
    )
    ratios = np.mean([(b[1] - b[0]) / (a[1] - a[0]) for a, b in zip(calm, wild, strict=True)])
    assert 0.9 < ratios < 1.2
