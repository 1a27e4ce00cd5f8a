"""The sentences that every lesson on LSTMs tells, drawn at random: with a gap of which one word alone is right.

>>> from sentences import KINDS, draw
>>> for kind in KINDS:
...     print(draw(9, kinds=[kind], seed=2)[1])
we have pizza and eggs today . nobody knows why . I like pizza but my friend likes [eggs] .
the monkeys that the man again today here here sees are in the [trees] .
she is in Spain . the day is long . the sun is bright and warm . time goes by so fast . she speaks [Spanish] .
the lion that the child knows [roars] .

What the gap hangs on (two foods, the noun, the country, the subject) stands some words before it: the distance. Of all
pairs of that and a distance a fifth is held out: `draw` leaves them out, and ``draw(..., held_out=True)`` draws nothing
else. So each country is learnt at most distances, and each distance with most countries; what is tested is a country at
a distance that it never had. What stands between is drawn alike for all, so nothing but a memory can tell.

A language model learns from ``sentence.text``. It fills the gap if, after the words before it, no word is more
probable than the right one: ``sentence.before`` and ``sentence.answer``.
"""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

FOODS = ["pizza", "pasta", "soup", "bread", "cheese", "tea", "eggs", "jam"]
#: Where they are.
PLACES = {
    "birds": "in the sky",
    "fish": "in the sea",
    "flowers": "in the garden",
    "monkeys": "in the trees",
    "cows": "on the field",
    "books": "on the shelf",
    "cars": "on the road",
    "boats": "on the lake",
}
LANGUAGES = {
    "France": "French",
    "Spain": "Spanish",
    "Italy": "Italian",
    "Germany": "German",
    "Japan": "Japanese",
    "China": "Chinese",
    "Russia": "Russian",
    "Greece": "Greek",
    "Poland": "Polish",
    "Turkey": "Turkish",
    "Sweden": "Swedish",
    "Portugal": "Portuguese",
}
PERSONS = ["he", "she", "my friend", "the man", "my sister"]
#: Who does what, one and many.
DOES = {
    "cat": "purrs",
    "cats": "purr",
    "dog": "barks",
    "dogs": "bark",
    "horse": "runs",
    "horses": "run",
    "king": "rules",
    "kings": "rule",
    "girl": "laughs",
    "girls": "laugh",
    "boy": "sleeps",
    "boys": "sleep",
    "lion": "roars",
    "lions": "roar",
    "frog": "jumps",
    "frogs": "jump",
    "baker": "bakes",
    "bakers": "bake",
    "clock": "ticks",
    "clocks": "tick",
}
#: Who sees them, one and many, in a clause between.
WATCHERS = {"man": "sees", "men": "see", "woman": "hears", "women": "hear", "child": "knows", "children": "know"}
ADVERBS = ["often", "always", "again", "today", "here", "now"]
#: Sentences that say nothing of it, of 3 to 7 words: of them any length from 3 on can be made.
FILLERS = [
    "it rains .",
    "we wait here .",
    "nobody knows why .",
    "the day is long .",
    "time goes by so fast .",
    "the old house is quiet .",
    "the sun is bright and warm .",
    "there is a letter for you .",
]
#: Of how many pairs of what a gap hangs on and a distance one is held out.
ONE_IN = 5


class Sentence(NamedTuple):
    """A sentence with a gap.

    Attributes
    ----------
    words : tuple of str
        All words, that of the gap too; punctuation marks are words.
    gap : int
        The place of the gap among them.
    kind : str
        One of `KINDS`.
    what : str
        What the gap hangs on.
    distance : int
        How many words are between that and the gap.
    """

    words: tuple[str, ...]
    gap: int
    kind: str
    what: str
    distance: int

    @property
    def text(self) -> str:
        """All words, with a space between."""
        return " ".join(self.words)

    @property
    def before(self) -> str:
        """The words before the gap, with a space between."""
        return " ".join(self.words[: self.gap])

    @property
    def answer(self) -> str:
        """The word in the gap."""
        return self.words[self.gap]

    def __str__(self) -> str:
        return " ".join([*self.words[: self.gap], f"[{self.answer}]", *self.words[self.gap + 1 :]])


