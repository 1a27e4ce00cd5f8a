"""The generated sentences of the lessons: one right word in each gap, distances that are true, pairs held out."""

import doctest
import sys
from itertools import product
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "lessons"
sys.path.insert(0, str(FOLDER))

import sentences  # noqa: E402
from sentences import DOES, FILLERS, KINDS, LANGUAGES, PLACES, draw  # noqa: E402

every_kind = pytest.mark.parametrize("kind", KINDS)


def right_word(sentence):
    """Return what the words before the gap ask for, read by rules of its own."""
    words = sentence.before.split()
    if sentence.kind == "speaks":
        (country,) = set(words) & set(LANGUAGES)
        return LANGUAGES[country]
    if sentence.kind == "where":
        return PLACES[words[1]].split()[-1]
    if sentence.kind == "agrees":
        return DOES[words[1]]
    liked = words[-5]
    (other,) = {words[2], words[4]} - {liked}
    return liked if words[-4] == "and" else other


@every_kind
@pytest.mark.parametrize("held_out", [False, True])
def test_the_right_word_follows_from_what_stands_before(kind, held_out):
    for sentence in draw(300, kinds=[kind], held_out=held_out):
        assert sentence.kind == kind
        assert sentence.answer == right_word(sentence)
        assert sentence.answer not in sentence.what.split() or kind == "likes"
        assert sentence.text.startswith(f"{sentence.before} {sentence.answer} ")
        assert sentence.words[-1] == "."


@every_kind
def test_distances_are_those_in_the_words(kind):
    for sentence in draw(300, kinds=[kind]):
        first = sentence.words.index(sentence.what.split()[-1])
        assert sentence.gap - first - 1 == sentence.distance
        assert sentence.distance in KINDS[kind].distances


@pytest.mark.long
@every_kind
def test_a_fifth_of_the_pairs_is_held_out_and_all_that_they_are_made_of_is_learnt(kind):
    whats, distances, _ = KINDS[kind]
    learnt, tested = (
        {(sentence.what, sentence.distance) for sentence in draw(20_000, kinds=[kind], held_out=held_out)}
        for held_out in (False, True)
    )
    assert not learnt & tested
    assert learnt | tested == set(product(whats, distances))
    assert len(tested) / (len(learnt) + len(tested)) == pytest.approx(0.2, abs=0.02)
    assert {what for what, _ in learnt} == {what for what, _ in tested} == set(whats)
    assert {distance for _, distance in learnt} == set(distances)


@every_kind
def test_every_length_of_filler_can_be_made(kind):
    for distance in KINDS[kind].distances:
        for sentence in draw(20, kinds=[kind], distances=[distance]):
            assert sentence.distance == distance


def test_fillers_say_nothing_of_the_answers():
    answers = {sentence.answer for sentence in draw(3000)}
    assert not answers & set(" ".join(FILLERS).split())


def test_no_noun_asks_for_two_things():
    assert not set(PLACES) & set(DOES)


def test_the_same_seed_draws_the_same():
    assert draw(50, seed=1) == draw(50, seed=1)
    assert draw(50, seed=1) != draw(50, seed=2)
    assert {sentence.kind for sentence in draw(50)} == set(KINDS)
    with pytest.raises(ValueError, match=r"distances must have one of .* for 'agrees', got \[1\]"):
        draw(1, kinds=["agrees"], distances=[1])


def test_examples_of_the_docstring():
    assert doctest.testmod(sentences) == doctest.TestResults(failed=0, attempted=2)
