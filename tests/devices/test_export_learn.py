"""`export_c(trainable=...)`: learning against `Sequence.backward` and SGD, compilers, linking, sanitizers, errors."""

import copy
import ctypes
import itertools
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from compilers import C99, SANITIZERS, SOURCES, WARNINGS, compile_all, gcc, run
from learning import Reference, net_of
from nets import CELLS, exported_net
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_export import C_TYPES
from toys import toy

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm.__main__ import main
from pylstm._devices import c_learn
from pylstm._devices.c_net import Net
from pylstm.preprocessing import PerStep

N_STEPS = 50
pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")


def model_of(cls, sizes, input_size=3, n_outputs=3, scaled=False, seed=0, cell="lstm", **options):
    """Return a model with random weights."""
    rng = np.random.default_rng(seed)
    y = {
        LSTMClassifier: np.arange(12) % n_outputs,
        LSTMRegressor: rng.normal(size=(12, n_outputs))[:, slice(None) if n_outputs > 1 else 0],
        LSTMTagger: np.arange(48).reshape(12, 4) % n_outputs,
        LSTMSequenceRegressor: rng.normal(size=(12, 4, n_outputs)),
    }[cls]
    model = cls(sizes, max_iter=1, random_state=seed, **CELLS[cell], **options)
    model = make_pipeline(PerStep(StandardScaler()), model) if scaled else model
    model.fit(2 + 3 * rng.normal(size=(12, 4, input_size)), y)
    for values in net_of(model).parameters().values():
        values[...] = rng.uniform(-0.6, 0.6, values.shape)
        if cell == "relu":
            values /= np.sqrt(values.shape[-1])  # it grows else
    return model


class Learner:
    """An exported model that learns."""

    def __init__(self, library, name, ram_bytes, n_outputs, reads="float", writes="float"):
        self.library, self.name, self.size, self.n_outputs = library, name, ram_bytes, n_outputs
        self.x_dtype, self.y_dtype = (C_TYPES[of] for of in (reads, writes))
        self.memory = np.full(ram_bytes + 64, 0xA5, np.uint8)
        self.call("init")

    @classmethod
    def of_export(cls, export, model, directory):
        library, n_outputs = compiled([export.path], directory), net_of(model).spec.n_outputs
        return cls(library, export.name, export.ram_bytes, n_outputs, export.reads, export.writes)

    def call(self, function, *arguments):
        to_call = getattr(self.library, f"{self.name}_{function}")
        to_call.restype = {"learn": ctypes.c_float, "sample": ctypes.c_uint32}.get(function)
        result = to_call(ctypes.c_void_p(self.memory.ctypes.data), *arguments)
        assert (self.memory[self.size :] == 0xA5).all()  # nothing behind the struct
        return result

    def learn(self, x, y, rate):
        x = np.ascontiguousarray(x, self.x_dtype)
        is_label = not isinstance(y, np.ndarray)
        y = y if is_label else np.ascontiguousarray(y, {"i": np.int32, "u": np.uint32}.get(y.dtype.kind, self.y_dtype))
        answer = ctypes.c_int(y) if is_label else ctypes.c_void_p(y.ctypes.data)
        return self.call("learn", ctypes.c_void_p(x.ctypes.data), answer, ctypes.c_float(rate))

    def step(self, x):
        x, y = np.ascontiguousarray(x, self.x_dtype), np.empty(self.n_outputs, self.y_dtype)
        self.call("step", ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data))
        return y

    def weights(self, n):
        return self.memory[: 4 * n].view(np.float32).copy()

    def set_weights(self, weights):
        self.memory[: 4 * len(weights)] = np.asarray(weights, np.float32).view(np.uint8)


def compiled(paths, directory):
    """Return a library of C files."""
    objects = [f"{path}.o" for path in paths]
    compile_all([gcc, *C99, "-O1", "-fPIC", "-c", path, "-o", to] for path, to in zip(paths, objects, strict=True))
    run(gcc, "-shared", *objects, "-o", directory / "models.so")
    return ctypes.CDLL(str(directory / "models.so"))


