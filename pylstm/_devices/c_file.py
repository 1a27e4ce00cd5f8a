"""The text of an exported model: a comment, its interface, files of src_c as they are, weights, and its functions."""

import re
from collections.abc import Iterable
from pathlib import Path

from .. import __version__
from .._net.cells import KINDS, STATES, c_name
from .._net.inputs import Array
from . import c_tokens
from .c_comment import (
    MAY_MISS,
    NOT_FINITE,
    NOT_FINITE_THEN,
    WITH_VECTORS,
    comment,
    features,
    memory_lines,
    notes_of,
    steps_of,
    what_a_step_does,
)
from .c_net import LANES, Net, constants, filler, flash_bytes, panels_of, prediction, ram_bytes, state_of
from .cortex_m4 import taken

#: The files of src_c that every model needs, beside those that they include.
CARRIED = ("exported/math.h", "exported/step.h")
#: What the C file says itself of those.
GIVEN = ("support/real.h", "support/libm.h")


def text(name: str, net: Net, labels: list[object] | None) -> str:
    """Return the C file of a model of which all names begin with `name`."""
    needed = {
        "kernels/scaling.h": net.scaling is not None or net.targets is not None,
        "kernels/missing.h": net.missing is not None,
        "kernels/dense.h": len(net.bias_out) > 0,
        "kernels/softmax.h": prediction(net) is not None,
        "exported/pool.h": net.pooling is not None,
    }
    roots = [*CARRIED, *(file for file, is_needed in needed.items() if is_needed), *c_tokens.files(net)]
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


# ---- how it is written


def _comment(name: str, net: Net, labels: list[object] | None) -> str:
    calls = [
        (f"{name}_state state;", "all that changes; any number of them, each for one thread at a time"),
        (f"{name}_reset(&state);", "before the first step of a sequence"),
        (f"{name}_step(&state, {'x' if net.tokens is None else 'token'}, y);", what_a_step_does(net)),
    ]
    with_vectors = f"{flash_bytes(net, LANES):,} where vectors are used"
    ram = ram_bytes(net), f"{name}_state, wherever it is placed"
    memory = memory_lines(taken("plain", net.c_name, features(net)), (flash_bytes(net), with_vectors), ram)
    title = f"{name}: {net.a_cell}, written by pylstm {__version__}. C99 and C++; no other file, no heap, no libm."
    refused = [NOT_FINITE] if net.missing is None else [MAY_MISS[net.missing.kind], NOT_FINITE_THEN]
    if net.tokens is not None:
        calls += c_tokens.calls_of(name, net)
        refused = c_tokens.notes_of(name, net)
        memory[3:3] = c_tokens.sampler_line(name, net)
    return comment(title, name, steps_of(net), labels, calls, memory, [*refused, *notes_of(net), WITH_VECTORS])


def _interface(name: str, net: Net) -> str:
    sizes = {"input_size": net.n_features, "output_size": net.output_size}
    functions = [
        f"void {name}_reset({name}_state *state);",
        f"void {name}_step({name}_state *state, {net.argument}, {net.writes} *y);",
    ]
    types = state_type(name, net)
    if net.tokens is not None:
        functions += c_tokens.prototypes(name, net)
        sizes = {"n_tokens": net.tokens.n, "output_size": net.output_size}
        if net.writes_tokens:
            sizes["end"] = net.tokens.n - 1
            types = f"{types}\n{c_tokens.sampler_type(name, net)}"
    return interface(name, sizes, types, functions, "" if net.tokens is None else c_tokens.INCLUDES)


def state_type(name: str, net: Net) -> str:
    """Return the definition of the struct that a step changes."""
    kept = [f"    {net.reads} kept[{net.n_kept}];"] if net.n_kept else []
    members = "\n".join([*kept, *(f"    float {member}[{size}];" for member, size in state_of(net))])
    return f"typedef struct {name}_state {{\n{members}\n}} {name}_state;\n"


def interface(name: str, sizes: dict[str, int], types: str, functions: list[str], includes: str = "") -> str:
    """Return what other C and C++ files include, and what that includes first."""
    guard = f"{name}_INCLUDED"
    enumerators = ", ".join(f"{name}_{key} = {value}" for key, value in sizes.items())
    prototypes = "\n".join(functions)
    return f"""\
#ifndef {guard}
#define {guard}

{includes}#ifdef __cplusplus
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
{c_tokens.types(net)}{DOUBLES if "double" in (net.reads, net.writes) else ""}"""


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
    panels = [arrays(panels_of(net, lanes)) for lanes in (LANES, 1)]
    return (
        f"/* ---- weights */\n\n#if PYLSTM_VECTOR_BYTES > 0\n{panels[0]}#else\n{panels[1]}#endif\n\n"
        f"{arrays(constants(net))}{_missing_values(net)}"
    )


def _missing_values(net: Net) -> str:
    """Return the definition of what complete_input is told."""
    if net.missing is None:
        return ""
    n_columns = len(net.missing.columns)
    holds, columns = str(net.missing.kind == "hold").lower(), "columns" if n_columns else "NULL"
    return (
        "static const struct missing missing_values = "
        f"{{{holds}, {net.n_features}, {filler(net)}, {n_columns}, {columns}}};\n"
    )


#: Of an array by its dtype: the type in C, how its numbers end, and how many are in a line.
KIND_OF_ARRAY = {
    "float32": ("real", "f", 7),
    "float64": ("double", "", 5),
    "int8": ("stored", "", 19),
    "int32": ("int", "", 19),
    "int64": ("int64_t", "", 19),
    "uint8": ("uint8_t", "", 19),
    "uint16": ("place", "", 15),
    "uint32": ("place", "", 12),
}


def arrays(named: Iterable[tuple[str, Array]]) -> str:
    return "".join(_array(name, values) for name, values in named)


