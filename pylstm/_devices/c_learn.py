"""The text of an exported model that goes on learning: all of it, or its dense layer alone."""

from typing import NamedTuple

import numpy as np

from .. import __version__
from .._net.cells import STATES
from .._net.inputs import Array
from .c_comment import NOT_FINITE, WITH_VECTORS, comment, features, memory_lines, notes_of, steps_of, what_a_step_does
from .c_file import (
    CARRIED,
    SCALARS,
    VECTORS,
    answers,
    arrays,
    body,
    interface,
    layer_calls,
    no_output,
    refused,
    sources,
    state_type,
    types,
    weights,
    whole,
)
from .c_net import LANES, LOSSES, Net, flash_bytes, ram_bytes, target_constants
from .cortex_m4 import taken

#: The files of src_c that train the dense layer, beside those that they include.
HEAD_FILES = (*CARRIED, "exported/head.h")
#: And those that train all of a model.
FILES = ("exported/math.h", "exported/learn.h")
#: Bytes of the structs of learn.h, where pointers have 32 bits.
LAYER_BYTES, MATRIX_BYTES = 12, 32


class Learning(NamedTuple):
    """What training on the device is like."""

    head_only: bool
    window: int
    carry_state: bool
    max_grad_norm: float
    """0 for no clipping."""
    is_per_step: bool
    """Whether there is a label, or there are targets, for every step of a window."""


def text(name: str, net: Net, labels: list[object] | None, learning: Learning) -> str:
    """Return the C file of a model of which all names begin with `name`."""
    loss = f"#define LOSS_ROW {LOSSES[net.loss].row}\n#define LOSS_PARAMETER {_real(net.loss_parameter)}\n"
    if learning.head_only:
        needed = {
            "kernels/scaling.h": net.scaling is not None or net.targets is not None,
            "exported/pool.h": net.pooling is not None,
            "exported/targets.h": net.targets is not None,
        }
        files = [*HEAD_FILES, *(file for file, is_needed in needed.items() if is_needed)]
        code = [VECTORS, types(net), loss, sources(files), weights(net), _head_functions(name, net, learning)]
    else:
        constants = ["/* ---- weights */\n", arrays(_constants(net))]
        code = [SCALARS, types(net), loss, sources(FILES), *constants, _functions(name, net, learning)]
    return whole(name, _comment(name, net, labels, learning), _interface(name, net, learning), code)


def memory_of(net: Net, learning: Learning) -> tuple[int, int]:
    """Return the bytes of the constants, and of the model's struct."""
    if learning.head_only:
        floats = 2 * n_trained(net, learning) + net.output_size + _n_scaled(net)
        return flash_bytes(net), 2 * ram_bytes(_without_outputs(net)) + 4 * floats
    n_states, tape = 2 if learning.carry_state else 1, _tape(net, learning)
    floats = n_trained(net, learning) + n_states * _kept_size(net) + tape.size
    tables = LAYER_BYTES * len(tape.layers) + MATRIX_BYTES * len(tape.matrices)
    return tables + sum(values.nbytes for _, values in _constants(net)), 4 * floats


# ---- what there is


def _constants(net: Net) -> list[tuple[str, Array]]:
    scaling = [] if net.scaling is None else [("input_mean", net.scaling.mean), ("input_scale", net.scaling.scale)]
    return [("initial_weights", net.flat()), *scaling, *target_constants(net)]


def n_trained(net: Net, learning: Learning) -> int:
    """Return the number of weights that are learnt."""
    return net.weight_out.values.size + net.bias_out.size if learning.head_only else net.flat().size


def _state_size(net: Net) -> int:
    return sum(len(STATES[net.cell]) * layer.sizes[1] for layer in net.layers)


def _kept_size(net: Net) -> int:
    """Return the number of floats from which steps go on: the state, and then the pool and its count."""
    return _state_size(net) + (0 if net.pooling is None else net.layers[-1].sizes[1] + 1)


def _without_outputs(net: Net) -> Net:
    """Return a net whose state has no room for outputs, which the model has."""
    return net._replace(targets=None)


