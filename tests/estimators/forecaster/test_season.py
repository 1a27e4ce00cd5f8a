"""Seasons: found where there are any, and not where there are none; tested for; divided out."""

import numpy as np
import pytest

from pylstm._estimators.forecaster.season import about_trend, find_seasons, is_seasonal, late_indices, share
from pylstm.datasets import load_airline, load_sunspots


def seasonal(season, n_steps, noise, seed, trend=0.02):
    rng = np.random.default_rng(seed)
    pattern = rng.standard_normal(season)
    steps = np.arange(n_steps)
    return pattern[steps % season] + trend * steps + noise * rng.standard_normal(n_steps)


def autoregression(rng, n_steps, *coefficients):
    values = list(rng.standard_normal(len(coefficients)))
    while len(values) < n_steps:
        values.append(np.dot(coefficients, values[: -len(coefficients) - 1 : -1]) + rng.standard_normal())
    return np.array(values)


# ---- found


@pytest.mark.parametrize("season", [4, 5, 7, 12, 24])
def test_the_season_of_one_series(season):
    assert find_seasons([seasonal(season, 8 * season, 0.3, 0)]) == (season,)


@pytest.mark.parametrize(("season", "n_steps"), [(4, 30), (12, 60), (52, 170)])
def test_the_season_of_a_panel_of_noise(season, n_steps):
    """In each series by itself there is more noise than season."""
    panel = [seasonal(season, n_steps + k % 7, 2.0, k) for k in range(60)]
    assert find_seasons(panel) == (season,)


def test_days_and_weeks():
    rng = np.random.default_rng(0)
    hours = np.arange(24 * 7 * 5)
    day, week = rng.standard_normal(24), rng.standard_normal(7)
    assert find_seasons([day[hours % 24] + week[hours // 24 % 7] + 0.3 * rng.standard_normal(len(hours))]) == (24, 168)
    assert find_seasons([day[hours % 24] + 0.3 * rng.standard_normal(len(hours))]) == (24,)


def test_data_that_ships():
    assert find_seasons([np.sqrt(load_airline()[:-24])]) == (12,)
    assert find_seasons([np.sqrt(load_sunspots())]) == ()  # a cycle of about eleven years is none


@pytest.mark.parametrize("coefficients", [(), (0.7,), (1.0,)], ids=["noise", "autoregression", "walk"])
@pytest.mark.parametrize("n_series", [1, 30])
def test_no_season(coefficients, n_series):
    found = []
    for seed in range(20 if n_series == 1 else 3):
        rng = np.random.default_rng(seed)
        found.append(find_seasons([autoregression(rng, 120, *coefficients) for _ in range(n_series)]))
    assert np.mean([seasons != () for seasons in found]) <= 0.1


@pytest.mark.parametrize(
    "values", [np.ones(40), np.arange(40.0), np.ones(3), np.ones(1)], ids=["ones", "line", "3", "1"]
)
def test_nothing_to_find(values):
    assert find_seasons([values]) == ()


def test_the_share_of_noise_is_zero_on_average():
    rng = np.random.default_rng(0)
    shares = [share(rng.standard_normal(60), 6)[0] for _ in range(500)]
    assert abs(np.mean(shares)) < 0.02


def test_the_share_of_a_season_alone_is_one():
    assert share(seasonal(6, 60, 0.0, 0), 6)[0] == pytest.approx(1)


# ---- tested for, divided out


@pytest.mark.parametrize("season", [4, 12])
@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_the_test_of_the_m4_competition(season, noise):
    """Against its definition, written out."""
    for seed in range(20):
        values = seasonal(season, 5 * season, noise, seed)
        mean, n = values.mean(), len(values)
        total = sum((v - mean) ** 2 for v in values)
        r = [
            sum((values[t] - mean) * (values[t - k] - mean) for t in range(k, n)) / total for k in range(1, season + 1)
        ]
        limit = 1.645 * np.sqrt((1 + 2 * sum(x * x for x in r[:-1])) / n)
        assert is_seasonal(values, season) == (abs(r[-1]) > limit)


def test_a_short_or_constant_series_is_not_seasonal():
    assert not is_seasonal(seasonal(12, 35, 0.0, 0), 12)
    assert not is_seasonal(np.full(60, 3.0), 12)


@pytest.mark.parametrize("season", [4, 7])
def test_indices_of_a_season_that_stays(season):
    values = seasonal(season, 6 * season, 0.0, 0)
    pattern = seasonal(season, season, 0.0, 0, trend=0.0)
    np.testing.assert_allclose(late_indices(values, season), pattern - pattern.mean(), atol=1e-12)


def test_late_seasons_count_more():
    early, late = np.array([1.0, -1, 0, 0]), np.array([-1.0, 1, 0, 0])
    indices = late_indices(np.concatenate([np.tile(early, 6), np.tile(late, 6)]), 4)
    np.testing.assert_allclose(indices, 0.8 * late, atol=0.1)


@pytest.mark.parametrize("season", [4, 5])
def test_the_moving_average(season):
    values = np.random.default_rng(0).standard_normal(20) + 1e6
    about, first = about_trend(values, season)
    half = season // 2
    for k, value in enumerate(about):
        around = values[first + k - half : first + k + half + 1]
        weights = np.ones(season) if season % 2 else np.array([0.5, *np.ones(season - 1), 0.5])
        assert value == pytest.approx(values[first + k] - np.dot(weights, around) / season, abs=1e-8)
    assert (first, len(about)) == (half, 20 - 2 * half)