def _array(name: str, values: Array) -> str:
    kind, ending, per_line = KIND_OF_ARRAY[values.dtype.name]
    numbers = [f"{number}{ending}" for number in values.astype(str).ravel().tolist()]
    if kind == "uint8_t":  # text
        numbers = [_character(byte) for byte in values.tolist()]
    lines = [", ".join(numbers[k : k + per_line]) for k in range(0, len(numbers), per_line)]
    initialiser = ",\n    ".join(lines)
    return f"static const {kind} {name}[{values.size}] = {{\n    {initialiser}}};\n"


def _character(byte: int) -> str:
    """Return a byte as C has it, to be read where it is a character of ASCII."""
    plain = chr(byte)
    return f"'{plain}'" if 32 <= byte < 127 and plain not in "'\\" else str(byte)


def _functions(name: str, net: Net) -> str:
    calls, h = layer_calls(net, None if net.writes_tokens else no_output(net))
    outputs = "state->outputs" if net.writes == "double" else "y"
    dense = f"memcpy(y, {h}, {net.output_size} * sizeof *y);"  # which may be padded
    if len(net.bias_out):
        dense = run_dense(net, h, outputs)
    if net.writes_tokens:
        functions = c_tokens.writing_functions(name, net, calls, dense, *answers(net, outputs))
    else:
        step = body([*calls, dense, *answers(net, outputs)])
        functions = f"void {name}_step({name}_state *state, {net.argument}, {net.writes} *y)\n{{\n{step}\n}}\n"
    return f"""\
void {name}_reset({name}_state *state)
{{
    memset(state, 0, sizeof *state);
{body(["keep_nothing(&missing_values, state->kept);"] if net.n_kept else [])}
}}

{functions}{c_tokens.text_functions(name, net)}"""


def run_dense(net: Net, h: str, outputs: str) -> str:
    """Return the statement that runs the dense layer on h."""
    scale = "NULL" if net.weight_out.scale is None else f"{weight_out(net)}_scale"
    sizes = f"{len(net.bias_out)}, {net.layers[-1].sizes[1]}"
    layer = f"const struct dense layer = {{{sizes}, {weight_out(net)}, {scale}, bias_out}};"
    return f"{{ {layer} dense_row(layer, {h}, {outputs}, false); }}"


def weight_out(net: Net) -> str:
    """Return the name of the array with the dense layer's weights."""
    return "table" if net.is_tied else "weight_out"


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
    """Return the statements of a step whose inputs are not finite, or whose token is none."""
    if net.writes == "double":  # of which all bits set are NaN, too
        return [f"memset(y, 0xff, {net.output_size} * sizeof *y);", "return;"]
    if net.writes_tokens:
        return ["if (y)", f"    no_numbers({net.output_size}, y);", "return;"]
    return [f"no_numbers({net.output_size}, y);", "return;"]


def refused(condition: str, answer: list[str]) -> list[str]:
    """Return the statements that end a function."""
    return [f"if (!{condition}) {{", *(f"    {statement}" for statement in answer), "}"]


def layer_calls(net: Net, answer: list[str] | None) -> tuple[list[str], str]:
    """Return the statements that run the layers on x or a token, and where is then what the dense layer reads of them.

    Where x is not finite, or the token is none, the `answer` is given, and the state is as it was. With None, the
    token is one.
    """
    token = "NULL"
    if net.tokens is None:
        calls, x = _value_calls(net, answer or [])
    else:
        calls, x, token = c_tokens.input_calls(net)
        if answer is not None:
            calls = [*refused(f"(token < {net.tokens.n})", answer), *calls]
    of_layers, x = run_layers(net, x, token)
    calls += of_layers
    if net.pooling is not None:
        hidden = net.layers[-1].sizes[1]
        calls.append(f"pool_step({hidden}, {x}, state->pool, state->n_pooled, 0, NULL);")
        x = "state->pool"
    if net.pooling == "mean":
        calls.append(f"pool_mean({hidden}, state->pool, state->n_pooled, state->next);")
        x = "state->next"
    return calls, x


def _value_calls(net: Net, answer: list[str]) -> tuple[list[str], str]:
    """Return the statements that make what the first layer reads of x, and where that is then."""
    calls, x = [], "x"
    kept = "state->kept" if net.n_kept else "NULL"
    if net.missing is not None:
        calls.append(f"complete_input(&missing_values, x, {kept}, input_mean, input_scale, state->input);")
    elif net.scaling is not None:
        calls.append(f"scale_input({net.input_size}, x, input_mean, input_scale, state->input);")
    if net.scaling is not None:
        x = "state->input"
    calls += refused(f"all_finite({net.input_size}, {x})", answer)
    if net.n_kept:
        calls.append("keep_input(&missing_values, x, state->kept);")
    return calls, x


def run_layers(net: Net, x: str, token: str = "NULL", state: str = "state") -> tuple[list[str], str]:
    """Return the statements that run the layers on x or a token, and where the last one's outputs are then."""
    calls = []
    for k, layer in enumerate(net.layers):
        n_x, hidden = layer.sizes
        scales = "NULL, NULL" if layer.weight_ih.scale is None else f"scale_x_{k}, scale_h_{k}"
        h = f"{state}->h_{k}"
        c = f"{state}->c_{k}" if "c" in STATES[net.cell] else "NULL"
        calls += [
            f"const struct step_weights layer_{k} = {{EXPORTED_CELL, ({hidden} + LANES - 1) / LANES, {n_x}, {hidden},",
            f"                                     panels_{k}, bias_{k}, {scales}}};",
            f"run_layer(&layer_{k}, {x}, {token}, {h}, {c}, {state}->next);",
        ]
        x, token = h, "NULL"
    return calls, x
