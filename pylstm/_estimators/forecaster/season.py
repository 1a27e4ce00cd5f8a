"""Seasons: found in a panel of series, tested for in one, and divided out of it."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..._net.inputs import Array

#: Series of a panel that a season is looked for in, evenly spread over it, and the longest season looked for.
MOST_SERIES, LONGEST = 100, 400
#: What seasons are as a rule: of quarters, days, months, hours, weeks, half and quarter hours.
USUAL = (4, 7, 12, 24, 48, 52, 96, 168, 336)
DAYS = 7
#: Share of the variance that a usual season has to explain, in all its repetitions alike, and another one.
LEAST, LEAST_UNUSUAL = 0.1, 0.6
#: So many deviations of a share that is chance.
SURE = 3.5
#: A season is taken for a part of itself that explains nearly as much.
NEARLY = 0.85
#: Seasons after which late ones count twice as much as early ones.
HALF_LIFE = 2.0


def find_seasons(series: Sequence[Array]) -> tuple[int, ...]:
    """Return the length of the season that series (n_steps,) have, and of a week of such days; () for none."""
    some = series[:: max(1, len(series) // MOST_SERIES)]
    longest = min(max(len(values) for values in some) // 3, LONGEST)
    season = _strongest(some, range(3, longest + 1))
    if season is None:
        return ()
    rest = [values - tiled(late_indices(values, season), len(values)) for values in some if len(values) >= 2 * season]
    week = _strongest(rest, (DAYS * season,))
    return (season,) if week is None else (season, week)


def _strongest(series: Sequence[Array], seasons: Iterable[int]) -> int | None:
    """Return the season, of some, that explains most; None if none explains enough."""
    shares, found = {}, []
    for season in seasons:
        explained = [share(values, season) for values in series if len(values) >= 3 * season]
        if 2 * len(explained) < len(series):
            break  # the longer, the fewer
        each, weights = np.array(explained).T
        shares[season] = float(each.mean())
        least = LEAST if season in USUAL else LEAST_UNUSUAL
        if shares[season] > least and (each * weights).sum() / np.sqrt(len(each)) > SURE:
            found.append(season)
    if not found:
        return None
    best = max(found, key=shares.__getitem__)
    return next(season for season in found if best % season == 0 and shares[season] > NEARLY * shares[best])


def share(values: Array, season: int) -> tuple[float, float]:
    """Return what share of the variance about the trend a season explains that repeats itself, and how sure that is.

    The first is 0 on average where there is no season: the variance of the places' means, less what noise gives them.
    The second is one over its standard deviation then, of noise that goes on for some steps.
    """
    about, _ = about_trend(values, season)
    n_seasons = len(about) // season
    about = about[len(about) - n_seasons * season :].reshape(n_seasons, season)
    variance = np.square(about).mean()
    if n_seasons < 2 or variance <= np.finfo(float).eps * np.square(values).mean():
        return 0.0, 0.0
    of_means = np.square(about.mean(axis=0)).mean() / variance
    return (n_seasons * of_means - 1) / (n_seasons - 1), (n_seasons - 1) * np.sqrt(max(season / 8, 1))


def about_trend(values: Array, season: int) -> tuple[Array, int]:
    """Return values less their centred moving average over a season, and the step that they begin with."""
    half = season // 2
    sums = np.concatenate([[0.0], np.cumsum(values - values[0])])
    means = (sums[season:] - sums[:-season]) / season + values[0]
    if season % 2 == 0:
        means = (means[1:] + means[:-1]) / 2
    return values[half : half + len(means)] - means, half


def is_seasonal(values: Array, season: int) -> bool:
    """Whether the autocorrelation at the season's lag is more than chance (the M4 competition's test, 90 %)."""
    n = len(values)
    if n < 3 * season:
        return False
    centred = values - values.mean()
    total = np.square(centred).sum()
    if total <= np.finfo(float).eps * np.square(values).sum():
        return False
    correlations = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, season + 1)]) / total
    return bool(abs(correlations[-1]) > 1.645 * np.sqrt((1 + 2 * np.square(correlations[:-1]).sum()) / n))


def late_indices(values: Array, season: int) -> Array:
    """Return what each place of the season, the first being that of the first step, adds to the trend (season,).

    Seasons change: a late one counts twice as much as one `HALF_LIFE` seasons before. There have to be two.
    """
    about, first = about_trend(values, season)
    place = (first + np.arange(len(about))) % season
    weights = 0.5 ** ((len(about) - 1 - np.arange(len(about))) // season / HALF_LIFE)
    indices = np.bincount(place, weights * about, season) / np.bincount(place, weights, season)
    return indices - indices.mean()


def tiled(indices: Array, n_steps: int) -> Array:
    """Return a season over and over, along the first axis."""
    return indices[np.arange(n_steps) % len(indices)]