def data_of(model, window, seed=0):
    """Yield windows and what is to be learnt of them."""
    rng = np.random.default_rng(seed)
    spec = net_of(model).spec
    n, is_per_step = spec.n_outputs, spec.pooling is None
    while True:
        x = 2 + 3 * rng.normal(size=(window, spec.input_size))
        if spec.loss == "cross_entropy":
            y = rng.integers(n, size=window, dtype=np.int32) if is_per_step else int(rng.integers(n))
        else:
            y = rng.normal(size=(window, n) if is_per_step else n)
        yield x.astype(np.float32), y


# ---- what is learnt

MODELS = [
    (LSTMTagger, (5,), 16, {}, {}),
    (LSTMTagger, (7, 4), 9, {"max_grad_norm": 0.2, "carry_state": False}, {"scaled": True}),
    (LSTMTagger, 33, 300, {"max_grad_norm": None}, {"input_size": 1}),  # more rows than a chunk has
    (LSTMClassifier, (8,), 12, {}, {"n_outputs": 2}),
    (LSTMClassifier, (3, 6, 2), 5, {"carry_state": True, "max_grad_norm": 0.05}, {"scaled": True, "n_outputs": 9}),
    (LSTMRegressor, (1,), 1, {"max_grad_norm": None}, {"n_outputs": 1, "input_size": 1}),
    (LSTMRegressor, (17, 16), 20, {"carry_state": True}, {"input_size": 7}),
    (LSTMSequenceRegressor, (4, 4), 4, {}, {"n_outputs": 1}),
    (LSTMSequenceRegressor, (9,), 30, {"max_grad_norm": 0.1}, {"scaled": True, "n_outputs": 5}),
    (LSTMTagger, (7, 4), 9, {"max_grad_norm": 0.2, "carry_state": False}, {"scaled": True, "cell": "gru"}),
    (LSTMRegressor, (33,), 300, {"carry_state": True}, {"input_size": 1, "cell": "gru"}),
    (LSTMClassifier, (3, 6, 2), 5, {"max_grad_norm": 0.05}, {"scaled": True, "cell": "rnn"}),
    (LSTMTagger, (17, 16), 20, {}, {"input_size": 7, "cell": "relu"}),
    (LSTMClassifier, (7, 4), 9, {}, {"scaled": True, "pooling": "max"}),
    (LSTMClassifier, (5,), 6, {"carry_state": True}, {"pooling": "mean", "cell": "gru"}),
]


@pytest.mark.parametrize("trainable", [True, "head"])
@pytest.mark.parametrize(("cls", "sizes", "window", "options", "made"), MODELS)
def test_learning(cls, sizes, window, options, made, trainable, tmp_path):
    """Losses and weights over 50 windows, beside a stream that goes on with the weights of the moment."""
    model = model_of(cls, sizes, **made)
    export = pylstm.export_c(model, tmp_path / "model.c", trainable=trainable, window=window, **options)
    learner = Learner.of_export(export, model, tmp_path)
    reference = Reference.of_model(
        model,
        head_only=trainable == "head",
        carry_state=options.get("carry_state", cls in (LSTMTagger, LSTMSequenceRegressor)),
        max_grad_norm=options.get("max_grad_norm", 1.0),
    )
    start = reference.weights()
    np.testing.assert_array_equal(learner.weights(len(start)), start.astype(np.float32))
    stream, current = pylstm.stream(model), copy.deepcopy(model)
    for (x, y), _ in zip(data_of(model, window), range(N_STEPS), strict=False):
        assert abs(learner.learn(x, y, 0.1) - reference.learn(x, y, 0.1)) < 1e-5
        weights = learner.weights(len(start))
        np.testing.assert_allclose(weights, reference.weights(), rtol=0, atol=1e-5)
        flat = net_of(current).copy_weights()
        flat[len(flat) - len(start) :] = weights
        net_of(current).set_weights(flat)
        stream.set_model(current)
        np.testing.assert_allclose(learner.step(x[0]), stream.step(x[0]), rtol=0, atol=5e-6)
    assert np.abs(reference.weights() - start).max() > 1e-3
    learner.call("reset")
    stream.reset()
    np.testing.assert_allclose(learner.step(x[0]), stream.step(x[0]), rtol=0, atol=5e-6)
    learner.call("init")
    np.testing.assert_array_equal(learner.weights(len(start)), start.astype(np.float32))


