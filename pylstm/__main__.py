"""The command line: ``python -m pylstm demo``, ``look``, ``write`` and ``export``."""

import argparse
import sys
import time

import numpy as np

import pylstm  # what its names need is loaded where they are touched

from ._inside.look import look
from ._inside.look_at import look_at
from ._inside.write import write
from .datasets import load_japanese_vowels


def demo() -> None:
    """Train on the Japanese vowels and say how well the test speakers are told apart."""
    X, y = load_japanese_vowels(split="train")
    X_test, y_test = load_japanese_vowels(split="test")
    print(f"Japanese vowels: {len(X)} training and {len(X_test)} test utterances of 9 speakers")
    steps = np.concatenate(X)
    mean, std = steps.mean(axis=0), steps.std(axis=0)
    X, X_test = ([(x - mean) / std for x in sequences] for sequences in (X, X_test))
    clf = pylstm.LSTMClassifier(hidden_layer_sizes=(100,), random_state=0, verbose=True)
    start = time.perf_counter()
    clf.fit(X, y)
    seconds = time.perf_counter() - start
    accuracy = clf.score(X_test, y_test)
    print(f"test accuracy {accuracy:.3f} after {seconds:.1f} s of training")


def export(arguments: argparse.Namespace) -> None:
    """Write a saved model as a C file, and say what memory it takes."""
    trainable: dict[str | None, bool | str] = {None: False, "all": True, "head": "head"}
    written = pylstm.export_c(
        pylstm.load(arguments.model),
        arguments.path,
        name=arguments.name,
        weights=arguments.weights,
        trainable=trainable[arguments.trainable],
        window=arguments.window,
    )
    memory = f"{written.flash_bytes} bytes of constants, {written.ram_bytes} of state"
    print(f"{written.path}: {written.name}, {memory}, reads {written.reads}")


def main(arguments: list[str] | None = None) -> int:
    """Run a command."""
    parser = argparse.ArgumentParser(prog="python -m pylstm")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="train a classifier of speakers on the data that ships with pylstm")
    looker = commands.add_parser("look", help="show the gates of a language model, or of a toy, while it reads")
    looker.add_argument("model", nargs="?", help="what `write` saved; by default a toy, which is trained first")
    looker.add_argument("--text", help="what the model reads; by default what it writes by itself")
    looker.add_argument("--html", metavar="FILE", help="write them as one interactive page instead")
    writer = commands.add_parser("write", help="learn from a text file, save the model, and write on")
    writer.add_argument("file", help="a text, in UTF-8")
    writer.add_argument("--save", metavar="FILE", help="where to save the model; by default the text's name, here")
    writer.add_argument("--hidden", type=int, nargs="+", default=[128], metavar="H", help="units of each layer")
    writer.add_argument("--epochs", type=int, default=6, help="how often the text is read")
    writer.add_argument("--learning-rate", type=float, default=0.006)
    writer.add_argument("--word", action="store_true", help="by words; by default by characters")
    writer.add_argument("--prompt", help="what to write on from; by default what was held out begins with")
    writer.add_argument("--length", type=int, default=400, help="tokens to write")
    writer.add_argument("--temperature", type=float, default=0.7)
    writer.add_argument("--seed", type=int, default=0)
    exporter = commands.add_parser("export", help="write a saved model as one C file")
    exporter.add_argument("model", help="a file that pylstm.save wrote")
    exporter.add_argument("path", help="the C file")
    exporter.add_argument("--name", help="what its names begin with; by default, what the file's name begins with")
    exporter.add_argument("--weights", choices=["float32", "int8"], default="float32")
    exporter.add_argument("--trainable", choices=["all", "head"], help="what of the model goes on learning there")
    exporter.add_argument("--window", type=int, help="steps to learn from at a time")
    given = parser.parse_args(arguments)
    try:
        if given.command == "export":
            export(given)
        elif given.command == "look" and given.model is not None:
            look_at(given.model, given.text, given.html)
        elif given.command == "look":
            if given.text is not None:
                raise ValueError("--text goes with a MODEL: the toy has its own sentence")
            look(given.html)
        elif given.command == "write":
            write(given)
        else:
            demo()
    except (ModuleNotFoundError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
