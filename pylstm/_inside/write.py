"""``python -m pylstm write``: a language model of a text file, which then writes on."""

import math
import os
import sys
import time
from typing import Any

import numpy as np

import pylstm  # whose estimators are loaded where they are touched

from .._net.inputs import check_int, check_real

#: What is held out to say how good the model is, at most so many characters.
HELD_OUT, MOST_HELD_OUT = 0.05, 20_000
#: The fewest characters that a model is made of.
LEAST = 1_000
#: Characters of a sample in the progress line.
SAMPLE = 40


def write(arguments: Any) -> None:
    """Train on a text file, save the model, and write on.

    Parameters
    ----------
    arguments : argparse.Namespace
        file, save, hidden, epochs, length, temperature, seed, word.
    """
    path = arguments.save or os.path.splitext(os.path.basename(arguments.file))[0] + ".safetensors"
    _check(arguments, path)
    with open(arguments.file, encoding="utf-8") as file:
        text = file.read()
    if len(text) < LEAST:
        raise ValueError(f"{arguments.file} must have at least {LEAST} characters to learn from, got {len(text)}")
    n_held = min(int(HELD_OUT * len(text)), MOST_HELD_OUT)
    train, held = text[: len(text) - n_held], text[len(text) - n_held :]
    if arguments.word and not held.strip():  # in which there are no words
        raise ValueError(f"{arguments.file} must not end in {n_held} blanks: its end says how good the model is")
    model = pylstm.LSTMLanguageModel(
        tuple(arguments.hidden),
        analyzer="word" if arguments.word else "char",
        learning_rate_init=arguments.learning_rate,
        random_state=arguments.seed,
    )
    print(f"{arguments.file}: {len(text):,} characters, the last {n_held:,} held out", flush=True)
    start = time.monotonic()
    try:
        for epoch in range(arguments.epochs):
            rate = arguments.learning_rate * (1 + math.cos(math.pi * epoch / arguments.epochs)) / 2
            model.set_params(learning_rate_init=rate).partial_fit(train)
            print(_progress(model, held, epoch, arguments, time.monotonic() - start), flush=True)
    except KeyboardInterrupt:
        if not hasattr(model, "loss_"):
            raise
        print("stopped: the model so far is kept", flush=True)
    pylstm.save(model, path)
    print(f"saved as {path}: pylstm.load reads it\n", flush=True)
    prompt = held[:SAMPLE] if arguments.prompt is None else arguments.prompt
    sys.stdout.write(prompt)
    sep = " " if arguments.word else ""
    for token in model.iter_tokens(
        prompt, arguments.length, temperature=arguments.temperature, random_state=arguments.seed
    ):
        sys.stdout.write(sep + token)
        sys.stdout.flush()
    print()
    if sys.stdout.isatty():
        print(f"\nHow surprising what was held out is:\n{pylstm.SurprisalDisplay.from_estimator(model, held[:400])}")


def _check(arguments: Any, path: str) -> None:
    """Refuse before the work what it would end at."""
    check_int(arguments.epochs, "--epochs", 1)
    check_int(arguments.length, "--length", 0)
    check_real(arguments.temperature, "--temperature", 0.0, np.inf)
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise ValueError(f"--save must name a file in a folder that can be written to, got {path!r}")


def _progress(model: "pylstm.LSTMLanguageModel", held: str, epoch: int, arguments: Any, seconds: float) -> str:
    left = seconds / (epoch + 1) * (arguments.epochs - epoch - 1)
    sample = model.generate("\n", SAMPLE, temperature=0.7, random_state=epoch)
    shown = "".join(character if character.isprintable() else " " for character in sample)
    bits = model.bits_per_character(held)
    loss = float(np.log2(np.e)) * model.loss_
    unit = "token" if arguments.word else "character"
    return (
        f"epoch {epoch + 1}/{arguments.epochs}, loss {loss:.3f} bits a {unit}, held out {bits:.3f} a character, "
        f"about {left:.0f} s left | {shown}"
    )
