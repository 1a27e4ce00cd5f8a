"""The Markdown page."""

import argparse
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import exp, log

from measure import TURN
from peers import LIBRARIES, missing
from results import OURS, Result
from roofline import Roofline

_DISTRIBUTIONS = ["pylstm", "numpy", "scipy", "torch", "onnxruntime", "openvino", "jax"]
_FLAGS = ["avx2", "fma", "avx512f", "amx_tile", "asimd"]


def machine() -> str:
    """Processor, vector instructions and cores; nothing that names the host."""
    try:
        lines = subprocess.run(
            ["lscpu"], env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
        ).stdout.splitlines()
    except FileNotFoundError:
        return platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = [flag for flag in _FLAGS if flag in facts.get("Flags", "").split()]
    return f"{facts.get('Model name', platform.machine())}, {facts.get('CPU(s)', '?')} cores, {' '.join(flags)}"


def versions() -> str:
    tensorflow = "tensorflow" if _installed("tensorflow") else "tensorflow-cpu"
    found = {name: _installed(name) for name in [*_DISTRIBUTIONS, tensorflow]}
    return ", ".join(f"{name} {number}" for name, number in found.items() if number)


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _row(values: list[str]) -> str:
    return "| " + " | ".join(values) + " |\n"


def _table(header: list[str], rows: list[list[str]]) -> str:
    return _row(header) + _row(["---"] + ["---:"] * (len(header) - 1)) + "".join(map(_row, rows))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _microseconds(result: Result, library: str) -> str:
    if library in result.failed:
        return "failed"
    return _number(1e6 * result.seconds[library]) if library in result.seconds else "-"


def _rate(result: Result, library: str | None, peak: float) -> str:
    gflops = result.gflops(library) if library else None
    return "-" if gflops is None else f"{_number(gflops)} ({100 * gflops / peak:.0f}%)"


def _share(result: Result, peak: float) -> str:
    gflops = result.gflops(OURS)
    return "-" if gflops is None else f"{100 * gflops / peak:.0f}%"


def geometric_mean(results: list[Result]) -> str:
    ratios = [result.ratio for result in results if result.ratio is not None]
    if not ratios:
        return "no ratio"
    mean = exp(sum(map(log, ratios)) / len(ratios))
    return f"geometric mean **{mean:.2f}**, lowest {min(ratios):.2f}, over {len(ratios)} of {len(results)} cells"


def section(title: str, results: list[Result], roofline: Roofline) -> str:
    libraries = [name for name in LIBRARIES if any(name in (*r.seconds, *r.failed) for r in results)]
    # pylstm may use narrower vectors than the peak was taken with: show its share of theirs as well.
    narrower = {n: peak for n, peak in roofline.peaks.items() if n.startswith("FMA") and n != roofline.peak_name}
    header = [
        "mode I,H,B,T",
        *(f"{name}, µs" for name in libraries),
        "pylstm GFLOP/s",
        *(f"of {name}" for name in narrower),
        "best peer",
        "its GFLOP/s",
        "ratio",
        "most possible",
    ]
    rows = []
    for result in results:
        mode, *sizes = result.cell[:5]
        rows.append(
            [
                f"{mode} {','.join(map(str, sizes))}",
                *(_microseconds(result, name) for name in libraries),
                _rate(result, OURS, roofline.peak),
                *(_share(result, peak) for peak in narrower.values()),
                result.best_peer or "-",
                _rate(result, result.best_peer, roofline.peak),
                "-" if result.ratio is None else f"**{result.ratio:.2f}**",
                _number(result.ceiling(roofline)),
            ]
        )
    ceilings = [ceiling for result in results if (ceiling := result.ceiling(roofline))]
    possible = f"; at the machine's limits {exp(sum(map(log, ceilings)) / len(ceilings)):.2f}" if ceilings else ""
    return f"\n## {title}\n\n{_table(header, rows)}\nRatio: {geometric_mean(results)}{possible}.\n"


