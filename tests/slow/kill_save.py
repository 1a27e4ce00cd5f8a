"""`save` killed at random moments: the file is always the old model or the new one, whole.

    python tests/slow/kill_save.py [--kills 500] [--seed 0]

A process saves two models over one file, one after the other, again and again; it is killed (SIGKILL) after a random
while. What `pylstm.load` then finds must be one of the two. Needs POSIX.
"""

import argparse
import os
import random
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import pylstm

#: A few times what one `save` takes.
LONGEST = 0.03


def models(X):
    """Return two models whose files, of some 700 KB, take a while to write."""
    options = {"hidden_layer_sizes": (120,), "max_iter": 1}
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        return [pylstm.LSTMRegressor(**options, random_state=seed).fit(X, X[:, 0, 0]) for seed in (0, 1)]


def save_for_ever(both, path):
    while True:
        for model in both:
            model.save(path)


def run(n_kills, seed, directory):
    """Return how often each model was found, and how often a temporary file was left: kills within the writing."""
    rng = random.Random(seed)
    X = np.random.default_rng(0).normal(size=(8, 4, 3))
    both = models(X)
    expected = [model.predict(X) for model in both]
    path = Path(directory) / "model"
    both[0].save(path)
    found, n_left = [0, 0], 0
    for kill in range(n_kills):
        child = os.fork()
        if child == 0:
            try:
                save_for_ever(both, path)
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise AssertionError(f"kill {kill} of seed {seed}: save itself failed")
        got = pylstm.load(path).predict(X)
        which = [np.array_equal(got, values) for values in expected]
        if sum(which) != 1:
            raise AssertionError(f"kill {kill} of seed {seed}: the file is neither model")
        found[which.index(True)] += 1
        for left in path.parent.glob(".pylstm-*.tmp"):
            left.unlink()
            n_left += 1
    return found, n_left


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found, n_left = run(arguments.kills, arguments.seed, directory)
    print(f"{sum(found)} kills, {n_left} of them within the writing: {found[0]} found one model, {found[1]} the other")


if __name__ == "__main__":
    main()
