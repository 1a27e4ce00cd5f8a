"""``python -m pylstm look``: a net that learned a toy language, and what its gates do in a sentence."""

import shutil
import sys
import textwrap
import time
import warnings
from typing import Any, NamedTuple

import numpy as np

import pylstm  # whose estimators are loaded where they are touched

from .._files.writing import replace
from .._net.inputs import Array
from . import page
from .terminal import blocks_of, heat_maps, legend, shows_colours, with_guesses

THINGS = {
    "food": ["pizza", "bread", "soup", "cake", "rice"],
    "drink": ["tea", "milk", "juice", "water", "cocoa"],
}
WE = ["I like", "you like", "we like", "they like"]
OTHERS = ["my friend likes", "my sister likes", "her brother likes"]
SENTENCE = ["I", "like", "pizza", "and", "cake", "but", "my", "friend", "likes", "tea", "and", "milk"]
N_SENTENCES = 600


class Toy(NamedTuple):
    """A net that guesses the next word, and what it took to make it."""

    tagger: Any
    words: list[str]
    seconds: float

    def encode(self, sentence: list[str]) -> Array:
        """Return a sentence as a one-hot row per word."""
        return np.eye(len(self.words), dtype=np.float32)[[self.words.index(word) for word in sentence]]


def new_sentence(rng: np.random.Generator) -> list[str]:
    """Make a sentence: all things of a clause are of one kind, and after "but" they are of the other."""
    kinds = [THINGS[kind] for kind in rng.permutation(list(THINGS))]
    first, second = (" and ".join(rng.choice(kind, rng.integers(1, 4), replace=False)) for kind in kinds)
    text = f"{rng.choice(WE)} {first}"
    if rng.random() < 0.8:
        text += f" but {rng.choice(OTHERS)} {second}"
    return [*text.split(), "."]


def train() -> Toy:
    """Train on sentences other than the one that is shown."""
    rng = np.random.default_rng(0)
    sentences = [new_sentence(rng) for _ in range(N_SENTENCES)]
    sentences = [sentence for sentence in sentences if sentence[:-1] != SENTENCE]
    words = sorted({word for sentence in sentences for word in sentence})
    # A forget bias of 3 makes remembering the rule, and forgetting what has to be learned.
    tagger = pylstm.LSTMTagger(
        (6,), forget_bias=3.0, learning_rate_init=0.02, batch_size=32, max_iter=40, random_state=0
    )
    toy = Toy(tagger, words, 0.0)
    X, y = [toy.encode(sentence[:-1]) for sentence in sentences], [np.array(sentence[1:]) for sentence in sentences]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it could go on learning
        tagger.fit(X, y)
    return toy._replace(seconds=time.perf_counter() - start)


def guesses(toy: Toy, sentence: list[str], hold: dict[str, list[Array]] | None = None) -> list[dict[str, float]]:
    """Return how probable each kind of thing, and each other word, is thought to be after each word."""
    kind_of = {word: kind for kind, words in THINGS.items() for word in words}
    names = [kind_of.get(word, f'"{word}"') for word in toy.tagger.classes_.tolist()]
    probabilities = toy.tagger.predict_proba([toy.encode(sentence)], hold=hold)[0]
    return [
        {name: sum(p for its, p in zip(names, row, strict=True) if its == name) for name in names}
        for row in probabilities.tolist()
    ]


def best(guess: dict[str, float]) -> str:
    """Return the most probable of what `guesses` gives for a word."""
    return max(guess, key=lambda name: guess[name])


def most_forgotten(f: Array, c: Array) -> tuple[int, int]:
    """Return the step and unit where most of a memory was dropped.

    f and c are (n_steps, n_units), and the start was at zero.
    """
    before = np.vstack([np.zeros_like(c[:1]), c[:-1]])
    step, unit = np.unravel_index(np.argmax((1 - f) * np.abs(before)), f.shape)
    return int(step), int(unit)


def what_to_see(toy: Toy, sentence: list[str], f: Array, c: Array) -> str:
    """Say where most is forgotten, and what it is good for."""
    step, unit = most_forgotten(f, c)
    if f[step, unit] >= 0.5:
        return "No unit forgets as much as half of what it holds."
    others = np.delete(f[:, unit], step).mean()
    held = np.full_like(f, np.nan)
    held[step, unit] = 1
    pairs = list(zip(guesses(toy, sentence), guesses(toy, sentence, hold={"f": [held]}), strict=True))
    loss = [own[best(own)] - kept[best(own)] for own, kept in pairs]
    worst = int(np.argmax(loss))
    own, kept = pairs[worst]
    return (
        f'At "{sentence[step]}" unit {unit} forgets: f = {f[step, unit]:.2f}, on average {others:.2f} at the other '
        f"words. Its memory c goes from {c[step - 1, unit]:.2f} to {c[step, unit]:.2f}. With f held at 1 there, "
        f'{best(own)} is guessed after "{sentence[worst]}" with {kept[best(own)]:.0%} instead of {own[best(own)]:.0%}.'
    )


def look(path: str | None = None) -> None:
    """Train, then show the gates in one sentence: in the terminal, or as a page that is written to `path`."""
    toy = train()
    trace = toy.tagger.trace([toy.encode(SENTENCE)])
    values = {name.removesuffix("_l0"): array for name, array in trace.sequence(0).items()}
    about = [
        f'A toy language: "{" ".join(SENTENCE)}." The things in a clause are of one kind, food or drink; after "but" '
        "they are of the other.",
        f"An LSTM of {values['f'].shape[1]} units has learned from {N_SENTENCES} sentences, not this one, to guess the "
        f"next word ({toy.seconds:.1f} s).",
    ]
    seen = what_to_see(toy, SENTENCE, values["f"], values["c"])
    guessed = [f"{best(guess)} {guess[best(guess)]:.0%}" for guess in guesses(toy, SENTENCE)]
    if path is None:
        width = shutil.get_terminal_size().columns
        print("\n".join(terminal(values, about, seen, guessed, width, shows_colours(sys.stdout))))
        return
    step, unit = most_forgotten(values["f"], values["c"])
    text = page.page(
        trace,
        0,
        SENTENCE,
        "What the gates of an LSTM do in a sentence",
        notes=[*about, seen],
        guesses=guessed,
        start={"step": step, "unit": unit},
    )
    replace(path, text.encode())
    print(f"{path}: open it in a browser. {seen}")


def terminal(
    values: dict[str, Array], about: list[str], seen: str, guessed: list[str], width: int, colour: bool
) -> list[str]:
    """Return what is printed."""
    blocks = blocks_of("lstm", values)
    return [
        *(line for text in about for line in textwrap.wrap(text, width)),
        "",
        *heat_maps(with_guesses(SENTENCE, guessed), blocks, width, colour),
        "",
        *textwrap.wrap("Down: the words, and what is guessed to come next. Across: the units.", width),
        *legend(blocks, colour),
        "",
        *textwrap.wrap(seen, width),
        *textwrap.wrap("The same as an interactive page: python -m pylstm look --html look.html", width),
    ]
