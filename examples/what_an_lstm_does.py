r"""
What an LSTM does
=================

A recurrent net reads a sequence step by step and keeps something from step to step. What an LSTM keeps, when it
forgets it and when it shows it, is decided by gates. This page computes all its pictures; the code stands between
them.

The equations
-------------
At step :math:`t` a layer of units gets the input :math:`x_t` and its own last output :math:`h_{t-1}`. From these it
computes three gates between 0 and 1 and a candidate between −1 and 1:

.. math::

    \begin{aligned}
    i_t &= \sigma(W_i x_t + R_i h_{t-1} + b_i) && \text{input gate} \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) && \text{forget gate} \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) && \text{candidate} \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + b_o) && \text{output gate}
    \end{aligned}

They say how much is written, how much is kept, what is written, and how much is shown. The rest is two lines. The
cell state :math:`c` is what is remembered, the output :math:`h` what others see of it:

.. math::

    \begin{aligned}
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)
    \end{aligned}

:math:`\odot` multiplies unit by unit, and :math:`\sigma(z) = 1 / (1 + e^{-z})`. The first of the two lines is why
LSTMs work: from step to step the state is multiplied by a gate and something is added. It is not pressed through
weights and a tanh each time.
"""

import matplotlib.pyplot as plt
import numpy as np

import pylstm

# %%
# Storing, forgetting, showing
# ----------------------------
# One unit, with weights that we choose. Its input has four features: a value, and three signals that say "store",
# "forget" and "show". With 20 times a signal, less 10, a gate is as good as closed without the signal and open with
# it; for the forget gate it is the other way round. So the cell is a memory that is told what to do.

cell = pylstm.Cell(input_size=4, hidden_size=1)
cell.weight_ih[...] = [
    # value, store, forget, show
    [0, 20, 0, 0],  # i opens when told to store
    [0, 0, -20, 0],  # f closes when told to forget
    [1, 0, 0, 0],  # g reads the value
    [0, 0, 0, 20],  # o opens when told to show
]
cell.weight_hh[...] = 0
cell.bias[...] = [-10, 10, 0, -10]

X = np.zeros((24, 4))
# Values come all the time: most are none of its business.
X[:, 0] = np.random.default_rng(0).uniform(-1.5, 1.5, 24)
X[4, 1] = X[16, 1] = 1  # store
X[13, 2] = 1  # forget
X[[8, 14, 20], 3] = 1  # show

state, steps = None, []
for x in X:
    gates = cell.gates(x[np.newaxis], state)
    state = gates.h, gates.c
    steps.append(gates)
history = {letter: np.array([getattr(gates, letter)[0, 0] for gates in steps]) for letter in "ifgoch"}

_, axes = plt.subplots(5, sharex=True, figsize=(5.6, 5.6))
for ax, letter, name in zip(axes, "gifoc", ("candidate g", "input i", "forget f", "output o", "state c"), strict=True):
    ax.bar(range(24), history[letter], color="#0072b2" if letter in "gc" else "#e69f00")
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
    ax.set_ylim((-1.1, 1.1) if letter in "gc" else (0, 1.1))
axes[-1].plot(history["h"], "o", color="black", markersize=4, label="output h")
axes[-1].legend(fontsize="small", loc="lower left")
_ = axes[-1].set(xlabel="step", xticks=range(0, 24, 4))

# %%
# At step 4 the input gate opens, and the candidate of that moment goes into the state. It stays there, whatever
# values come by: the forget gate is open, which in an LSTM means *keep*. At step 8 the output gate opens, and for one
# step the memory is seen. At step 13 the forget gate closes and the state is gone: what is shown at step 14 is
# nothing. At 16 something else is stored.

assert np.allclose(history["c"][4:13], history["g"][4], atol=1e-3)
assert np.allclose(history["c"][13:16], 0, atol=1e-3)
assert abs(history["h"][14]) < 1e-3 < abs(history["h"][8])

# %%
# In a trained net no gate is that clear-cut, and nobody tells it what to store: gradient descent finds weights by
# which the gates do what the task needs. :doc:`/examples/but` looks at one that has learnt to forget at a word.
#
# How long is remembered
# ----------------------
# If a forget gate stands at :math:`f`, the state halves every :math:`\ln 2 / -\ln f` steps. A gate of 0.9 sounds
# open, and forgets half within seven steps.

