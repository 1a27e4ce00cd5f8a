"""
A gate that closes at "but"
===========================

*I want pizza and my friend likes tea but we like bread so buy bread.* Who reads this has to keep what is wanted
through "and my friend", and to drop it at "but". An `LSTMTagger` learns to say the next word of such sentences.
Nobody tells it what "but" means. Here we find the units that forget at that word, and hold their forget gates open
there: does the net then still know what to buy?
"""

import matplotlib.pyplot as plt
import numpy as np

import pylstm

ITEMS = ["apples", "bread", "cheese", "jam", "pasta", "pizza", "soup", "tea"]
PERSONS = [("I",), ("we",), ("they",), ("my", "friend"), ("my", "sister")]


def wishes(rng):
    """Return who wants what, joined by "and", and what that is."""
    words, items = [], list(rng.permutation(ITEMS)[: rng.integers(1, 4)])
    for item in items:
        person = PERSONS[rng.integers(len(PERSONS))]
        verb = ("like", "want")[rng.integers(2)] + ("s" if person[0] == "my" else "")
        words += ["and"] * bool(words) + [*person, verb, str(item)]
    return words, items


def sentence(rng):
    """Return the words of a sentence: after "but" only what comes then is to be bought, in alphabetical order."""
    words, items = wishes(rng)
    if rng.random() < 0.7:
        more, items = wishes(rng)
        words += ["but", *more]
    return [*words, "so", "buy", *sorted(map(str, items)), "."]


rng = np.random.default_rng(0)
sentences = [sentence(rng) for _ in range(4000)]
held_out = [words for words in (sentence(rng) for _ in range(400)) if "but" in words]
for words in held_out[:3]:
    print(" ".join(words))

# %%
# After "and" come the same words as after "but": persons, verbs, things. "But" alone says that what came before is
# void.
#
# Next-word prediction
# --------------------
# Each word goes in as a vector with a single 1, and the label of each step is the word that follows.

vocabulary = sorted({word for words in sentences for word in words})


def encode(words):
    return np.array([[float(word == known) for known in vocabulary] for word in words[:-1]])


def following(words):
    return np.array(words[1:])


X, y = [encode(words) for words in sentences], [following(words) for words in sentences]


def accuracy(tagger, sentences, places=None, units=None):
    """Return how often the words from "buy" on are foreseen, which the sentence determines.

    With `places`, the forget gates of `units` are held at 1 at that step of each sentence.
    """
    hold = None
    if places is not None:
        gates = [np.full((len(words) - 1, 16), np.nan) for words in sentences]  # NaN leaves a gate free
        for of_sentence, place in zip(gates, places, strict=True):
            of_sentence[place, units] = 1
        hold = {"f_l0": gates}
    found = tagger.predict([encode(words) for words in sentences], hold=hold)
    right = [(labels == following(words))[words.index("buy") :] for labels, words in zip(found, sentences, strict=True)]
    return np.concatenate(right).mean()


options = {"batch_size": 32, "max_iter": 30, "learning_rate": "cosine", "learning_rate_init": 0.01}
nets = [pylstm.LSTMTagger((16,), random_state=seed, **options).fit(X, y) for seed in range(3)]
for tagger in nets:
    print(f"words foreseen in held-out sentences: {accuracy(tagger, held_out):.1%}")
    assert accuracy(tagger, held_out) > 0.95

# %%
# What do forget gates do at each word?
# -------------------------------------
# `trace` returns every gate of every step. Here are the forget gates, averaged over all places where a word stands in
# sentences of the training data.

trace = nets[0].trace(X[:500])
gates, read = np.concatenate(trace["f_l0"]), np.concatenate([words[:-1] for words in sentences[:500]])
SHOWN = ["but", "and", "I", "my", "friend", "like", "want", "wants", "pizza", "tea", "so"]
by_word = np.array([gates[read == word].mean(axis=0) for word in SHOWN])
order = np.argsort(by_word[0])

