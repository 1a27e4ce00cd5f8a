"""The LSTM's results are the bits that they were: of each instruction set, as stored in stored_bits.json.

Who changes them on purpose writes them anew, once under each instruction set, and says why in the changelog:

    PYLSTM_ISA=avx2 python tests/net/test_stored_bits.py
"""

import json
from pathlib import Path

import numpy as np
import pytest
from digits import digest

import pylstm
from pylstm._net import core

STORE = Path(__file__).with_name("stored_bits.json")

#: input_size, hidden_size, bidirectional, lengths
CASES = {
    "one": (1, 1, False, [3]),
    "odd": (3, 37, False, [5, 5, 5, 5, 5, 5, 5]),
    "ragged": (5, 64, False, [40, 3, 7, 7, 1, 22, 40, 9, 15]),
    "stack": (16, (33, 8), True, [12, 4, 12]),
    "few": (20, 48, False, [2]),
    "large": (130, 150, False, [9, 60, 2]),
}


def digests(case, dtype):
    """Return hashes of everything that comes out, of inputs that no version of NumPy draws differently."""
    input_size, hidden_size, bidirectional, lengths = CASES[case]
    rng = np.random.RandomState(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    seq = pylstm.Sequence(input_size, hidden_size, bidirectional=bidirectional, dtype=dtype)
    for values in seq.parameters().values():
        values[...] = normal(*values.shape) / np.sqrt(values.shape[-1], dtype=dtype)
    X = [normal(length, input_size) for length in lengths]
    sizes = hidden_size if isinstance(hidden_size, tuple) else (hidden_size,)
    state = [tuple(normal(1 + bidirectional, len(lengths), size) for _ in "hc") for size in sizes]
    Y, final = seq.forward(X, state, training=True)
    gradients = seq.backward([normal(*y.shape) for y in Y], state)
    return {
        "forward": digest([*Y, *flat(final)]),
        "backward": digest([*gradients.parameters.values(), *gradients.input, *flat(gradients.state)]),
    }


def flat(state):
    return [values for pair in state for values in pair]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_bits_are_those_stored(case, dtype):
    stored = json.loads(STORE.read_text(encoding="ascii"))
    if core.isa not in stored:
        pytest.skip(f"nothing is stored of {core.isa}")
    assert digests(case, dtype) == stored[core.isa][f"{case}-{dtype}"]


if __name__ == "__main__":
    stored = json.loads(STORE.read_text(encoding="ascii")) if STORE.exists() else {}
    stored[core.isa] = {f"{case}-{dtype}": digests(case, dtype) for case in CASES for dtype in ("float32", "float64")}
    STORE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="ascii")
