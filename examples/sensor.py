"""
A detector that listens on
==========================

A sensor on a machine hums. Now and then something slips, and for a moment it hums a little faster: no louder, so that
no threshold sees it. `LSTMTagger` learns from labelled recordings to say at every step whether it slips; a `Stream`
then watches, step by step, as the readings come in.
"""

import matplotlib.pyplot as plt
import numpy as np

from pylstm import LSTMTagger


def recording(n_steps, seed):
    """Return readings, and for each step whether the machine slips."""
    rng = np.random.default_rng(seed)
    slips = np.zeros(n_steps, bool)
    at = rng.integers(200, 600)
    while at < n_steps - 100:
        length = rng.integers(60, 120)
        slips[at : at + length] = True
        at += length + rng.integers(300, 900)
    frequency = np.where(slips, 0.08, 0.05) + 0.002 * np.sin(np.arange(n_steps) / 300)
    readings = np.sin(2 * np.pi * np.cumsum(frequency)) + 0.2 * rng.standard_normal(n_steps)
    return readings[:, np.newaxis], slips


readings, slips = recording(3000, seed=0)
_, ax = plt.subplots()
ax.plot(readings[:, 0], color="black", linewidth=0.7)
ax.fill_between(range(3000), -2, 2, where=slips, color="#e69f00", alpha=0.4, linewidth=0, label="slips")
first = int(np.flatnonzero(slips)[0])
ax.set(xlabel="step", ylabel="reading", xlim=(first - 150, first + 200))
_ = ax.legend(loc="upper right")

# %%
# Learn
# -----
# Ten recordings of 3,000 steps, in windows of 200 steps: the state is carried on from window to window. The wanted
# label is that of the step itself, although nothing can know that the machine slips before it has heard a good part
# of a cycle.

X, y = zip(*(recording(3000, seed) for seed in range(10)), strict=True)
options = {"batch_size": 2, "learning_rate": "cosine", "learning_rate_init": 0.01, "max_iter": 20}
tagger = LSTMTagger((16,), window=200, burn_in=50, random_state=0, **options)
tagger.fit(list(X), list(y))

# %%
# Watch
# -----
# The stream sees each reading once and keeps its state. An alarm is raised where the probability goes over 0.9, and
# ends where it falls under 0.1.

readings, slips = recording(20_000, seed=100)
stream = tagger.stream()
probability = np.array([stream.step(reading)[1] for reading in readings])

alarm = np.zeros(len(slips), bool)
for t in range(1, len(alarm)):
    alarm[t] = probability[t] > 0.9 or (alarm[t - 1] and probability[t] > 0.1)

starts = np.flatnonzero(np.diff(slips.astype(int)) == 1) + 1
alarms = np.flatnonzero(np.diff(alarm.astype(int)) == 1) + 1
delays = [min(alarms[alarms >= start] - start, default=len(slips)) for start in starts]
late = sum(delay > 50 for delay in delays)
false = sum(not slips[max(0, at - 20) : at + 1].any() for at in alarms)
print(
    f"{len(starts)} slips, {late} not heard within 50 steps; "
    f"median delay {np.median(delays):.0f} steps; {false} false alarms"
)
assert late <= 1
assert false <= 1
assert np.median(delays) < 30

# %%
shown = slice(int(starts[1]) - 150, int(starts[1]) + 250)
_, (top, bottom) = plt.subplots(2, sharex=True)
steps = np.arange(shown.start, shown.stop)
top.plot(steps, readings[shown, 0], color="black", linewidth=0.7)
top.set_ylabel("reading")
bottom.plot(steps, probability[shown], color="#0072b2")
for ax, height in ((top, 2), (bottom, 1)):
    ax.fill_between(
        steps, -height if ax is top else 0, height, where=slips[shown], color="#e69f00", alpha=0.4, linewidth=0
    )
_ = bottom.set(xlabel="step", ylabel="probability")

# %%
# A threshold on the loudness has nothing to go by: the readings are as large when the machine slips as when it runs.

loud = np.abs(readings[:, 0])
print(f"mean |reading|: {loud[slips].mean():.2f} when it slips, {loud[~slips].mean():.2f} else")
assert abs(loud[slips].mean() - loud[~slips].mean()) < 0.05
