"""The text of an exported model: a comment, its interface, files of src_c as they are, weights, and its functions."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import __version__
from .._net.cells import KINDS, PLACES, STATES, c_name
from .._net.describe import Scaling
from .._net.inputs import Array
from .cortex_m4 import Taken, taken

#: The files of src_c that every model needs, beside those that they include.
CARRIED = ("exported/math.h", "exported/step.h")
#: What the C file says itself of those.
GIVEN = ("support/real.h", "support/libm.h")
#: Units of a panel where there are vectors: as many as the widest vector has.
LANES = 8

WIDTH = 120


class Loss(NamedTuple):
    """What training minimised: its function in losses.h; in words, which may have the parameter; and the function in
    softmax.h that makes predictions of outputs, if there is one.
    """

    row: str
    words: str
    predict: str | None = None


LOSSES = {
    "cross_entropy": Loss("cross_entropy_row", "cross-entropy", "softmax_row"),
    "squared_error": Loss("squared_error_row", "half the squared error"),
    "absolute_error": Loss("absolute_error_row", "absolute error"),
    "huber": Loss("huber_row", "Huber loss, straight from {:g},"),
    "quantile": Loss("quantile_row", "loss of the quantile {:g}"),
    "sigmoid": Loss("sigmoid_row", "cross-entropy of each output by itself", "sigmoids_row"),
}


class Matrix(NamedTuple):
    """Weights: float32, or bytes with a scale for each row."""

    values: Array
    scale: Array | None = None

    def quantised(self) -> "Matrix":
        scale = (np.abs(self.values).max(axis=1, initial=0) / 127).astype(np.float32)
        scale[scale == 0] = 1
        rounded = np.rint(self.values / scale[:, np.newaxis])
        return Matrix(np.clip(rounded, -127, 127).astype(np.int8), scale)

    def real(self) -> Array:
        return self.values if self.scale is None else self.values * self.scale[:, np.newaxis]


class Layer(NamedTuple):
    """Weights laid out as in `Sequence.parameters`."""

    weight_ih: Matrix
    weight_hh: Matrix
    bias: Array

    @property
    def sizes(self) -> tuple[int, int]:
        """Inputs and units."""
        return self.weight_ih.values.shape[1], self.weight_hh.values.shape[1]


class Net(NamedTuple):
    """All that a model computes with. The dense layer may have no outputs, and the scaling be None."""

    layers: list[Layer]
    weight_out: Matrix
    bias_out: Array
    loss: str
    scaling: Scaling | None
    """In float32 or float64: what its C function reads."""
    cell: str = "lstm"
    nonlinearity: str = "tanh"
    loss_parameter: float = 0.0
    pooling: str | None = None
    """What of the steps so far the dense layer reads: their "mean" or "max"; None is the step's own."""
    targets: Scaling | None = None
    """In float32 or float64: what its C function writes."""

    @property
    def reads_labels(self) -> bool:
        """Whether its outputs are told apart by a label; else they are values."""
        return self.loss == "cross_entropy"

    @property
    def c_name(self) -> str:
        """The cell in pylstm.h."""
        return c_name(self.cell, self.nonlinearity)

    @property
    def reads(self) -> str:
        """The type of an input in C."""
        return _type_of(self.scaling)

    @property
    def writes(self) -> str:
        """The type of an output in C."""
        return _type_of(self.targets)

    @property
    def input_size(self) -> int:
        return self.layers[0].sizes[0]

    @property
    def a_cell(self) -> str:
        return {"lstm": "an LSTM", "gru": "a GRU", "rnn": "an RNN"}[self.cell]

    @property
    def output_size(self) -> int:
        return len(self.bias_out) or self.layers[-1].sizes[1]

    def quantised(self) -> "Net":
        layers = [Layer(w.quantised(), r.quantised(), bias) for w, r, bias in self.layers]
        return self._replace(layers=layers, weight_out=self.weight_out.quantised())

    def flat(self) -> Array:
        """Return the weights in one array, in the order of C."""
        parts = [part for w, r, bias in self.layers for part in (w.real(), r.real(), bias)]
        return np.concatenate([part.ravel() for part in (*parts, self.weight_out.real(), self.bias_out)])


def _type_of(scaling: Scaling | None) -> str:
    return "double" if scaling is not None and scaling.mean.dtype == np.float64 else "float"


