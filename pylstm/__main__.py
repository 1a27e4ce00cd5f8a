"""The command line: ``python -m pylstm demo``."""

import argparse
import sys
import time


def demo() -> None:
    """Train on the Japanese vowels and say how well the test speakers are told apart."""
    import numpy as np

    from . import LSTMClassifier
    from .datasets import load_japanese_vowels

    X, y = load_japanese_vowels(split="train")
    X_test, y_test = load_japanese_vowels(split="test")
    print(f"Japanese vowels: {len(X)} training and {len(X_test)} test utterances of 9 speakers")
    steps = np.concatenate(X)
    mean, std = steps.mean(axis=0), steps.std(axis=0)
    X, X_test = ([(x - mean) / std for x in sequences] for sequences in (X, X_test))
    clf = LSTMClassifier(hidden_layer_sizes=(100,), random_state=0, verbose=True)
    start = time.perf_counter()
    clf.fit(X, y)
    seconds = time.perf_counter() - start
    accuracy = clf.score(X_test, y_test)
    print(f"test accuracy {accuracy:.3f} after {seconds:.1f} s of training")


def main(arguments: list[str] | None = None) -> int:
    """Run a command."""
    parser = argparse.ArgumentParser(prog="python -m pylstm")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="train a classifier of speakers on the data that ships with pylstm")
    parser.parse_args(arguments)
    try:
        demo()
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
