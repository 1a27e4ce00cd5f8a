"""Displays in scikit-learn's convention: what a net, an estimator or a trace shows; only `plot` loads Matplotlib."""

from .backtest import BacktestDisplay
from .cell_state import CellStateDisplay
from .forecast import ForecastDisplay
from .gates import GateDisplay
from .gradient_flow import GradientFlowDisplay
from .loss_curve import LossCurveDisplay
from .saliency import SaliencyDisplay
from .text import CellTextDisplay, SurprisalDisplay

__all__ = [
    "BacktestDisplay",
    "CellStateDisplay",
    "CellTextDisplay",
    "ForecastDisplay",
    "GateDisplay",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "SaliencyDisplay",
    "SurprisalDisplay",
]
