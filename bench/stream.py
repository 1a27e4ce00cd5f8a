"""What a step of a `Stream` costs, from C and from Python, as a table: python bench/stream.py

LSTM + Dense(1), float32, one sequence, on one core. Builds libpylstm.a, and stream.c with it. The bar is of a core with
an FMA peak of 102.5 GFLOP/s and scaled by the one measured here.
"""

import os
import platform
import statistics
import subprocess
import tempfile
import timeit
from pathlib import Path
from typing import NamedTuple

from pinning import environment, pin

os.environ.update(environment(1))
pin(1)

import numpy as np  # noqa: E402
import roofline  # noqa: E402

from pylstm._net.core import Model, ModelSpec, Stream  # noqa: E402

ROOT = Path(__file__).parents[1]
SIZES = [(1, 8), (1, 16), (1, 32), (1, 64), (16, 32)]
BARS = {(1, 8): 0.067, (1, 16): 0.10, (1, 32): 0.21, (1, 64): 0.80, (16, 32): 0.25}  # us per step in C
PYTHON_BARS = (0.9, 1.2)  # us per step of I=16 H=32, with out and without
BAR_PEAK = 102.5  # GFLOP/s
BLOCK = 64


class InC(NamedTuple):
    """What stream.c prints, and says what it is."""

    step_best: float
    step_median: float
    block_best: float
    block_median: float
    worst: float
    worst_cpu: float
    typical: float
    rest: float
    decay: float


def build(directory: str) -> str:
    """Return the path of the compiled stream.c."""
    subprocess.run(["make", "--silent", "-C", str(ROOT / "src_c")], check=True)
    program, source = f"{directory}/stream", Path(__file__).with_suffix(".c")
    library = ROOT / "src_c/build/libpylstm.a"
    flags = ["-std=gnu11", "-O3", f"-I{ROOT / 'src_c'}"]
    subprocess.run(["cc", *flags, str(source), str(library), "-lm", "-lpthread", "-o", program], check=True)
    return program


def in_c(program: str, size: tuple[int, int]) -> InC:
    done = subprocess.run([program, *map(str, size)], check=True, capture_output=True, text=True)
    return InC(*map(float, done.stdout.split()))


def in_python(size: tuple[int, int]) -> dict[str, tuple[float, float]]:
    """Return the best and median time, us per step: of a step with `out`, without, and of a block with `out`."""
    input_size, hidden = size
    rng = np.random.default_rng(0)
    stream = Stream(Model(ModelSpec(input_size, (hidden,), loss="squared_error", n_outputs=1), random_state=0))
    block = rng.uniform(-1, 1, (BLOCK, input_size)).astype(np.float32)
    names = {
        "step": stream.step,
        "process": stream.process,
        "x": block[0].copy(),
        "block": block,
        "out": np.empty(1, np.float32),
        "outs": np.empty((BLOCK, 1), np.float32),
    }
    calls = {"step(x, out)": 1, "step(x)": 1, "process(block, outs)": BLOCK}
    found = {}
    for call, n_steps in calls.items():
        n_calls = 2000 // n_steps
        times = timeit.repeat(call, globals=names, number=n_calls, repeat=300)
        found[call] = tuple(1e6 / n_calls / n_steps * value for value in (min(times), statistics.median(times)))
    return found


def peak(directory: str) -> float:
    """GFLOP/s of this core."""
    programs = [roofline.compiled(directory, "gcc", bits) for bits in roofline.vector_bits()]
    return max(roofline.on_every_core(program, "peak") for program in programs)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        program, gflops = build(directory), peak(directory)
        scale = BAR_PEAK / gflops
        print(f"{platform.machine()}, FMA peak {gflops:.1f} GFLOP/s; best (median), us per step\n")
        print("| I, H | C step | bar, scaled | C blocks of 64 | step(x, out) | step(x) | process of 64 |")
        print("|---|---|---|---|---|---|---|")
        results = {}
        for size in SIZES:
            c, python = in_c(program, size), in_python(size)
            results[size] = c
            cells = [(c.step_best, c.step_median), (c.block_best, c.block_median), *python.values()]
            texts = [f"{best:.3f} ({median:.3f})" for best, median in cells]
            texts.insert(1, f"{BARS[size] * scale:.3f}")
            print(f"| {size[0]}, {size[1]} | {' | '.join(texts)} |")
    print("\nBar of Python, I=16 H=32, scaled: " + ", ".join(f"{bar * scale:.2f}" for bar in PYTHON_BARS))
    print(
        "\n| I, H | longest of 100,000 blocks, us | of CPU time | median block | silence : noise, at rest | decaying |"
    )
    print("|---|---|---|---|---|---|")
    for (input_size, hidden), c in results.items():
        times = f"{c.worst:.1f} | {c.worst_cpu:.1f} | {c.typical:.1f}"
        print(f"| {input_size}, {hidden} | {times} | {c.rest:.2f} | {c.decay:.2f} |")


if __name__ == "__main__":
    main()