def _n_scaled(net: Net) -> int:
    """Return the number of floats of a row of scaled targets."""
    return 0 if net.targets is None else net.output_size


class Tape(NamedTuple):
    """What learn.h says of a model: where everything stands, counted in floats."""

    size: int
    layers: list[tuple[int, ...]]
    """As struct layer."""
    matrices: list[tuple[int, ...]]
    """As struct matrix."""
    states: int
    dstate: int
    pool: int
    target: int


def _tape(net: Net, learning: Learning) -> Tape:
    window, n_x, n_states, state_size = learning.window, net.input_size, len(STATES[net.cell]), _state_size(net)
    one, inputs = 0, 1
    states = inputs + window * n_x
    size = states + (window + 1) * state_size
    at, units, x, x_step = 0, states, inputs, n_x
    layers: list[tuple[int, ...]] = []
    matrices: list[tuple[int, ...]] = []
    for layer in net.layers:
        hidden, n_biases, n_rows = layer.sizes[1], len(layer.bias), len(layer.weight_hh.values)
        layers.append((hidden, size, units))
        recurrent = at + n_rows * n_x
        matrices += [
            (recurrent + n_rows * hidden, n_biases, 1, window, one, 0, size, n_biases),
            (at, n_rows, n_x, window, x, x_step, size, n_biases),
        ]
        # of a GRU the candidate's part of h_{t-1}, the last of the vectors, stands apart from that of the inputs
        apart = hidden if net.cell == "gru" else 0
        matrices.append((recurrent, n_rows - apart, hidden, window, units, state_size, size, n_biases))
        if apart:
            first = recurrent + (n_rows - apart) * hidden
            matrices.append((first, apart, hidden, window, units, state_size, size + n_rows, n_biases))
        at = recurrent + n_rows * hidden + n_biases
        size += window * n_biases
        # what the layer above reads of a step is in the state after it
        n_x, x, x_step = hidden, units + state_size, state_size
        units += n_states * hidden
    n_y = net.output_size
    n_steps = window if learning.is_per_step else 1
    features, pool = x + (window - n_steps) * state_size, size
    if net.pooling is not None:  # the pool, its count, the mean or its gradient; of a maximum, at which step it is
        features = pool + (n_x + 1 if net.pooling == "mean" else 0)
        size += 2 * n_x + 1 + (n_x if net.pooling == "max" else 0)
    matrices += [
        (at + n_y * n_x, n_y, 1, n_steps, one, 0, size, n_y),
        (at, n_y, n_x, n_steps, features, state_size, size, n_y),
    ]
    dstate = size + n_steps * n_y
    target = dstate + n_states * max(layer.sizes[1] for layer in net.layers)
    return Tape(target + _n_scaled(net), layers, matrices, states, dstate, pool, target)


# ---- how it is written

LABELS = "Labels are places in the list above, counted from 0; where one is not, nothing happens, and the loss is -1."


#: Of models whose targets are scaled.
SCALED_LOSS = "Targets are in the units of y. The loss is in others, as in training: of (target - mean) / scale."


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
    if not net.reads_labels:
        shape = f"targets[{n}][{n_y}]" if learning.is_per_step else f"targets[{n_y}]"
        return Answer("targets", f"const {net.writes} *targets", f"{net.writes} {shape}", "NULL", "targets")
    if learning.is_per_step:
        return Answer("labels", "const int *labels", f"int labels[{n}]", "labels", "NULL")
    return Answer("label", "int label", "a label", "&label", "NULL")