def text(name: str, net: Net, labels: list[object] | None) -> str:
    """Return the C file of a model of which all names begin with `name`."""
    needed = {
        "kernels/scaling.h": net.scaling is not None or net.targets is not None,
        "kernels/dense.h": len(net.bias_out) > 0,
        "kernels/softmax.h": prediction(net) is not None,
        "exported/pool.h": net.pooling is not None,
    }
    roots = [*CARRIED, *(file for file, is_needed in needed.items() if is_needed)]
    code = [VECTORS, types(net), sources(roots), weights(net), _functions(name, net)]
    return whole(name, _comment(name, net, labels), _interface(name, net), code)


def whole(name: str, comment: str, interface: str, code: list[str]) -> str:
    """Return the C file that is also its own header."""
    code = [f"#ifndef {name}_HEADER\n", MANY_FUNCTIONS, _own("\n".join(code), name), ENOUGH_FUNCTIONS, "#endif\n"]
    return "\n".join([comment, interface, *code])


#: The files of src_c have more functions than each model needs, of which clang warns.
MANY_FUNCTIONS = """\
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#endif
"""
ENOUGH_FUNCTIONS = """\
#ifdef __clang__
#pragma clang diagnostic pop
#endif
"""


#: Where C, as clang-format lays it out, defines a name that only this file sees: a function, a constant, a type.
DEFINED = (
    r"^(?:VEC_\w+|static|static inline) [^;={(]*?(\w+)\(",
    r"^static const (?:struct )?\w+ (\w+)(?:\[\w*\])? =",
    r"^typedef (?:struct )?\w+ (\w+)\b",
)


def _own(code: str, name: str) -> str:
    """Return C whose names end in that of the model, and that leaves no macro: so files can be compiled as one."""
    plain = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
    names = {found for pattern in DEFINED for found in re.findall(pattern, plain, re.MULTILINE)}
    for enumerators in re.findall(r"^enum \{(.*?)\}", plain, re.MULTILINE | re.DOTALL):
        names |= {of.split()[0] for of in enumerators.split(",")}
    structs = set(re.findall(r"^struct (\w+) \{", plain, re.MULTILINE))
    ours = "|".join([r"/\*.*?\*/", rf"\bstruct (?:{'|'.join(structs)})\b", rf"\b(?:{'|'.join(names)})\b"])
    code = re.sub(ours, lambda of: of[0] if of[0].startswith("/*") else f"{of[0]}_in_{name}", code, flags=re.DOTALL)
    macros = dict.fromkeys(re.findall(r"^#define (\w+)", code, re.MULTILINE))
    return code + "\n" + "".join(f"#undef {macro}\n" for macro in macros)


def flash_bytes(net: Net, lanes: int = 1) -> int:
    """Return the size of all constants."""
    return sum(values.nbytes for _, values in (*_panels(net, lanes), *constants(net)))


def ram_bytes(net: Net) -> int:
    """Return the size of the state."""
    return 4 * sum(size for _, size in state_of(net))


# ---- what there is


def _panels(net: Net, lanes: int) -> Iterator[tuple[str, Array]]:
    """Name the arrays of the layers, in the order in which the kernels read them."""
    x_gates, h_gates, biases = PLACES[net.cell]
    for k, layer in enumerate(net.layers):
        w, r = layer.weight_ih, layer.weight_hh
        panels = [_packed(w.values, x_gates, lanes), _packed(r.values, h_gates, lanes)]
        yield f"panels_{k}", np.concatenate(panels, axis=1)
        yield f"bias_{k}", _packed(layer.bias[:, np.newaxis], biases, lanes)
        if w.scale is not None and r.scale is not None:
            yield f"scale_x_{k}", _packed(w.scale[:, np.newaxis], x_gates, lanes)
            yield f"scale_h_{k}", _packed(r.scale[:, np.newaxis], h_gates, lanes)


