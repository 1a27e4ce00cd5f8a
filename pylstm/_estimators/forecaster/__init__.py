"""`LSTMForecaster`: the next values of a series, or of several. Imports what stands beside this folder."""

from .estimator import LSTMForecaster

__all__ = ["LSTMForecaster"]
