"""``python -m pylstm look MODEL``: what the gates of a trained language model do while it reads a text."""

import shutil
import sys
import textwrap
from typing import Any, NamedTuple

import numpy as np

import pylstm  # whose estimators are loaded where they are touched

from .._files.writing import replace
from .._net.inputs import Array
from . import page
from .terminal import MEMORY, blocks_of, heat_maps, legend, shows_colours, with_guesses

#: Tokens of a text that the model writes itself.
LENGTH = 40
#: Units that a terminal shows.
MOST_UNITS = 6


class Reading(NamedTuple):
    """A language model that has read a text."""

    trace: Any
    labels: list[str]
    """Of each step what was read; of the first that a text begins."""
    guesses: list[str]
    """After each step the most probable token."""
    surprisal: Array
    """In bits, of each token (n_steps - 1,)."""


def read(model: Any, text: Any) -> Reading:
    """Let a model read a text."""
    tokens = np.concatenate([[model.end_], model.encoder_.encode(text)])
    names = [shown(name) for name in [*model.encoder_.tokens_.tolist(), ""]]
    stream = model.stream()
    stream.reset()
    probabilities = stream.process(tokens)
    guesses = [f"{names[row.argmax()]} {row.max():.0%}" for row in probabilities]
    return Reading(model.trace(text), [names[token] for token in tokens], guesses, model.surprisal(text))


def shown(name: str) -> str:
    """Return a token as it can be seen; "" is the end of a text, or its beginning."""
    if name == "":
        return "(end)"
    return name if name.isprintable() and not name.isspace() else repr(name)


def restless(memory: Array) -> Array:
    """Return for each unit how far its memory (n_steps, n_units) goes back and forth: of one that only grows 0."""
    changes = np.diff(memory, axis=0)
    way: Array = np.abs(changes).sum(axis=0) - np.abs(changes.sum(axis=0))
    return way


def look_at(path: str, text: str | None, html: str | None) -> None:
    """Show the gates of a saved language model: in the terminal, or as a page that is written to `html`."""
    model = pylstm.load(path)
    if not isinstance(model, pylstm.LSTMLanguageModel):
        raise ValueError(f"{path} must be a language model, as python -m pylstm write saves it, got {model!r}")
    if text is None:
        given = model.generate(max_new_tokens=LENGTH, random_state=0)
    else:
        given = text.split() if isinstance(model.encoder_.decode([]), list) else text  # it was fitted on lists
    reading = read(model, given)
    cell, layer = model._model.spec.cell, len(model._model.spec.hidden_sizes) - 1
    suffix = f"_l{layer}"
    values = {
        name.removesuffix(suffix): array for name, array in reading.trace.sequence(0).items() if name.endswith(suffix)
    }
    memory = values[MEMORY[cell]]
    way = restless(memory)
    units = sorted(np.argsort(-way, kind="stable")[:MOST_UNITS].tolist())
    what = "what the model writes by itself" if text is None else "the text"
    about = [f"{path}: {memory.shape[1]} units{f' of layer {layer}' if layer else ''} read {what}."]
    if len(reading.surprisal):
        step = int(reading.surprisal.argmax())
        about.append(
            f"A token takes {reading.surprisal.mean():.2f} bits. The greatest surprise is {reading.labels[step + 1]} "
            f"after {reading.labels[step]}, of {reading.surprisal[step]:.1f} bits: what was guessed is "
            f"{reading.guesses[step]}."
        )
    if html is None:
        print("\n".join(terminal(reading, values, units, cell, about)))
        return
    most = int(way.argmax())
    start = {"step": int(np.abs(np.diff(memory[:, most], prepend=0)).argmax()), "unit": most, "layer": layer}
    title = "What a language model does while it reads"
    replace(
        html,
        page.page(reading.trace, 0, reading.labels, title, notes=about, guesses=reading.guesses, start=start).encode(),
    )
    print(f"{html}: open it in a browser. {' '.join(about)}")


def terminal(reading: Reading, values: dict[str, Array], units: list[int], cell: str, about: list[str]) -> list[str]:
    """Return what is printed."""
    width, colour = shutil.get_terminal_size().columns, shows_colours(sys.stdout)
    blocks, n_units = blocks_of(cell, values, units), values[MEMORY[cell]].shape[1]
    return [
        *(line for text in about for line in textwrap.wrap(text, width)),
        "",
        *heat_maps(with_guesses(reading.labels, reading.guesses), blocks, width, colour),
        "",
        *textwrap.wrap(
            "Down: the tokens, and what is guessed to come next. Across: the units whose memory goes up and down "
            f"most, {', '.join(map(str, units))}. All {n_units}, as an interactive page: --html FILE",
            width,
        ),
        *legend(blocks, colour),
    ]