@pytest.mark.parametrize("trainable", [True, "head"])
def test_what_can_not_be_learnt(trainable, tmp_path):
    model = model_of(LSTMTagger, (5,))
    export = pylstm.export_c(model, tmp_path / "model.c", trainable=trainable, window=3)
    learner = Learner.of_export(export, model, tmp_path)
    x, weights = np.ones((3, 3), np.float32), learner.weights(10)
    for bad in (3, -1):
        assert learner.learn(x, np.array([0, 1, bad]), 0.1) == -1
    x[1] = np.nan
    assert np.isnan(learner.learn(x, np.array([0, 1, 2]), 0.1))
    np.testing.assert_array_equal(learner.weights(10), weights)
    learner.call("reset")
    np.testing.assert_array_equal(learner.weights(10), weights)
    assert np.isfinite(learner.learn(np.ones((3, 3)), np.array([0, 1, 2]), 0.1))
    assert (learner.weights(10) != weights).any()


@pytest.mark.parametrize("head_only", [False, True])
def test_targets_beyond_all_numbers(head_only, tmp_path):
    """What is finite in double and not in float is not learnt either."""
    net, of = exported_net(loss="squared_error"), c_learn.Learning(head_only, 2, False, 1.0, False)
    (tmp_path / "net.c").write_text(c_learn.text("net", net, None, of))
    n_y, n_trained = net.output_size, net.flat().size if not head_only else net.output_size * (16 + 1)
    learner = Learner(compiled([tmp_path / "net.c"], tmp_path), "net", c_learn.memory_of(net, of)[1], n_y)
    weights, x = learner.weights(n_trained), np.ones((2, 12))
    assert learner.learn(x, np.full(n_y, 1e25), 0.1) == np.inf
    np.testing.assert_array_equal(learner.weights(n_trained), weights)
    assert np.isfinite(learner.learn(x, np.full(n_y, 1e9), 0.1))
    assert np.abs(learner.weights(n_trained) - weights).max() < 0.11  # clipped
    assert (learner.weights(n_trained) != weights).any()


# ---- cells, losses, and how they go together


class Case(NamedTuple):
    name: str
    cell: str
    net: Net
    learning: c_learn.Learning

    def learner(self, library):
        return Learner(library, self.name, c_learn.memory_of(self.net, self.learning)[1], self.net.output_size)

    def data(self):
        """Yield windows and their answers."""
        rng = np.random.default_rng(0)
        n_steps = self.learning.window if self.learning.is_per_step else 1
        while True:
            x = (2 * rng.normal(size=(self.learning.window, self.net.input_size))).astype(np.float32)
            if self.net.loss == "cross_entropy":
                y = rng.integers(self.net.output_size, size=n_steps, dtype=np.int32)
                yield x, y if self.learning.is_per_step else int(y[0])
            else:
                y = rng.normal(size=(n_steps, self.net.output_size)).astype(np.float32)
                yield x, (y > 0).astype(np.float32) if self.net.loss == "sigmoid" else y


