"""Time of a whole `fit`, and of one short prediction, beside the same loop in PyTorch; one core each.

    taskset -c 1 python bench/fit.py [--rounds 5]

PyTorch runs packed and padded, and the faster counts. The fits take turns; what is printed are medians.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch_loop import TorchClassifier

from pylstm import LSTMClassifier
from pylstm.datasets import load_japanese_vowels


def small_set():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 20, 4)).astype(np.float32)
    return list(X), (X.sum(axis=(1, 2)) > 0).astype(int)


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(name, X, y, hidden_size, n_epochs, rounds):
    whole = {"tol": 0, "n_iter_no_change": n_epochs}  # all epochs, whatever the loss does
    clf = LSTMClassifier((hidden_size,), batch_size=16, max_iter=n_epochs, random_state=0, **whole)
    fits = {"pylstm": lambda: clf.fit(X, y)}
    for padding in ("packed", "masked"):
        peer = TorchClassifier(hidden_size, clf.learning_rate_init, n_epochs, padding, seed=0)
        fits[f"PyTorch, {padding}"] = lambda peer=peer: peer.fit(X, y)
    times = {library: [] for library in fits}
    for _ in range(rounds):
        for library, fit in fits.items():
            times[library].append(seconds(fit))
    medians = {library: statistics.median(values) for library, values in times.items()}
    best = min(value for library, value in medians.items() if library != "pylstm")
    listed = ", ".join(f"{library} {value:.3f} s" for library, value in medians.items())
    print(f"{name}: {listed}; ratio {best / medians['pylstm']:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(1)
    X, y = load_japanese_vowels(split="train")
    compare("Japanese vowels, H = 100, batch 16, 60 epochs", X, y, 100, 60, rounds)
    compare("100 sequences of 20 steps, H = 16, batch 16, 50 epochs", *small_set(), 16, 50, rounds)
    clf = LSTMClassifier((100,), max_iter=1, random_state=0).fit(X, y)
    calls = [seconds(lambda: clf.predict_proba(X[:1])) for _ in range(2000)]
    print(f"predict_proba of one sequence of {len(X[0])} steps: {statistics.median(calls) * 1e6:.0f} us")


if __name__ == "__main__":
    main()
