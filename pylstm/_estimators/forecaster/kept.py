"""What a fitted forecaster keeps in a file, each way its own, and reading it back."""

from typing import Any

import numpy as np

from ..._net.cells import STATES
from ..._net.inputs import Array
from ..state import State
from .choices import MANY, Choices
from .dates import grid_as_plain, grid_from_plain
from .direct import Direct
from .frames import Frames
from .intervals import N_KEPT, Errors
from .series import TRANSFORMS
from .views import Reading, Views, views_of

Fitted = tuple[dict[str, Any], dict[str, Array]]
#: What stands for no transform in a list.
NO_TRANSFORM = "none"


def recursive_state(forecaster: Any) -> Fitted:
    """Return what the recursive way goes on from."""
    seasons, horizon, (transform,), lags = forecaster._choices
    values = {"seasons": list(seasons), "horizon": horizon, "transform": transform, "lags": list(lags)}
    values["n_errors"] = None if forecaster._errors is None else [len(errors) for errors in forecaster._errors]
    arrays = {"last": forecaster._last, "mean": forecaster._mean, "scale": forecaster._scale}
    if forecaster._errors is not None:
        arrays["errors"] = np.concatenate(forecaster._errors)
    for k, tails in enumerate(zip(*forecaster._tails, strict=True)):
        arrays[f"tail_{k}"] = np.stack(tails)
    for layer, of_layer in enumerate(forecaster._state):
        arrays |= {f"{letter}_l{layer}": states for letter, states in zip("hc", of_layer, strict=False)}
    return values, arrays


def direct_state(forecaster: Any) -> Fitted:
    """Return what the direct way goes on from."""
    seasons, horizon, transforms, _ = forecaster._choices
    direct: Direct = forecaster._direct
    errors: Errors | None = forecaster._errors_at_ends
    values = {
        "seasons": list(seasons),
        "horizon": horizon,
        "transforms": [transform or NO_TRANSFORM for transform in transforms],
        "window": direct.window,
        "n_tails": [len(tail) for tail in direct.tails],
        "n_past": direct.n_past,
        "is_much": forecaster._stands_for == MANY,
        "n_errors": None if errors is None else len(errors.sizes),
    }
    arrays = {
        "tails": np.concatenate(direct.tails),
        "tails_X": np.concatenate(direct.known),
        "scales": direct.reading.scales,
        "varies": direct.reading.varies,
        "spread": direct.reading.spread,
        **{f"season_{k}": indices for k, indices in enumerate(direct.reading.indices)},
    }
    if errors is not None:
        arrays |= {"error_sizes": errors.sizes, "error_quantiles": errors.quantiles}
        if errors.runs is not None:
            arrays["error_runs"] = errors.runs
    return values, arrays


def read_is_much(state: State) -> bool:
    """Return whether there was much to learn, by which partial_fit goes on; older files do not say."""
    return "is_much" in state.values and state.boolean("is_much")


def read_choices(state: State) -> Choices:
    """Return how series are forecast. Files that say nothing of seasons are from before there was the direct way."""
    seasons = tuple(state.integers("seasons", at_least=2)) if "seasons" in state.values else ()
    if "horizon" not in state.values or state.null("horizon"):
        return Choices(
            seasons, None, (state.choice("transform", TRANSFORMS),), tuple(state.integers("lags", at_least=1))
        )
    horizon = state.integer("horizon", at_least=1)
    transforms = state.strings("transforms", 1 + max(1, len(seasons)))
    names = {name or NO_TRANSFORM: name for name in TRANSFORMS}
    if not set(transforms) <= set(names):
        raise ValueError(f"transforms must be of {', '.join(map(repr, names))}, got {transforms}")
    return Choices(seasons, horizon, tuple(names[transform] for transform in transforms), ())


