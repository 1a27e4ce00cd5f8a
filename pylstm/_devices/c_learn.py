"""The text of an exported model that goes on learning: all of it, or its dense layer alone."""

import re
from typing import NamedTuple

from .. import __version__
from .._net.cells import STATES, c_name
from .._net.inputs import Array
from .c_file import (
    WITH_VECTORS,
    Net,
    arrays,
    body,
    comment,
    flash_bytes,
    flash_line,
    interface,
    layer_calls,
    ram_bytes,
    settings,
    sources,
    state_type,
    weights,
    whole,
)

#: The files of src_c that train the dense layer, beside those that they include; the first names the cells.
HEAD_FILES = ("pylstm.h", "exported/exported_math.h", "exported/exported.h", "exported/exported_head.h")
#: And those that train all of a model. The order is that of compilation: the kernels' table is used after it.
FILES = ("exported/exported_math.h", "kernels/cell.c", "layers/net.c", "layers/batch.c", "kernels/panels.c",
         "kernels/gather.c", "kernels/kernels.c", "kernels/solver.c", "model/head.c", "layers/dropout.c",
         "exported/alone.c", "layers/steps.c", "layers/forward.c", "layers/backward.c", "layers/stack.c", "model/model.c",
         "exported/exported_learn.h")  # fmt: skip
#: Bytes of stack that optimised code keeps within, whatever the sizes (tests/cortex_m4.sh): of the head, and of all.
HEAD_STACK_BYTES, ALL_STACK_BYTES = 768, 2560
#: What the arena in src_c aligns to.
ALIGNMENT = 64


class Learning(NamedTuple):
    """What training on the device is like."""

    head_only: bool
    window: int
    carry_state: bool
    max_grad_norm: float
    """0 for no clipping."""
    is_per_step: bool
    """Whether there is a label, or there are targets, for every step of a window."""
    step_bytes: int
    """Workspace of a training step, in 64 bits; 0 for the head's, which has none."""


def text(name: str, net: Net, labels: list[object] | None, learning: Learning) -> str:
    """Return the C file of a model of which all names begin with `name`."""
    if learning.head_only:
        files = [*HEAD_FILES, *([] if net.scaling is None else ["model/scaling.h"])]
        code = [settings(net), sources(files, ["support/libm.h"]), weights(net), _head_functions(name, net, learning)]
    else:
        code = [
            ONLY_C,
            SETTINGS,
            sources(FILES, ["support/libm.h"]),
            "/* ---- weights */\n",
            arrays(_constants(net)),
            _functions(name, net, learning),
        ]
        # For functions that are not static, and with them all that is called alike: so that several files link.
        code = [re.sub(r"\b(pylstm|PYLSTM)_", rf"{name}_\1_", part) for part in code]
    return whole(name, _comment(name, net, labels, learning), _interface(name, net, learning), code)


def memory_of(net: Net, learning: Learning) -> tuple[int, int]:
    """Return the bytes of the constants, and of the model's struct."""
    if learning.head_only:
        return flash_bytes(net), 2 * ram_bytes(net) + 4 * (2 * _n_trained(net, learning) + net.output_size)
    floats = _n_trained(net, learning) + (2 if learning.carry_state else 1) * _state_size(net)
    flash = sum(values.nbytes for _, values in _constants(net))
    return flash, 4 * (floats + floats % 2) + _workspace_bytes(net, learning)


# ---- what there is


def _constants(net: Net) -> list[tuple[str, Array]]:
    scaling = [] if net.scaling is None else list(zip(("input_mean", "input_scale"), net.scaling, strict=True))
    return [("initial_weights", net.flat()), *scaling]


def _n_trained(net: Net, learning: Learning) -> int:
    return net.weight_out.values.size + net.bias_out.size if learning.head_only else net.flat().size


def _state_size(net: Net) -> int:
    return sum(len(STATES[net.cell]) * layer.sizes[1] for layer in net.layers)