def cases():
    """Return every cell with every loss, each pair of other features somewhere; and the head with every loss."""
    found = []
    for k, (loss, cell) in enumerate(itertools.product(c_learn.LOSSES, CELLS)):
        bits = k * 11 % 16  # each of four features with and without each other, for each loss and each cell
        stacked, per_step, carried, scaled = (bool(bits >> bit & 1) for bit in range(4))
        sizes = (3, 5, 4, 6)[: 4 if stacked else 2]
        pooling = None if per_step else (None, "mean", "max")[k // 2 % 3]
        net = exported_net(cell, sizes, 3, loss, parameter=0.3, scaled=scaled, seed=k, pooling=pooling)
        for head_only in (False, True) if k % 4 == k // 4 % 4 else (False,):
            name = f"{cell}_{loss.replace(' ', '_').replace('-', '_')}_{'head' if head_only else 'all'}"
            found.append(Case(name, cell, net, c_learn.Learning(head_only, 7, carried, 0.0, per_step)))
    return found


ALL_CASES = cases()


@pytest.fixture(scope="module")
def library_of_cases(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cases")
    for case in ALL_CASES:
        (directory / f"{case.name}.c").write_text(c_learn.text(case.name, case.net, None, case.learning))
    return compiled([directory / f"{case.name}.c" for case in ALL_CASES], directory)


@pytest.mark.long
@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_cells_and_losses(case, library_of_cases):
    """Losses and weights over 20 windows."""
    net, of = case.net, case.learning
    reference = Reference(
        net.flat(), (net.input_size, *(layer.sizes[1] for layer in net.layers)), net.output_size, loss=net.loss,
        parameter=net.loss_parameter, scaling=net.scaling, per_step=of.is_per_step, carry_state=of.carry_state,
        max_grad_norm=None, head_only=of.head_only, pooling=net.pooling, **CELLS[case.cell],
    )  # fmt: skip
    learner, start = case.learner(library_of_cases), reference.weights()
    for (x, y), _ in zip(case.data(), range(20), strict=False):
        assert abs(learner.learn(x, y, 0.1) - reference.learn(x, y, 0.1)) < 1e-5
        np.testing.assert_allclose(learner.weights(len(start)), reference.weights(), rtol=0, atol=1e-5)
    assert np.abs(reference.weights() - start).max() > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_central_differences(case, library_of_cases):
    """What learning changes is the slope of the loss that it returns, along itself."""
    learner, (x, y) = case.learner(library_of_cases), next(case.data())
    n_trained = c_learn.n_trained(case.net, case.learning)
    start, rate, step = learner.weights(n_trained).astype(np.float64), 100.0, 1e-3

    def loss(weights):
        learner.call("init")
        learner.set_weights(weights)
        return float(learner.learn(x, y, 0))

    learner.learn(x, y, rate)
    gradient = (start - learner.weights(n_trained)) / rate
    norm = np.linalg.norm(gradient)
    slope = (loss(start + step * gradient / norm) - loss(start - step * gradient / norm)) / (2 * step)
    assert abs(slope - norm) < 3e-4 + 1e-3 * norm
    assert norm > 1e-2


# ---- compilers, linking, sanitizers


@pytest.fixture(scope="module")
def learners(tmp_path_factory):
    """All and the head, of a scaled tagger and of a regressor, and some of other cells."""
    directory = tmp_path_factory.mktemp("learners")
    tagger = model_of(LSTMTagger, (5, 3), scaled=True)
    regressor = model_of(LSTMRegressor, (6,), n_outputs=2)
    return [
        (pylstm.export_c(model, directory / f"{name}.c", trainable=trainable, window=4), model, trainable)
        for name, model, trainable in (
            ("tags", tagger, True),
            ("pack", regressor, True),
            ("tag_head", tagger, "head"),
            ("run", regressor, "head"),
            ("gru_tags", model_of(LSTMTagger, (5, 3), scaled=True, cell="gru"), True),
            ("of_rnn", model_of(LSTMRegressor, (6,), n_outputs=2, cell="rnn"), "head"),
        )
    ]


@pytest.fixture(scope="module")
def objects(learners, tmp_path_factory):
    """What GCC makes of each: it sees more the more it optimises."""
    directory = tmp_path_factory.mktemp("objects")
    # As on a microcontroller, which loads programs at one address: else constants that hold some may lie in .data.
    command = [gcc, *C99, "-Wdouble-promotion", "-fno-pie"]
    forms = (["-O2"], ["-Os", "-DPYLSTM_SCALAR"])
    made = {
        (export.name, k): [*command, *flags, "-c", export.path, "-o", directory / f"{export.name}{k}.o"]
        for export, _, _ in learners
        for k, flags in enumerate(forms)
    }
    compile_all(made.values())
    return {key: command[-1] for key, command in made.items()}


@pytest.mark.long
@pytest.mark.parametrize("compiler", ["clang", "g++", "clang++"])
def test_compilers(compiler, learners):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    language = ["-x", "c++", *WARNINGS] if compiler.endswith("++") else ["-x", "c", *C99, "-Wdouble-promotion"]
    compile_all(
        [compiler, *language, *flags, "-fsyntax-only", export.path]
        for export, _, _ in learners
        for flags in ([], ["-DPYLSTM_SCALAR"])
    )


@pytest.mark.long
def test_names(objects):
    for (name, _), path in objects.items():
        lines = [line.split() for line in run("nm", path).splitlines()]
        defined = {symbol for *_, kind, symbol in lines if kind in "TDBCR"}
        assert defined == {f"{name}_{each}" for each in ("init", "reset", "step", "learn")}
        needed = {symbol for *_, kind, symbol in lines if kind == "U"}
        assert needed <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
        assert not [symbol for *_, kind, symbol in lines if kind in "bBC"]
        # What is written to is in no section of data.
        sections = run("objdump", "-h", path)
        assert not [
            line for line in sections.splitlines() if line.split()[1:2] == [".data"] and int(line.split()[2], 16)
        ]


def test_names_that_a_model_could_have(learners):
    """No function is called like a name of another model: one that is named "run" has run_step and run_window."""
    for export, _, _ in learners:
        text = Path(export.path).read_text()
        own = {f"{export.name}_{each}" for each in ("init", "reset", "step", "learn")}
        found = set(re.findall(r"^[a-zA-Z].*?\b(\w+)\([^;]*$", text, re.MULTILINE))
        assert own < found
        interface = text.split(f"#ifndef {export.name}_HEADER")[0]
        endings = {f"_{each}" for each in re.findall(rf"\b{export.name}_(\w+)", interface)}
        assert {"_step", "_window"} < endings
        others = {name for name in found if not name.startswith((f"{export.name}_", "pylstm_"))}
        assert not [name for name in others if name.endswith(tuple(endings))]


def program(learners, directory):
    """Write a C program that includes models as headers, trains each for 20 windows, and prints sizes and losses."""
    lines = ["#include <stdio.h>", '#include "pylstm.h"']
    for export, _, _ in learners:
        lines += [f"#define {export.name}_HEADER", f'#include "{export.path}"']
    lines += [
        "int main(void)",
        "{",
        "    float x[12] = {1, -2, 3, 0.5f}, y[3] = {0.5f, -1};",
        "    int labels[4] = {2, 0, 1, 1};",
        '    printf("%s", pylstm_isa_name(1));',
    ]
    for export, _, _ in learners:
        name = export.name
        answer = "labels" if "tag" in name else "y"
        lines += [
            "    {",
            f"        static {name}_model model;",
            "        float loss = 0;",
            f"        {name}_init(&model);",
            f"        for (int t = 0; t < 20; t++)\n            loss = {name}_learn(&model, x, {answer}, 0.1f);",
            f'        printf(" %d %d %.9g", (int)sizeof model, {name}_window, (double)loss);',
            "    }",
        ]
    (directory / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    return directory / "main.c"


@pytest.mark.long
def test_one_program_with_the_library_under_sanitizers(learners, library, tmp_path):
    sources = [program(learners, tmp_path), *(export.path for export, _, _ in learners)]
    run(gcc, *SANITIZERS, f"-I{SOURCES}", *sources, library, "-lm", "-lpthread", "-o", tmp_path / "main")
    words = run(tmp_path / "main").split()
    assert words[0] == "scalar"
    x = np.zeros(12)
    x[:4] = [1, -2, 3, 0.5]
    for k, (export, model, trainable) in enumerate(learners):
        size, window, loss = words[1 + 3 * k : 4 + 3 * k]
        assert (int(size), int(window)) == (export.ram_bytes, 4)
        is_tagger = "tag" in export.name
        reference = Reference.of_model(model, head_only=trainable == "head", carry_state=is_tagger, max_grad_norm=1.0)
        y = np.array([2, 0, 1, 1]) if is_tagger else np.array([0.5, -1])
        losses = [reference.learn(x.reshape(4, 3), y, np.float32(0.1)) for _ in range(20)]
        assert abs(float(loss) - losses[-1]) < 1e-5
        assert losses[-1] < losses[0]


# ---- what is refused


def test_errors(tmp_path):
    path = tmp_path / "model.c"
    model = LSTMTagger((3,), max_iter=1, random_state=0).fit(*toy(LSTMTagger))

    def refused(message, error=ValueError, model=model, **options):
        with pytest.raises(error, match=message):
            pylstm.export_c(model, path, **options)

    refused("trainable must be True, False or 'head', got 'tail'", trainable="tail")
    refused("trainable must be True, False or 'head', got 1", trainable=1)
    refused("window must be given with trainable: the number of steps", trainable=True)
    refused("window must be an integer >= 1, got 0", trainable=True, window=0)
    refused("window must be an integer >= 1, got 2.5", TypeError, trainable="head", window=2.5)
    refused("window goes with trainable=True or 'head' only, got 5", window=5)
    refused("carry_state goes with trainable=True or 'head' only, got True", carry_state=True)
    refused("carry_state goes with trainable=True or 'head' only, got False", carry_state=False)
    refused("max_grad_norm goes with trainable=True or 'head' only, got None", max_grad_norm=None)
    refused(
        "carry_state must be True, False or None, got 'yes'", TypeError, trainable=True, window=5, carry_state="yes"
    )
    refused("max_grad_norm must be a number in", trainable=True, window=5, max_grad_norm=-1)
    refused("max_grad_norm must be a number in", TypeError, trainable=True, window=5, max_grad_norm="big")
    refused("max_grad_norm must be positive, or None for no clipping, got 0", trainable=True, window=5, max_grad_norm=0)
    refused("weights must be 'float32' in a trainable file, got 'int8'", trainable=True, window=5, weights="int8")
    refused("must have an output layer and a loss to be trainable: an estimator, got a Sequence",
            model=pylstm.Sequence(2, 3), trainable=True, window=5)  # fmt: skip
    refused("not fitted", model=LSTMTagger(), trainable=True, window=5)
    refused("model must be one of", TypeError, model="model", trainable=True, window=5)
    for window in (2**31, 2**70):
        refused(f"window must be an int of C, at most 2147483647, got {window}", trainable="head", window=window)
    assert not list(tmp_path.iterdir())


def test_norms_that_float_has_not(tmp_path):
    model = model_of(LSTMTagger, (5,))
    for norm, written in ((1e300, "3.4028235e+38f"), (1e-60, "1.1754944e-38f"), (None, " 0.0f}")):
        for trainable in (True, "head"):
            pylstm.export_c(model, tmp_path / "model.c", trainable=trainable, window=3, max_grad_norm=norm)
            assert written.replace("}", "") in (tmp_path / "model.c").read_text()


def test_window_of_the_estimator(tmp_path):
    model = LSTMTagger((3,), window=4, max_iter=1, random_state=0).fit(*toy(LSTMTagger))
    for trainable in (True, "head"):
        own = pylstm.export_c(model, tmp_path / "own.c", name="tags", trainable=trainable)
        options = {"window": 4, "carry_state": True, "max_grad_norm": 1.0}
        given = pylstm.export_c(model, tmp_path / "given.c", name="tags", trainable=trainable, **options)
        assert own.ram_bytes == given.ram_bytes
        assert (tmp_path / "own.c").read_text() == (tmp_path / "given.c").read_text()


def test_command(tmp_path, capsys):
    model = LSTMTagger((3,), max_iter=1, random_state=0).fit(*toy(LSTMTagger))
    model.save(tmp_path / "model.safetensors")
    arguments = ["export", tmp_path / "model.safetensors", tmp_path / "model.c", "--window", 5, "--trainable"]
    for option, trainable in (("all", True), ("head", "head")):
        if trainable is True:
            said = run(sys.executable, "-P", "-m", "pylstm", *arguments, option)
        else:
            assert main([*map(str, arguments), option]) == 0
            said = capsys.readouterr().out
        export = pylstm.export_c(model, tmp_path / "same.c", name="model", trainable=trainable, window=5)
        assert f"model, {export.flash_bytes} bytes of constants, {export.ram_bytes} of state" in said
        assert (tmp_path / "model.c").read_text() == (tmp_path / "same.c").read_text()
