"""Exported models where a compiler may reorder floats, or has wider ones; and the library, which is not built then."""

import platform
import re
import shutil

import numpy as np
import pytest
from compilers import (
    BOUND,
    NAN_AT,
    PLAIN,
    QUICK,
    SOURCES,
    WARNINGS,
    command_of,
    difference,
    gcc,
    outputs,
    run,
    write_program,
)
from nets import exported_net

from pylstm._devices import c_file

pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Several models in one file; two of them have names that differ in case only."""
    return write_program(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def expected(program):
    return outputs(PLAIN, command_of(PLAIN), program)


@pytest.mark.long
@pytest.mark.parametrize("way", QUICK, ids=lambda way: way.compiler)
def test_floats_that_are_reordered_or_wider(way, program, expected):
    words = command_of(way)
    if words is None:
        pytest.skip("not there")
    assert difference(outputs(way, words, program), expected) < BOUND


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_several_models_in_one_file_of_cpp(program):
    run("g++", "-x", "c++", *WARNINGS, "-fsyntax-only", program)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="not x86-64")
def test_without_a_library(program):
    """Headers of the compiler's own are there, of those for AVX2 not all."""
    headers = run(gcc, "-print-file-name=include").strip()
    run(gcc, "-ffreestanding", "-nostdinc", "-isystem", headers, "-mavx2", "-mfma", "-fsyntax-only", program)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="not x86-64")
def test_bytes_without_an_instruction_that_shuffles_them(tmp_path):
    """They are interleaved, rather than taken one by one, which is twice the code and slower than scalars."""
    (tmp_path / "net.c").write_text(c_file.text("net", exported_net("lstm", (16, 64), 4, int8=True), None))
    sizes = []
    for flags in ([], ["-mssse3"]):
        run(gcc, "-O1", *flags, "-c", tmp_path / "net.c", "-o", tmp_path / "net.o")
        symbols = [line.split() for line in run("nm", "-S", "--size-sort", tmp_path / "net.o").splitlines()]
        sizes.append(sum(int(size, 16) for _, size, kind, _ in symbols if kind in "tT"))
    assert sizes[0] < 1.2 * sizes[1]


def test_what_is_said_of_an_input_that_is_no_number(expected):
    """All outputs of its step are NaN, and the steps after it are as if it had not been."""
    net = expected[: 20 * 4].reshape(20, 4)
    assert np.isnan(net[NAN_AT]).all()
    assert np.isfinite(np.delete(net, NAN_AT, axis=0)).all()
    assert np.isnan(expected).sum() == 4 + 3 + 8 + 2  # of three models a step, of two the loss of a window


# ---- the library


def test_the_library_is_not_built_of_other_floats(tmp_path):
    for flags, message in (
        ("-ffast-math", "needs floats as they are written: compile it without -ffast-math, -Ofast"),
        ("-ffinite-math-only", "needs floats as they are written"),
        ("-fassociative-math -fno-signed-zeros -fno-trapping-math", "needs floats as they are written"),
        ("-mfpmath=387", "needs floats that are rounded to their own size: compile it with -msse2 -mfpmath=sse"),
    ):
        command = [gcc, *flags.split(), "-DPYLSTM_REAL_BITS=32", f"-I{SOURCES}", "-fsyntax-only"]
        with pytest.raises(AssertionError, match=message):
            run(*command, SOURCES / "model" / "pooling.c")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_flags_that_allow_too_much_are_taken_back():
    """By the Makefile in every command, and by setup.py with the same flags."""
    makefile, setup = (SOURCES / "Makefile").read_text(), (SOURCES.parent / "setup.py").read_text()
    of_makefile = re.findall(r"-f[\w-]+", re.search(r"AS_WRITTEN = ((?:.*\\\n)*.*)\n", makefile)[1])
    of_setup = re.findall(r"-f[\w-]+", re.search(r"AS_WRITTEN = \[(.*?)^\]", setup, re.DOTALL | re.MULTILINE)[1])
    assert of_makefile == of_setup
    commands = run("make", "-n", "-B", "-C", SOURCES, "CFLAGS=-Ofast", "BUILD=nowhere", "nowhere/libpylstm.a")
    commands = [line.split() for line in commands.replace("\\\n", "").splitlines() if " -c " in line]
    assert len(commands) > 20
    for words in commands:
        assert words.index("-Ofast") < words.index("-fno-fast-math")
    first = commands[0][: commands[0].index("-c")]
    run(*first, f"-I{SOURCES}", "-DPYLSTM_REAL_BITS=32", "-fsyntax-only", SOURCES / "model" / "pooling.c")