def _workspace_bytes(net: Net, learning: Learning) -> int:
    """Return what `learn_on` in exported_learn.h takes."""
    scaled = 4 * learning.window * net.input_size if net.scaling is not None else 0
    indices = 8 * (learning.window if learning.is_per_step else 1) if net.is_softmax else 0
    return ALIGNMENT + learning.step_bytes + sum(-(-size // ALIGNMENT) * ALIGNMENT for size in (scaled, indices))


# ---- how it is written

LABELS = "Labels are places in the list above, counted from 0; where one is not, nothing happens, and the loss is -1."

ONLY_C = """\
#ifdef __cplusplus
#error "This file is C. C++ programs include it as a header."
#endif
"""
SETTINGS = """\
#include <stddef.h>
#include <stdint.h>

#define PYLSTM_EXPORTED
#define PYLSTM_REAL_BITS 32
#define PYLSTM_VECTOR_BYTES 0
#define PYLSTM_ISA_NAME scalar
#define PYLSTM_MAX_THREADS 1
"""


class Answer(NamedTuple):
    """What the outputs should have been: a parameter of the learning function."""

    name: str
    declaration: str
    shape: str
    labels: str
    """An expression that points to them; or NULL. Likewise:"""
    targets: str


def _answer(net: Net, learning: Learning) -> Answer:
    n, n_y = learning.window, net.output_size
    if not net.is_softmax:
        shape = f"float targets[{n}][{n_y}]" if learning.is_per_step else f"float targets[{n_y}]"
        return Answer("targets", "const float *targets", shape, "NULL", "targets")
    if learning.is_per_step:
        return Answer("labels", "const int *labels", f"int labels[{n}]", "labels", "NULL")
    return Answer("label", "int label", "a label", "&label", "NULL")


def _comment(name: str, net: Net, labels: list[object] | None, learning: Learning) -> str:
    answer = _answer(net, learning)
    n_trained, what = _n_trained(net, learning), "the output layer" if learning.head_only else "the model"
    flash, ram = memory_of(net, learning)
    calls = [
        (f"{name}_model model;", "all that changes; any number of them, each for one thread at a time"),
        (f"{name}_init(&model);", "once: the weights that were exported, and a state of zeros"),
        (f"{name}_reset(&model);", "a state of zeros: before the first step of a sequence"),
        (f"{name}_step(&model, x, y);", f"reads float x[{net.input_size}], writes float y[{net.output_size}]"),
        (
            f"loss = {name}_learn(&model, x, {answer.name}, learning_rate);",
            f"reads float x[{learning.window}][{net.input_size}], {answer.shape}",
        ),
    ]
    memory = [
        flash_line(net) if learning.head_only else ("flash", flash, "constants, beside the code"),
        ("RAM", ram, f"{name}_model, wherever it is placed"),
        ("stack", HEAD_STACK_BYTES, "at most, without vectors and optimised, -Os or from -O1")
        if learning.head_only
        else ("stack", ALL_STACK_BYTES, "at most, optimised, -Os or from -O1; twice that in 64 bits"),
    ]
    start = "where the one before ended" if learning.carry_state else "at zero"
    clipped = f", its norm clipped to {learning.max_grad_norm:g}" if learning.max_grad_norm > 0 else ""
    over = "all steps" if learning.is_per_step else "the last step"
    kind = "cross-entropy" if net.is_softmax else "half the squared error"
    notes = [
        f"{name}_learn trains {what} on a window of {learning.window} steps: SGD by the gradient of the mean {kind} of "
        f"{over}{clipped}; no momentum, L2 penalty or dropout. Each window starts {start}; {name}_step has a state of "
        "its own, which learning leaves alone. The loss returned is that before the update; where it is not finite, "
        f"nothing has been learnt, and {name}_reset is due.",
        *([LABELS] if net.is_softmax else []),
        f"model.weights, {n_trained} floats, are what is learnt: copy them to keep them, and back after {name}_init.",
        *([WITH_VECTORS] if learning.head_only else []),
    ]
    languages = "C99 and C++" if learning.head_only else "C99, for C++ its header"
    title = f"{name}: {net.a_cell} that learns, by pylstm {__version__}. {languages}; no other file, no heap, no libm."
    return comment(title, name, net, labels, calls, memory, notes)


def _interface(name: str, net: Net, learning: Learning) -> str:
    sizes = {"input_size": net.input_size, "output_size": net.output_size, "window": learning.window}
    n_trained = _n_trained(net, learning)
    members = [f"float weights[{n_trained}];"]
    if learning.head_only:
        members += [
            f"{name}_state state, window_state;",
            f"float gradient[{n_trained}];",
            f"float outputs[{net.output_size}];",
        ]
    else:
        members += [f"float state[{_state_size(net)}];"]
        members += [f"float window_state[{_state_size(net)}];"] if learning.carry_state else []
        members += [f"double workspace[{_workspace_bytes(net, learning) // 8}];"]
    types = f"typedef struct {name}_model {{\n{body(members)}\n}} {name}_model;\n"
    if learning.head_only:
        types = state_type(name, net) + "\n" + types
    functions = [
        f"void {name}_init({name}_model *model);",
        f"void {name}_reset({name}_model *model);",
        f"void {name}_step({name}_model *model, const float *x, float *y);",
        _learn_prototype(name, net, learning) + ";",
    ]
    return interface(name, sizes, types, functions)


def _learn_prototype(name: str, net: Net, learning: Learning) -> str:
    answer = _answer(net, learning).declaration
    return f"float {name}_learn({name}_model *model, const float *x, {answer}, float learning_rate)"


def _definitions(name: str, net: Net, learning: Learning, init: list[str], step: list[str], learn: list[str]) -> str:
    states = ["state", "window_state"] if learning.head_only or learning.carry_state else ["state"]
    reset = [f"memset(&model->{state}, 0, sizeof model->{state});" for state in states]
    return f"""\
void {name}_init({name}_model *model)
{{
{body([*init, f"{name}_reset(model);"])}
}}

void {name}_reset({name}_model *model)
{{
{body(reset)}
}}

void {name}_step({name}_model *model, const float *x, float *y)
{{
{body(step)}
}}

{_learn_prototype(name, net, learning)}
{{
{body(learn)}
}}
"""


def _functions(name: str, net: Net, learning: Learning) -> str:
    hidden_sizes = [layer.sizes[1] for layer in net.layers]
    pooling = "PYLSTM_POOL_NONE" if learning.is_per_step else "PYLSTM_POOL_LAST"
    cell = c_name(net.cell, net.nonlinearity)
    loss = "PYLSTM_CROSS_ENTROPY" if net.is_softmax else "PYLSTM_SQUARED_ERROR"
    sizes = f"{net.input_size}, {len(hidden_sizes)}, hidden_sizes"
    shape = f"{{PYLSTM_FLOAT32, {sizes}, 1, 0, PYLSTM_ISA_SCALAR, 1, {cell}, 0}}"
    answer = _answer(net, learning)
    state = "model->window_state" if learning.carry_state else "NULL"
    constants = f"""\
static const ptrdiff_t hidden_sizes[] = {{{", ".join(map(str, hidden_sizes))}}};
static const struct learner learner = {{
    {{{shape}, {net.output_size}, {pooling}, {loss}}},
    {learning.window},
    {learning.max_grad_norm!r},
    {"NULL, NULL" if net.scaling is None else "input_mean, input_scale"}}};

static pylstm_memory workspace_of({name}_model *model)
{{
    return (pylstm_memory){{model->workspace, sizeof model->workspace}};
}}
"""
    init = ["memcpy(model->weights, initial_weights, sizeof model->weights);"]
    step = ["predict_row(&learner, x, y, model->weights, model->state, workspace_of(model));"]
    learn = [
        f"return learn_on(&learner, x, {answer.labels}, {answer.targets}, learning_rate, model->weights, {state},",
        "                    workspace_of(model));",
    ]
    return constants + "\n" + _definitions(name, net, learning, init, step, learn)


def _head_functions(name: str, net: Net, learning: Learning) -> str:
    calls, h = layer_calls(net)
    member = h.removeprefix("state->")
    n_y, hidden, window = net.output_size, net.layers[-1].sizes[1], learning.window
    answer = _answer(net, learning)
    run_layers = f"static void run_layers({name}_state *state, const float *x)\n{{\n{body(calls)}\n}}\n"
    init = [
        "memcpy(model->weights, weight_out, sizeof weight_out);",
        f"memcpy(model->weights + {n_y * hidden}, bias_out, sizeof bias_out);",
    ]
    weights = f"model->weights, NULL, model->weights + {n_y * hidden}"
    step = ["run_layers(&model->state, x);", f"dense_row({n_y}, {hidden}, model->state.{member}, {weights}, y);"]
    step += [f"softmax_row({n_y}, y);"] if net.is_softmax else []

    steps = f"for (ptrdiff_t t = 0; t < {window}; t++)"
    learn, label, labels, targets, share = [], "label", answer.labels, answer.targets, "1"
    if learning.is_per_step:
        learn, label, share = [steps], "labels[t]", f"1.0 / {window}"
        labels, targets = ("labels + t", "NULL") if net.is_softmax else ("NULL", f"targets + t * {n_y}")
    learn = [*learn, f"    if ({label} < 0 || {label} >= {n_y})", "        return -1;"] if net.is_softmax else []
    if not learning.carry_state:
        learn.append("memset(&model->window_state, 0, sizeof model->window_state);")
    learn += ["memset(model->gradient, 0, sizeof model->gradient);", "double loss = 0;"]
    each_step = f"    run_layers(&model->window_state, x + t * {net.input_size});"
    learn_row = [
        f"loss += learn_row({n_y}, {hidden}, model->window_state.{member}, model->weights, {labels}, {targets},",
        f"                  {share}, model->outputs, model->gradient);",
    ]
    if learning.is_per_step:
        learn += [f"{steps} {{", each_step, *(f"    {line}" for line in learn_row), "}"]
    else:
        learn += [steps, each_step, *learn_row]
    learn += [
        f"return learn_gradient({_n_trained(net, learning)}, model->weights, model->gradient, loss, learning_rate,",
        f"                      {learning.max_grad_norm!r});",
    ]
    return run_layers + "\n" + _definitions(name, net, learning, init, step, learn)
