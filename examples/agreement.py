"""
Agreement across a distance
===========================

*The birds that the man sees sing.* The last verb agrees with the birds, though "the man sees" stands in between, and
"sees" agrees with the man. A net that foresees the next word has to keep the first number while it deals with the
second. An LSTM learns to; this page looks for the unit that keeps it.
"""

import matplotlib.pyplot as plt
import numpy as np

from pylstm import LSTMTagger

NOUNS = [("bird", "birds"), ("man", "men"), ("dog", "dogs"), ("king", "kings")]
SEES = [("sees", "see"), ("hears", "hear"), ("knows", "know")]
SINGS = [("sings", "sing"), ("sleeps", "sleep"), ("runs", "run")]
ADVERBS = ["often", "always", "again", "today"]


def sentence(rng, subject, inner=None, n_adverbs=0):
    """Return the words, of a subject, singular (0) or plural (1), and with `inner` of a clause about it."""

    def one_of(words, number):
        return str(words[rng.integers(len(words))][number])

    words = ["the", one_of(NOUNS, subject)]
    if inner is not None:
        words += ["that", "the", one_of(NOUNS, inner), one_of(SEES, inner)]
    words += [ADVERBS[rng.integers(len(ADVERBS))] for _ in range(n_adverbs)]
    return [*words, one_of(SINGS, subject), "."]


rng = np.random.default_rng(0)
sentences = [sentence(rng, rng.integers(2), (None, 0, 1)[rng.integers(3)], rng.integers(4)) for _ in range(3000)]
for words in sentences[:3]:
    print(" ".join(words))

# %%
# Learn the next word
# -------------------
# Up to three adverbs stand before the last verb; what is tested has up to forty.

vocabulary = sorted({word for words in sentences for word in words})


def encode(words):
    return np.array([[float(word == known) for known in vocabulary] for word in words[:-1]])


X, y = [encode(words) for words in sentences], [np.array(words[1:]) for words in sentences]
options = {"batch_size": 32, "max_iter": 25, "learning_rate": "cosine", "learning_rate_init": 0.01}
options |= {"standardize": False}  # words that are 0 or 1 are of one size
nets = {
    cell: [LSTMTagger((8,), cell=cell, random_state=seed, **options).fit(X, y) for seed in range(5)]
    for cell in ("lstm", "rnn")
}

# %%
# Which number does it choose?
# ----------------------------
# The hard sentences are those where the two numbers differ: *the birds that the man sees often sing*. The word before
# the last verb has no number, the verb and the noun before it have the wrong one. What counts is whether the net
# gives more of its probability to verbs of the subject's number. Thin lines are single nets.


def agrees(net, sentences, subjects, hold=None):
    """Return how often the last verb's number is foreseen."""
    classes = list(net.classes_)
    numbers = [[classes.index(pair[number]) for pair in SINGS] for number in (0, 1)]
    found = net.predict_proba([encode(words) for words in sentences], hold=hold)
    plural = [p[-2, numbers[1]].sum() > p[-2, numbers[0]].sum() for p in found]
    return np.mean(np.array(plural) == subjects)


subjects = rng.integers(0, 2, 200)
lengths = [0, 1, 2, 3, 5, 10, 20, 40]
scores = {cell: [] for cell in nets}
for n_adverbs in lengths:
    hard = [sentence(rng, subject, 1 - subject, n_adverbs) for subject in subjects]
    for cell in nets:
        scores[cell].append([agrees(net, hard, subjects) for net in nets[cell]])

_, ax = plt.subplots()
ax.axvspan(-0.5, 3.5, color="0.92", label="seen in training")
for cell, name, color, marker in (("lstm", "LSTM", "#0072b2", "o"), ("rnn", "plain RNN", "#d55e00", "s")):
    ax.plot(lengths, scores[cell], color=color, linewidth=0.7, alpha=0.5)
    ax.plot(lengths, np.mean(scores[cell], axis=1), color=color, marker=marker, label=f"{name}, mean of five nets")
ax.axhline(0.5, color="black", linestyle=":", linewidth=1)
ax.set(xlabel="adverbs before the verb", ylabel="number foreseen", ylim=(0, 1.05))
_ = ax.legend(fontsize="small", loc="lower right")
assert np.mean(scores["lstm"][:4]) > 0.95
assert np.mean(scores["lstm"][6]) > np.mean(scores["rnn"][6])

# %%
# Where is the number kept?
# -------------------------
# In each LSTM we take the unit whose state differs most, in units of its spread, between singular and plural subjects
# at the word before the verb. That it differs does not show that the net uses it. So its forget gate is held at 0 at
# the inner verb, which empties the unit in the middle of the sentence. All this on training data, and the net is
# taken in which that matters most.

nested = [words for words in sentences if "that" in words]
encoded = [encode(words) for words in nested]
plural = np.array([words[1] in [pair[1] for pair in NOUNS] for words in nested])


def emptied(unit, sentences):
    """Return the hold that empties a unit at the inner verb."""
    gates = [np.full((len(words) - 1, 8), np.nan) for words in sentences]
    for of_sentence in gates:
        of_sentence[5, unit] = 0
    return {"f_l0": gates}


costs = []
for net in nets["lstm"]:
    states = np.array([c[-2] for c in net.trace(encoded)["c_l0"]])
    difference = np.abs(states[plural].mean(axis=0) - states[~plural].mean(axis=0)) / states.std(axis=0)
    unit = int(difference.argmax())
    costs.append((agrees(net, nested, plural) - agrees(net, nested, plural, emptied(unit, nested)), net, unit))
print("what emptying the unit costs, by net:", *(f"{cost:.2f}" for cost, *_ in costs))
cost, lstm, unit = max(costs, key=lambda found: found[0])

_, ax = plt.subplots()
for subject, inner, style in ((1, 1, "-"), (1, 0, "--"), (0, 1, "-"), (0, 0, "--")):
    many = [sentence(rng, subject, inner, 2) for _ in range(50)]
    states = lstm.trace([encode(words) for words in many])["c_l0"]
    label = f"{('the bird', 'the birds')[subject]} that {('the man sees', 'the men see')[inner]}"
    color = ("#d55e00", "#0072b2")[subject]
    ax.plot(np.mean([c[:, unit] for c in states], axis=0), color=color, linestyle=style, label=label)
ax.set_xticks(range(9), ["the", "SUBJECT", "that", "the", "NOUN", "SEES", "often", "again", "SINGS"], rotation=60)
ax.set(ylabel=f"state of unit {unit}")
_ = ax.legend(fontsize="x-small")

# %%
# The two colours, singular and plural subjects, stay apart through the inner clause, whatever its number.
#
# Take it away
# ------------
# On new, hard sentences: each unit of this net emptied at the inner verb, one at a time.

subjects = rng.integers(0, 2, 400)
hard = [sentence(rng, subject, 1 - subject, 2) for subject in subjects]
free = agrees(lstm, hard, subjects)
without = [agrees(lstm, hard, subjects, emptied(k, hard)) for k in range(8)]
print(f"number foreseen: {free:.1%}, with unit {unit} emptied {without[unit]:.1%}")

_, ax = plt.subplots()
ax.bar(range(8), without, color=["#d55e00" if k == unit else "0.6" for k in range(8)])
ax.axhline(0.5, color="black", linestyle=":", linewidth=1)
_ = ax.set(xlabel="unit emptied at the inner verb", ylabel="number foreseen", ylim=(0, 1.05), xticks=range(8))
assert free - without[unit] > 0.3

# %%
# Without this unit the net guesses. Not all nets keep the number in one place, as the costs above show: some have it
# in several units, or hand it on through their outputs.
