"""How far float32 drifts from float64 over a long stream of random inputs: the largest difference of the outputs.

    python tests/slow/drift.py [--steps 1000000]

The nets have their initial weights, or three times those. Fails where with the former the second half differs by more
than four times what the first does: errors then add up rather than being forgotten. With the latter a net can be
chaotic, and any rounding then grows until the outputs have nothing to do with each other.
"""

import argparse

import numpy as np

import pylstm

BLOCK, INPUTS, HIDDEN = 10_000, 4, 32
CELLS = {
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "rnn (tanh)": {"cell": "rnn"},
}


def differences(options, scale, n_steps):
    """Return the largest difference within each block of steps."""
    exact = pylstm.Sequence(INPUTS, HIDDEN, dtype="float64", random_state=0, **options)
    rough = pylstm.Sequence(INPUTS, HIDDEN, random_state=0, **options)
    for mine, its in zip(rough.parameters().values(), exact.parameters().values(), strict=True):
        mine[...] = scale * its
        its[...] = mine
    streams = rough.stream(), exact.stream()
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n_steps // BLOCK):
        X = rng.standard_normal((BLOCK, INPUTS)).astype(np.float32)
        got, expected = (stream.process(X) for stream in streams)
        found.append(np.abs(got - expected).max())
    return np.array(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=10**6, help="a multiple of 20000")
    n_steps = parser.parse_args().steps
    for name, options in CELLS.items():
        for scale in (1, 3):
            of_blocks = differences(options, scale, n_steps)
            half = len(of_blocks) // 2
            first, second = of_blocks[:half].max(), of_blocks[half:].max()
            print(f"{name}, weights x {scale}: {of_blocks[0]:.1e} in the first {BLOCK} steps, "
                  f"{first:.1e} in the first half, {second:.1e} in the second of {n_steps}", flush=True)  # fmt: skip
            if scale == 1 and second > 4 * first:
                raise SystemExit("the drift grows")


if __name__ == "__main__":
    main()
