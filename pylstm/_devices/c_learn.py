"""The text of an exported model that goes on learning: all of it, or its dense layer alone."""

from typing import NamedTuple

import numpy as np

from .. import __version__
from .._net.inputs import Array
from . import c_tokens
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
    weight_out,
    weights,
    whole,
)
from .c_net import LANES, LOSSES, Net, flash_bytes, ram_bytes, target_constants
from .c_tape import LAYER_BYTES, MATRIX_BYTES, Learning, kept_size, learnt, n_scaled, state_size, tape_of
from .cortex_m4 import taken

#: The files of src_c that train the dense layer, beside those that they include.
HEAD_FILES = (*CARRIED, "exported/head.h")
#: And those that train all of a model.
FILES = ("exported/math.h", "exported/learn.h")


def text(name: str, net: Net, labels: list[object] | None, learning: Learning) -> str:
    """Return the C file of a model of which all names begin with `name`."""
    of_loss = f"#define LOSS_ROW {LOSSES[net.loss].row}\n#define LOSS_PARAMETER {_real(net.loss_parameter)}\n"
    if learning.head_only:
        needed = {
            "kernels/scaling.h": net.scaling is not None or net.targets is not None,
            "exported/pool.h": net.pooling is not None,
            "exported/targets.h": net.targets is not None,
        }
        files = [*HEAD_FILES, *(file for file, is_needed in needed.items() if is_needed), *c_tokens.files(net)]
        code = [VECTORS, types(net), of_loss, sources(files), weights(net), _head_functions(name, net, learning)]
    else:
        constants = ["/* ---- weights */\n", arrays(_constants(net))]
        code = [SCALARS, types(net), of_loss, _of_input(net), sources([*FILES, *c_tokens.files(net)]), *constants]
        code.append(_functions(name, net, learning))
    return whole(name, _comment(name, net, labels, learning), _interface(name, net, learning), code)


def memory_of(net: Net, learning: Learning) -> tuple[int, int]:
    """Return the bytes of the constants, and of the model's struct."""
    if learning.head_only:
        floats = 2 * n_trained(net, learning) + net.output_size + n_scaled(net)
        return flash_bytes(net), 2 * ram_bytes(_without_outputs(net)) + 4 * floats
    n_states, tape = 2 if learning.carry_state else 1, tape_of(net, learning)
    floats = n_trained(net, learning) + n_states * kept_size(net) + tape.size
    tables = LAYER_BYTES * len(tape.layers) + MATRIX_BYTES * len(tape.matrices)
    return tables + sum(values.nbytes for _, values in (*_frozen(net), *_constants(net))), 4 * floats


# ---- what there is


def _constants(net: Net) -> list[tuple[str, Array]]:
    scaling = [] if net.scaling is None else [("input_mean", net.scaling.mean), ("input_scale", net.scaling.scale)]
    texts = [] if net.tokens is None or net.tokens.vocabulary is None else net.tokens.vocabulary.constants()
    return [("initial_weights", learnt(net)), *scaling, *target_constants(net), *texts]


def _frozen(net: Net) -> list[tuple[str, Array]]:
    return [("table", net.tokens.table.values)] if net.tokens and net.tokens.table and net.is_frozen else []


def n_trained(net: Net, learning: Learning) -> int:
    """Return the number of weights that are learnt."""
    return net.weight_out.values.size + net.bias_out.size if learning.head_only else learnt(net).size


def _without_outputs(net: Net) -> Net:
    """Return a net whose state has no room for outputs, which the model has."""
    return net._replace(targets=None)


# ---- how it is written

