"""What a call of `partial_fit` costs after 20,000 others, beside one after 100: it shall be no more than 1.2 times.

    taskset -c 1 python bench/partial_fit.py

Two estimators take turns, call by call, on data that are next to nothing; printed are the fastest call, the fastest
tenth and the median of each, in microseconds, and the ratios.
"""

import time
from typing import Any

import numpy as np

from pylstm import LSTMClassifier

BEFORE, N_CALLS = (100, 20_000), 600


def make() -> Any:
    """Return what makes one call more."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((4, 5, 2)), [0, 1, 0, 1]
    estimator = LSTMClassifier((8,), random_state=0).partial_fit(X, y, classes=[0, 1])
    return lambda: estimator.partial_fit(X, y)


def main() -> None:
    """Measure and print."""
    calls = [make() for _ in BEFORE]
    for call, n_before in zip(calls, BEFORE, strict=True):
        for _ in range(n_before):
            call()
    seconds = np.empty((N_CALLS, len(calls)))
    for k in range(N_CALLS):
        for which, call in enumerate(calls):
            start = time.perf_counter()
            call()
            seconds[k, which] = time.perf_counter() - start
    for name, quantile in (("fastest", 0.0), ("fastest tenth", 0.1), ("median", 0.5)):
        early, late = np.quantile(seconds, quantile, axis=0) * 1e6
        print(f"{name:14} {early:8.0f} {late:8.0f} {late / early:6.2f}")


if __name__ == "__main__":
    main()
