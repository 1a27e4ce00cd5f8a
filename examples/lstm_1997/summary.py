"""What is written of the outcomes: a Markdown table and a plot."""

from pathlib import Path

import numpy as np
from experiments import EXPERIMENTS, LIMIT, N_TEST, Experiment, Outcome

#: Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"

#: Outcomes by experiment and seed.
Results = dict[str, dict[int, Outcome]]


def median(outcomes: dict[int, Outcome]) -> float:
    """Return the median of the sequences needed; a failure counts as infinitely many."""
    return float(np.median([outcome.needed for outcome in outcomes.values()]))


def holds(experiment: Experiment, outcomes: dict[int, Outcome]) -> bool:
    """Whether at most a tenth of the seeds failed, and the median is within the bar."""
    n_failed = sum(not outcome.succeeded for outcome in outcomes.values())
    return n_failed <= len(outcomes) // 10 and median(outcomes) <= experiment.bar


def tables(results: Results) -> str:
    """Return what came out, in Markdown.

    Parameters
    ----------
    results : dict of dict of Outcome
        By names of `EXPERIMENTS`, and seeds.

    Returns
    -------
    str
        A table of medians; then the sequences that each seed needed; then its test set.
    """
    overview = [["experiment", "the paper", "bar", "median", "succeeded", "test: mean error", "mean squared error"]]
    needed, wrong = [["seed"]], [["seed"]]
    seeds = sorted({seed for outcomes in results.values() for seed in outcomes})
    needed[0] += map(str, seeds)
    wrong[0] += map(str, seeds)
    for name, outcomes in results.items():
        experiment = EXPERIMENTS[name]
        n_succeeded = sum(outcome.succeeded for outcome in outcomes.values())
        overview.append(
            [experiment.title, f"{experiment.paper:,}", f"{experiment.bar:,}", _number(median(outcomes))]
            + [f"{n_succeeded} of {len(outcomes)}"]
            + [_mean([getattr(o, of) for o in outcomes.values()]) for of in ("error", "squared_error")]
        )
        needed.append([experiment.title, *(_needed(outcomes.get(seed)) for seed in seeds)])
        wrong.append([experiment.title, *(str(outcomes[s].wrong) if s in outcomes else "" for s in seeds)])
    return (
        "Training sequences until the stop rule held; a failure counts as infinitely many. The errors of the test sets "
        f"are means over the seeds.\n\n{_table(overview)}\nThe sequences that each seed needed:\n\n{_table(needed)}\n"
        f"Wrong in its test set of {N_TEST:,}:\n\n{_table(wrong)}"
    )


def _needed(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome.succeeded:
        return f"{outcome.n_sequences:,}"
    if not outcome.stopped:
        return f"failed: not within {outcome.n_sequences:,}"
    return f"failed: test set, after {outcome.n_sequences:,} ({outcome.wrong} wrong, error {outcome.error:.3g})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "∞"


def _mean(values: list[float | None]) -> str:
    given = [value for value in values if value is not None]
    return f"{np.mean(given):.2g}" if given else ""


def _table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |\n" for row in rows]
    return "".join([lines[0], "|---" + "|--:" * (len(rows[0]) - 1) + "|\n", *lines[1:]])


def plot(results: Results, path: Path) -> None:
    """Draw the sequences that each seed needed, beside the paper's.

    Parameters
    ----------
    results : dict of dict of Outcome
        As in `tables`.
    path : Path
        Of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.6 * len(results) + 1.8), layout="constrained")
    ax = figure.subplots()
    experiments = [EXPERIMENTS[name] for name in results]
    for y, (experiment, outcomes) in enumerate(zip(experiments, results.values(), strict=True)):
        needed = [outcome.n_sequences for outcome in outcomes.values() if outcome.succeeded]
        n_failed = len(outcomes) - len(needed)
        # Each seed a little lower than the one before, so that none hides another.
        ax.scatter(needed, y + np.linspace(-0.22, 0.22, len(needed)), color=BLUE, s=22, zorder=3)
        ax.scatter([LIMIT * experiment.bar] * n_failed, [y] * n_failed, color=BLUE, marker="x", zorder=3)
    rows = np.arange(len(results))
    medians = [median(outcomes) for outcomes in results.values()]
    ax.vlines(
        medians,
        rows - 0.36,
        rows + 0.36,
        color=BLUE,
        linewidth=2,
        label="pylstm: seeds (x: failed, at the limit), median",
    )
    ax.scatter([e.bar for e in experiments], rows, marker="|", s=260, color=GREY, label="bar for the median")
    ax.scatter([e.paper for e in experiments], rows, marker="D", s=42, color=ORANGE, label="the paper, 1997")
    ax.set_xscale("log")
    ax.set_ylim(len(results) - 0.4, -0.6)  # the first on top
    ax.set_yticks(rows, [experiment.title for experiment in experiments])
    ax.set_xlabel("training sequences needed")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.grid(axis="x", color="#dddddd")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=120)
