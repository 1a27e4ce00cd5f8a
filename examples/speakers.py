"""
Who is speaking?
================

Nine men say the two vowels "ae". An `LSTMClassifier` learns from 30 utterances of each, and tells who speaks in 370
others.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm.datasets import load_japanese_vowels
from pylstm.preprocessing import PerStep

X, y = load_japanese_vowels(split="train")
X_test, y_test = load_japanese_vowels(split="test")

# %%
# An utterance has 12 features per step, which describe the shape of the voice's spectrum, and 7 to 29 steps. Here are
# the first three features of two utterances each of two speakers:

_, axes = plt.subplots(1, 2, sharey=True)
for ax, speaker in zip(axes, (1, 5), strict=True):
    for index in np.flatnonzero(y == speaker)[:2]:
        for feature, (color, style) in enumerate([("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", ":")]):
            ax.plot(X[index][:, feature], color=color, linestyle=style)
    ax.set(title=f"speaker {speaker}", xlabel="step")
_ = axes[0].set_ylabel("feature")

# %%
# Scale, fit, score
# -----------------
# The utterances stay as long as they are: a list goes in. Features are scaled over the steps of all training
# utterances.

model = make_pipeline(
    PerStep(StandardScaler()),
    pylstm.LSTMClassifier(hidden_layer_sizes=(32,), learning_rate="cosine", random_state=0),
).fit(X, y)
accuracy = model.score(X_test, y_test)
print(f"{accuracy:.1%} of {len(X_test)} test utterances recognised")
assert accuracy > 0.94

_, ax = plt.subplots()
_ = pylstm.LossCurveDisplay.from_estimator(model[-1], ax=ax)

# %%
# Who is taken for whom:

display = ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, colorbar=False, cmap="cividis")
_ = display.ax_.set(xlabel="speaker found", ylabel="speaker")

# %%
# What it thinks on the way
# -------------------------
# A stream takes the utterance step by step and gives the probabilities so far. They are the bits that a whole pass
# would give.

index = 40
stream = pylstm.stream(model)
thoughts = np.array([stream.step(step) for step in X_test[index]])
assert (thoughts[-1] == model.predict_proba(X_test[index : index + 1])[0]).all()

_, ax = plt.subplots()
image = ax.imshow(
    thoughts.T,
    aspect="auto",
    cmap="cividis",
    vmin=0,
    vmax=1,
    origin="lower",
    extent=(0.5, len(thoughts) + 0.5, 0.5, 9.5),
)
ax.set(xlabel="step", ylabel="speaker", yticks=range(1, 10), title=f"an utterance of speaker {y_test[index]}")
_ = ax.figure.colorbar(image, label="probability")

# %%
# It has to hear most of an utterance: it was trained to say who spoke at the end.

shares = np.linspace(0.1, 1, 10)
accuracies = [model.score([x[: max(1, round(len(x) * share))] for x in X_test], y_test) for share in shares]
assert accuracies[-1] > accuracies[4] > accuracies[0]

_, ax = plt.subplots()
ax.plot(shares, accuracies, color="#0072b2", marker="o")
_ = ax.set(xlabel="share of the utterance heard", ylabel="accuracy", ylim=(0, 1))
