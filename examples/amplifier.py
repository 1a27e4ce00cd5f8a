"""
A guitar amplifier, learnt
==========================

A valve amplifier distorts, more so for loud notes, and its supply sags under them for a while: what comes out depends
on what went in before. `LSTMSequenceRegressor` learns such a device from a recording of what went in and what came
out, and a `Stream` then plays through it in blocks, as a plug-in would.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from pylstm import LSTMSequenceRegressor

RATE = 8000  # samples per second


def guitar(n_notes, seed):
    """Return plucked strings: noise that goes round in a delay line and is smoothed there (Karplus & Strong 1983)."""
    rng = np.random.default_rng(seed)
    notes = []
    for _ in range(n_notes):
        period = int(rng.integers(20, 100))
        line = rng.uniform(-1, 1, period)
        note = np.empty(RATE // 4)
        for t in range(len(note)):
            note[t] = line[t % period]
            line[t % period] = 0.497 * (line[t % period] + line[(t + 1) % period])
        notes.append(rng.uniform(0.2, 1) * note)
    return np.concatenate(notes)


def amplifier(x):
    """Return what an amplifier makes of a signal: a filter, a gain that sags while it is loud, an uneven tanh."""
    y, low, load = np.empty_like(x), 0.0, 0.0
    for t in range(len(x)):
        low += 0.5 * (x[t] - low)
        load += 0.002 * (abs(low) - load)
        y[t] = np.tanh(5 * low / (1 + 8 * load) + 0.2) - np.tanh(0.2)
    return y


# %%
# Learn from six seconds
# ----------------------
# Six seconds at 8 kHz are 48,000 steps. They are cut into 24 sequences, and trained on in windows of 250 steps, over
# which the state is carried on; the first 100 steps of each sequence do not count, as the state settles.

signal = guitar(24, seed=0)
X, y = signal.reshape(24, -1, 1), amplifier(signal).reshape(24, -1)
model = LSTMSequenceRegressor(
    (16,),
    window=250,
    burn_in=100,
    batch_size=8,
    learning_rate="cosine",
    learning_rate_init=0.01,
    standardize=False,  # samples within 1 are right as they are, in float32 from end to end
    normalize_y=False,
    max_iter=30,
    random_state=0,
).fit(X, y)

# %%
# Other notes
# -----------
# The error is given as engineers of audio do: its energy in parts of that of the signal.

new = guitar(8, seed=1)
came = amplifier(new)
modelled = model.predict(new[np.newaxis, :, np.newaxis])[0]
settled = slice(100, None)
error = np.sum((modelled - came)[settled] ** 2) / np.sum(came[settled] ** 2)
print(f"error to signal: {error:.2%}")
assert error < 0.03

shown = slice(4100, 4300)
milliseconds = np.arange(200) / RATE * 1000
_, ax = plt.subplots()
ax.plot(milliseconds, new[shown], color="0.6", label="in")
ax.plot(milliseconds, came[shown], color="black", label="out of the amplifier")
ax.plot(milliseconds, modelled[shown], color="#d55e00", linestyle="--", label="out of the net")
ax.set(xlabel="ms", ylabel="signal")
_ = ax.legend(fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))

# %%
# The net has found the shape of the distortion, and that it is not one curve: what the supply does makes it a band.

_, ax = plt.subplots()
ax.plot(new[settled], came[settled], ".", markersize=1, color="black", label="amplifier")
ax.plot(new[settled], modelled[settled], ".", markersize=1, color="#d55e00", label="net")
ax.set(xlabel="in", ylabel="out")
_ = ax.legend(markerscale=8)

# %%
# In blocks
# ---------
# An audio program hands over 64 samples at a time and wants 64 back at once. `Stream.process` writes into memory that
# is there already, and keeps the state: the blocks joined are the bits of the whole. At rest, that is with silence
# before the first note, it starts without a pop.

stream = model.stream()
stream.reset("rest")
samples = new.astype(np.float32)[:, np.newaxis]
played = np.empty_like(samples)
start = time.perf_counter()
for at in range(0, len(samples), 64):
    stream.process(samples[at : at + 64], out=played[at : at + 64])
seconds = time.perf_counter() - start
print(f"{len(samples) / RATE:.1f} s of sound in {seconds * 1000:.0f} ms")

stream.reset("rest")
assert np.array_equal(stream.process(samples), played)
