"""Forecast the last fifth of the airline and of the sunspot series from what comes before it.

Prints the mean absolute error (mean and standard deviation over five seeds), that of the seasonal naive forecast, which
repeats the last season, and how much of the held-out fifth is in the 90% interval. The estimator's defaults, and the
differences and the transform given here, were chosen with the first four fifths alone.
"""

import numpy as np

from pylstm import LSTMForecaster
from pylstm.datasets import load_airline, load_sunspots

SERIES = {
    "airline": (load_airline(), 12, {"differences": 12, "transform": "sqrt"}),
    "sunspots": (load_sunspots(), 11, {"transform": "sqrt"}),
}

print(f"{'series':10}{'steps':>6}{'seasonal naive':>16}{'LSTMForecaster':>18}{'90% interval covers':>22}")
for name, (y, season, settings) in SERIES.items():
    n_steps = len(y) // 5
    past, future = y[:-n_steps], y[-n_steps:]
    naive = np.resize(past[-season:], n_steps)
    errors, covered = [], []
    for seed in range(5):
        forecaster = LSTMForecaster(**settings, random_state=seed).fit(past)
        forecast, (low, high) = forecaster.predict(n_steps, quantiles=[0.05, 0.95])
        errors.append(np.abs(forecast - future).mean())
        covered.append(np.mean((low <= future) & (future <= high)))
    print(
        f"{name:10}{n_steps:6}{np.abs(naive - future).mean():16.1f}"
        f"{np.mean(errors):11.1f} ± {np.std(errors):4.1f}{np.mean(covered):22.0%}"
    )
