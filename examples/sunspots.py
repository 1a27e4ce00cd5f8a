"""
Sunspots, with intervals
========================

Sunspots come and go in a cycle of about eleven years, which is never quite the same. `LSTMForecaster` learns it from
1700 to 1947 and forecasts the 61 years after that, with the range that nine of ten years should be in. Are they?
"""

import matplotlib.pyplot as plt
import numpy as np

from pylstm import ForecastDisplay, LSTMForecaster
from pylstm.datasets import load_airline, load_sunspots

spots, years = load_sunspots(return_times=True)
past, future = spots[:-61], spots[-61:]

forecaster = LSTMForecaster(transform="sqrt", random_state=0).fit(past)
_, ax = plt.subplots(figsize=(7, 3.4))
display = ForecastDisplay.from_estimator(forecaster, 61, y=past[-100:], y_true=future, times=years[-161:], ax=ax)
_ = display.ax_.set(xlabel="year", ylabel="sunspots", ylim=(0, None))

# %%
# When the cycles come is met well, how high they rise is not: the forecast settles on cycles of average height, and
# the interval says how far from them the sun may go. It comes from the errors of networks in stretches of the past
# that they had not seen, let run on as the forecast does.
#
# Is the interval honest?
# -----------------------
# One stretch of 61 years is little evidence. So each of five networks, trained on the past alone, goes through the
# years after it: `update` takes in a year, and the next eleven are forecast from there.

covered, errors, naive_errors = [], [], []
for seed in range(5):
    forecaster = LSTMForecaster(transform="sqrt", random_state=seed).fit(past)
    for year in range(50):
        forecast, (low, high) = forecaster.predict(11, quantiles=[0.05, 0.95])
        came = future[year : year + 11]
        covered.append((low <= came) & (came <= high))
        errors.append(np.abs(forecast - came))
        naive_errors.append(np.abs(spots[year + len(past) - 11 : year + len(past)] - came))
        forecaster.update(future[year : year + 1])

coverage = np.mean(covered)
print(f"in the 90% interval: {coverage:.0%} of {np.size(covered)} forecast years")
print(f"mean absolute error: {np.mean(errors):.1f}, of repeating the last eleven years {np.mean(naive_errors):.1f}")
assert 0.75 < coverage < 0.98
assert np.mean(errors) < 0.9 * np.mean(naive_errors)

# %%
# The interval covers a little less than it says: that the weights themselves are uncertain is not in it, nor that the
# future may be unlike the past, as the sun of these years was.
#
# How the error grows with the distance:

_, ax = plt.subplots()
ahead = np.arange(1, 12)
ax.plot(ahead, np.mean(errors, axis=0), color="#0072b2", marker="o", label="LSTMForecaster")
ax.plot(ahead, np.mean(naive_errors, axis=0), color="#d55e00", marker="s", label="eleven years before")
ax.set(xlabel="years ahead", ylabel="mean absolute error", ylim=(0, None), xticks=ahead)
_ = ax.legend()

# %%
# The whole held-out fifth at once
# --------------------------------
# The same for the passengers of airlines, whose season is fixed. Both ways to forecast are found by themselves: the
# sunspots one year after the other, the passengers all months of the horizon at once.

SERIES = {"airline": (load_airline(), 12), "sunspots": (spots, 11)}
print(f"{'series':10}{'steps':>6}{'seasonal naive':>16}{'LSTMForecaster':>18}{'90% interval covers':>22}")
for name, (y, season) in SERIES.items():
    n_steps = len(y) // 5
    past, future = y[:-n_steps], y[-n_steps:]
    naive = np.abs(np.resize(past[-season:], n_steps) - future).mean()
    errors, covered = [], []
    for seed in range(5):
        forecaster = LSTMForecaster(horizon=n_steps, random_state=seed).fit(past)
        forecast, (low, high) = forecaster.predict(n_steps, quantiles=[0.05, 0.95])
        errors.append(np.abs(forecast - future).mean())
        covered.append(np.mean((low <= future) & (future <= high)))
    print(f"{name:10}{n_steps:6}{naive:16.1f}{np.mean(errors):11.1f} ± {np.std(errors):4.1f}{np.mean(covered):22.0%}")
    assert np.mean(errors) < naive
    assert np.mean(covered) > 0.75
