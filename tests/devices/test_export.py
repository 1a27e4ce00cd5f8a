"""`export_c`: the C file against `Stream`, on both of its paths, int8, compilers, linking, sanitizers, errors."""

import copy
import ctypes
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from compilers import C99, SANITIZERS, SOURCES, WARNINGS, compile_all, gcc, run
from export_vowels import rounding
from nets import CELLS, quantised
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import toy

import pylstm
from pylstm import LSTMClassifier, LSTMSequenceRegressor, LSTMTagger
from pylstm.__main__ import main
from pylstm._devices.blob import blob_of
from pylstm._net.describe import describe
from pylstm.datasets import load_japanese_vowels
from pylstm.preprocessing import PerStep

PATHS = {"vectors": [], "avx2": ["-mavx2", "-mfma"], "scalar": ["-DPYLSTM_SCALAR"]}
CPU_FLAGS = Path("/proc/cpuinfo").read_text().split() if os.path.exists("/proc/cpuinfo") else []
pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")
long = pytest.mark.long


def flags_of(path):
    if path == "avx2" and not {"avx2", "fma"} <= set(CPU_FLAGS):
        pytest.skip("no AVX2 and FMA here")
    return PATHS[path]


#: What a C function reads, as arrays have it.
C_TYPES = {"float": np.float32, "double": np.float64, "uint32_t": np.uint32}


class Compiled:
    """Exported models in one library: a file for each core, as what they include for AVX2 takes longer than they do."""

    def __init__(self, exports, directory, flags):
        self.directory = directory
        exports = list(exports)
        parts = [exports[k :: os.cpu_count()] for k in range(min(os.cpu_count(), len(exports)))]
        sources = [one_file(part, directory / f"part_{k}.c") for k, part in enumerate(parts)]
        objects = [f"{source}.o" for source in sources]
        compile_all(
            [gcc, *C99, "-O1", "-fPIC", *flags, "-c", source, "-o", target]
            for source, target in zip(sources, objects, strict=True)
        )
        run(gcc, "-shared", *objects, "-o", directory / "models.so")
        self.library = ctypes.CDLL(str(directory / "models.so"))

    def run(self, export, X, n_outputs):
        """Return the outputs of all steps of a sequence."""
        state = np.full(export.ram_bytes + 64, 0xA5, np.uint8)
        X, Y = np.ascontiguousarray(X, C_TYPES[export.reads]), np.empty((len(X), n_outputs), np.float32)
        y = np.full(n_outputs + 16, 0.25, np.float32)
        getattr(self.library, f"{export.name}_reset")(ctypes.c_void_p(state.ctypes.data))
        step = getattr(self.library, f"{export.name}_step")
        step.argtypes, step.restype = [ctypes.c_void_p] * 3, None
        for t in range(len(X)):
            step(state.ctypes.data, X[t].ctypes.data, y.ctypes.data)
            Y[t] = y[:n_outputs]
        assert (state[export.ram_bytes :] == 0xA5).all()  # nothing behind the state
        assert (y[n_outputs:] == 0.25).all()
        return Y


def one_file(exports, path):
    """Write all of them into a file, of which compilers say more than of what it includes; return its path."""
    path.write_text("".join(Path(export.path).read_text() for export in exports))
    return path