_, ax = plt.subplots()
for f, style in ((0.5, ":"), (0.9, "-."), (0.98, "--"), (0.999, "-")):
    label = f"f = {f}: half-life {pylstm.half_life(f):.0f}"
    ax.plot(f ** np.arange(100), style, label=label, color="#0072b2")
ax.set(xlabel="steps", ylabel="share of the state left")
_ = ax.legend(fontsize="small", loc=(0.55, 0.5))

# %%
# So where something must be remembered for hundreds of steps, forget gates have to start out nearly at 1, that is
# their bias high: ``forget_bias`` is 1 by default, a gate of 0.73 at first; ``forget_bias="chrono"`` spreads the
# units' half-lives up to the length of the sequences.
#
# The vanishing gradient
# ----------------------
# Training asks how the error at the end depends on what went on at each step before. In a plain RNN, :math:`h_t =
# \tanh(W x_t + R h_{t-1} + b)`, each step back multiplies the error by :math:`R` and by the tanh's slope, which is
# below 1: after 50 steps there is nothing left, and the net can't learn what happened there. In an LSTM the way back
# along the state multiplies by the forget gates alone.
#
# Here are untrained nets with 32 units. `GradientFlowDisplay` takes the output after 100 steps, and works out how
# large its gradient is with respect to what a net hands on at each step before: h, and of an LSTM c.

X = np.random.default_rng(0).standard_normal((1, 100, 4))
nets = {"plain RNN": pylstm.Sequence(4, 32, cell="rnn", random_state=0)}
for bias in (0, 1, 5):
    nets[f"LSTM, forget bias {bias}"] = pylstm.Sequence(4, 32, forget_bias=bias, random_state=0)
_, ax = plt.subplots(figsize=(5.6, 4.6))
reach = pylstm.GradientFlowDisplay.from_sequences(nets, X, ax=ax).norms

# %%
# What the RNN read 50 steps back moves its output by so little that no training can see it. In the LSTM whose gates
# stand open a good part of the error is still there. With a bias of 1, the default, an error reaches some tens of
# steps before training has opened any gate.

assert reach["plain RNN"]["h"][49] < 1e-8
assert reach["LSTM, forget bias 5"]["c"][49] > 1e-2

# %%
# Does it matter?
# ---------------
# The simplest task that needs memory: the first step says 0 or 1, noise follows, and at the end the net has to say
# what it was. All get the same training.

rng = np.random.default_rng(1)
lengths = (5, 20, 80)
same = {"max_iter": 15, "learning_rate": "cosine", "learning_rate_init": 0.01, "random_state": 0}
same |= {"standardize": False}
accuracies = {"plain RNN": [], "LSTM": []}
for n_steps in lengths:
    y = rng.integers(0, 2, 1200)
    X = 0.3 * rng.standard_normal((1200, n_steps, 1))
    X[:, 0, 0] += 2 * y - 1
    for name, options in (("plain RNN", {"cell": "rnn"}), ("LSTM", {"forget_bias": "chrono"})):
        clf = pylstm.LSTMClassifier((16,), **same, **options)
        accuracies[name].append(clf.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]))

_, ax = plt.subplots()
for shift, (name, values) in enumerate(accuracies.items()):
    ax.bar(np.arange(3) + 0.35 * shift, values, 0.35, label=name, color=("#e69f00", "#0072b2")[shift])
ax.axhline(0.5, color="black", linestyle=":", linewidth=1, zorder=3)
ax.text(1.52, 0.51, "chance", ha="center", fontsize="small")
ax.set(xticks=np.arange(3) + 0.175, xticklabels=[f"{n} steps" for n in lengths], ylabel="accuracy", ylim=(0, 1.2))
_ = ax.legend(ncols=2, loc="upper center", fontsize="small")
assert min(accuracies["LSTM"]) > 0.95
assert accuracies["plain RNN"][-1] < 0.8

# %%
# Where next
# ----------
# - :doc:`/examples/but`: a forget gate that closes at a word, in a net that has learnt to.
# - :doc:`/examples/adding_by_hand`: a task solved by weights that we set, beside those that training finds.
# - :doc:`/guide/cells`: the GRU and the plain RNN, which run through the same kernels.