def draw(
    n: int,
    *,
    kinds: Sequence[str] | None = None,
    held_out: bool = False,
    distances: Sequence[int] | None = None,
    seed: int = 0,
) -> list[Sentence]:
    """Draw sentences, each kind, and of a kind each pair of what its gap hangs on and a distance, as likely as another.

    Parameters
    ----------
    n : int
        How many.
    kinds : list of str, default=None
        Which of `KINDS`; None is all.
    held_out : bool, default=False
        Whether to draw what is for testing. The words around may be those of a sentence that was learnt from.
    distances : sequence of int, default=None
        The only distances; None draws all that a kind has.
    seed : int, default=0
        Determines the sentences.

    Returns
    -------
    list of Sentence
    """
    rng = np.random.default_rng([seed, held_out])
    kinds = list(KINDS if kinds is None else kinds)
    pairs = {}
    for kind in kinds:
        pairs[kind] = [pair for pair in _pairs(kind, held_out) if distances is None or pair[1] in distances]
        if not pairs[kind]:
            raise ValueError(f"distances must have one of {list(KINDS[kind].distances)} for {kind!r}, got {distances}")
    sentences = []
    for _ in range(n):
        kind = _one_of(kinds, rng)
        what, words_between = _one_of(pairs[kind], rng)
        start, end = KINDS[kind].make(what, words_between, rng)
        before, after = start.split(), end.split()
        sentences.append(Sentence((*before, *after), len(before), kind, what, words_between))
    return sentences


def _pairs(kind: str, held_out: bool) -> list[tuple[str, int]]:
    """Return what a gap can hang on, with each distance, those that are held out or the others."""
    whats, distances, _ = KINDS[kind]
    return [
        (what, distance)
        for place, what in enumerate(whats)
        for distance in distances
        if ((place + distance) % ONE_IN == 0) is held_out
    ]


def _one_of(choices, rng):
    return choices[int(rng.integers(len(choices)))]


def _filler(n: int, rng: np.random.Generator) -> str:
    """Return sentences that have n words together, 0 or at least 3."""
    words = []
    while len(words) < n:
        after = {each: n - len(words) - len(each.split()) for each in FILLERS}
        words += _one_of([each for each in FILLERS if after[each] == 0 or after[each] >= 3], rng).split()
    return " ".join(words)


# ---- the kinds: what stands before the gap, and from the gap on


def _likes(what, distance, rng):
    """Return what two foods make: "but" asks for the one that is not liked, "and" for the one that is.

    The distance is that from the second of them.
    """
    first, second = what.split()
    liked, other = _one_of([(first, second), (second, first)], rng)
    start = f"we have {first} and {second} today . {_filler(distance - 9, rng)} I like {liked}"
    if rng.integers(2):
        return f"{start} but my friend likes", f"{other} ."
    return f"{start} and my friend likes", f"{liked} too ."


def _where(what, distance, rng):
    place = PLACES[what].split()
    return f"the {what} {_clause(distance - 3, rng)} are {' '.join(place[:-1])}", f"{place[-1]} ."


def _speaks(what, distance, rng):
    person = _one_of(PERSONS, rng)
    between = _filler(distance - 2 - len(person.split()), rng)
    return f"{person} is in {what} . {between} {person} speaks", f"{LANGUAGES[what]} ."


def _agrees(what, distance, rng):
    return f"the {what} {_clause(distance, rng)}", f"{DOES[what]} ."


def _clause(n, rng):
    """Return n words between a noun and its verb: adverbs, or from 4 words on a clause.

    A verb ends the clause, after which only the main verb can come.
    """
    if n < 4:
        return " ".join(_one_of(ADVERBS, rng) for _ in range(n))
    watcher = _one_of(list(WATCHERS), rng)
    return " ".join(["that the", watcher, *(_one_of(ADVERBS, rng) for _ in range(n - 4)), WATCHERS[watcher]])


class Kind(NamedTuple):
    """What a gap can hang on, distances from it, and what makes the words before the gap and from it on."""

    whats: list[str]
    distances: Sequence[int]
    make: Callable[[str, int, np.random.Generator], tuple[str, str]]


KINDS = {
    "likes": Kind([" ".join(pair) for pair in permutations(FOODS, 2)], [9, *range(12, 31)], _likes),
    "where": Kind(list(PLACES), range(3, 16), _where),
    "speaks": Kind(list(LANGUAGES), range(7, 51), _speaks),
    "agrees": Kind(list(DOES), range(4, 13), _agrees),
}