def random_model(hidden, seed, cell="lstm"):
    """Return a model with `hidden` units in its first layer, one to three layers, of each kind in turn."""
    rng = np.random.default_rng(seed)
    sizes = (hidden, *rng.integers(1, 41, hidden % 3))
    sizes = tuple(int(size) for size in sizes)
    input_size = int(rng.integers(1, 20))
    if hidden % 4 == 0:
        model = pylstm.Sequence(input_size, sizes, random_state=seed, **CELLS[cell])
    else:
        cls = (LSTMTagger, LSTMSequenceRegressor, LSTMClassifier)[hidden % 4 - 1]
        X = rng.normal(size=(12, 3, input_size))
        n_labels = 2 + hidden % 5
        y = {
            LSTMTagger: np.arange(36).reshape(12, 3) % n_labels,
            LSTMSequenceRegressor: rng.normal(size=(12, 3, n_labels)),
            LSTMClassifier: np.arange(12) % n_labels if hidden % 8 == 3 else np.arange(60).reshape(12, 5) % 2,
        }[cls]
        options = {"pooling": ("last", "mean", "max")[hidden // 4 % 3]} if cls is LSTMClassifier else {}
        model = cls(sizes, max_iter=1, random_state=seed, **CELLS[cell], **options)
        model = make_pipeline(PerStep(StandardScaler()), model) if hidden % 3 == 0 else model
        model.fit(5 + 3 * X, y)
    for values in net_of(model).parameters().values():
        values[...] = rng.uniform(-1, 1, values.shape)
        if cell != "lstm":  # which damps differences of rounding; the others would make them larger with each step
            values /= np.sqrt(values.shape[-1])
    return model


def net_of(model):
    return describe(model).net


def data_of(model, seed=0):
    input_size = pylstm.stream(model).input_size
    return (5 * np.random.default_rng(seed).normal(size=(12, input_size))).astype(np.float32)


@pytest.fixture(scope="module")
def models():
    return {f"m{hidden}": random_model(hidden, hidden) for hidden in range(1, 41)}


# ---- what it computes


@pytest.mark.parametrize(
    ("weights", "path", "every"),
    [("float32", "scalar", 10), pytest.param("float32", "scalar", 3, marks=long),
     *(pytest.param("float32", path, every, marks=long) for path, every in (("vectors", 1), ("avx2", 4))),
     *(pytest.param("int8", path, every, marks=long) for path, every in (("vectors", 4), ("scalar", 5), ("avx2", 5)))],
)  # fmt: skip
def test_random_models(models, weights, path, every, tmp_path):
    """Every hidden size from 1 to 40, and on the other paths some."""
    check(dict(list(models.items())[::every]), weights, path, tmp_path)


@pytest.mark.parametrize("cell", ["gru", "rnn", "relu"])
@pytest.mark.parametrize(
    ("weights", "path", "sizes"),
    [("float32", "vectors", [1, 4, 7, 8, 14, 16, 17, 23, 24, 37, 40]), ("float32", "scalar", [9, 20, 31]),
     ("float32", "avx2", [8, 35]), ("int8", "vectors", [8, 13, 40]), ("int8", "scalar", [12, 33]),
     ("int8", "avx2", [19])],
)  # fmt: skip
@long
def test_random_models_of_other_cells(cell, weights, path, sizes, tmp_path):
    check({f"m{hidden}": random_model(hidden, hidden, cell) for hidden in sizes}, weights, path, tmp_path)


def check(models, weights, path, tmp_path):
    exports = {name: pylstm.export_c(model, tmp_path / f"{name}.c", weights=weights) for name, model in models.items()}
    compiled = Compiled(exports.values(), tmp_path, flags_of(path))
    for name, model in models.items():
        X = data_of(model)
        if weights == "int8":
            model = copy.deepcopy(model)
            net_of(model).set_weights(quantised(net_of(model)))
        expected = pylstm.stream(model).process(X)
        bound = 2e-6 * max(1, np.abs(expected).max()) if describe(model).spec.nonlinearity == "relu" else 2e-6
        np.testing.assert_allclose(compiled.run(exports[name], X, expected.shape[1]), expected, rtol=0, atol=bound)


@pytest.fixture(scope="module")
def vowels(tmp_path_factory):
    """A pipeline, how far its exports may be from it, and two of them."""
    pipeline = make_pipeline(PerStep(StandardScaler()), LSTMClassifier((100,), max_iter=25, random_state=0))
    pipeline.fit(*load_japanese_vowels(split="train"))
    directory, (X, y) = tmp_path_factory.mktemp("vowels"), load_japanese_vowels(split="test")
    plain = pylstm.export_c(pipeline, directory / "plain.c")
    small = pylstm.export_c(pipeline, directory / "small.c", weights="int8", data=(X, y))
    return pipeline, rounding(pipeline, X), plain, small


@pytest.mark.parametrize("path", ["vectors", *(pytest.param(path, marks=long) for path in PATHS if path != "vectors")])
def test_japanese_vowels(vowels, path, tmp_path):
    (vowels, bound, plain, small), (X, y) = vowels, load_japanese_vowels(split="test")
    compiled = Compiled([plain, small], tmp_path, flags_of(path))
    classes, expected = vowels.classes_, vowels.predict_proba(X)
    last = {e.name: np.array([compiled.run(e, x, len(classes))[-1] for x in X]) for e in (plain, small)}
    np.testing.assert_allclose(last["plain"], expected, rtol=0, atol=bound)
    np.testing.assert_array_equal(classes[last["plain"].argmax(axis=1)], vowels.predict(X))
    accuracy = (classes[last["small"].argmax(axis=1)] == y).mean()
    assert accuracy >= vowels.score(X, y) - 0.01
    assert small.score == vowels.score(X, y)
    assert small.quantised_score == accuracy
    assert plain.flash_bytes == 4 * (400 * (12 + 100 + 1) + 9 * 101 + 2 * 12)
    assert small.flash_bytes == 400 * (12 + 100) + 9 * 100 + 4 * (3 * 400 + 2 * 9 + 2 * 12)
    assert plain.ram_bytes == small.ram_bytes == 4 * (100 + 104 + 104 + 12)
    assert plain.score is plain.quantised_score is None


def test_rows_of_zeros(tmp_path):
    seq = pylstm.Sequence(2, 3, random_state=0)
    for values in seq.parameters().values():
        values[::2] = 0
    export = pylstm.export_c(seq, tmp_path / "zeros.c", weights="int8")
    X = data_of(seq)
    expected = pylstm.Sequence.forward(seq, X[np.newaxis])[0][0]
    np.testing.assert_allclose(Compiled([export], tmp_path, []).run(export, X, 3), expected, atol=0.02)


def test_what_a_cell_takes(tmp_path):
    """Flash and RAM, and what the comment says of them."""
    taken = {
        "lstm": (4 * 12 * (2 + 3 + 1), 4 * (3 + 8 + 8), "an LSTM", "LSTM of 3 units"),
        "gru": (4 * (9 * (2 + 3) + 12), 4 * (8 + 8), "a GRU", "GRU of 3 units"),
        "rnn": (4 * 3 * (2 + 3 + 1), 4 * (3 + 8), "an RNN", "RNN of 3 units"),
        "relu": (4 * 3 * (2 + 3 + 1), 4 * (3 + 8), "an RNN", "RNN of 3 units"),
    }
    for cell, (flash, ram, title, layer) in taken.items():
        seq = pylstm.Sequence(2, 3, random_state=0, **CELLS[cell])
        export = pylstm.export_c(seq, tmp_path / f"{cell}.c")
        assert (export.flash_bytes, export.ram_bytes) == (flash, ram)
        text = Path(export.path).read_text()
        assert text.startswith(f"/* {cell}: {title}, written by pylstm")
        assert f"2 inputs -> {layer}\n" in text
        for trainable in (True, "head"):
            model = LSTMTagger((3,), max_iter=1, random_state=0, **CELLS[cell]).fit(*toy(LSTMTagger))
            pylstm.export_c(model, tmp_path / f"{cell}.c", trainable=trainable, window=4)
            assert (tmp_path / f"{cell}.c").read_text().startswith(f"/* {cell}: {title} that learns, by pylstm")


# ---- compilers, linking, sanitizers


@pytest.fixture(scope="module")
def other_cells(tmp_path_factory):
    """Of each other cell a model of floats, and of a GRU one of bytes."""
    directory = tmp_path_factory.mktemp("others")
    exports = [pylstm.export_c(random_model(9, 9, cell), directory / f"of_{cell}.c") for cell in ("gru", "rnn", "relu")]
    return [*exports, pylstm.export_c(random_model(10, 10, "gru"), directory / "bytes_of_gru.c", weights="int8")]


@pytest.fixture(scope="module")
def three(models, tmp_path_factory):
    """A model without a head, a scaled one with probabilities, and one of bytes with values."""
    directory = tmp_path_factory.mktemp("three")
    return [
        pylstm.export_c(models["m4"], directory / "bare.c"),
        pylstm.export_c(models["m9"], directory / "tags.c"),
        pylstm.export_c(models["m10"], directory / "values.c", weights="int8"),
    ]


@pytest.fixture(scope="module")
def objects(three, other_cells, tmp_path_factory):
    """What GCC makes of every export and path: it sees more the more it optimises."""
    directory = tmp_path_factory.mktemp("objects")
    made = {
        (export.name, path): [gcc, *C99, "-O2", *flags, "-c", export.path, "-o", directory / f"{export.name}_{path}.o"]
        for export in (*three, *other_cells)
        for path, flags in PATHS.items()
        if path != "avx2" or "avx2" in CPU_FLAGS
    }
    compile_all(made.values())
    return {key: command[-1] for key, command in made.items()}


@long
@pytest.mark.parametrize("compiler", ["clang", "g++", "clang++"])
def test_compilers(compiler, three, other_cells, tmp_path):
    """Each alone by GCC, above; all in one file by the others."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    language = ["-x", "c++"] if compiler.endswith("++") else ["-x", "c", "-std=c99", "-Wconversion"]
    source = one_file([*three, *other_cells], tmp_path / "all.c")
    compile_all(
        [compiler, *language, *WARNINGS, *flags, "-fsyntax-only", source]
        for path, flags in PATHS.items()
        if path != "avx2" or "avx2" in CPU_FLAGS
    )


@long
def test_names(objects):
    for (name, _), path in objects.items():
        defined = {line.split()[-1] for line in run("nm", "--defined-only", "--extern-only", path).splitlines()}
        assert defined == {f"{name}_reset", f"{name}_step"}
        needed = {line.split()[-1] for line in run("nm", "--undefined-only", path).splitlines()}
        assert needed <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
        sections = run("nm", path).split("\n")
        assert not [line for line in sections if line.split()[1:2] and line.split()[-2] in "bBdDcC"]  # nothing to write


def program(exports, directory):
    """Write a C program that includes models as headers, steps each, and prints sizes and outputs."""
    lines = ["#include <stdio.h>", '#include "pylstm.h"']
    for export in exports:
        lines += [f"#define {export.name}_HEADER", f'#include "{export.path}"']
    lines += ["int main(void)", "{", "    float x[64] = {1, -2, 3}, y[64];", '    printf("%s", pylstm_isa_name(1));']
    for export in exports:
        name = export.name
        lines += [
            f"    static {name}_state {name};",
            f"    {name}_reset(&{name});",
            f"    for (int t = 0; t < 5; t++)\n        {name}_step(&{name}, x, y);",
            f'    printf(" %d %d %d %.9g", (int)sizeof {name}, {name}_input_size, {name}_output_size, (double)y[0]);',
        ]
    (directory / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    return directory / "main.c"


@pytest.mark.parametrize("flags", [[], ["-DPYLSTM_SCALAR"]], ids=["vectors", "scalar"])
@long
def test_one_program_with_the_library_under_sanitizers(three, models, library, flags, tmp_path):
    sources = [program(three, tmp_path), *(export.path for export in three)]
    run(gcc, *SANITIZERS, *flags, f"-I{SOURCES}", *sources, library, "-lm", "-lpthread", "-o", tmp_path / "main")
    words = run(tmp_path / "main").split()
    assert words[0] == "scalar"
    for k, (export, name) in enumerate(zip(three, ("m4", "m9", "m10"), strict=True)):
        size, n_x, n_y, y = words[1 + 4 * k : 5 + 4 * k]
        stream = pylstm.stream(models[name])
        assert (int(size), int(n_x), int(n_y)) == (export.ram_bytes, stream.input_size, stream.output_size)
        x = np.zeros(max(3, stream.input_size), np.float32)
        x[:3] = [1, -2, 3]
        expected = [stream.step(x[: stream.input_size]) for _ in range(5)][-1][0]
        assert abs(float(y) - expected) < (0.05 if export.name == "values" else 2e-6)


# ---- what is refused


def small():
    return pylstm.Sequence(2, 3, random_state=0)


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [
        ("model-2.c", None, r"the name of .*model-2.c' must be a C identifier, .* got 'model-2': give another as name"),
        ("2.c", None, "must be a C identifier"),
        ("model.c", "", "name must be a C identifier, letters, digits and _ after a letter, got ''"),
        ("model.c", "ähnlich", "name must be a C identifier"),
        ("model.c", "_model", "name must be a C identifier"),
        ("model.c", "a\n", "name must be a C identifier"),
        ("float.c", None, "must not be a keyword of C or C[+][+], got 'float': give another as name"),
        ("model.c", "class", "name must not be a keyword of C or C[+][+], got 'class'"),
        ("pylstm.c", None, "must not begin with 'pylstm'"),
        ("model.c", "PYLSTM", "name must not begin with 'pylstm', .* got 'PYLSTM'"),
    ],
)
def test_names_that_are_refused(file, name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pylstm.export_c(small(), tmp_path / file, name=name)
    with pytest.raises(TypeError, match="name must be a string or None, got 3"):
        pylstm.export_c(small(), tmp_path / file, name=3)
    assert not list(tmp_path.iterdir())


def test_models_that_are_refused(tmp_path):
    path, (X, y) = tmp_path / "model.c", toy(LSTMClassifier)

    def refused(model, message, error=ValueError, **options):
        with pytest.raises(error, match=message):
            pylstm.export_c(model, path, **options)

    def fitted(cls=LSTMClassifier, **options):
        return cls((3,), max_iter=1, random_state=0, **options).fit(*toy(cls))

    two = {"bidirectional": True}
    refused(pylstm.Sequence(2, 3, **two), "must not be bidirectional to be exported: its reverse direction starts at")
    refused(fitted(**two), "must not be bidirectional to be exported")
    refused(fitted(dtype="float64"), "must be of float32 to be exported, got float64: make it with dtype='float32'")
    refused(LSTMClassifier(), "not fitted")
    refused("model", "model must be one of", TypeError)
    diverged = small()
    diverged.parameters()["bias_l0"][0] = np.nan
    refused(diverged, "must have finite weights to be exported, got NaN or infinity among them")
    refused(small(), "weights must be 'float32' or 'int8', got 'int4'", weights="int4")
    refused(fitted(), "data goes with weights='int8' and an estimator only", data=(X, y))
    refused(small(), "data goes with weights='int8' and an estimator only", data=(X, y), weights="int8")
    refused(fitted(), r"data must be a pair \(X, y\), got list", data=[X], weights="int8")
    assert not list(tmp_path.iterdir())


def test_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*nowhere/model.c'"):
        pylstm.export_c(small(), tmp_path / "nowhere" / "model.c")
    with pytest.raises(ValueError, match=r"path must name a file, got .*, which is something else"):
        pylstm.export_c(small(), tmp_path, name="model")
    export = pylstm.export_c(small(), str(tmp_path / "model.c"))
    assert export == pylstm.Export(str(tmp_path / "model.c"), "model", 4 * 12 * (2 + 3 + 1), 4 * (3 + 8 + 8))
    assert [path.name for path in tmp_path.iterdir()] == ["model.c"]


def test_nothing_is_left_where_writing_fails(monkeypatch, tmp_path):
    path = tmp_path / "model.c"
    path.write_text("before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        pylstm.export_c(small(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_labels_cannot_end_the_comment(tmp_path):
    X, _ = toy(LSTMClassifier)
    y = np.array(["*/ int x; /*", "é\n??/"])[np.arange(len(X)) % 2]
    export = pylstm.export_c(LSTMClassifier((3,), max_iter=1).fit(X, y), tmp_path / "labels.c")
    run(gcc, *C99, "-O1", "-c", export.path, "-o", tmp_path / "labels.o")


# ---- the command line


def test_command(tmp_path, capsys):
    model = LSTMTagger((3,), max_iter=1, random_state=0).fit(*toy(LSTMTagger))
    model.save(tmp_path / "model.safetensors")
    command = [sys.executable, "-P", "-m", "pylstm", "export", tmp_path / "model.safetensors", tmp_path / "model.c"]
    said = run(*command, "--name", "tags", "--weights", "int8")
    export = pylstm.export_c(model, tmp_path / "same.c", name="tags", weights="int8")
    assert f"tags, {export.flash_bytes} bytes of constants, {export.ram_bytes} of state" in said
    assert (tmp_path / "model.c").read_text() == (tmp_path / "same.c").read_text()
    assert main(["export", str(tmp_path / "model.safetensors"), str(tmp_path / "int.c")]) == 1
    assert "must not be a keyword" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nothing"), str(tmp_path / "model.c")]) == 1


def test_weights_blob(tmp_path):
    seq = pylstm.Sequence(2, 3, random_state=0)
    pylstm.export_c(seq, tmp_path / "net.c", weights_blob=tmp_path / "net.blob")
    assert (tmp_path / "net.blob").read_bytes() == blob_of(seq)
