"""Compiling exported models: what tests share, and a table of compilers, flags and machines.

    python tests/compilers.py             models built and run in each way that is there; it says which are not
    python tests/compilers.py --library   the C library's own tests, of a build with CFLAGS that allow too much

With apt's clang, gcc-12-multilib (gcc-multilib alone excludes cross compilers), musl-tools, qemu-user, gcc-avr and the
cross compilers gcc-*-linux-gnu with their libc6-dev-*-cross, and the wheel ziglang, all can be tried but for running
what is built for Windows.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

SOURCES = Path(__file__).parents[1] / "src_c"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
C99 = ["-std=c99", "-Wconversion", *WARNINGS]
#: What is always inlined elsewhere are calls here, as src_c/Makefile says.
SANITIZERS = ["-O1", "-g1", "-Dalways_inline=unused", "-fsanitize=address,undefined,float-cast-overflow",
              "-fno-sanitize-recover=all"]  # fmt: skip

gcc = shutil.which("gcc")


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def compile_all(commands):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda command: run(*command), commands))


class Sampler(ctypes.Structure):
    """What an exported language model draws by, with room for the vocabularies of the tests."""

    _fields_ = [
        ("seed", ctypes.c_uint64),
        ("temperature", ctypes.c_float),
        ("top_k", ctypes.c_uint32),
        ("top_p", ctypes.c_float),
        ("scratch", ctypes.c_float * 1000),
    ]


# ---- ways to build a model


class Way(NamedTuple):
    """A compiler with its flags, and what runs a program, if its own machine does not; None: nothing does."""

    compiler: str
    runner: tuple[str, ...] | None = ()


ZIG = f"{sys.executable} -m ziglang cc -target"
#: Runs a program of WebAssembly: node's flags, and its program.
WASI = """
const { WASI } = require("wasi"), wasi = new WASI({ version: "preview1" });
const program = new WebAssembly.Module(require("fs").readFileSync(process.argv[1]));
wasi.start(new WebAssembly.Instance(program, wasi.getImportObject()));
"""
NO_LIBRARY = "-O2 -ffreestanding -nostdinc -c -isystem"
#: What the others have to agree with, but for rounding; test_export.py compares that with Python.
PLAIN = Way("gcc -std=c99 -O1 -DPYLSTM_SCALAR")
#: Those that take no more than a compiler of this machine.
QUICK = [
    Way("gcc -O1 -ffast-math"),
    Way("gcc -O1 -ffast-math -DPYLSTM_SCALAR"),
    Way("gcc -m32 -O1"),
    Way("clang -O1 -ffast-math"),
]
WAYS = [
    *QUICK,
    Way("gcc -Ofast"),
    Way("gcc -Ofast -DPYLSTM_SCALAR"),
    Way("clang -Ofast"),
    Way("clang -m32 -O2 -fassociative-math -fno-signed-zeros"),
    Way("gcc -O2 -fassociative-math -fno-signed-zeros -fno-trapping-math"),
    Way("gcc -Os -ffast-math -DPYLSTM_SCALAR"),
    Way("gcc -Ofast -mavx2 -mfma"),
    Way("gcc -O3 -ffast-math -flto"),
    Way("gcc -m32 -Ofast"),
    Way("gcc -m32 -Os"),
    Way("gcc -m32 -O2 -msse2"),
    Way("gcc -O2 -mfpmath=387 -DPYLSTM_SCALAR"),
    Way("clang -O2"),
    Way("clang -Ofast -DPYLSTM_SCALAR"),
    Way("clang -Ofast -mavx2 -mfma"),
    Way("clang -m32 -Ofast"),
    Way("musl-gcc -Ofast -static"),
    Way("aarch64-linux-gnu-gcc -Ofast -static", ("qemu-aarch64",)),
    Way("arm-linux-gnueabihf-gcc -Ofast -mfpu=neon -static", ("qemu-arm",)),
    Way("powerpc64-linux-gnu-gcc -Ofast -static", ("qemu-ppc64",)),
    Way("s390x-linux-gnu-gcc -Ofast -static", ("qemu-s390x",)),
    Way("mips-linux-gnu-gcc -Ofast -static", ("qemu-mips",)),
    Way(f"{ZIG} x86_64-linux-musl -O3 -ffast-math"),
    Way(f"{ZIG} x86-linux-musl -O3 -ffast-math -mno-sse2 -mno-sse"),
    Way(f"{ZIG} aarch64-linux-musl -O3 -ffast-math", ("qemu-aarch64",)),
    Way(f"{ZIG} s390x-linux-musl -O3 -ffast-math", ("qemu-s390x",)),
    Way(f"{ZIG} wasm32-wasi -O3 -ffast-math -msimd128", ("node", "--no-warnings", "-e", WASI)),
    Way(f"{ZIG} x86_64-windows-gnu -O3 -ffast-math", None),
    Way(f"gcc -mavx2 {NO_LIBRARY} {{include}}", None),
    Way(f"clang -mavx2 {NO_LIBRARY} {{include}}", None),
    Way("avr-gcc -mmcu=atmega1284p -std=gnu99 -Os -Wall -Wextra -Werror -c", None),
]

PROGRAM = """
#ifdef __STDC_HOSTED__
#if __STDC_HOSTED__ && !defined(__AVR__)
#include <stdio.h>

