"""
The adding problem, by hand and by training
===========================================

The task that LSTMs were made for: in a long sequence of numbers two are marked, and at the end their sum is wanted.
Here one cell of one unit solves it with weights that follow from reasoning. Then training finds weights of its own,
and we watch its gates on the way: there is a moment at which it gets it.
"""

import matplotlib.pyplot as plt
import numpy as np

import pylstm

N_STEPS = 50


def problem(n_sequences, rng):
    """Return sequences of a number in (-1, 1) and a marker per step, and the sums of the two numbers marked."""
    X = np.zeros((n_sequences, N_STEPS, 2))
    X[:, :, 0] = rng.uniform(-1, 1, (n_sequences, N_STEPS))
    each = np.arange(n_sequences)
    first, second = rng.integers(0, N_STEPS // 2, n_sequences), rng.integers(N_STEPS // 2, N_STEPS, n_sequences)
    X[each, first, 1] = X[each, second, 1] = 1
    return X, X[each, first, 0] + X[each, second, 0]


rng = np.random.default_rng(0)
X_test, y_test = problem(500, rng)

# %%
# By hand
# -------
# What has to be kept is a sum: :math:`c_t = f_t c_{t-1} + i_t g_t` can add, if the gates do the following.
#
# - The input gate opens where the marker is 1, and is closed elsewhere: :math:`i = \sigma(40 \cdot \text{marker} -
#   20)`.
# - The candidate is the number. :math:`g = \tanh(0.1 \cdot \text{number})` is that, a tenth as large, as tanh is
#   straight near 0.
# - Nothing is ever forgotten: :math:`f = \sigma(20)`.
# - Everything is shown: :math:`o = \sigma(20)`. So at the end :math:`h = \tanh(c)`, and :math:`10\,h` is nearly the
#   sum.
#
# Nothing is read from the last output, so all recurrent weights are 0.

cell = pylstm.Cell(input_size=2, hidden_size=1, dtype="float64")
cell.weight_ih[...] = [[0, 40], [0, 0], [0.1, 0], [0, 0]]  # i, f, g, o from number and marker
cell.weight_hh[...] = 0
cell.bias[...] = [-20, 20, 0, 20]

state = np.zeros((len(X_test), 1)), np.zeros((len(X_test), 1))
for t in range(N_STEPS):
    state = cell.step(X_test[:, t], state)
by_hand = 10 * state[0][:, 0]
print(f"largest error of the cell made by hand: {np.abs(by_hand - y_test).max():.4f}")
assert np.abs(by_hand - y_test).max() < 0.05

# %%
# Eleven numbers that matter, and it is right to a few hundredths, for sequences of any length.
#
# By training
# -----------
# An `LSTMRegressor` with 8 units, from chance. `partial_fit` goes once through 100 new sequences; after each time we
# look at the error, and keep the gates that it has on one test sequence.

example = X_test[:1]
marked = example[0, :, 1] == 1
# X and y as they come, as the cell made by hand reads them.
reg = pylstm.LSTMRegressor((8,), forget_bias="chrono", standardize=False, normalize_y=False, random_state=0)
errors, traces = [], []
for _ in range(80):
    reg.partial_fit(*problem(100, rng))
    errors.append(np.mean((reg.predict(X_test) - y_test) ** 2))
    traces.append(reg.trace(example).sequence(0))

chance = y_test.var()
got_it = int(np.argmax(np.array(errors) < 0.1 * chance))
_, ax = plt.subplots()
ax.semilogy(np.arange(1, 81), errors, color="#0072b2")
ax.axhline(chance, color="black", linestyle=":", linewidth=1)
ax.text(80, 1.1 * chance, "always saying 0", ha="right", fontsize="small")
ax.axvline(got_it + 1, color="#d55e00", linestyle="--", label="it gets it")
ax.set(xlabel="epochs of 100 sequences", ylabel="squared error, test")
_ = ax.legend(fontsize="small")
assert errors[-1] < 0.02 * chance

# %%
# The moment it gets it
# ---------------------
# For a while the error is that of always saying 0; then it falls within a few epochs. What happens then can be seen
# in the gates of the unit whose state, at the end of the test sequences, goes along with the sum most. From top to
# bottom time passes in training, from left to right in the sequence.

last = reg.trace(X_test)["c_l0"][:, -1]
unit = int(np.argmax([abs(np.corrcoef(of_unit, y_test)[0, 1]) for of_unit in last.T]))
inputs = np.array([trace["i_l0"][:, unit] for trace in traces])
states = np.array([trace["c_l0"][:, unit] for trace in traces])

_, axes = plt.subplots(2, sharex=True, figsize=(5.6, 5.2))
limit = np.abs(states).max()
for ax, values, label, limits, colors in (
    (axes[0], inputs, "input gate", (0, 1), "cividis"),
    (axes[1], states, "state", (-limit, limit), "PuOr"),
):
    image = ax.imshow(
        values, cmap=colors, vmin=limits[0], vmax=limits[1], aspect="auto", extent=(-0.5, 49.5, 80.5, 0.5)
    )
    ax.axhline(got_it + 1, color="#d55e00", linestyle="--")
    ax.set(ylabel="epochs", xticks=np.flatnonzero(marked))
    ax.figure.colorbar(image, label=label)
_ = axes[1].set_xlabel("the two marked steps")

# %%
# The input gate learns to tell marked steps from others, and the state to jump there: what we did by hand.

written = np.array([np.abs(trace["i_l0"] * trace["g_l0"])[:, unit] for trace in traces])
contrast = written[:, marked].mean(axis=1) / written[:, ~marked].mean(axis=1)
_, ax = plt.subplots()
ax.plot(np.arange(1, 81), contrast, color="#0072b2")
ax.axvline(got_it + 1, color="#d55e00", linestyle="--", label="it gets it")
ax.axhline(1, color="black", linestyle=":", linewidth=1)
ax.set(xlabel="epochs of 100 sequences", ylabel="written at marked steps,\nin parts of that at others", ylim=(0, None))
_ = ax.legend(fontsize="small")
assert contrast[-1] > 3 > contrast[0]

# %%
# Side by side
# ------------
# The state of both while they read the sequence, as the sum that it stands for. For the trained net that is what it
# would say if the sequence ended at this step.

state, sums = None, []
for x in example[0]:
    gates = cell.gates(x[np.newaxis], state)
    state = gates.h, gates.c
    sums.append(10 * gates.c[0, 0])
stream = reg.stream()
said = [stream.step(x)[0] for x in example[0]]

_, ax = plt.subplots()
ax.step(np.arange(N_STEPS), sums, where="post", color="#d55e00", linestyle="--", label="by hand")
ax.plot(said, color="#0072b2", label="trained")
ax.plot(N_STEPS - 1, y_test[0], "k*", markersize=10, label="the sum")
ax.set(xlabel="step", ylabel="sum so far", xticks=np.flatnonzero(marked))
_ = ax.legend(fontsize="small")

# %%
# What the answer hangs on
# ------------------------
# The gradient of the answer with respect to the input, step by step: the two marked steps light up.

_, ax = plt.subplots()
saliency = pylstm.SaliencyDisplay.from_estimator(reg, example, ax=ax).saliency
assert set(np.argsort(saliency)[-2:]) == set(np.flatnonzero(marked))