def _comment(name: str, net: Net, labels: list[object] | None, learning: Learning) -> str:
    answer = _answer(net, learning)
    n, what = n_trained(net, learning), "the output layer" if learning.head_only else "the model"
    flash, ram = memory_of(net, learning)
    calls = [
        (f"{name}_model model;", "all that changes; any number of them, each for one thread at a time"),
        (f"{name}_init(&model);", "once: the weights that were exported, and a state of zeros"),
        (f"{name}_reset(&model);", "a state of zeros: before the first step of a sequence"),
        (f"{name}_step(&model, x, y);", what_a_step_does(net)),
        (
            f"loss = {name}_learn(&model, x, {answer.name}, learning_rate);",
            f"reads {net.reads} x[{learning.window}][{net.input_size}], {answer.shape}",
        ),
    ]
    code = taken(
        "head" if learning.head_only else "all",
        net.c_name,
        features(net)
        | {f"per step{' in double' * (net.writes == 'double')}": learning.is_per_step, "carried": learning.carry_state},
    )
    of_vectors = f"{flash_bytes(net, LANES):,} where vectors are used"
    of_constants = of_vectors if learning.head_only else "the weights once more"
    memory = memory_lines(code, (flash, of_constants), (ram, f"{name}_model, wherever it is placed"))
    start = "where the one before ended" if learning.carry_state else "at zero"
    clipped = f", its norm clipped to {learning.max_grad_norm:g}" if learning.max_grad_norm > 0 else ""
    over = "all steps" if learning.is_per_step else "the last step" if net.pooling is None else "the answer after it"
    kind = LOSSES[net.loss].words.format(net.loss_parameter)
    notes = [
        NOT_FINITE,
        *notes_of(net),
        f"{name}_learn trains {what} on a window of {learning.window} steps: SGD by the gradient of the mean {kind} of "
        f"{over}{clipped}; no momentum, L2 penalty or dropout. Each window starts {start}; {name}_step has a state of "
        "its own, which learning leaves alone. The loss returned is that before the update; where it is not finite, "
        f"nothing has been learnt, and {name}_reset is due.",
        *([LABELS] if net.reads_labels else []),
        *([] if net.targets is None else [SCALED_LOSS]),
        f"model.weights, {n} floats, are what is learnt: copy them to keep them, and back after {name}_init.",
        *([WITH_VECTORS] if learning.head_only else []),
    ]
    title = f"{name}: {net.a_cell} that learns, by pylstm {__version__}. C99 and C++; no other file, no heap, no libm."
    return comment(title, name, steps_of(net), labels, calls, memory, notes)


def _interface(name: str, net: Net, learning: Learning) -> str:
    sizes = {"input_size": net.input_size, "output_size": net.output_size, "window": learning.window}
    n = n_trained(net, learning)
    members = [f"float weights[{n}];"]
    if learning.head_only:
        members += [
            f"{name}_state state, window_state;",
            f"float gradient[{n}];",
            f"float outputs[{net.output_size}];",
            *([] if net.targets is None else [f"float target[{net.output_size}];"]),
        ]
    else:
        members += [f"float state[{_kept_size(net)}];"]
        members += [f"float window_state[{_kept_size(net)}];"] if learning.carry_state else []
        members += [f"float tape[{_tape(net, learning).size}];"]
    types = f"typedef struct {name}_model {{\n{body(members)}\n}} {name}_model;\n"
    if learning.head_only:
        types = state_type(name, _without_outputs(net)) + "\n" + types
    functions = [
        f"void {name}_init({name}_model *model);",
        f"void {name}_reset({name}_model *model);",
        f"void {name}_step({name}_model *model, const {net.reads} *x, {net.writes} *y);",
        _learn_prototype(name, net, learning) + ";",
    ]
    return interface(name, sizes, types, functions)


def _learn_prototype(name: str, net: Net, learning: Learning) -> str:
    answer = _answer(net, learning).declaration
    return f"float {name}_learn({name}_model *model, const {net.reads} *x, {answer}, float learning_rate)"


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

void {name}_step({name}_model *model, const {net.reads} *x, {net.writes} *y)
{{
{body(step)}
}}

{_learn_prototype(name, net, learning)}
{{
{body(learn)}
}}
"""


def _functions(name: str, net: Net, learning: Learning) -> str:
    tape, answer = _tape(net, learning), _answer(net, learning)
    scaling = "NULL, NULL" if net.scaling is None else "input_mean, input_scale"
    back = "NULL, NULL" if net.targets is None else "target_mean, target_scale"
    state = "model->window_state" if learning.carry_state else "NULL"
    constants = f"""\
