"""One cell in one fresh process: all libraries interleaved, medians printed as JSON. `report.py` starts this."""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import cells
import peers

TURN = 0.1  # seconds
SETTLE = 0.005  # seconds


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def medians(calls: dict[str, Callable[[], Any]], seconds: float, threads: int) -> dict[str, float]:
    """Median seconds per call. Libraries take turns in a new random order each round, for `seconds` in all.

    A turn is as many calls as fit into 0.1 s, or one. Shorter turns flatter the library with the smallest footprint:
    on a small training cell, with 2 ms instead of 20, PyTorch took 1.3 to 1.6 times as long, JAX 2.5 to 4 times, pylstm
    1.03 to 1.08 times.
    """
    durations: dict[str, list[float]] = {name: [] for name in calls}
    turns = {name: max(1, int(TURN / min(timed(call) for _ in range(3)))) for name, call in calls.items()}
    order = list(calls)
    shuffle = random.Random(0).shuffle
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        shuffle(order)
        for name in order:
            if threads > 1:
                time.sleep(SETTLE)  # workers of the library before may spin on after its call, on our second core
            durations[name] += [timed(calls[name]) for _ in range(turns[name])]
        rounds += 1
    return {name: statistics.median(times) for name, times in durations.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cell", help="name, as in infer-32-64-32-100")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    cell = next(c for section in cells.SECTIONS.values() for c in section if c.name == arguments.cell)

    calls: dict[str, Callable[[], Any]] = {}
    failed: dict[str, str] = {}
    for name in peers.entrants(cell):
        if peers.missing(name):
            continue
        try:
            calls[name] = peers.build(name, cell, arguments.threads)
        except Exception as error:  # whatever a library throws: the others are measured, and the report names it
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"{cell.name}: {name} failed: {failed[name]}", file=sys.stderr)
    result = {"seconds": medians(calls, arguments.seconds, arguments.threads), "failed": failed}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
