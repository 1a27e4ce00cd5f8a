"""Runs the experiments of Hochreiter & Schmidhuber (1997): python examples/lstm_1997/run.py [experiment ...].

Exits with 1 where a bar is missed: more than a tenth of the seeds failed, or their median is above it.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import summary
from experiments import EXPERIMENTS, Outcome

HERE = Path(__file__).parent
#: Those that take seconds.
SHORT = ["reber", "adding-100", "multiplication", "order-6a", "order-6b"]


def run(name: str, seed: int) -> Outcome:
    """Run an experiment for one seed, with progress on stderr."""
    start = last_said = time.monotonic()

    def say(n_sequences: int, text: str) -> None:
        nonlocal last_said
        if time.monotonic() - last_said > 10:
            last_said = time.monotonic()
            print(f"{name}, seed {seed}: {n_sequences:,} sequences, {text}", file=sys.stderr)

    outcome = EXPERIMENTS[name].run(seed, say)
    verdict = "succeeded" if outcome.succeeded else "FAILED"
    print(
        f"{name}, seed {seed}: {verdict} after {outcome.n_sequences:,} sequences, {outcome.wrong} wrong in the test, "
        f"{time.monotonic() - start:.0f} s",
        file=sys.stderr,
    )
    return outcome


def write(results: summary.Results, folder: Path) -> None:
    """Write results.json, results.md and sequences.png: of these results and of the other experiments already there."""
    path = folder / "results.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    new = {name: {str(seed): outcome._asdict() for seed, outcome in of.items()} for name, of in results.items()}
    stored = before | new
    path.write_text(json.dumps(stored, indent=1) + "\n")
    everything = {
        name: {int(seed): Outcome(**outcome) for seed, outcome in stored[name].items()}
        for name in EXPERIMENTS
        if name in stored
    }
    (folder / "results.md").write_text(summary.tables(everything))
    summary.plot(everything, folder / "sequences.png")


def main() -> int:
    """Run what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; default: all")
    parser.add_argument("--seeds", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="settings were found on seeds from 100 on")
    parser.add_argument("--short", action="store_true", help=f"one seed of {', '.join(SHORT)}; writes no files")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for results.json, results.md and sequences.png")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.experiment, arguments.seeds = arguments.experiment or SHORT, 1
    unknown = set(arguments.experiment) - set(EXPERIMENTS)
    if unknown:
        parser.error(f"no such experiment: {', '.join(sorted(unknown))}")
    if arguments.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {arguments.seeds}")
    if not arguments.short:
        import matplotlib  # noqa: F401 (to fail now, not after all runs)

        arguments.out.mkdir(parents=True, exist_ok=True)
    results: summary.Results = {}
    for name in arguments.experiment or EXPERIMENTS:
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        results[name] = {seed: run(name, seed) for seed in seeds}
        if not arguments.short:
            write(results, arguments.out)
    print(summary.tables(results))
    missed = [name for name, outcomes in results.items() if not summary.holds(EXPERIMENTS[name], outcomes)]
    if missed:
        print(f"misses its bar: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
