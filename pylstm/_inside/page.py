"""A trace as one HTML page that needs nothing else; what there is on it is in ``page.html``."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from .._files.writing import replace
from .._net.cells import GATES
from .._net.inputs import Array, check_int

#: Numbers of a sequence, of which a notebook would keep some ten bytes each, above which it shows no page.
MOST_NUMBERS = 100_000


def write(trace: Any, path: Any, sequence: Any, labels: Any, title: str) -> None:
    """Do what `Trace.to_html` says."""
    index = check_int(sequence, "sequence", 0)
    if index >= len(trace.lengths):
        raise ValueError(f"sequence must be one of 0 to {len(trace.lengths) - 1}, got {index}")
    n_steps = int(trace.lengths[index])
    try:
        texts = [str(label) for label in (range(n_steps) if labels is None else labels)]
    except TypeError:
        raise TypeError(f"labels must have one for each of the {n_steps} steps, got {labels!r}") from None
    if len(texts) != n_steps:
        raise ValueError(f"labels must have one for each of the {n_steps} steps, got {len(texts)}")
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, got {title!r}")
    replace(path, page(trace, index, texts, title).encode())


def embedded(trace: Any) -> str | None:
    """Return the page of a trace's first sequence as a part of another; None where it is large, or not finite."""
    values = trace.sequence(0).values()
    if sum(array.size for array in values) > MOST_NUMBERS or not all(np.isfinite(array).all() for array in values):
        return None
    title = "A trace of pylstm" if len(trace.lengths) == 1 else f"The first of {len(trace.lengths)} sequences"
    text = page(trace, 0, [str(step) for step in range(int(trace.lengths[0]))], title)
    style = "width: 100%; height: 45em; border: none"
    return f'<iframe srcdoc="{html.escape(text)}" sandbox="allow-scripts" style="{style}"></iframe>'


def page(
    trace: Any,
    index: int,
    labels: Sequence[str],
    title: str,
    *,
    notes: Sequence[str] = (),
    guesses: Sequence[str] | None = None,
    start: Mapping[str, int] | None = None,
) -> str:
    """Return the page of one sequence.

    Parameters
    ----------
    trace : Trace
    index : int
        Which of its sequences.
    labels : sequence of str, one for each step
    title : str
    notes : sequence of str
        Paragraphs below the title.
    guesses : sequence of str, one for each step, default=None
        What the model predicts there.
    start : mapping with "step", "unit" or "layer", default=None
        What is chosen when the page opens.
    """
    values = trace.sequence(index)
    if not all(np.isfinite(array).all() for array in values.values()):
        raise ValueError("a trace must be finite to be drawn")
    data = {
        "cell": trace.cell,
        "labels": list(labels),
        "notes": list(notes),
        "guesses": None if guesses is None else list(guesses),
        "start": dict(start or {}),
        "layers": [
            {
                "name": f"{layer}{', reverse' if direction else ''}",
                "reverse": bool(direction),
                "values": {letter: _rounded(values[letter + suffix]) for letter in GATES[trace.cell]._fields},
                "before": {
                    letter: _rounded(state[direction, index])
                    for letter, state in zip("hc", trace.initial_state[layer], strict=False)
                },
            }
            for layer, direction, suffix in trace.spec.places
        ],
    }
    # "<" could end the script that it stands in.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    template = (files(__package__) / "page.html").read_text(encoding="utf-8")
    parts = {"@TITLE@": html.escape(title), "@DATA@": text}
    return re.sub("@TITLE@|@DATA@", lambda found: parts[found.group()], template)


def _rounded(array: Array) -> Any:
    return np.asarray(array, np.float64).round(6).tolist()
