"""Exported models beside streams: microseconds per step of an LSTM with one output, on one pinned core.

python bench/export.py
"""

import math
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pinning import environment, pin

SIZES = [(1, 8), (1, 16), (1, 32), (1, 64), (16, 32)]  # inputs, units
FLAGS = ["-O3", "-mavx2", "-mfma"]
SECONDS = 0.3
BLOCK = 4096


def best(call: Callable[[], object]) -> float:
    """Seconds of the fastest of many calls."""
    shortest, end = math.inf, time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def main() -> None:
    import numpy as np

    import pylstm

    print("inputs units   C file  C file, int8   stream, blocks of 4096 steps [us per step]")
    rng = np.random.default_rng(0)
    for input_size, hidden in SIZES:
        X = rng.normal(size=(4, 8, input_size)).astype(np.float32)
        model = pylstm.LSTMSequenceRegressor((hidden,), max_iter=1, random_state=0).fit(X, X[:, :, 0])
        seconds = []
        with tempfile.TemporaryDirectory() as folder:
            for weights in ("float32", "int8"):
                path, program = f"{folder}/model.c", f"{folder}/{weights}"
                pylstm.export_c(model, path, weights=weights)
                source = Path(__file__).with_suffix(".c")
                subprocess.run(["gcc", *FLAGS, "-include", path, source, "-o", program], check=True)
                seconds.append(float(subprocess.run([program], check=True, capture_output=True, text=True).stdout))
        stream, block = model.stream(), rng.normal(size=(BLOCK, input_size)).astype(np.float32)
        out = np.empty((BLOCK, 1), np.float32)
        seconds.append(best(lambda stream=stream, block=block, out=out: stream.process(block, out)) / BLOCK)
        print(
            f"{input_size:6} {hidden:5}  {seconds[0] * 1e6:7.3f}  {seconds[1] * 1e6:12.3f}   {seconds[2] * 1e6:14.3f}"
        )


if __name__ == "__main__":
    import os

    os.environ.update(environment(1))
    pin(1)
    main()