static const struct matrix matrices[] = {{
{_rows(tape.matrices)}}};
static const struct layer layers[] = {{
{_rows(tape.layers)}}};
static const struct learner learner = {{
    matrices, layers, {len(tape.layers)}, {learning.window}, {net.input_size}, {tape.states}, {_state_size(net)},
    {tape.dstate}, {tape.pool}, {scaling}, {back}, {tape.target}, {_real(learning.max_grad_norm)}}};
"""
    memory = "const struct memory memory = {model->weights, model->tape};"
    init = ["memcpy(model->weights, initial_weights, sizeof model->weights);"]
    step = [
        memory,
        *refused(f"run_layers(&learner, {learning.window - 1}, x, model->state, &memory)", no_output(net)),
        f"float *outputs = run_head(&learner, {learning.window - 1 if learning.is_per_step else 0}, &memory);",
        *answers(net, "outputs"),
    ]
    learn = [
        memory,
        f"return learn_all(&learner, x, {answer.labels}, {answer.targets}, learning_rate, {state}, &memory);",
    ]
    return constants + "\n" + _definitions(name, net, learning, init, step, learn)


def _rows(structs: list[tuple[int, ...]]) -> str:
    return ",\n".join(f"    {{{', '.join(map(str, struct))}}}" for struct in structs)


def _real(value: float) -> str:
    """Return a float of C, as near as there is one that is neither infinite nor, of another, 0."""
    limits = np.finfo(np.float32)
    return f"{np.float32(np.clip(value, limits.tiny, limits.max) if value else 0)!s}f"


def _head_functions(name: str, net: Net, learning: Learning) -> str:
    calls, h = layer_calls(net, ["return false;"])
    features = f"model->window_state.{h.removeprefix('state->')}"
    n_y, hidden, window = net.output_size, net.layers[-1].sizes[1], learning.window
    answer = _answer(net, learning)
    bias = f"model->weights + {n_y * hidden}"
    run_layers = body([*calls, "return true;"])
    run_layers = f"static bool run_layers({name}_state *state, const {net.reads} *x)\n{{\n{run_layers}\n}}\n"
    init = [
        "memcpy(model->weights, weight_out, sizeof weight_out);",
        f"memcpy({bias}, bias_out, sizeof bias_out);",
    ]
    own = features.replace("window_state", "state")
    head = f"const struct head head = {{{n_y}, {hidden}, model->weights, model->gradient, "
    outputs = "model->outputs" if net.writes == "double" else "y"
    step = [f"{head}{outputs}, 1}};", *refused("run_layers(&model->state, x)", no_output(net))]
    step += [f"run_head(&head, {own});", *answers(net, outputs)]

    steps = f"for (ptrdiff_t t = 0; t < {window}; t++)"
    label, values, share = answer.name, answer.name, "1"
    if learning.is_per_step:
        label, values, share = "labels[t]", f"targets + t * {n_y}", f"1.0f / {window}"
    learn = []
    if net.reads_labels:
        learn = [
            *([steps] if learning.is_per_step else []),
            f"    if ({label} < 0 || {label} >= {n_y})",
            "        return -1;",
        ]
    learn += [
        f"{head}model->outputs, {share}}};",
        "float loss = 0;",
    ]
    if not learning.carry_state:
        learn.append("memset(&model->window_state, 0, sizeof model->window_state);")
    learn.append("memset(model->gradient, 0, sizeof model->gradient);")
    run_step = f"run_layers(&model->window_state, x + t * {net.input_size})"
    each_step = [f"    {line}" for line in refused(run_step, ["no_numbers(1, &loss);", "return loss;"])]
    if net.targets is not None:
        values = f"targets_of({n_y}, {values}, target_mean, target_scale, model->target)"
    learn_row = [
        f"const struct target target = {{{f'{label}, NULL' if net.reads_labels else f'0, {values}'}}};",
        f"loss += learn_row(&head, {features}, target);",
    ]
    if learning.is_per_step:
        learn += [f"{steps} {{", *each_step, *(f"    {line}" for line in learn_row), "}"]
    else:
        learn += [f"{steps} {{", *each_step, "}", *learn_row]
    learn.append(f"return descend(&head, loss, {_real(learning.max_grad_norm)}, learning_rate);")
    return run_layers + "\n" + _definitions(name, net, learning, init, step, learn)
