"""The lesson of the gap, in a short form: what examples/fill_the_gap.py shows of all kinds and up to fifty words.

Of six fits (AVX-512) four fill 99 % of the gaps, all 97 %. Rounding decides which, so a test asks that of three initial
weights one does. Three plain RNNs, at the best of three learning rates, fill 35 to 62 %.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from pylstm import LSTMLanguageModel

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "lessons"))

from sentences import draw

pytestmark = pytest.mark.filterwarnings("ignore:the loss was still falling")


def filled(kind, distances, n, seed=0, units=32, **options):
    """Return how many gaps of pairs that were held out are filled, after a fit on others."""
    texts = [sentence.text for sentence in draw(n, kinds=[kind], distances=distances)]
    model = LSTMLanguageModel((units,), analyzer="word", window=32, batch_size=16, random_state=seed, **options)
    model.fit(texts)
    sentences = draw(300, kinds=[kind], held_out=True, distances=distances)
    return np.mean([model.predict_next(sentence.before, k=1)[0][0] == sentence.answer for sentence in sentences])


def test_from_a_country_to_its_language_where_a_plain_rnn_guesses():
    data = {"kind": "speaks", "distances": range(7, 17), "n": 12_000}
    options = {"units": 48, "dropout": 0.1, "max_iter": 15, "learning_rate_init": 0.01}
    assert any(filled(**data, **options, seed=seed) >= 0.99 for seed in range(3))
    assert filled(**data, **options | {"learning_rate_init": 0.003, "cell": "rnn"}) < 0.85


def test_from_a_noun_to_its_place():
    options = {"learning_rate_init": 0.01, "max_iter": 8, "dropout": 0.1}
    assert filled("where", range(3, 16), 8000, **options) >= 0.99
