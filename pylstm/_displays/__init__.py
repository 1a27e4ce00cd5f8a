"""Displays in scikit-learn's convention: what a net, an estimator or a trace shows; only `plot` loads Matplotlib."""

from ._cell_state import CellStateDisplay
from ._forecast import ForecastDisplay
from ._gates import GateDisplay
from ._gradient_flow import GradientFlowDisplay
from ._loss_curve import LossCurveDisplay
from ._saliency import SaliencyDisplay

__all__ = [
    "CellStateDisplay",
    "ForecastDisplay",
    "GateDisplay",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "SaliencyDisplay",
]
