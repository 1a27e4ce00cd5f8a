"""Forecasts of a whole horizon at once, by a network that has read a window: how it is trained, and asked."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._net.core import Model
from ..._net.describe import DirectForecasts
from ..._net.inputs import Array, Steps
from ..targets import Targets
from ..training import Data
from .again import trained_again
from .choices import FEW, MANY, Choices
from .intervals import Errors, bounds, deviations, errors_of, how_unusual, none_are_made, sample_paths
from .views import Reading, Views, as_given, as_read, moved, read, spread_of, views_of
from .windows import Indices, MiniBatches, Origins, Panel

#: Windows that are many, and mini-batches of an epoch then, and before.
MANY_WINDOWS, N_BATCHES, N_BATCHES_OF_FEW = 1000, 64, 32
#: Of a single series they are alike: so many are as few.
MANY_OF_ONE = 10_000
#: An epoch has less of them where, for each, more steps than these would be read one after the other.
MOST_STEPS = N_BATCHES * 48
#: A window is two seasons long, within this.
LONGEST_WINDOW = 48
#: Windows that a network is asked for at once, and those that errors are taken from, unless there are more series.
AT_ONCE, MOST_ORIGINS = 1000, 200
#: Series of which one horizon that was not learnt says enough of errors, together with the one before, which was. Of so
#: many series a network knows none by heart, and two horizons are less the luck of their years.
MANY_SERIES = 100
#: Of so many, or up to twice as many, evenly spread over a panel, errors are taken.
ENOUGH_SERIES = 1000
#: Of a series, the last one part in so many is held out for errors, if so many steps are left at least.
PART, LEAST_LEARNT = 4, 3


class Direct(NamedTuple):
    """What a fitted direct net goes on from."""

    views: Views
    reading: Reading
    window: int
    horizon: int
    tails: list[Array]
    """Of each series the last values, as given, as many as windows and their bases reach back."""
    known: list[Array]
    """X of those steps, scaled."""
    n_past: int
    """Columns of X, the last ones, that are known up to now only."""


def start(
    forecaster: Any, choices: Choices, series: list[Array], exogenous: list[Array], window: int | None = None
) -> tuple[Direct, Panel]:
    """Return how series are read, and the panel of them that is learnt; by windows as they were, where they were."""
    assert choices.horizon is not None
    longest = max(len(values) for values in series)
    if longest <= choices.horizon:
        raise ValueError(
            f"y must have at least one series longer than horizon={choices.horizon}, which is learnt from it, got "
            f"{longest} steps at most"
        )
    if window is None:
        window = forecaster.window
        if window == "auto":
            window = max(-(-3 * choices.horizon // 2), min(2 * min(choices.seasons, default=1), LONGEST_WINDOW))
        window = longest if window is None else min(window, longest)
    direct = _at_ends(forecaster, choices, series, exogenous, window)
    return direct, _panel(direct, series, exogenous)


def _at_ends(forecaster: Any, choices: Choices, series: list[Array], exogenous: list[Array], window: int) -> Direct:
    """Return how series are read, and where they end."""
    assert choices.horizon is not None
    views = views_of(choices.seasons, choices.transforms)
    reach = window + max(views.lags)
    tails = [values[-reach:].copy() for values in series]
    known = [values[-reach:] for values in exogenous]
    return Direct(views, read(series, views), window, choices.horizon, tails, known, forecaster._n_past)


def begin(forecaster: Any, series: list[Array], exogenous: list[Array]) -> None:
    """Go on from the ends of series, of which nothing is learnt."""
    forecaster._direct = _at_ends(forecaster, forecaster._choices, series, exogenous, forecaster._direct.window)


def _panel(direct: Direct, series: Sequence[Array], exogenous: Sequence[Array]) -> Panel:
    lengths = np.array([len(values) for values in series], dtype=np.intp)
    values = [as_read(values, k, direct.views, direct.reading) for k, values in enumerate(series)]
    return Panel(
        np.concatenate(values, axis=1),
        np.concatenate(exogenous),
        lengths,
        lengths,
        direct.views.lags,
        direct.window,
        direct.horizon,
        direct.n_past,
    )


def stand_ins(panel: Panel) -> dict[str, Any]:
    """Return what "auto" stands for, by how much there is to learn."""
    many = MANY_WINDOWS if len(panel.lengths) > 1 else MANY_OF_ONE
    return MANY if len(panel.lags) * panel.lengths.sum() >= many else FEW


def mini_batches(forecaster: Any, panel: Panel) -> MiniBatches:
    """Return what a network is trained with."""
    automatic = stand_ins(panel)
    size = automatic["batch_size"] if forecaster.batch_size == "auto" else forecaster.batch_size
    n_batches = N_BATCHES if automatic is MANY else N_BATCHES_OF_FEW
    n_batches = min(n_batches, max(1, MOST_STEPS // (panel.window + panel.horizon)))
    return MiniBatches.of(panel, size, n_batches, forecaster._dtype)


def fit(forecaster: Any, X: Any, y: Any, series: list[Array], exogenous: list[Array], *, continues: bool) -> None:
    """Learn series, and note what forecasts go on from."""
    forecaster._direct, panel = start(forecaster, forecaster._choices, series, exogenous)
    forecaster._stands_for = stand_ins(panel)
    held = None
    if forecaster.early_stopping:
        panel, held = hold_out(forecaster, panel)
    end = forecaster._fit_data(X, y, None, mini_batches(forecaster, panel), held, continues=continues)
    forecaster._errors_at_ends = None
    if forecaster.cv is not None and end != "interrupt":
        forecaster._errors_at_ends = errors_at_ends(forecaster, forecaster._choices, series, exogenous)


def partial_fit(
    forecaster: Any, X: Any, y: Any, series: list[Array], exogenous: list[Array], *, is_first: bool
) -> None:
    """Learn series for an epoch, and note what forecasts go on from. Errors stay those that were made in `fit`."""
    window = None if is_first else forecaster._direct.window
    forecaster._direct, panel = start(forecaster, forecaster._choices, series, exogenous, window)
    if is_first:
        forecaster._stands_for, forecaster._errors_at_ends = stand_ins(panel), None
    forecaster._partial_fit_data(X, y, None, mini_batches(forecaster, panel), is_first=is_first)


def hold_out(forecaster: Any, panel: Panel) -> tuple[Panel, Data]:
    """Return the panel without the last part of each series, and windows that end there with what follows them."""
    held = np.ceil(forecaster.validation_fraction * panel.lengths).astype(np.intp)
    n_ahead = int(min(held.max(), panel.horizon))
    kept = panel._replace(stops=panel.lengths - held)
    if MiniBatches.of(kept, 1, 1, forecaster.dtype).counts.sum() == 0:
        raise ValueError(f"validation_fraction={forecaster.validation_fraction} leaves no step to learn from")
    series = np.flatnonzero(kept.stops > 0)
    origins = Origins(np.zeros_like(series), series, kept.stops[series] - 1)
    size = panel.window + n_ahead
    rows = np.zeros((len(series) * size, panel.width), forecaster.dtype)
    targets = Targets(np.zeros((len(rows), panel.values.shape[2]), forecaster.dtype), np.zeros(len(rows)))
    lengths, _ = panel.write(origins, rows, n_ahead, targets)
    is_there = (np.arange(size) < lengths[:, np.newaxis]).ravel()
    assert targets.weights is not None
    return kept, Data(
        Steps(rows[is_there], lengths, is_dense=False), Targets(targets.values[is_there], targets.weights[is_there])
    )


def forecast(
    model: Model, panel: Panel, views: Views, reading: Reading, series: Indices, steps: Indices, n_ahead: int
) -> npt.NDArray[np.float64]:
    """Return what a network says of the steps after some (n, n_ahead, n_columns), in the units of the series.

    Parameters
    ----------
    model : Model
    panel : Panel
    views, reading : Views, Reading
    series, steps : ndarray (n,)
        After which step of which series. Series that are forecast go on for `n_ahead` steps after it, with X.
    n_ahead : int
        At most the horizon.
    """
    n_columns = panel.values.shape[2]
    outputs = np.empty((len(panel.lags), len(series), n_ahead, n_columns))
    for first in range(0, len(series), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        n = len(series[part])
        for view in range(len(panel.lags)):
            rows = np.zeros((n * (panel.window + n_ahead), panel.width), model.dtype)
            origins = Origins(np.full(n, view), series[part], steps[part])
            lengths, bases = panel.write(origins, rows, n_ahead)
            is_there = (np.arange(panel.window + n_ahead) < lengths[:, np.newaxis]).ravel()
            said = model.predict(Steps(rows[is_there], lengths, is_dense=False))[0]
            after = (np.cumsum(lengths) - n_ahead)[:, np.newaxis] + np.arange(n_ahead)
            outputs[view, part] = bases + said[after]
    given = as_given(outputs, series, steps + 1 - panel.lengths[series], views, reading)
    there = steps + 1 >= np.array(panel.lags)[:, np.newaxis]  # a season before
    return np.average(given, axis=0, weights=np.broadcast_to(there[:, :, np.newaxis, np.newaxis], given.shape))


def go_on(model: Model, direct: Direct, n_steps: int, exogenous: Sequence[Array]) -> list[Array]:
    """Return forecasts of the next steps for each series (n_steps, n_columns): one horizon after the other."""
    every = np.arange(len(direct.tails))
    tails, reading = list(direct.tails), direct.reading
    known = [np.concatenate(both) for both in zip(direct.known, exogenous, strict=True)]
    for done in range(0, n_steps, direct.horizon):
        n_ahead = min(direct.horizon, n_steps - done)
        reading = moved(reading, np.full(len(tails), n_ahead))
        ahead = [np.concatenate([values, np.repeat(values[-1:], n_ahead, axis=0)]) for values in tails]
        x = [values[: len(steps)] for values, steps in zip(known, ahead, strict=True)]
        panel = _panel(direct._replace(reading=reading), ahead, x)
        said = forecast(model, panel, direct.views, reading, every, panel.lengths - n_ahead - 1, n_ahead)
        said = np.where(reading.varies[:, np.newaxis], said, np.stack([values[-1:] for values in tails]))
        tails = [np.concatenate([values, new]) for values, new in zip(tails, said, strict=True)]
    return [values[-n_steps:] for values in tails]


def predict(
    forecaster: Any, n_steps: int, exogenous: list[Array], return_std: bool, probabilities: Array | None
) -> tuple[list[Array], list[Array] | None, list[Array] | None]:
    """Return forecasts and, where they are wanted, standard deviations and quantiles for each series."""
    forecasts = go_on(forecaster._model, forecaster._direct, n_steps, exogenous)
    if not return_std and probabilities is None:
        return forecasts, None, None
    errors, transform = _known_errors(forecaster), forecaster._choices.transforms[0]
    each = list(zip(forecasts, forecaster._direct.reading.spread, strict=True))
    return (
        forecasts,
        [deviations(*one, errors, transform) for one in each] if return_std else None,
        None if probabilities is None else [bounds(*one, errors, probabilities, transform) for one in each],
    )


def paths(forecaster: Any, n_steps: int, exogenous: list[Array]) -> list[Array]:
    """Return sample paths of each series (2 * n_paths, n_steps, n_columns); the same at each call."""
    errors, transform = _known_errors(forecaster), forecaster._choices.transforms[0]
    if errors.runs is None:
        raise ValueError("sample paths need a fit by this version, got a forecaster from before there were any")
    random_state = np.random.RandomState(forecaster._path_seed)
    forecasts = go_on(forecaster._model, forecaster._direct, n_steps, exogenous)
    return [
        sample_paths(forecast, spread, errors, forecaster.n_paths, random_state, transform)
        for forecast, spread in zip(forecasts, forecaster._direct.reading.spread, strict=True)
    ]


def _known_errors(forecaster: Any) -> Errors:
    errors: Errors | None = forecaster._errors_at_ends
    if errors is None:
        raise ValueError(
            "return_std, quantiles and sample paths need a fit with cv that was not interrupted, and of a series that "
            f"is long enough to hold out the last of it, got cv={forecaster.cv}. partial_fit makes no errors of its own"
        )
    return errors


def observe(forecaster: Any, y: Any, X: Any) -> Direct:
    """Return what a direct net goes on from after what follows."""
    series = forecaster._read_continuation(y)
    exogenous = forecaster._read_X(X, [len(values) for values in series], reset=False)
    warn_of_change(forecaster._direct, series)
    return observed(forecaster._direct, series, exogenous)


def last_values(forecaster: Any) -> list[Array]:
    """Return the last value that is known of each series (n_columns,)."""
    return [values[-1] for values in forecaster._direct.tails]


def warn_of_change(direct: Direct, series: Sequence[Array]) -> None:
    """Warn where a column varies that never did in `fit`."""
    for values, tail, varies in zip(series, direct.tails, direct.reading.varies, strict=True):
        if (values != tail[-1])[:, ~varies].any():
            warnings.warn(
                "y varies in a column that never did in fit. It is forecast as it is now: fit again", stacklevel=4
            )
            return


def observed(direct: Direct, series: Sequence[Array], exogenous: Sequence[Array]) -> Direct:
    """Return what is gone on from when more steps of each series have been seen."""
    reach = direct.window + max(direct.views.lags)
    return direct._replace(
        tails=[np.concatenate(both)[-reach:] for both in zip(direct.tails, series, strict=True)],
        known=[np.concatenate(both)[-reach:] for both in zip(direct.known, exogenous, strict=True)],
        reading=moved(direct.reading, np.array([len(values) for values in series])),
    )


def described(forecaster: Any) -> DirectForecasts:
    """Return how forecasts are made, and what they go on from."""
    direct: Direct = forecaster._direct
    (lags, transforms, seasons), (scales, varies, spread, indices) = direct.views, direct.reading
    return DirectForecasts(
        direct.horizon,
        direct.window,
        lags,
        transforms,
        seasons,
        scales,
        varies,
        indices,
        direct.tails,
        direct.known,
        forecaster._scaling_of_X,
        spread,
        forecaster._errors_at_ends,
    )


def last_windows(direct: Direct, dtype: npt.DTypeLike) -> Steps:
    """Return the last window of each series as the network reads its level."""
    panel = _panel(direct, direct.tails, direct.known)
    n = len(direct.tails)
    rows = np.zeros((n * direct.window, panel.width), dtype)
    lengths, _ = panel.write(Origins(np.zeros(n, np.intp), np.arange(n), panel.lengths - 1), rows, 0)
    is_there = (np.arange(direct.window) < lengths[:, np.newaxis]).ravel()
    return Steps(rows[is_there], lengths, is_dense=False)


def errors_at_ends(forecaster: Any, choices: Choices, series: list[Array], exogenous: list[Array]) -> Errors | None:
    """Return what a network that has not learnt the last steps of each series errs by there.

    None if no series is long enough, or Ctrl-C was pressed.
    """
    assert choices.horizon is not None
    if all((values == values[0]).all() for values in series):
        return none_are_made(series[0].shape[1])
    lengths = np.array([len(values) for values in series])
    usual = int(np.median(lengths))
    part = usual // PART
    n_ahead = max(1, min(choices.horizon, part))
    is_panel = len(series) >= MANY_SERIES
    n_held = n_ahead * (1 if is_panel else int(np.clip(part // n_ahead, 1, forecaster.cv)))
    least = n_ahead + max((1, *choices.seasons))
    if (lengths <= n_held + least).all():
        least = LEAST_LEARNT
    long = np.flatnonzero(lengths > n_held + least)
    if len(long) == 0:
        return None
    direct, panel = start(
        forecaster,
        choices._replace(horizon=n_ahead),
        [series[k][:-n_held] for k in long],
        [exogenous[k][:-n_held] for k in long],
    )
    model = trained_again(forecaster, mini_batches(forecaster, panel))
    if model is None:
        return None
    if is_panel:
        long = long[:: max(1, len(long) // ENOUGH_SERIES)]
        left = np.array([n_held, n_held + n_ahead])
    else:
        n_origins = int(np.clip(MOST_ORIGINS // len(long), n_held // n_ahead, n_held))
        left = n_held - np.arange(n_origins) * n_held // n_origins
    origins = [(k, lengths[k] - n) for k in long for n in left if lengths[k] > n + least]
    past = [series[k][:stop] for k, stop in origins]
    known = [exogenous[k][:stop] for k, stop in origins]
    at_ends = _at_ends(forecaster, choices._replace(horizon=n_ahead), past, known, direct.window)
    said = go_on(model, at_ends, n_ahead, [_following(exogenous[k], stop, n_ahead) for k, stop in origins])
    true = [_following(series[k], stop, n_ahead) for k, stop in origins]
    spread = at_ends.reading.spread
    if is_panel:
        lag = direct.views.lags[1]
        changes = [spread_of(series[k][max(stop - lag, 0) : stop + n_ahead], direct.views) for k, stop in origins]
        whole = forecaster._direct.reading.spread[[k for k, _ in origins]]
        spread = spread * how_unusual(np.stack(changes), spread, whole, usual / n_ahead)
    return errors_of(np.stack(said), np.stack(true), spread, choices.transforms[0])


def _following(values: Array, start: int, n: int) -> Array:
    """Return n rows from `start` on; NaN behind the last one, of which nothing is made but NaN."""
    rows = np.full((n, values.shape[1]), np.nan)
    there = values[start : start + n]
    rows[: len(there)] = there
    return rows
