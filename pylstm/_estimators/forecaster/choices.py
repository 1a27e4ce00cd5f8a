"""What "auto" stands for in a forecaster: the season, the transforms, and how it forecasts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._net.inputs import Array, check_int
from .season import find_seasons
from .series import TRANSFORMS

#: The horizon is one season, but within these, and at most such a part of a series.
SHORTEST_HORIZON, LONGEST_HORIZON, PART = 8, 48, 4
#: Values come back to a level if they are nearer to it, by such a factor, than to each other up to so many steps apart.
COME_BACK, STEPS = 0.8, 20
#: What stands for "auto" where one step is forecast after the other.
RECURSIVE: dict[str, Any] = {"hidden_layer_sizes": (64,), "dropout": 0.2, "learning_rate_init": 0.003, "window": 24}
#: And where all of the horizon is forecast at once: from few windows, and from many.
FEW: dict[str, Any] = {"hidden_layer_sizes": (16,), "dropout": 0.2, "learning_rate_init": 0.003, "batch_size": 16}
MANY: dict[str, Any] = {"hidden_layer_sizes": (32,), "dropout": 0.0, "learning_rate_init": 0.006, "batch_size": 64}


class Choices(NamedTuple):
    """How series are forecast."""

    seasons: tuple[int, ...]
    """Lengths, the shortest first."""
    horizon: int | None
    """Steps that are forecast at once; None for one after the other."""
    transforms: tuple[str | None, ...]
    """One for each view; without a horizon one alone."""
    lags: tuple[int, ...]
    """Of differences; without a horizon."""


def choose(forecaster: Any, series: Sequence[Array]) -> Choices:
    """Return how series (n_steps, n_columns) are forecast, by the hyperparameters and what is "auto" among them."""
    columns = [column for values in series for column in values.T]
    least = min(float(values.min()) for values in series)
    root = None if least < 0 else "sqrt"
    seasons = _seasons(forecaster, [TRANSFORMS[root][0](column) for column in columns])
    is_auto = forecaster.transform == "auto"
    if not _is_direct(forecaster, columns, root, seasons):
        lags = _lags(forecaster, seasons)
        transform = "log" if seasons and lags and least > 0 else root
        return Choices(seasons, None, (transform if is_auto else forecaster.transform,), lags)
    of_seasons = "log" if least > 0 and seasons else root
    transforms = (root,) + (of_seasons,) * max(1, len(seasons))
    return Choices(
        seasons,
        _horizon(forecaster, series, seasons),
        transforms if is_auto else (forecaster.transform,) * len(transforms),
        (),
    )


def _seasons(forecaster: Any, columns: list[Array]) -> tuple[int, ...]:
    given = forecaster.season_length
    if given is None:
        return ()
    if given == "auto":
        return find_seasons(columns)
    lengths = given if isinstance(given, tuple | list) else (given,)
    return tuple(sorted({check_int(length, "season_length", 2) for length in lengths}))


def _is_direct(forecaster: Any, columns: list[Array], root: str | None, seasons: tuple[int, ...]) -> bool:
    """Whether all of the horizon is forecast at once: not where asked otherwise, nor where values only come and go."""
    if _asks_for_steps(forecaster):
        return False
    return (
        bool(seasons) or forecaster._n_past > 0 or not _come_back([TRANSFORMS[root][0](column) for column in columns])
    )


def _asks_for_steps(forecaster: Any) -> bool:
    """Whether the recursive way is asked for."""
    return forecaster.horizon is None or not is_automatic(forecaster.differences)


def _come_back(columns: Sequence[Array]) -> bool:
    """Whether values are nearer to their mean than to each other some steps apart, in half of the series or more.

    Not where a series is too short to say, nor then to be learnt step by step.
    """
    if min(len(values) for values in columns) <= STEPS:
        return False
    ratios = []
    for values in columns:
        lags = range(1, min(STEPS, len(values) // 3) + 1)
        apart = np.mean([np.abs(values[lag:] - values[:-lag]).mean() for lag in lags])
        if apart > 0:
            ratios.append(np.abs(values - values.mean()).mean() / apart)
    return bool(ratios) and float(np.median(ratios)) < COME_BACK


def _horizon(forecaster: Any, series: Sequence[Array], seasons: tuple[int, ...]) -> int:
    """Return the steps that are forecast at once: those asked for, or a season of usual length."""
    if not is_automatic(forecaster.horizon):
        return int(forecaster.horizon)
    season = min(max(SHORTEST_HORIZON, *seasons, 0), LONGEST_HORIZON)
    return max(1, min(season, int(np.median([len(values) for values in series])) // PART))


def _lags(forecaster: Any, seasons: tuple[int, ...]) -> tuple[int, ...]:
    if is_automatic(forecaster.differences):
        return seasons[:1]
    lags = forecaster.differences
    return tuple(check_int(lag, "differences", 1) for lag in (lags if isinstance(lags, tuple | list) else (lags,)))


def is_automatic(value: Any) -> bool:
    """Whether a hyperparameter, of any kind, is "auto"."""
    return isinstance(value, str) and value == "auto"


def summary(forecaster: Any, choices: Choices, window: int | None) -> str:
    """Return what was chosen in words; `window` is that of the direct way."""
    seasons = " and ".join(map(str, choices.seasons))
    lines = [f"Season: {seasons} steps" if seasons else "Season: none"]
    transforms = [transform or "as it is" for transform in choices.transforms]
    if choices.horizon is None:
        lines.append(f"Forecast: one step after the other ({transforms[0]})")
        if not _asks_for_steps(forecaster):
            lines.append("          whatever the horizon, as values without a season come back to a level")
        lags = " and ".join(map(str, choices.lags))
        lines.append(f"Differences: over {lags} steps" if lags else "Differences: none")
    else:
        lines.append(f"Forecast: {choices.horizon} steps at once, from windows of {window}; longer ones go on so")
        lines.append(f"Read as: the level ({transforms[0]})")
        for lag, transform in zip(choices.seasons or (1,), transforms[1:], strict=True):
            lines.append(f"         the change over {lag} steps ({transform})")
    return "\n".join(lines)