_, ax = plt.subplots(figsize=(5.6, 4.2))
image = ax.imshow(by_word[:, order], cmap="cividis", vmin=0, vmax=1, aspect="auto")
ax.set(xlabel="unit", yticks=range(len(SHOWN)), yticklabels=SHOWN, xticks=range(16), xticklabels=order)
_ = ax.figure.colorbar(image, label="forget gate: 0 forgets, 1 keeps")

# %%
# Many gates that stand open at other words close at "but".
#
# Which units matter?
# -------------------
# ``hold`` sets gates to values. With forget gates held at 1, "keep all", at "but" alone, the net can't forget there.
# Units are chosen on the training data, one after the other: each time the one that, held open together with those
# before, costs most at "but", out of those that cost little when they are held open at another word, drawn by lot.


def elsewhere(sentences):
    """Return for each sentence a place before "buy" that is not the "but"."""
    return [rng.choice([t for t in range(words.index("buy")) if words[t] != "but"]) for words in sentences]


def at_but(sentences):
    return [words.index("but") for words in sentences]


known = [words for words in sentences[:600] if "but" in words]
lots = elsewhere(known)


def chosen(tagger):
    """Return units, and what holding them open at "but" costs on the training data."""
    units, free = [], accuracy(tagger, known)
    reached = free
    while True:
        left = [unit for unit in range(16) if unit not in units]
        left = [unit for unit in left if accuracy(tagger, known, lots, [*units, unit]) > free - 0.02]
        held = {unit: accuracy(tagger, known, at_but(known), [*units, unit]) for unit in left}
        if not left or min(held.values()) > reached - 0.03:
            return units, free - reached
        units.append(min(held, key=held.get))
        reached = held[units[-1]]


choices = [chosen(tagger) for tagger in nets]

# %%
# Held open, on held-out sentences
# --------------------------------

places = elsewhere(held_out)
results = np.array(
    [
        [
            accuracy(tagger, held_out),
            accuracy(tagger, held_out, at_but(held_out), units),
            accuracy(tagger, held_out, places, units),
        ]
        for tagger, (units, _) in zip(nets, choices, strict=True)
    ]
)
print("words foreseen     free   held at 'but'   held elsewhere")
for (units, _), (free, held, held_elsewhere) in zip(choices, results, strict=True):
    print(f"units {units!s:22}{free:6.1%}{held:10.1%}{held_elsewhere:17.1%}")

best = int(np.argmax([cost for _, cost in choices]))
tagger, (units, _), (free, held, held_elsewhere) = nets[best], choices[best], results[best]
assert free - held >= 0.30
assert free - held_elsewhere < 0.05

_, ax = plt.subplots()
ax.bar(
    ["free", "held at 'but'", "held elsewhere"], [free, held, held_elsewhere], color=["#0072b2", "#d55e00", "#009e73"]
)
_ = ax.set(ylabel="words foreseen", ylim=(0, 1))

# %%
# Held open at "but", the net goes on to buy what was wanted before it; held open at another word, little changes.
#
# One sentence
# ------------
# How the gates of these units stand from word to word, and the state behind them. And what the net says that is to be
# bought, each time given the right words before.

words = [
    "I",
    "want",
    "pizza",
    "and",
    "my",
    "friend",
    "likes",
    "tea",
    "but",
    "we",
    "like",
    "bread",
    "so",
    "buy",
    "bread",
    ".",
]
trace = tagger.trace([encode(words)])
_, axes = plt.subplots(2, sharex=True, figsize=(7, 5))
_ = pylstm.GateDisplay.from_trace(trace, gates="fc", units=units, labels=words[:-1], ax=axes)

# %%
# The first of these units alone, as an account: how much of its state each step kept, and what it added.

_, ax = plt.subplots(figsize=(7, 4))
_ = pylstm.CellStateDisplay.from_trace(trace, units=units[:1], labels=words[:-1], ax=ax)

# %%
# What the net says:

buy = words.index("buy")
gates = np.full((len(words) - 1, 16), np.nan)
gates[words.index("but"), units] = 1
said = tagger.predict([encode(words)])[0][buy:]
said_held = tagger.predict([encode(words)], hold={"f_l0": [gates]})[0][buy:]
print("after 'so buy':           ", *said)
print("with 'but' not forgetting:", *said_held)
