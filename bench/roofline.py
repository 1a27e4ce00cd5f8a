"""The machine's limits, measured in a fresh process and printed as JSON. `report.py` starts this."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import blas

WORKING_SETS = [16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20]  # bytes
SGEMM = "sgemm 1024³"


class Roofline(NamedTuple):
    """GFLOP/s by way of measuring, the way taken as the peak, and GB/s by working set in bytes (per thread)."""

    peaks: dict[str, float]
    peak_name: str
    bandwidth: dict[int, float]
    bandwidth_name: str

    @property
    def peak(self) -> float:
        return self.peaks[self.peak_name]

    def bandwidth_at(self, working_set: float) -> float:
        return float(np.interp(np.log(working_set), np.log(list(self.bandwidth)), list(self.bandwidth.values())))


def vector_bits() -> list[int]:
    """Widths of the machine's float vectors worth a look, narrowest first."""
    flags = Path("/proc/cpuinfo").read_text().split() if platform.machine() == "x86_64" else []
    return [width for width, flag in ((256, "fma"), (512, "avx512f")) if flag in flags] or [128]


def best_rate(work: float, call: Callable[[], Any], tries: int = 10) -> float:
    """Work per nanosecond of the fastest call."""
    durations = []
    for _ in range(tries):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return work / min(durations) / 1e9


def sgemm_peak() -> float:
    a, b = (np.asfortranarray(np.random.default_rng(0).random((1024, 1024), dtype=np.float32)) for _ in range(2))
    return best_rate(2 * 1024**3, lambda: blas.sgemm(1.0, a, b))


def blas_bandwidth(working_set: int) -> float:
    """Without a compiler: sdot of an array with itself. Small sets are held back by the cost of the call."""
    x = np.ones(working_set // 4, np.float32)
    return best_rate(working_set, lambda: blas.sdot(x, x), tries=30)


def compiled(directory: str, compiler: str, bits: int) -> str:
    program = f"{directory}/roofline{bits}"
    source = Path(__file__).with_suffix(".c")
    flags = ["-O3", "-march=native", f"-DVECTOR_BYTES={bits // 8}"]
    subprocess.run([compiler, *flags, str(source), "-o", program], check=True)
    return program


def on_every_core(*command: str) -> float:
    """Sum of what one copy of the program on each of our cores prints, all running at once."""
    processes = []
    for core in sorted(os.sched_getaffinity(0)):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(process.pid, {core})
        processes.append(process)
    return sum(float(process.communicate()[0]) for process in processes)


def measure() -> Roofline:
    compiler = shutil.which("gcc")
    if compiler is None:
        bandwidth = {size: blas_bandwidth(size) for size in WORKING_SETS}
        return Roofline({SGEMM: sgemm_peak()}, SGEMM, bandwidth, "sdot of BLAS, one thread")
    widths = vector_bits()
    with tempfile.TemporaryDirectory() as directory:
        programs = {bits: compiled(directory, compiler, bits) for bits in widths}
        peaks = {f"FMA chains, {bits}-bit": on_every_core(programs[bits], "peak") for bits in widths}
        peak_name = max(peaks, key=lambda name: peaks[name])
        widest = programs[widths[-1]]
        bandwidth = {size: on_every_core(widest, "read", str(size)) for size in WORKING_SETS}
    return Roofline(peaks | {SGEMM: sgemm_peak()}, peak_name, bandwidth, f"a C loop, {widths[-1]}-bit loads")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(json.dumps(measure()._asdict()))