def limits(roofline: Roofline) -> str:
    peaks = [[name, f"{rate:.1f}"] for name, rate in roofline.peaks.items()]
    sizes = [f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB" for size in roofline.bandwidth]
    return (
        "\n## Limits of the machine, measured in the same run\n\n"
        + _table(["float32", "GFLOP/s"], peaks)
        + f"\nPercentages below are of {roofline.peak_name}, {roofline.peak:.1f} GFLOP/s.\n\n"
        + _table(["working set", *sizes], [["GB/s read", *(f"{rate:.0f}" for rate in roofline.bandwidth.values())]])
        + f"\nBandwidth by {roofline.bandwidth_name}; the working set is each core's own.\n"
    )


def one_sequence(results: list[Result], roofline: Roofline) -> str:
    """Inference of one sequence: how near the reading of the recurrent weights comes to the bandwidth."""
    rows = []
    for result in results:
        cell, rate = result.cell, result.weights_read()
        if cell.mode != "infer" or cell.batch > 1 or cell.hidden_size < 128 or rate is None:
            continue
        read = roofline.bandwidth_at(cell.recurrent_bytes)
        rows.append([",".join(map(str, cell[1:5])), f"{rate:.1f}", f"{read:.1f}", f"{100 * rate / read:.0f}%"])
    if not rows:
        return ""
    header = ["I,H,B,T", "pylstm, GB/s", "bandwidth measured, GB/s", "share"]
    return (
        "\n## One sequence: recurrent weights read\n\n"
        "Bytes of the recurrent weights, once per step, over the time of the whole forward: the input's product, the\n"
        "activations and the call are in the time but not in the bytes, so the true rate is higher.\n\n"
    ) + _table(header, rows)


def failures(results: list[Result]) -> str:
    found = [(r.cell.name, library, text) for r in results for library, text in r.failed.items()]
    # Where the machine keeps its files is nobody's business: of a path the last part remains.
    lines = [f"- {cell}: {name}: {re.sub(r'(/[^/ ]+)+/', '', ' '.join(text.split()))}\n" for cell, name, text in found]
    return "\n## Failures\n\n" + "".join(lines) if lines else ""


def page(
    results: dict[str, list[Result]], roofline: Roofline, options: argparse.Namespace, plot_names: list[str]
) -> str:
    everything = [result for section_results in results.values() for result in section_results]
    absent = [name for name in LIBRARIES if missing(name)]
    threads = "one thread, pinned to one core" if options.threads == 1 else "two threads, pinned to two cores"
    selection = f" Only cells whose name contains `{options.cells}`." if options.cells else ""
    means = "".join(f"- {title}: {geometric_mean(rs)}\n" for title, rs in results.items())
    text = f"""# Benchmark of the {options.kind.upper()}, {threads}

Written by `python bench/report.py`, {datetime.now(UTC):%Y-%m-%d}.{selection}

- Machine: {machine()}; {platform.system()}
- {versions()}
- Not installed, not measured: {", ".join(absent) or "none"}

Ratio: the best peer's time over pylstm's; above 1, pylstm is faster.

{means}
![Ratio to the best peer by cell]({plot_names[0]})

![GFLOP/s by cell against the peak]({plot_names[1]})

## How it was taken

float32, from NumPy arrays to NumPy arrays, the same weights and inputs, results compared with pylstm's before timing.
I, H, B, T: input size, hidden size, sequences, steps. Times are microseconds per call: the median in a process,
the best of {options.processes} fresh processes; within a process the libraries take turns for {options.seconds:g} s
(three rounds at least), each turn as many calls as fit into {TURN:g} s, or one, so that everybody's caches are warm.
Training is forward, backward and the gradients of input and all weights. ONNX Runtime and OpenVINO are given their
input time-major and answer so: the transposes that others do inside are not charged to them.
Ragged: lengths uniform in T/10..T; all but pylstm and "torch packed" compute on the padded array.
FLOPs: 8·H·(I+H) per real step of an LSTM, 6·H·(I+H) of a GRU, 2·H·(I+H) of an RNN, three times that in training.
Most possible: the ratio of code at the machine's limits, where arithmetic runs at the peak, recurrent weights are read
at every step, and activations, packing and calls take no time. Steps that turn round find a
part of weights that are a little larger than a cache still there, and can be above it.
"""
    tables = "".join(section(title, rs, roofline) for title, rs in results.items())
    return text + limits(roofline) + tables + one_sequence(everything, roofline) + failures(everything)