static void say(const float *values, int n)
{
    for (int k = 0; k < n; k++) {
        uint32_t bits;
        memcpy(&bits, values + k, sizeof bits);
        printf("%08lx\\n", (unsigned long)bits);
    }
}

/* Numbers that are the same everywhere; and a NaN that no compiler takes for something else. */
static void some(float *x, int n, int t)
{
    for (int k = 0; k < n; k++)
        x[k] = 0.25f * (float)((7 * t + 5 * k) % 17 - 8);
    if (t == 9)
        memset(x + n / 2, 0xff, sizeof *x);
}

int main(void)
{
    float x[64], y[16];
    static const float targets[4] = {0.5f, -1, 2};
"""
NAN_AT = 9


def models():
    """Yield C files by name, all in one program; and the statements that run each."""
    from nets import exported_forecasts, exported_net  # here, as few who run compilers need them

    from pylstm._devices import c_file, c_forecast, c_learn

    plain = {
        "Net": exported_net("lstm", (3, 9), 4, "cross_entropy", scaled=True, pooling="max"),
        "net": exported_net("gru", (3, 10), 3, "sigmoid", int8=True),
        "told": exported_net("lstm", (5, 4), 3, "squared_error", scaled=True, missing="indicator"),
        "held": exported_net("rnn", (3, 4), 3, "squared_error", scaled=True, missing="hold"),
    }
    for name, net in plain.items():
        run_steps = (
            f"{{ {name}_state s; {name}_reset(&s); for (int t = 0; t < 20; t++) {{ some(x, {name}_input_size, t); "
            f"{name}_step(&s, x, y); say(y, {name}_output_size); }} }}"
        )
        yield name, c_file.text(name, net, None), run_steps
    writer = exported_net("gru", (5, 6, 7), 8, tokens="embedding", texts=True, writes=True)
    yield (
        "text",
        c_file.text("text", writer, None),
        (
            "{ text_state s; static text_sampler by; by.temperature = 1, by.top_p = 0.75f; text_reset(&s); "
            'for (int t = 0; t < 20; t++) { text_step(&s, t == 9 ? 8 : text_token(&"HCAXB"[t % 5], 1), y); '
            "say(y, text_output_size); y[0] = (float)text_sample(&s, 3, &by); say(y, 1); } }"
        ),
    )
    learners = {
        "all": ("lstm", False, "cross_entropy", "t % 3", "max"),
        "head": ("rnn", True, "squared_error", "targets", "mean"),
    }
    for name, (cell, head_only, loss, answer, pooling) in learners.items():
        learning = c_learn.Learning(head_only, 5, False, 1.0, False)
        net = exported_net(cell, (3, 6), 3, loss, pooling=pooling, scaled_back=loss == "squared_error")
        text = c_learn.text(name, net, None, learning)
        run_steps = (
            f"{{ static {name}_model m; {name}_init(&m); for (int t = 0; t < 20; t++) {{ some(x, 15, t); "
            f"float loss = {name}_learn(&m, x, {answer}, 0.1f); say(&loss, 1); }} "
            f"say(m.weights, sizeof m.weights / sizeof(float)); }}"
        )
        yield name, text, run_steps
    taught = exported_net("lstm", (6, 6), 8, tokens="tied", writes=True)
    yield (
        "taught",
        c_learn.text("taught", taught, None, c_learn.Learning(False, 5, True, 1.0, True)),
        (
            "{ static taught_model m; taught_init(&m); for (int t = 0; t < 20; t++) { uint32_t text[6]; "
            "for (int k = 0; k < 6; k++) text[k] = (uint32_t)((7 * t + 3 * k * k) % 8); text[3] += t == 9 ? 8 : 0; "
            "float loss = taught_learn(&m, text, text + 1, 0.1f); say(&loss, 1); } "
            "say(m.weights, sizeof m.weights / sizeof(float)); }"
        ),
    )
    of_forecasters = {
        "direct": (
            exported_net("lstm", (5, 9), 1, "absolute_error"),
            exported_forecasts("direct", "lstm", (9,), ("sqrt", "log")),
        ),
        "onward": (
            exported_net("gru", (1, 6), 1, "squared_error"),
            exported_forecasts("recursive", "gru", (6,), ("log",)),
        ),
    }
    for name, (net, forecasts) in of_forecasters.items():
        text = c_forecast.text(name, net, c_forecast.way_of(forecasts, np.empty(0)))
        run_steps = (
            f"{{ double said[30]; {name}_state s; {name}_reset(&s); for (int t = 0; t < 20; t++) {{ some(x, 1, t); "
            f"{name}_update(&s, 4 + x[0]); }} {name}_predict(&s, 30, said); "
            "for (int t = 0; t < 30; t++) { float value = (float)said[t]; say(&value, 1); } }"
        )
        yield name, f"#ifndef __AVR__ /* which has no double of 64 bits */\n{text}\n#endif\n", run_steps


def write_program(folder):
    """Write a C file of a program that has several models, and says the bits of what they make of the same inputs."""
    folder = Path(folder)
    includes, body = [], []
    for name, text, run_steps in models():
        (folder / f"{name}.c".replace("Net", "Net_")).write_text(text)
        includes.append(f'#include "{name}.c"'.replace("Net", "Net_"))  # where case makes no difference to files
        body.append(f"    {run_steps}\n")
    text = "".join([*(f"{line}\n" for line in includes), PROGRAM, *body, "    return 0;\n}\n#endif\n#endif\n"])
    (folder / "main.c").write_text(text)
    return folder / "main.c"


def command_of(way):
    """Return the words of a compiler's command; or None where it, its library or the runner is not there."""
    words = way.compiler.split()
    if None in map(shutil.which, (words[0], *(way.runner or ())[:1])):
        return None
    if words[-1] == "{include}":
        words[-1] = run(words[0], "-print-file-name=include").strip()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "least.c").write_text("#include <stdint.h>\nint main(void)\n{\n    return 0;\n}\n")
        tried = subprocess.run([*words, f"{folder}/least.c", "-o", f"{folder}/least"], capture_output=True, check=False)
    return None if tried.returncode else words


