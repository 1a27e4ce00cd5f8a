"""What a net of very many layers takes grows as they do, and not as their square or cube."""

import time

import numpy as np
import pytest
from saved_files import rewrite
from toys import toy

import pylstm
from pylstm._net.core import ModelSpec

LAYERS = 20_000


def test_the_list_of_parameters():
    start = time.process_time()
    spec = ModelSpec(1, (1,) * 3 * LAYERS)
    assert len(spec.parameters) == 9 * LAYERS
    assert time.process_time() - start < 3


def test_inference_and_streams():
    seq = pylstm.Sequence(1, (1,) * 2000, random_state=0)
    x = np.ones((1, 2, 1), np.float32)
    start = time.process_time()
    passes = [seq.forward(x)[0] for _ in range(4)]  # the last ones read packed weights
    assert seq.is_packed
    tape, _ = seq.forward(x, training=True)
    streamed = seq.stream().process(x)
    assert time.process_time() - start < 1
    for other in (*passes[1:], tape, streamed):
        np.testing.assert_array_equal(other, passes[0])


def test_layers_in_a_file_that_has_no_arrays_for_them(tmp_path):
    path = tmp_path / "model"
    pylstm.LSTMClassifier((2,), max_iter=1, random_state=0).fit(*toy(pylstm.LSTMClassifier)).save(path)
    rewrite(path, lambda document, arrays: document["state"].update(hidden_sizes=[1] * 10 * LAYERS))
    start = time.process_time()
    with pytest.raises(ValueError, match=r"hidden_sizes must be a list of at most \d+ integers >= 1, got \[1, 1"):
        pylstm.load(path)
    assert time.process_time() - start < 1
