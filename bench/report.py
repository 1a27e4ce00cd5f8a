"""Take the benchmark and write docs/benchmark.md with its two plots: python bench/report.py --help"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pinning import child, environment, pin

if TYPE_CHECKING:
    from results import Result

HERE = Path(__file__).parent


def measure(result: Result, options: argparse.Namespace) -> Result:
    """The result with what one more fresh process measured: of each library the better median, and the failures."""
    settings = ["--threads", str(options.threads), "--seconds", str(options.seconds)]
    try:
        more = child("measure.py", options.threads, result.cell.name, *settings)
    except RuntimeError as error:
        return result._replace(failed=result.failed | {"the process": str(error)})
    best = {name: min(seconds, result.seconds.get(name, seconds)) for name, seconds in more["seconds"].items()}
    return result._replace(seconds=result.seconds | best, failed=result.failed | more["failed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    parser.add_argument("--kind", choices=("lstm", "gru", "rnn"), default="lstm", help="of the nets")
    parser.add_argument("--cells", default="", help="only cells whose name contains this, as train-32-64")
    parser.add_argument("--seconds", type=float, default=5.0, help="per cell and process, all libraries together")
    parser.add_argument("--processes", type=int, default=3, help="fresh processes per cell")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    pin(options.threads)
    os.environ.update(environment(options.threads))

    # Only now: these load NumPy and SciPy, whose BLAS reads the environment once.
    import plots
    import tables
    from cells import SECTIONS
    from results import Result
    from roofline import Roofline

    chosen = {
        title: [cell for cell in cells if options.cells in cell.name and cell.kind == options.kind]
        for title, cells in SECTIONS.items()
    }
    chosen = {title: cells for title, cells in chosen.items() if cells}
    total = sum(map(len, chosen.values()))
    if total == 0:
        parser.error(f"no cell's name contains {options.cells!r}")

    print("the machine's limits", flush=True)
    roofline = Roofline(**child("roofline.py", options.threads))
    roofline = roofline._replace(bandwidth={int(size): rate for size, rate in roofline.bandwidth.items()})
    print("    " + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in roofline.peaks.items()), flush=True)

    # Each turn takes all cells once, in a fresh process each: what disturbs the machine for minutes is over in another.
    results: dict[str, list[Result]] = {
        title: [Result(cell, {}, {}) for cell in cells] for title, cells in chosen.items()
    }
    for turn in range(options.processes):
        done = 0
        for section in results.values():
            for at, result in enumerate(section):
                start = time.perf_counter()
                section[at] = measure(result, options)
                done += 1
                took = time.perf_counter() - start
                count = f"{turn + 1}/{options.processes} {done:2}/{total}"
                print(f"[{count}] {result.cell.name:28} {section[at].summary} ({took:.0f} s)", flush=True)

    options.out.mkdir(parents=True, exist_ok=True)
    stem = "benchmark" if options.kind == "lstm" else f"benchmark_{options.kind}"
    stem = stem if options.threads == 1 else f"{stem}_{options.threads}_threads"
    ratio_plot, roofline_plot = f"{stem}_ratio.png", f"{stem}_roofline.png"
    page = tables.page(results, roofline, options, [ratio_plot, roofline_plot])
    (options.out / f"{stem}.md").write_text(page, encoding="utf-8")
    plots.ratios(results, options.out / ratio_plot)
    plots.against_roofline(results, roofline, options.out / roofline_plot)
    print(f"wrote {stem}.md and two plots into {options.out}")


if __name__ == "__main__":
    main()
