"""pylstm: a minimal LSTM runtime.

`Cell` and `Sequence` need NumPy and SciPy's BLAS only; the estimators load scikit-learn when they are first touched,
the displays Matplotlib when they plot.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ._devices.streaming import stream
from ._net.above import above
from ._net.cells import Gates, GRUGates, RNNGates
from ._net.core import Cell, Gradients, Sequence, Stream
from ._net.pickles import OldNames
from ._net.pickles import restore as _restore  # noqa: F401  (pickles name it)
from ._net.trace import Trace, half_life

if TYPE_CHECKING:
    from . import datasets, metrics, preprocessing
    from ._devices.export import Export, export_c
    from ._estimators.classifier import LSTMClassifier, LSTMTagger
    from ._estimators.forecaster import LSTMForecaster
    from ._estimators.language import LSTMLanguageModel
    from ._estimators.regressor import LSTMRegressor, LSTMSequenceRegressor
    from ._files.persistence import load, save
    from ._inside.displays import (
        BacktestDisplay,
        CellStateDisplay,
        CellTextDisplay,
        ForecastDisplay,
        GateDisplay,
        GradientFlowDisplay,
        LossCurveDisplay,
        SaliencyDisplay,
        SurprisalDisplay,
    )
    from ._inside.explain import Explanation

__version__ = version("pylstm")

__all__ = [
    "BacktestDisplay",
    "Cell",
    "CellStateDisplay",
    "CellTextDisplay",
    "Explanation",
    "Export",
    "ForecastDisplay",
    "GRUGates",
    "GateDisplay",
    "Gates",
    "GradientFlowDisplay",
    "Gradients",
    "LSTMClassifier",
    "LSTMForecaster",
    "LSTMLanguageModel",
    "LSTMRegressor",
    "LSTMSequenceRegressor",
    "LSTMTagger",
    "LossCurveDisplay",
    "RNNGates",
    "SaliencyDisplay",
    "Sequence",
    "Stream",
    "SurprisalDisplay",
    "Trace",
    "datasets",
    "export_c",
    "half_life",
    "load",
    "metrics",
    "preprocessing",
    "save",
    "stream",
]

# Name to (module, attribute or None for the module itself, extra that brings what it needs).
_LAZY = {
    "BacktestDisplay": ("pylstm._inside.displays", "BacktestDisplay", None),
    "CellStateDisplay": ("pylstm._inside.displays", "CellStateDisplay", None),
    "CellTextDisplay": ("pylstm._inside.displays", "CellTextDisplay", None),
    "Explanation": ("pylstm._inside.explain", "Explanation", None),
    "Export": ("pylstm._devices.export", "Export", None),
    "ForecastDisplay": ("pylstm._inside.displays", "ForecastDisplay", None),
    "GateDisplay": ("pylstm._inside.displays", "GateDisplay", None),
    "GradientFlowDisplay": ("pylstm._inside.displays", "GradientFlowDisplay", None),
    "LSTMClassifier": ("pylstm._estimators.classifier", "LSTMClassifier", "sklearn"),
    "LSTMForecaster": ("pylstm._estimators.forecaster", "LSTMForecaster", "sklearn"),
    "LSTMLanguageModel": ("pylstm._estimators.language", "LSTMLanguageModel", "sklearn"),
    "LSTMRegressor": ("pylstm._estimators.regressor", "LSTMRegressor", "sklearn"),
    "LSTMSequenceRegressor": ("pylstm._estimators.regressor", "LSTMSequenceRegressor", "sklearn"),
    "LSTMTagger": ("pylstm._estimators.classifier", "LSTMTagger", "sklearn"),
    "LossCurveDisplay": ("pylstm._inside.displays", "LossCurveDisplay", None),
    "SaliencyDisplay": ("pylstm._inside.displays", "SaliencyDisplay", None),
    "SurprisalDisplay": ("pylstm._inside.displays", "SurprisalDisplay", None),
    "datasets": ("pylstm.datasets", None, None),
    "export_c": ("pylstm._devices.export", "export_c", None),
    "load": ("pylstm._files.persistence", "load", "sklearn"),
    "metrics": ("pylstm.metrics", None, "sklearn"),
    "preprocessing": ("pylstm.preprocessing", None, "sklearn"),
    "save": ("pylstm._files.persistence", "save", "sklearn"),
}


sys.meta_path.append(OldNames)


def _load(name: str, place: tuple[str, str | None, str | None]) -> Any:
    module_name, attribute, extra = place
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").startswith("pylstm"):
            raise
        raise ModuleNotFoundError(
            f"pylstm.{name} needs {error.name}, which is not installed: pip install 'pylstm[{extra}]'", name=error.name
        ) from error
    return module if attribute is None else getattr(module, attribute)


above.update(
    explain=lambda: _load("Cell.explain", ("pylstm._inside.explain", "explain", None)),
    embed_page=lambda: _load("Trace", ("pylstm._inside.page", "embedded", None)),
    write_page=lambda: _load("Trace.to_html", ("pylstm._inside.page", "write", None)),
    save=lambda: _load("save", _LAZY["save"]),
)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pylstm' has no attribute {name!r}")
    value = globals()[name] = _load(name, _LAZY[name])
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
