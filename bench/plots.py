"""The two plots. Colours are Okabe and Ito's, told apart by the colour-blind; shapes differ as well."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from results import OURS, Result
from roofline import Roofline

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#666666"


def _panels(results: dict[str, list[Result]], title: str, xlabel: str) -> tuple[Figure, list[Axes]]:
    """One panel per section, a line per cell, all on one logarithmic axis."""
    counts = [len(cells) for cells in results.values()]
    height = 0.24 * sum(counts) + 0.55 * len(counts) + 1.2
    figure, grid = plt.subplots(
        len(counts), figsize=(9, height), sharex=True, height_ratios=counts, squeeze=False, layout="constrained"
    )
    axes = list(grid[:, 0])
    for ax, (section, cells) in zip(axes, results.items(), strict=True):
        ax.set_title(section, loc="left", fontsize=10, fontweight="bold")
        ax.set_xscale("log")
        ax.set_ylim(len(cells) - 0.4, -0.6)  # the first cell on top
        ax.set_yticks(range(len(cells)), [f"{r.cell.mode} {','.join(map(str, r.cell[1:5]))}" for r in cells])
        ax.tick_params(axis="y", labelsize=8, length=0)
        ax.grid(axis="x", which="major", color="#dddddd")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    axes[-1].set_xlabel(xlabel)
    axes[-1].xaxis.set_major_formatter("{x:g}")
    return figure, axes


def ratios(results: dict[str, list[Result]], path: Path) -> None:
    figure, axes = _panels(
        results,
        "Time of the best peer / time of pylstm (above 1: pylstm is faster)",
        "ratio; label: ratio and best peer. Cells: input size, hidden size, sequences, steps",
    )
    for ax, cells in zip(axes, results.values(), strict=True):
        for y, result in enumerate(cells):
            if result.ratio is None:
                ax.text(1, y, " no ratio", va="center", fontsize=8)
                continue
            ahead = result.ratio >= 1
            ax.barh(y, result.ratio - 1, left=1, height=0.7, color=BLUE if ahead else ORANGE)
            ax.annotate(
                f"{result.ratio:.2f} {result.best_peer}",
                (max(1.0, result.ratio), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        ax.axvline(1, color="black", linewidth=1)
    found = [result.ratio for cells in results.values() for result in cells if result.ratio is not None]
    low, high = min([0.9, *found]), max([1.5, *found])
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50) if low * 0.9 <= tick <= high * 1.5]
    axes[-1].set_xlim(low * 0.9, high * 1.5)  # room for the labels
    axes[-1].set_xticks(ticks)
    axes[-1].minorticks_off()
    _save(figure, path)


def against_roofline(results: dict[str, list[Result]], roofline: Roofline, path: Path) -> None:
    figure, axes = _panels(
        results,
        "Arithmetic done per second, against what the machine allows",
        "GFLOP/s, float32. Cells: input size, hidden size, sequences, steps",
    )
    for ax, cells in zip(axes, results.values(), strict=True):
        for name, rate in roofline.peaks.items():
            is_peak = name == roofline.peak_name
            ax.axvline(rate, color="black", linewidth=1.2 if is_peak else 0.7, linestyle="-" if is_peak else ":")
        ys = range(len(cells))
        ax.plot([r.limit(roofline) for r in cells], ys, "|", color=GREY, markersize=11, markeredgewidth=2)
        peers = [(r.gflops(r.best_peer), y) for y, r in enumerate(cells) if r.best_peer]
        ours = [(r.gflops(OURS), y) for y, r in enumerate(cells) if OURS in r.seconds]
        ax.plot([x for x, _ in peers], [y for _, y in peers], "s", color=ORANGE, markersize=6)
        ax.plot([x for x, _ in ours], [y for _, y in ours], "o", color=BLUE, markersize=6)
    handles = [
        plt.Line2D([], [], color=BLUE, marker="o", linestyle="", label=OURS),
        plt.Line2D([], [], color=ORANGE, marker="s", linestyle="", label="best peer"),
        plt.Line2D([], [], color=GREY, marker="|", markersize=11, markeredgewidth=2, linestyle="", label="roofline"),
        plt.Line2D([], [], color="black", label=f"peak: {roofline.peak_name}, {roofline.peak:.0f} GFLOP/s"),
    ]
    others = [f"{name} {rate:.0f}" for name, rate in roofline.peaks.items() if name != roofline.peak_name]
    if others:
        handles.append(plt.Line2D([], [], color="black", linewidth=0.7, linestyle=":", label=", ".join(others)))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=130)
    plt.close(figure)