def _packed(rows: Array, gates: tuple[int, ...], lanes: int) -> Array:
    """Return [n_blocks][K][n_gates][lanes] of rows [n_gates H][K], with zeros where there is no unit."""
    n_gates, n_k = len(gates), rows.shape[1]
    hidden = len(rows) // n_gates
    n_blocks = -(-hidden // lanes)
    padded = np.zeros((n_gates, n_blocks * lanes, n_k), rows.dtype)
    padded[:, :hidden] = rows.reshape(n_gates, hidden, n_k)[list(gates)]
    return padded.reshape(n_gates, n_blocks, lanes, n_k).transpose(1, 3, 0, 2)


def constants(net: Net) -> Iterator[tuple[str, Array]]:
    """Name the other arrays."""
    if net.scaling is not None:
        yield "input_mean", net.scaling.mean
        yield "input_scale", net.scaling.scale
    if len(net.bias_out):
        yield "weight_out", net.weight_out.values
        yield "bias_out", net.bias_out
        if net.weight_out.scale is not None:
            yield "scale_out", net.weight_out.scale
    yield from target_constants(net)


def target_constants(net: Net) -> Iterator[tuple[str, Array]]:
    """Name the arrays that scale outputs back."""
    if net.targets is not None:
        yield "target_mean", net.targets.mean
        yield "target_scale", net.targets.scale


def state_of(net: Net) -> Iterator[tuple[str, int]]:
    """Name the arrays of the state, with sizes that are the same with and without vectors."""
    padded = [-(-layer.sizes[1] // LANES) * LANES for layer in net.layers]
    for k, layer in enumerate(net.layers):
        # whole vectors are read of what units remember of themselves: c of an LSTM, h of a GRU
        yield f"h_{k}", padded[k] if net.cell == "gru" else layer.sizes[1]
        if "c" in STATES[net.cell]:
            yield f"c_{k}", padded[k]
    yield "next", max(padded)
    if net.pooling is not None:
        yield from {"pool": net.layers[-1].sizes[1], "n_pooled": 1}.items()
    if net.scaling is not None:
        yield "input", net.input_size
    if net.writes == "double":
        yield "outputs", net.output_size


# ---- how it is written


def _comment(name: str, net: Net, labels: list[object] | None) -> str:
    calls = [
        (f"{name}_state state;", "all that changes; any number of them, each for one thread at a time"),
        (f"{name}_reset(&state);", "before the first step of a sequence"),
        (f"{name}_step(&state, x, y);", what_a_step_does(net)),
    ]
    with_vectors = f"{flash_bytes(net, LANES):,} where vectors are used"
    ram = ram_bytes(net), f"{name}_state, wherever it is placed"
    memory = memory_lines(taken("plain", net.c_name, features(net)), (flash_bytes(net), with_vectors), ram)
    title = f"{name}: {net.a_cell}, written by pylstm {__version__}. C99 and C++; no other file, no heap, no libm."
    return comment(title, name, net, labels, calls, memory, [NOT_FINITE, *notes_of(net), WITH_VECTORS])


def what_a_step_does(net: Net) -> str:
    return f"reads {net.reads} x[{net.input_size}], writes {net.writes} y[{net.output_size}]"


#: Of steps.
NOT_FINITE = (
    "Where an input is NaN or infinite, all of y is NaN, and the state stays as it was: the next step goes on from it."
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
    back_in_double = f" in double{too}" if net.writes == "double" else ""
    return {
        f"scaled{in_double}{of_layers}": net.scaling is not None,
        net.loss if n_outputs else "none": 1,
        "int8": is_int8 and n_layers == 1,
        "int8 of layers": is_int8 and n_layers > 1,
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


def comment(
    title: str,
    name: str,
    net: Net,
    labels: list[object] | None,
    calls: list[tuple[str, str]],
    memory: list[tuple[str, int, str]],
    notes: list[str],
) -> str:
    """Return the comment that the C file begins with.

    Parameters
    ----------
    title, name, net, labels
        Its first line; what is exported.
    calls : list of (C, meaning)
        How it is used.
    memory : list of (kind, bytes, meaning)
    notes : list of str
        Paragraphs.
    """
    steps = [f"{net.input_size} inputs"]
    if net.scaling is not None:
        steps.append("scaling")
    steps += [f"{net.cell.upper()} of {layer.sizes[1]} units" for layer in net.layers]
    if net.pooling is not None:
        steps.append({"mean": "mean so far", "max": "maximum so far"}[net.pooling])
    if len(net.bias_out):
        steps.append(f"{net.output_size} {'probabilities' if prediction(net) else 'values'}")
    if net.targets is not None:
        steps.append("scaling back")
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


def _interface(name: str, net: Net) -> str:
    sizes = {"input_size": net.input_size, "output_size": net.output_size}
    functions = [
        f"void {name}_reset({name}_state *state);",
        f"void {name}_step({name}_state *state, const {net.reads} *x, {net.writes} *y);",
    ]
    return interface(name, sizes, state_type(name, net), functions)


def state_type(name: str, net: Net) -> str:
    """Return the definition of the struct that a step changes."""
    members = "\n".join(f"    float {member}[{size}];" for member, size in state_of(net))
    return f"typedef struct {name}_state {{\n{members}\n}} {name}_state;\n"


def interface(name: str, sizes: dict[str, int], types: str, functions: list[str]) -> str:
    """Return what other C and C++ files include."""
    guard = f"{name}_INCLUDED"
    enumerators = ", ".join(f"{name}_{key} = {value}" for key, value in sizes.items())
    prototypes = "\n".join(functions)
    return f"""\
#ifndef {guard}
#define {guard}

#ifdef __cplusplus
extern "C" {{
#endif

enum {{ {enumerators} }};

{types}
{prototypes}

#ifdef __cplusplus
}}
#endif

#endif
"""


#: The includes that all files need. Where there is no library (freestanding), the two functions are there all the same.
SETTINGS = """\
#include <stddef.h>
#include <stdint.h>
#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__
#include <string.h>
#else
#ifdef __cplusplus
extern "C" {
#endif
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
#ifdef __cplusplus
}
#endif
#endif
"""
#: Which vectors there are.
VECTORS = f"""\
{SETTINGS}
#if !defined(PYLSTM_SCALAR) && (defined(__clang__) || __GNUC__ >= 12) && \\
    (defined(__SSE2__) || defined(__AARCH64EL__) || defined(__wasm_simd128__))
#define PANEL_LANES ((ptrdiff_t){LANES})
#if defined(__AVX2__) && __STDC_HOSTED__ /* whose header is not there without a library */
#define PYLSTM_VECTOR_BYTES 32
#else
#define PYLSTM_VECTOR_BYTES 16
#endif
#else
#define PYLSTM_VECTOR_BYTES 0
#endif
"""
#: Or that there are none.
SCALARS = f"{SETTINGS}\n#define PYLSTM_VECTOR_BYTES 0\n"


#: What files that have doubles ask of them.
DOUBLES = """
#include <float.h>

#if DBL_MANT_DIG < 53
#error "this model needs an IEEE 754 double for what it scales"
#endif
"""


def types(net: Net) -> str:
    """Return what the files of src_c read of a model, and know from others in the library."""
    return f"""\
#define PYLSTM_REAL_BITS 32
#define PYLSTM_WEIGHT_BITS {32 if net.weight_out.scale is None else 8}
#define EXPORTED_CELL {net.c_name}
#define EXPORTED_POOLING PYLSTM_POOL_{"NONE" if net.pooling is None else net.pooling.upper()}

enum {{ {", ".join(c_name(*of) for of in KINDS)} }};
enum {{ PYLSTM_POOL_MEAN, PYLSTM_POOL_MAX, PYLSTM_POOL_NONE }};
typedef float real;
typedef float wide;
typedef {net.reads} reading;
typedef {net.writes} answer;
{DOUBLES if "double" in (net.reads, net.writes) else ""}"""


def sources(roots: Iterable[str]) -> str:
    """Return files of src_c, and before each those that it includes but for the `GIVEN` ones, as they are."""
    package = Path(__file__).parents[1]
    folder = package / "src_c" if (package / "src_c").is_dir() else package.parent / "src_c"
    include = re.compile('#include "([^"]*)"\n+')
    seen, ordered = set(GIVEN), []

    def visit(file: str) -> None:
        if file not in seen:
            seen.add(file)
            text = (folder / file).read_text(encoding="ascii")
            for included in include.findall(text):
                visit(included)
            ordered.append(f"/* ---- {file} */\n\n" + include.sub("", text))

    for root in roots:
        visit(root)
    return "\n".join(ordered)


def weights(net: Net) -> str:
    """Return the definitions of all constants."""
    panels = [arrays(_panels(net, lanes)) for lanes in (LANES, 1)]
    return (
        f"/* ---- weights */\n\n#if PYLSTM_VECTOR_BYTES > 0\n{panels[0]}#else\n{panels[1]}#endif\n\n"
        f"{arrays(constants(net))}"
    )


#: Of an array by its dtype: the type in C, how its numbers end, and how many are in a line.
KIND_OF_ARRAY = {"float32": ("real", "f", 7), "float64": ("double", "", 5), "int8": ("stored", "", 19)}


def arrays(named: Iterable[tuple[str, Array]]) -> str:
    return "".join(_array(name, values) for name, values in named)


def _array(name: str, values: Array) -> str:
    kind, ending, per_line = KIND_OF_ARRAY[values.dtype.name]
    numbers = [f"{number}{ending}" for number in values.astype(str).ravel().tolist()]
    lines = [", ".join(numbers[k : k + per_line]) for k in range(0, len(numbers), per_line)]
    initialiser = ",\n    ".join(lines)
    return f"static const {kind} {name}[{values.size}] = {{\n    {initialiser}}};\n"


def _functions(name: str, net: Net) -> str:
    calls, h = layer_calls(net, no_output(net))
    n_outputs, hidden = len(net.bias_out), net.layers[-1].sizes[1]
    outputs = "state->outputs" if net.writes == "double" else "y"
    if n_outputs:
        scale = "NULL" if net.weight_out.scale is None else "scale_out"
        calls.append(f"dense_row({n_outputs}, {hidden}, {h}, weight_out, {scale}, bias_out, {outputs});")
    else:
        calls.append(f"memcpy(y, {h}, {hidden} * sizeof *y);")  # which may be padded
    calls += answers(net, outputs)
    return f"""\
void {name}_reset({name}_state *state)
{{
    memset(state, 0, sizeof *state);
}}

void {name}_step({name}_state *state, const {net.reads} *x, {net.writes} *y)
{{
{body(calls)}
}}
"""


def prediction(net: Net) -> str | None:
    """Return the function that makes predictions of outputs, if one is needed."""
    return LOSSES[net.loss].predict if len(net.bias_out) else None


def answers(net: Net, outputs: str) -> list[str]:
    """Return the statements that make y of outputs, which may be y already."""
    n_outputs, predict = len(net.bias_out), prediction(net)
    statements = [f"{predict}({n_outputs}, {outputs});"] if predict else []
    if net.targets is not None:
        return [*statements, f"unscale_output({n_outputs}, {outputs}, target_mean, target_scale, y);"]
    return statements if outputs == "y" else [*statements, f"memcpy(y, {outputs}, {n_outputs} * sizeof *y);"]


def body(statements: list[str]) -> str:
    """Return the lines of a function."""
    return "\n".join(f"    {statement}" for statement in statements)


def no_output(net: Net) -> list[str]:
    """Return the statements of a step whose inputs are not finite."""
    if net.writes == "double":  # of which all bits set are NaN, too
        return [f"memset(y, 0xff, {net.output_size} * sizeof *y);", "return;"]
    return [f"no_numbers({net.output_size}, y);", "return;"]


def refused(condition: str, answer: list[str]) -> list[str]:
    """Return the statements that end a function."""
    return [f"if (!{condition}) {{", *(f"    {statement}" for statement in answer), "}"]


def layer_calls(net: Net, answer: list[str]) -> tuple[list[str], str]:
    """Return the statements that run the layers on x, and where is then what the dense layer reads of them.

    Where x is not finite, the `answer` is given, and the state is as it was.
    """
    calls, x = [], "x"
    if net.scaling is not None:
        calls.append(f"scale_input({net.input_size}, x, input_mean, input_scale, state->input);")
        x = "state->input"
    calls += refused(f"all_finite({net.input_size}, {x})", answer)
    for k, layer in enumerate(net.layers):
        n_x, hidden = layer.sizes
        scales = "NULL, NULL" if layer.weight_ih.scale is None else f"scale_x_{k}, scale_h_{k}"
        h = f"state->h_{k}"
        c = f"state->c_{k}" if "c" in STATES[net.cell] else "NULL"
        calls += [
            f"const struct step_weights layer_{k} = {{EXPORTED_CELL, ({hidden} + LANES - 1) / LANES, {n_x}, {hidden},",
            f"                                     panels_{k}, bias_{k}, {scales}}};",
            f"run_layer(&layer_{k}, {x}, {h}, {c}, state->next);",
        ]
        x = h
    if net.pooling is not None:
        hidden = net.layers[-1].sizes[1]
        calls.append(f"pool_step({hidden}, {x}, state->pool, state->n_pooled, 0, NULL);")
        x = "state->pool"
    if net.pooling == "mean":
        calls.append(f"pool_mean({hidden}, state->pool, state->n_pooled, state->next);")
        x = "state->next"
    return calls, x