def outputs(way, words, program):
    """Return the numbers that a program says which is built by these words; or None, if it could only be built."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / ("built.o" if "-c" in words else "built")
        run(*words, program, "-o", built)
        if way.runner is None:
            return None
        said = run(*way.runner, built).split()
    return np.array([int(bits, 16) for bits in said], np.uint32).view(np.float32)


#: Windows of learning make more of rounding than steps do.
BOUND = 1e-5


def difference(got, expected):
    """Return the largest difference of two programs' numbers; infinity, if they are NaN in other places."""
    if len(got) != len(expected) or (np.isnan(got) != np.isnan(expected)).any():
        return np.inf
    is_number = ~np.isnan(expected)
    return float(np.abs(got[is_number] - expected[is_number]).max())


def main():
    failures, untried = 0, []
    with tempfile.TemporaryDirectory() as folder:
        program = write_program(folder)
        expected = outputs(PLAIN, command_of(PLAIN), program)
        for way in WAYS:
            name = way.compiler.replace(sys.executable, "python")
            words = command_of(way)
            if words is None:
                untried.append(name)
                continue
            try:
                got = outputs(way, words, program)
            except AssertionError as error:
                failures += 1
                print(f"{name}: FAILED\n{error}")
                continue
            if got is None:
                print(f"{name}: built, not run")
                continue
            by = difference(got, expected)
            failures += not by < BOUND
            print(f"{name}: within {by:.1e}{'' if by < BOUND else ': FAILED'}", flush=True)
    print("could not be tried:", *(untried or ["nothing"]), sep="\n    ")
    return failures


#: What would reorder floats, were it not taken back.
TOO_MUCH = {"gcc": "-Ofast", "clang": "-O2 -fassociative-math -fno-signed-zeros"}


def library():
    """Run the library's tests, built with CFLAGS that allow too much."""
    with tempfile.TemporaryDirectory() as folder:
        for compiler, flags in TOO_MUCH.items():
            if shutil.which(compiler) is None:
                print(f"{compiler}: not there")
                continue
            print(compiler, flags, flush=True)
            options = [f"CC={compiler}", f"CFLAGS={flags}", f"BUILD={folder}/{compiler}", "CXX_TESTS="]
            subprocess.run(["make", "--silent", "-C", SOURCES, "test", *options], check=True)
    return 0


if __name__ == "__main__":
    sys.exit((library() if sys.argv[1:] == ["--library"] else main()) > 0)