LABELS = "Labels are places in the list above, counted from 0; where one is not, nothing happens, and the loss is -1."
#: Of models that read tokens.
NO_TOKEN_IN_WINDOW = "Where a token of a window is none, nothing happens, and the loss is -1."
#: Of a language model.
NEXT_TOKENS = (
    "Targets are the tokens that come next: of a text of {n} tokens, text and text + 1 are a window. Where a token or "
    "a target is none, nothing happens, and the loss is -1."
)
#: Where the output layer learns alone.
UNTIED = "The table of tokens stays what it is, though the output layer began as that."
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
    if net.writes_tokens:
        return Answer("targets", "const uint32_t *targets", f"uint32_t targets[{n}]", "targets", "NULL")
    if learning.is_per_step:
        return Answer("labels", "const int *labels", f"int labels[{n}]", "labels", "NULL")
    return Answer("label", "int label", "a label", "&label", "NULL")


def _comment(name: str, net: Net, labels: list[object] | None, learning: Learning) -> str:
    answer = _answer(net, learning)
    n, what = n_trained(net, learning), "the output layer" if learning.head_only else "the model"
    flash, ram = memory_of(net, learning)
    of_values = f"[{net.input_size}]" if net.tokens is None else ""
    calls = [
        (f"{name}_model model;", "all that changes; any number of them, each for one thread at a time"),
        (f"{name}_init(&model);", "once: the weights that were exported, and a state of zeros"),
        (f"{name}_reset(&model);", "a state of zeros: before the first step of a sequence"),
        (f"{name}_step(&model, {_of_step(net)}, y);", what_a_step_does(net)),
        (
            f"loss = {name}_learn(&model, {_of_window(net)}, {answer.name}, learning_rate);",
            f"reads {net.reads} {_of_window(net)}[{learning.window}]{of_values}, {answer.shape}",
        ),
        *c_tokens.calls_of(name, net, "model"),
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
    memory[3:3] = c_tokens.sampler_line(name, net, "model")
    start = "where the one before ended" if learning.carry_state else "at zero"
    clipped = f", its norm clipped to {learning.max_grad_norm:g}" if learning.max_grad_norm > 0 else ""
    over = "all steps" if learning.is_per_step else "the last step" if net.pooling is None else "the answer after it"
    kind = LOSSES[net.loss].words.format(net.loss_parameter)
    notes = [
        *([NOT_FINITE] if net.tokens is None else c_tokens.notes_of(name, net)),
        *notes_of(net),
        f"{name}_learn trains {what} on a window of {learning.window} steps: SGD by the gradient of the mean {kind} of "
        f"{over}{clipped}; no momentum, L2 penalty or dropout. Each window starts {start}; {name}_step has a state of "
        "its own, which learning leaves alone. The loss returned is that before the update; where it is not finite, "
        f"nothing has been learnt, and {name}_reset is due.",
        *_notes_of_numbers(net, learning),
        *([] if net.targets is None else [SCALED_LOSS]),
        f"model.weights, {n} floats, are what is learnt: copy them to keep them, and back after {name}_init.",
        *([WITH_VECTORS] if learning.head_only else []),
    ]
    title = f"{name}: {net.a_cell} that learns, by pylstm {__version__}. C99 and C++; no other file, no heap, no libm."
    return comment(title, name, steps_of(net), labels, calls, memory, notes)


def _notes_of_numbers(net: Net, learning: Learning) -> list[str]:
    """Return what is said of labels and tokens that are none."""
    notes = [LABELS] if net.reads_labels and not net.writes_tokens else []
    if net.writes_tokens:
        notes.append(NEXT_TOKENS.format(n=learning.window + 1))
    elif net.tokens is not None:
        notes.append(NO_TOKEN_IN_WINDOW)
    return [*notes, UNTIED] if net.is_tied and learning.head_only else notes


def _of_step(net: Net) -> str:
    return "x" if net.tokens is None else "token"


def _of_window(net: Net) -> str:
    return "x" if net.tokens is None else "tokens"


def _interface(name: str, net: Net, learning: Learning) -> str:
    of_input = {"input_size": net.input_size} if net.tokens is None else {"n_tokens": net.tokens.n}
    sizes = {**of_input, "output_size": net.output_size, "window": learning.window}
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
        members += [f"float state[{kept_size(net)}];"]
        members += [f"float window_state[{kept_size(net)}];"] if learning.carry_state else []
        members += [f"float tape[{tape_of(net, learning).size}];"]
    types = f"typedef struct {name}_model {{\n{body(members)}\n}} {name}_model;\n"
    if learning.head_only:
        types = state_type(name, _without_outputs(net)) + "\n" + types
    if net.tokens is not None and net.writes_tokens:
        sizes["end"] = net.tokens.n - 1
        types += "\n" + c_tokens.sampler_type(name, net, "model")
    functions = [
        f"void {name}_init({name}_model *model);",
        f"void {name}_reset({name}_model *model);",
        f"void {name}_step({name}_model *model, {net.argument}, {net.writes} *y);",
        _learn_prototype(name, net, learning) + ";",
        *c_tokens.prototypes(name, net, "model"),
    ]
    return interface(name, sizes, types, functions, "" if net.tokens is None else c_tokens.INCLUDES)


def _learn_prototype(name: str, net: Net, learning: Learning) -> str:
    answer = _answer(net, learning).declaration
    x = f"const {net.reads} *{_of_window(net)}"
    return f"float {name}_learn({name}_model *model, {x}, {answer}, float learning_rate)"


class Statements(NamedTuple):
    """Those of the functions that all files have; and of that which draws, and where it has the outputs then."""

    init: list[str]
    step: list[str]
    learn: list[str]
    sample: list[str]
    outputs: str


def _definitions(name: str, net: Net, learning: Learning, of: Statements) -> str:
    states = ["state", "window_state"] if learning.head_only or learning.carry_state else ["state"]
    reset = [f"memset(&model->{state}, 0, sizeof model->{state});" for state in states]
    sample = ""
    if net.writes_tokens:
        sample = "\n" + c_tokens.sample_function(name, net, of.sample, of.outputs, "model")
    return f"""\
void {name}_init({name}_model *model)
{{
{body([*of.init, f"{name}_reset(model);"])}
}}

void {name}_reset({name}_model *model)
{{
{body(reset)}
}}

void {name}_step({name}_model *model, {net.argument}, {net.writes} *y)
{{
{body(of.step)}
}}

{_learn_prototype(name, net, learning)}
{{
{body(of.learn)}
}}
{sample}{c_tokens.text_functions(name, net)}"""


def _functions(name: str, net: Net, learning: Learning) -> str:
    tape, answer = tape_of(net, learning), _answer(net, learning)
    scaling = "NULL, NULL" if net.scaling is None else "input_mean, input_scale"
    back = "NULL, NULL" if net.targets is None else "target_mean, target_scale"
    state = "model->window_state" if learning.carry_state else "NULL"
    constants = f"""\
static const struct matrix matrices[] = {{
{_rows(tape.matrices)}}};
static const struct layer layers[] = {{
{_rows(tape.layers)}}};
static const struct learner learner = {{
    matrices, layers, {len(tape.layers)}, {learning.window}, {tape.row}, {tape.states}, {state_size(net)},
    {tape.dstate}, {tape.pool}, {scaling}, {back}, {tape.target}, {_real(learning.max_grad_norm)}}};
"""
    memory = "const struct memory memory = {model->weights, model->tape};"
    init = ["memcpy(model->weights, initial_weights, sizeof model->weights);"]
    x = "x" if net.tokens is None else "&token"
    run = f"run_layers(&learner, {learning.window - 1}, {x}, model->state, &memory)"
    outputs = f"run_head(&learner, {learning.window - 1 if learning.is_per_step else 0}, &memory)"
    step = [
        memory,
        *refused(run, no_output(net)),
        *c_tokens.unless_asked(net),
        f"float *outputs = {outputs};",
        *answers(net, "outputs"),
    ]
    learn = [
        memory,
        f"return learn_all(&learner, {_of_window(net)}, {answer.labels}, {answer.targets}, learning_rate, {state}, "
        "&memory);",
    ]
    sample = [memory, *refused(run, [f"return {name}_end;"])]
    return constants + "\n" + _definitions(name, net, learning, Statements(init, step, learn, sample, outputs))


def _of_input(net: Net) -> str:
    """Return what learn.h and tokens.h are told of tokens, and of labels, which may be some."""
    kind = "VALUES" if net.tokens is None else "ONE_HOT" if net.is_one_hot else "EMBEDDING"
    return f"""\
typedef {"uint32_t" if net.writes_tokens else "int"} choice;
enum {{ PYLSTM_VALUES, PYLSTM_ONE_HOT, PYLSTM_EMBEDDING, PYLSTM_FROZEN }};
#define EXPORTED_INPUT PYLSTM_{"FROZEN" if net.is_frozen else kind}
#define EXPORTED_TOKENS {1 if net.tokens is None else net.tokens.n}
#define EXPORTED_TIED {int(net.is_tied)}
#define EXPORTED_TABLE {"table" if net.is_frozen else "NULL"}
{arrays(_frozen(net))}"""


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
    run_layers = f"VEC_APART bool run_layers({name}_state *state, {net.argument})\n{{\n{run_layers}\n}}\n"
    init = [
        f"memcpy(model->weights, {weight_out(net)}, sizeof {weight_out(net)});",
        f"memcpy({bias}, bias_out, sizeof bias_out);",
    ]
    own = features.replace("window_state", "state")
    head = f"const struct head head = {{{n_y}, {hidden}, model->weights, model->gradient, "
    outputs = "model->outputs" if net.writes == "double" else "y"
    run_step = f"run_layers(&model->state, {_of_step(net)})"
    step = [f"{head}{outputs}, 1}};", *refused(run_step, no_output(net)), *c_tokens.unless_asked(net)]
    step += [f"run_head(&head, {own});", *answers(net, outputs)]
    sample = [f"{head}model->outputs, 1}};", *refused(run_step, [f"return {name}_end;"]), f"run_head(&head, {own});"]

    steps = f"for (ptrdiff_t t = 0; t < {window}; t++)"
    label, values, share = answer.name, answer.name, "1"
    if learning.is_per_step:
        label, values, share = f"{answer.name}[t]", f"targets + t * {n_y}", f"1.0f / {window}"
    learn = []
    if net.reads_labels:
        learn = [
            *([steps] if learning.is_per_step else []),
            f"    if ((uint32_t){label} >= {n_y})",
            "        return -1;",
        ]
    if net.tokens is not None:
        learn += [steps, f"    if (tokens[t] >= {net.tokens.n})", "        return -1;"]
    learn += [
        f"{head}model->outputs, {share}}};",
        "float loss = 0;",
    ]
    if not learning.carry_state:
        learn.append("memset(&model->window_state, 0, sizeof model->window_state);")
    learn.append("memset(model->gradient, 0, sizeof model->gradient);")
    each_step = ["    run_layers(&model->window_state, tokens[t]);"]
    if net.tokens is None:
        run_step = f"run_layers(&model->window_state, x + t * {net.input_size})"
        each_step = [f"    {line}" for line in refused(run_step, ["no_numbers(1, &loss);", "return loss;"])]
    if net.targets is not None:
        values = f"targets_of({n_y}, {values}, target_mean, target_scale, model->target)"
    learn_row = [
        f"const struct target target = {{{f'(ptrdiff_t){label}, NULL' if net.reads_labels else f'0, {values}'}}};",
        f"loss += learn_row(&head, {features}, target);",
    ]
    if learning.is_per_step:
        learn += [f"{steps} {{", *each_step, *(f"    {line}" for line in learn_row), "}"]
    else:
        learn += [f"{steps} {{", *each_step, "}", *learn_row]
    learn.append(f"return descend(&head, loss, {_real(learning.max_grad_norm)}, learning_rate);")
    of = Statements(init, step, learn, sample, "model->outputs")
    return run_layers + "\n" + _definitions(name, net, learning, of)
