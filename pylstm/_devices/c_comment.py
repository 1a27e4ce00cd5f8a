"""What the comment says that an exported file begins with: how it is used, what memory it takes, what it does."""

import json
import textwrap

from .c_net import Net, prediction
from .cortex_m4 import Taken

WIDTH = 120


def what_a_step_does(net: Net) -> str:
    read = f"{net.reads} x[{net.n_features}]" if net.tokens is None else "a token"
    return f"reads {read}, writes {net.writes} y[{net.output_size}]"


#: Of steps.
NOT_FINITE = (
    "Where an input is NaN or infinite, all of y is NaN, and the state stays as it was: the next step goes on from it."
)


#: Of inputs that may be missing.
MAY_MISS = {
    "indicator": "An input that is NaN is missing: the mean stands for it, and the net reads since how many steps.",
    "hold": "An input that is NaN is missing: the last one since the reset stands for it, or before it the mean.",
}
#: Of steps of such models.
NOT_FINITE_THEN = (
    "Where an input is infinite, all of y is NaN, and the state stays as it was: the next step goes on from it."
)


#: Of code that has the vectors of `LANES`.
WITH_VECTORS = (
    "With clang, or GCC 12 or later, it uses the vectors of x86-64, aarch64 and WebAssembly, unless PYLSTM_SCALAR is "
    "defined. With GCC, -std=c99 keeps a processor from fusing multiplications and additions: -std=gnu99 is faster "
    "where it can."
)


def notes_of(net: Net) -> list[str]:
    """Return what is said of a pool, and of inputs and outputs that are no floats."""
    pooled = [] if net.pooling is None else [POOLED[net.pooling]]
    which = (net.reads == "double", net.writes == "double")
    return [*pooled, *([f"{WHICH[which]}. {WITH_DOUBLES}"] if which in WHICH else [])]


#: Of models that pool.
POOLED = {
    "mean": "y is the answer for all steps since the reset: of the mean over them, of which the state has the sum. "
    "16,777,216 steps are counted; the sum of more is divided by that.",
    "max": "y is the answer for all steps since the reset: of the maximum over them, which the state has.",
}


#: Whether x is double, and y.
WHICH = {
    (True, False): "x is double: a float has too few digits for what is read here",
    (False, True): "y is double: a float has too few digits for what is written here",
    (True, True): "x and y are double: a float has too few digits for what is read and written here",
}
#: Of code with doubles.
WITH_DOUBLES = (
    "That is scaled in double, all else is computed in float. Where a processor has no doubles, functions of its "
    "compiler compute with them, which are not counted here: up to 2,700 bytes on a Cortex-M4."
)


def features(net: Net) -> dict[str, int]:
    """Return what, beside its cell, decides on how large the code of a net is, and how often it has that."""
    n_layers, n_outputs = len(net.layers), len(net.bias_out)
    at_once = 4 if net.cell == "rnn" else 2  # TILE_PANELS in fused.h; of outputs DENSE_OUTPUTS in dense.h
    is_int8 = net.weight_out.scale is not None
    are_left = any(layer.sizes[1] % at_once for layer in net.layers)
    of_layers = " of layers" if n_layers > 1 else ""
    in_double = " in double" if net.reads == "double" else ""
    too = " too" if in_double else ""
    tokens = net.tokens
    back_in_double = f" in double{too}" if net.writes == "double" else ""
    return {
        f"scaled{in_double}{of_layers}": net.scaling is not None,
        f"{net.missing and net.missing.kind}{in_double}": net.missing is not None,
        net.loss if n_outputs else "none": 1,
        "int8": is_int8 and n_layers == 1,
        "int8 of layers": is_int8 and n_layers > 1,
        f"one-hot{of_layers}": net.is_one_hot,
        f"embedding{' int8' if is_int8 else ''}": net.table_size > 0,
        "frozen": net.is_frozen,
        "tied": net.is_tied,
        "texts": tokens is not None and tokens.vocabulary is not None,
        "writes": net.writes_tokens,
        "second layer": n_layers > 1,
        "further layer": max(n_layers - 2, 0),
        "units left": are_left and n_layers == 1,
        "units left of layers": are_left and n_layers > 1,
        f"{net.pooling}{of_layers}": net.pooling is not None,
        f"scaled back{back_in_double}{of_layers}": net.targets is not None,
        f"one output{of_layers}": n_outputs == 1,
        "few outputs": 1 < n_outputs < 4,
        "fours of outputs": n_outputs > 0 and n_outputs % 4 == 0,
    }


