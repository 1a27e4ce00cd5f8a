"""The dense layer in training beside PyTorch and NumPy: loss, and gradients of weight, bias and input.

    python bench/head.py                       # writes docs/benchmark_head.md; some minutes
    python bench/head.py --seconds 1 --out -   # a look

Libraries take turns, on one core and on two, in several processes. A library's time is its best process's median, as in
`report.py`: what else the machine does is in the others.
"""

import argparse
import itertools
import json
from pathlib import Path

import pages
import pinning
import tables

#: Rows, width, outputs.
SIZES = [(270, 32, 9), (2500, 128, 65), (2500, 512, 65), (400, 200, 10_000), (700, 200, 10_000)]
#: How many times the faster of the others we are to be.
BARS = [1.5, 1.5, 1.5, 1.25, 1.25]


def calls(size, threads):
    import numpy as np
    import torch

    from pylstm._net.core import Head

    torch.set_num_threads(threads)
    n_rows, width, n_outputs = size
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n_rows, width), np.float32)
    weight = rng.standard_normal((n_outputs, width), np.float32) / np.float32(np.sqrt(width))
    bias = rng.standard_normal(n_outputs, np.float32)
    labels = rng.integers(0, n_outputs, n_rows)

    heads = {f"pylstm {n}": Head(width, n_outputs, n_threads=n) for n in {1, threads}}

    layer = torch.nn.Linear(width, n_outputs)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    torch_features, torch_labels = torch.from_numpy(features).requires_grad_(), torch.from_numpy(labels)

    def by_torch():
        layer.weight.grad = layer.bias.grad = torch_features.grad = None
        loss = torch.nn.functional.cross_entropy(layer(torch_features), torch_labels)
        loss.backward()
        return loss.item(), *(t.grad.numpy() for t in (layer.weight, layer.bias, torch_features))

    rows = np.arange(n_rows)

    def by_numpy():
        outputs = features @ weight.T
        outputs += bias
        outputs -= outputs.max(axis=1, keepdims=True)
        own = outputs[rows, labels]
        np.exp(outputs, out=outputs)
        sums = outputs.sum(axis=1, keepdims=True)
        loss = float((np.log(sums[:, 0]) - own).mean())
        outputs /= sums
        outputs[rows, labels] -= 1
        outputs /= n_rows
        return loss, outputs.T @ features, outputs.sum(axis=0), outputs @ weight

    def by_us(head):
        return lambda: head.gradient(features, weight, bias, labels)

    timed = {**{name: by_us(head) for name, head in heads.items()}, "PyTorch": by_torch, "NumPy": by_numpy}
    expected = by_torch()
    for name, call in timed.items():
        for ours, theirs in zip(call(), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max(), err_msg=name)
    return timed


def measure_one(size, threads, seconds):
    """In this process, with its environment and cores."""
    pinning.pin(threads)
    import measure

    print(json.dumps(measure.medians(calls(size, threads), seconds, threads)))


def measure_apart(size, threads, seconds):
    options = ["--one", *map(str, size), "--threads", str(threads), "--seconds", str(seconds)]
    return pinning.child("head.py", threads, *options)


def page(results):
    yield "# The dense layer in training"
    yield ""
    yield (
        "Loss and gradients of weight, bias and input, softmax and cross-entropy, float32, in milliseconds: of calls "
        "that take turns the median, of each library's best process. PyTorch is `Linear` and `cross_entropy`, NumPy "
        "the same with its BLAS; the ratio is that of the faster of both to pylstm. `python bench/head.py` writes "
        "this page."
    )
    yield ""
    yield f"Machine: {tables.machine()}."
    for threads in sorted({threads for _, threads in results}):
        yield ""
        yield f"## {threads} core" + ("s" if threads > 1 else "")
        yield ""
        again = " one thread / two |" if threads > 1 else ""
        yield f"| rows | width | outputs | pylstm | PyTorch | NumPy | ratio |{again}"
        yield "|---:|---:|---:|---:|---:|---:|---:|" + ("---:|" if threads > 1 else "")
        for size, bar in zip(SIZES, BARS, strict=True):
            times = results[size, threads]
            ours = times[f"pylstm {threads}"]
            ratio = min(times["PyTorch"], times["NumPy"]) / ours
            listed = [ours, times["PyTorch"], times["NumPy"]]
            cells = [*(f"{n:,}" for n in size), *(f"{t * 1e3:.3f}" for t in listed), f"{ratio:.2f} (≥ {bar})"]
            cells += [f"{times['pylstm 1'] / ours:.2f}"] if threads > 1 else []
            yield "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=int, nargs=3, help="rows, width, outputs: one size, in this process")
    parser.add_argument("--threads", type=int, help="default: 1 and 2")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each size and process")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--out", default=str(Path(__file__).parents[1] / "docs" / "benchmark_head.md"))
    arguments = parser.parse_args()
    if arguments.one:
        measure_one(tuple(arguments.one), arguments.threads, arguments.seconds)
        return
    counts = [arguments.threads] if arguments.threads else [1, 2]
    results: dict = {}
    for _ in range(arguments.processes):  # not one after the other: what disturbs lasts for seconds
        for key in itertools.product(SIZES, counts):
            times = measure_apart(*key, arguments.seconds)
            results[key] = {name: min(time, results.get(key, times)[name]) for name, time in times.items()}
    pages.write(page(results), arguments.out)


if __name__ == "__main__":
    main()