def read_recursive(forecaster: Any, state: State) -> int:
    """Set what `recursive_state` returned; return for how many series."""
    n_columns = forecaster.n_series_
    forecaster._last = state.array("last", ["float64"], (None, n_columns), at_least=1)
    n = _checked(forecaster, len(forecaster._last), "last")
    forecaster._mean, forecaster._scale = (state.array(name, ["float64"], (n, n_columns)) for name in ("mean", "scale"))
    tails = [
        state.array(f"tail_{k}", ["float64"], (n, lag, n_columns)) for k, lag in enumerate(forecaster._choices.lags)
    ]
    forecaster._tails = tuple([tail[k] for tail in tails] for k in range(n))
    letters, dtype = STATES[forecaster._model.cell], forecaster._dtype
    forecaster._state = [
        tuple(state.array(f"{letter}_l{layer}", [dtype], (1, n, hidden)) for letter in letters)
        for layer, hidden in enumerate(forecaster._model.hidden_sizes)
    ]
    forecaster._errors = None
    if not state.null("n_errors"):
        lengths = state.integers("n_errors", at_least=1, exactly_long=n)
        errors = state.array("errors", [dtype], (sum(lengths), n_columns))
        forecaster._errors = np.split(errors, np.cumsum(lengths)[:-1])
    return n


def read_direct(forecaster: Any, state: State) -> int:
    """Set what `direct_state` returned; return for how many series."""
    seasons, horizon, transforms, _ = forecaster._choices
    views = views_of(seasons, transforms)
    n_columns, n_features = forecaster.n_series_, forecaster.n_features_in_
    lengths = state.integers("n_tails", at_least=1)
    n = _checked(forecaster, len(lengths), "n_tails")
    window = state.integer("window", at_least=1, at_most=max(lengths))
    tails = state.array("tails", ["float64"], (sum(lengths), n_columns))
    known = state.array("tails_X", ["float64"], (sum(lengths), n_features))
    scales = state.array("scales", ["float64"], (len(views), n, n_columns))
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise ValueError("scales must be finite and positive")
    varies = state.array("varies", ["bool"], (n, n_columns))
    spread = state.array("spread", ["float64"], (n, n_columns))
    indices = [state.array(f"season_{k}", ["float64"], (n, season, n_columns)) for k, season in enumerate(seasons)]
    ends = np.cumsum(lengths)[:-1]
    forecaster._direct = Direct(
        views,
        Reading(scales, varies, spread, indices),
        window,
        horizon,
        np.split(tails, ends),
        np.split(known, ends),
        state.integer("n_past", at_least=0, at_most=n_features),
    )
    forecaster._errors_at_ends = None
    if not state.null("n_errors"):
        n_errors = state.integer("n_errors", at_least=1)
        runs = None
        if "error_runs" in state.arrays:  # not in older files
            runs = state.array("error_runs", ["float32"], (None, n_errors, n_columns), at_least=1)
            if not (np.abs(runs) <= 1).all():
                raise ValueError("error_runs must be from -1 to 1")
        forecaster._errors_at_ends = Errors(
            state.array("error_sizes", ["float64"], (n_errors,)),
            state.array("error_quantiles", ["float64"], (N_KEPT,)),
            runs,
        )
    return n


def as_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return what a pickle keeps: tuples in place of named ones."""
    plain = {name: tuple(state[name]) for name in ("_choices", "_errors_at_ends") if state.get(name) is not None}
    if "_direct" in state:
        views, reading, *rest = state["_direct"]
        plain["_direct"] = (tuple(views), tuple(reading), *rest)
    if state.get("_form") is not None:
        form = state["_form"]
        plain["_form"] = tuple(form._replace(grid=grid_as_plain(form.grid)))
    return state | plain


def from_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return what `as_plain` took apart."""
    whole: dict[str, Any] = {}
    for name, kind in (("_choices", Choices), ("_errors_at_ends", Errors)):
        if state.get(name) is not None:
            whole[name] = kind(*state[name])
    if "_direct" in state:
        views, reading, *rest = state["_direct"]
        whole["_direct"] = Direct(Views(*views), Reading(*reading), *rest)
    if state.get("_form") is not None:
        form: Any = Frames(*state["_form"])
        whole["_form"] = form._replace(grid=grid_from_plain(*form.grid))
    return state | whole


def _checked(forecaster: Any, n: int, name: str) -> int:
    """Return how many series there are: one, if one was given by itself."""
    if n != 1 and not forecaster._given_as_list:
        raise ValueError(f"{name} must be of one series, as given_as_list is false, got {n}")
    return n