Memory = tuple[int, str]


def memory_lines(code: Taken, constants: Memory, ram: Memory) -> list[tuple[str, int, str]]:
    """Return what a comment says of memory, of each kind how much and a remark."""
    return [
        ("code", code.small_code, f"on a Cortex-M4, by GCC with -Os; {code.fast_code:,} with -O2"),
        ("constants", *constants),
        ("RAM", *ram),
        ("stack", code.small_stack, f"on a Cortex-M4, by GCC with -Os; {code.fast_stack:,} with -O2"),
    ]


def steps_of(net: Net) -> list[str]:
    """Return what a net does with its inputs, one after the other."""
    steps = [f"{net.n_features} inputs"]
    if net.tokens is not None:
        steps = [f"{net.tokens.n} tokens", *([] if net.tokens.table is None else [f"{net.input_size} values of each"])]
    if net.missing is not None:
        steps.append({"indicator": "which are missing", "hold": "the last values"}[net.missing.kind])
    if net.scaling is not None:
        steps.append("scaling")
    steps += layers_of(net)
    if net.pooling is not None:
        steps.append({"mean": "mean so far", "max": "maximum so far"}[net.pooling])
    if len(net.bias_out):
        steps.append(f"{net.output_size} {'probabilities' if prediction(net) else 'values'}")
    if net.targets is not None:
        steps.append("scaling back")
    return steps


def layers_of(net: Net) -> list[str]:
    return [f"{net.cell.upper()} of {layer.sizes[1]} units" for layer in net.layers]


def comment(
    title: str,
    name: str,
    steps: list[str],
    labels: list[object] | None,
    calls: list[tuple[str, str]],
    memory: list[tuple[str, int, str]],
    notes: list[str],
) -> str:
    """Return the comment that the C file begins with.

    Parameters
    ----------
    title, name, steps, labels
        Its first line; what is exported, and what that does one after the other.
    calls : list of (C, meaning)
        How it is used.
    memory : list of (kind, bytes, meaning)
    notes : list of str
        Paragraphs.
    """
    width = max(len(call) for call, _ in calls)
    lines = [
        title,
        "",
        *_wrapped(" -> ".join(steps), "  "),
        "",
        *(f"  {call:{width}}  {meaning}" for call, meaning in calls),
        "",
        *([] if labels is None else [*_wrapped(f"y: probabilities of {_listed(labels)}", ""), ""]),
        f"This file is its own header: elsewhere, #define {name}_HEADER before it is included.",
        "",
        "Bytes of memory:",
        "",
        *(f"  {kind:9}  {size:>11,}  {meaning}" for kind, size, meaning in memory),
        "",
        *(line for note in notes for line in (*_wrapped(note, ""), "")),
        "The code: Copyright (c) 2026, the pylstm developers. SPDX-License-Identifier: BSD-3-Clause",
    ]
    return "/* " + "\n".join(f" * {line}".rstrip() for line in lines)[3:] + " */\n"


def _wrapped(paragraph: str, indent: str) -> list[str]:
    return textwrap.wrap(paragraph, WIDTH - 3, initial_indent=indent, subsequent_indent=indent)


def _listed(labels: list[object]) -> str:
    """Return labels in ASCII, without the ends of comments."""
    return json.dumps(labels, default=str)[1:-1].replace("*", "\\u002a")
