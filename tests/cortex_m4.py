"""What exported models take of a Cortex-M4, as its compiler and an emulator measure it.

`cortex_m4.py --write` measures each feature of files, and writes pylstm/_devices/cortex_m4_table.py. `cortex_m4.py`
compares what the files of some models say with what they take, and one that learns with bounds; it fails where they are
more than 10 % off, or that is beyond its bounds.
"""

import itertools
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from nets import exported_forecasts, exported_net

from pylstm._devices import c_file, c_forecast, c_learn
from pylstm._devices.cortex_m4_table import GCC

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "pylstm" / "_devices" / "cortex_m4_table.py"
COMPILER = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-std=gnu99"]
EMULATOR = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-semihosting", "-kernel"]
CELLS = ["lstm", "gru", "rnn", "relu"]
LOSSES = [*c_learn.LOSSES]
#: What each feature of `cortex_m4.features` is, beside what a model has without it.
BASE = {"sizes": (12, 16), "loss": "squared_error"}
FEATURES = {
    "scaled": {"scaled": True},
    "scaled of layers": {"scaled": True, "sizes": (12, 16, 8)},
    "scaled in double": {"scaled": "in double"},
    "scaled in double of layers": {"scaled": "in double", "sizes": (12, 16, 8)},
    "indicator": {"scaled": True, "missing": "indicator"},
    "hold": {"scaled": True, "missing": "hold"},
    "indicator in double": {"scaled": "in double", "missing": "indicator"},
    "hold in double": {"scaled": "in double", "missing": "hold"},
    **{loss: {"loss": loss} for loss in LOSSES if loss != "squared_error"},
    "none": {"n_outputs": 0},
    "int8": {"int8": True},
    "int8 of layers": {"int8": True, "sizes": (12, 16, 8)},
    "second layer": {"sizes": (12, 16, 8)},
    "further layer": {"sizes": (12, 16, 8, 8)},
    "mean": {"pooling": "mean"},
    "mean of layers": {"pooling": "mean", "sizes": (12, 16, 8)},
    "max": {"pooling": "max"},
    "max of layers": {"pooling": "max", "sizes": (12, 16, 8)},
    "scaled back": {"scaled_back": True},
    "scaled back of layers": {"scaled_back": True, "sizes": (12, 16, 8)},
    "scaled back in double": {"scaled_back": "in double"},
    "scaled back in double of layers": {"scaled_back": "in double", "sizes": (12, 16, 8)},
    "scaled back in double too": {"scaled_back": "in double", "scaled": "in double"},
    "scaled back in double too of layers": {"scaled_back": "in double", "scaled": "in double", "sizes": (12, 16, 8)},
    "one-hot": {"tokens": "one-hot"},
    "one-hot of layers": {"tokens": "one-hot", "sizes": (12, 16, 8)},
    "embedding": {"tokens": "embedding"},
    "embedding int8": {"tokens": "embedding", "int8": True},
    "frozen": {"tokens": "frozen"},
    "tied": {"tokens": "tied", "sizes": (16, 16)},
    "texts": {"tokens": "one-hot", "texts": True},
    "writes": {"tokens": "one-hot", "sizes": (9, 16), "loss": "cross_entropy", "writes": True},
    "units left": {"sizes": (12, 17)},
    "units left of layers": {"sizes": (12, 17, 9)},
    "one output": {"n_outputs": 1},
    "one output of layers": {"n_outputs": 1, "sizes": (12, 16, 8)},
    "few outputs": {"n_outputs": 3},
    "fours of outputs": {"n_outputs": 8},
    "per step": {"per_step": True},
    "per step in double": {"per_step": True, "scaled_back": "in double"},
    "carried": {"carried": True},
    "log": {"transforms": ("log",)},
    "log of layers": {"transforms": ("log",), "sizes": (12, 16, 8)},
    "log of int8": {"transforms": ("log",), "int8": True},
    "sqrt": {"transforms": ("sqrt",)},
    "sqrt of layers": {"transforms": ("sqrt",), "sizes": (12, 16, 8)},
    "sqrt of int8": {"transforms": ("sqrt",), "int8": True},
    "sqrt beside log": {"transforms": ("sqrt", "log")},
    "X": {"n_features": 2},
    "X of layers": {"n_features": 2, "sizes": (12, 16, 8)},
    "X of int8": {"n_features": 2, "int8": True},
    "quantiles": {"n_quantiles": 2},
    "quantiles of sqrt": {"n_quantiles": 2, "transforms": ("sqrt",)},
}
#: Of forecasters.
AROUND = {f"{what}{of}" for what in ("log", "sqrt", "X") for of in ("", " of layers", " of int8")}
FORECASTS = {*AROUND, "sqrt beside log", "quantiles", "quantiles of sqrt"}
LAYERS = {"int8", "int8 of layers", "second layer", "further layer", "units left", "units left of layers"}
#: What is added to, where it is not a model without.
BELOW = {
    **dict.fromkeys(("further layer", *(feature for feature in FEATURES if "of layers" in feature)), "second layer"),
    "per step in double": "scaled back in double",
    **dict.fromkeys(("indicator", "hold"), "scaled"),
    **dict.fromkeys(("indicator in double", "hold in double"), "scaled in double"),
    "quantiles of sqrt": "sqrt",
    "sqrt beside log": "log",
    **dict.fromkeys(("log of int8", "sqrt of int8", "X of int8"), "int8"),
    "embedding int8": "int8",
    **dict.fromkeys(("frozen", "tied"), "embedding"),
    "texts": "one-hot",
    "scaled back in double too": "scaled in double",
    "scaled back in double too of layers": "scaled in double of layers",
}
#: And where it is one with several features more, if that kind of file has them.
BELOW_ALL = {"writes": ("one-hot", "cross_entropy", "per step")}
#: Features that a kind of file does not have, or that its code does not read.
SIZES = {
    *("units left", "units left of layers"),
    *("one output", "one output of layers", "few outputs", "fours of outputs"),
}
OF_TABLES = {"frozen", "tied"}  # which only learning all of a model tells from others
INT8 = {"none", "int8", "int8 of layers", "embedding int8"}
MISSING = {"indicator", "hold", "indicator in double", "hold in double"}
WITHOUT = {
    "plain": {
        *("per step", "per step in double", "carried", "absolute_error", "huber", "quantile"),
        *FORECASTS,
        *OF_TABLES,
    },
    "head": {*INT8, *MISSING, *OF_TABLES, *FORECASTS},
    "all": {*INT8, *SIZES, *MISSING, *FORECASTS},
    "direct": FEATURES.keys() - LAYERS - FORECASTS,
    "recursive": FEATURES.keys() - LAYERS - AROUND,
}


class Measured(NamedTuple):
    code: int
    constants: int
    stack: int


def run(*command):
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def file_of(kind, cell, *, per_step=False, carried=False, n_counted=None, **of):
    """Return the text of an exported model, and of a program that says how much stack it took; or learns so often."""
    if kind in ("direct", "recursive"):
        return file_of_forecaster(kind, cell, **of)
    net, sampler = exported_net(cell, **of), ""
    step = f"m_step(&model, {'x' if net.tokens is None else 3}, y)"
    if kind == "plain":
        text = c_file.text("m", net, None)
        state, calls = "state", ["m_reset(&model)", step]
    else:
        per_step = per_step or net.writes_tokens
        text = c_learn.text("m", net, None, c_learn.Learning(kind == "head", 16, carried, 1.0, per_step))
        answer = "x" if net.writes_tokens else ("labels" if per_step else "1") if net.reads_labels else "values"
        state, calls = "model", ["m_init(&model)", step, f"m_learn(&model, x, {answer}, 0.1f)"]
    if net.tokens is not None and net.tokens.vocabulary is not None:
        calls += ['m_token("A", 1)', "m_text(3, NULL)"]
    if net.writes_tokens:
        calls.append("m_sample(&model, 3, &sampler)")
        sampler = "static m_sampler sampler = {1, 0.5f, 3, 0.9f};"
    if n_counted is None:
        calls = [f"STACK_OF({call}, written);\n    if (written > most)\n        most = written;" for call in calls]
    else:
        calls = [f"{calls[0]};", f"for (int k = 0; k < {n_counted}; k++)\n        {calls[-1]};", "written = most;"]
    variables = (
        f"static {net.reads} x[1000];\n    static {net.writes} y[100], values[1000];\n    static int labels[100];\n    "
        + sampler
    )
    return text, program_of(state, variables, "(void)values, (void)labels, (void)x, (void)y;", calls)


def file_of_forecaster(kind, cell, *, sizes=BASE["sizes"], transforms=(None,), n_features=0, n_quantiles=0, **of):
    """Return the same of a forecaster; the first of the sizes is not read."""
    forecasts = exported_forecasts(kind, cell, sizes[1:], transforms, n_features)
    of.pop("loss", None)
    n_inputs = n_features + (1 if kind == "recursive" else 3 + len(forecasts.lags))
    net = exported_net(cell, (n_inputs, *sizes[1:]), 1, "absolute_error", **of)
    way = c_forecast.way_of(forecasts, np.linspace(0.1, 0.9, n_quantiles))
    x = ", x" if n_features else ""
    calls = ["m_reset(&model)", f"m_update(&model, 2{x})", f"m_predict(&model, 30{x}, y)"]
    calls += ["m_quantiles(&model, 30, y, bounds)"] if n_quantiles else []
    calls = [f"STACK_OF({call}, written);\n    if (written > most)\n        most = written;" for call in calls]
    program = program_of("state", "static double y[30], bounds[600], x[150];", "(void)bounds, (void)x;", calls)
    return c_forecast.text("m", net, way), program


def program_of(state, variables, unused, calls):
    """Return a program that makes calls, and prints what is the most then."""
    lines = "\n    ".join(calls)
    return f"""\
#include "device.h"
#define m_HEADER
#include "model.c"

int main(void)
{{
    static m_{state} model;
    {variables}
    int written, most = 0;
    {unused}
    {lines}
    printf("%d\\n", most);
    return 0;
}}
"""


def build(folder, text, program, optimised):
    """Compile a model to folder/model.o, and the program with it to folder/main."""
    model, main = folder / "model", folder / "main"
    model.with_suffix(".c").write_text(text)
    main.with_suffix(".c").write_text(program)
    run(*COMPILER, optimised, "-c", f"{model}.c", "-o", f"{model}.o")
    run(*COMPILER, optimised, "-DCORTEX_M4", f"-I{TESTS / 'c'}", f"{main}.c", f"{model}.o", "--specs=rdimon.specs",
        "-nostartfiles", "-T", TESTS / "c" / "cortex_m4.ld", "-o", main)  # fmt: skip


def measure(text, program, optimised):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        build(folder, text, program, optimised)
        total = int(run("arm-none-eabi-size", folder / "model.o").splitlines()[1].split()[0])
        symbols = [line.split() for line in run("arm-none-eabi-nm", "-S", folder / "model.o").splitlines()]
        constants = sum(int(symbol[1], 16) for symbol in symbols if len(symbol) == 4 and symbol[2] in "rR")
        return Measured(total - constants, constants, int(run(*EMULATOR, folder / "main")))


def measure_all(files):
    """Return what each of the files takes with -Os and with -O2."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda file: [measure(*file, optimised) for optimised in ("-Os", "-O2")], files))


# ---- the table


HEAD = '''\
"""Bytes of code with -Os and with -O2, and of stack likewise, which tests/cortex_m4.py measures and writes down.

Of a model of one layer that learns squared errors, and what each feature adds; one that adds next to nothing is not
listed.
"""
'''


def write():
    which = [
        (kind, cell, feature)
        for kind, without in WITHOUT.items()
        for cell in CELLS
        for feature in ("", *(feature for feature in FEATURES if feature not in without))
    ]
    files = [file_of(kind, cell, **BASE | FEATURES.get(feature, {})) for kind, cell, feature in which]
    rows = {
        key: (small.code, fast.code, small.stack, fast.stack)
        for key, (small, fast) in zip(which, measure_all(files), strict=True)
    }
    lines = [HEAD, f'GCC = "{version()}"', "MEASURED = {"]
    for kind, cell in itertools.product(WITHOUT, CELLS):
        base = rows[kind, cell, ""]
        lines += [f'    ("{kind}", "{exported_net(cell).c_name}"): {{', f'        "": {base},']
        for feature in FEATURES:
            if (kind, cell, feature) not in rows:
                continue
            below = rows[kind, cell, BELOW.get(feature, "")]
            if feature in BELOW_ALL:
                of = [rows[kind, cell, each] for each in BELOW_ALL[feature] if (kind, cell, each) in rows]
                below = tuple(sum(each) - (len(of) - 1) * each_base for *each, each_base in zip(*of, base, strict=True))
            added = tuple(with_it - without for with_it, without in zip(rows[kind, cell, feature], below, strict=True))
            if any(abs(more) > 0.015 * there for more, there in zip(added, base, strict=True)):
                lines.append(f'        "{feature}": {added},')
        lines.append("    },")
    TABLE.write_text("\n".join([*lines, "}", ""]))


def version():
    return run(COMPILER[0], "-dumpversion").split(".")[0]


# ---- the check

#: A model of the Japanese vowels, as tests/export_learning.py has it.
VOWELS = {"cell": "lstm", "sizes": (12, 16), "n_outputs": 9, "loss": "cross_entropy", "scaled": True}
#: What that takes at most: code (-Os), RAM, stack (-Os, -O2), and instructions for a window (-O2). The library's own
#: files, of which it was made once, took 47.5 KB, 50,024, 2,308 and 808,203.
MOST = {"code": 3072, "RAM": 16384, "stack": 256, "instructions": 542_000}


def instructions():
    """Return how many instructions a window takes with -O2."""
    counts = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run("gcc", "-shared", "-fPIC", TESTS / "c" / "count_instructions.c", "-o", folder / "count.so")
        for n_counted in (2, 12):
            build(folder, *file_of("all", n_counted=n_counted, **VOWELS), "-O2")
            command = [*EMULATOR, folder / "main", "-plugin", folder / "count.so"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
            counts.append(int(done.stderr))
    return (counts[1] - counts[0]) // 10


def check_vowels():
    learning = c_learn.Learning(False, 16, False, 1.0, False)
    small, fast = measure_all([file_of("all", **VOWELS)])[0]
    takes = {
        "code": small.code,
        "RAM": c_learn.memory_of(exported_net(**VOWELS), learning)[1],
        "stack": max(small.stack, fast.stack),
        "instructions": instructions(),
    }
    beyond = [what for what, most in MOST.items() if takes[what] > most]
    print(f"a model of 16 units that learns takes {takes}; too much: {beyond or 'nothing'}")
    return len(beyond)


def some_models(n):
    """Yield kinds, cells and options of random models."""
    rng, of_missing, of_tokens, of_learners = (random.Random(seed) for seed in range(4))
    for k in range(n):
        kind, cell = ["plain", "head", "all"][k % 3], rng.choice(CELLS)
        sizes = [rng.randint(1, 20), *(rng.randint(4, 40) for _ in range(rng.choice([1, 1, 2, 3])))]
        options = {"sizes": sizes, "scaled": rng.choice([False, True, "in double"]), "n_outputs": rng.randint(1, 10)}
        if kind == "plain":
            options |= {"loss": rng.choice(LOSSES), "int8": rng.random() < 0.5}
            if options["scaled"]:
                options["missing"] = of_missing.choice([None, "indicator", "hold"])
            elif of_tokens.random() < 0.8:
                options |= some_tokens(of_tokens, options)
        else:
            options |= {"loss": rng.choice(LOSSES), "per_step": rng.random() < 0.5, "carried": rng.random() < 0.5}
            if not options["scaled"]:
                options |= some_tokens(of_learners, options, ["frozen", "tied"] if kind == "all" else [])
                options["per_step"] |= options["writes"]
        if not options.get("per_step"):
            options["pooling"] = rng.choice([None, "mean", "max"])
        if options["loss"] == "cross_entropy":
            options["n_outputs"] = max(options["n_outputs"], 2)
        else:
            options["scaled_back"] = rng.choice([False, True, "in double"])
        yield kind, cell, options


def some_forecasters(n):
    """Yield the same of forecasters."""
    rng = random.Random(2)
    for k in range(n):
        sizes = [1, *(rng.randint(4, 40) for _ in range(rng.choice([1, 1, 2, 3])))]
        transforms = rng.choice([(None,), ("sqrt",), ("log",), ("sqrt", "log")])
        options = {"sizes": sizes, "int8": rng.random() < 0.5, "transforms": transforms}
        if k % 2 == 0:
            options["n_quantiles"] = rng.choice([0, 2, 5])
        options["n_features"] = rng.choice([0, 0, 1, 5])
        yield ("direct", "recursive")[k % 2], rng.choice(CELLS), options


def some_tokens(rng, options, more=()):
    """Return which tokens a random model reads in place of values, and of one of classes, perhaps, writes."""
    writes = options["loss"] == "cross_entropy" and rng.random() < 0.8
    n_outputs = max(options["n_outputs"], 4)
    if writes:
        options["sizes"][0], options["n_outputs"] = n_outputs, n_outputs
    tokens = rng.choice(["one-hot", "embedding", *more])
    if tokens == "tied":
        options["sizes"][0] = options["sizes"][-1]
    return {"tokens": tokens, "texts": rng.random() < 0.5, "writes": writes}


def is_off(says, takes):
    """Return whether it is by more than 10 %. Of a stack of 100 or 200 bytes, a few registers are much."""
    return abs(says - takes) > max(takes / 10, 32)


def stated(text):
    """Return what the comment of a file says, for -Os and for -O2."""
    of = {
        kind: [int(number.replace(",", "")) for number in re.findall(r"(?:^| )(\d[\d,]*)(?= )", said)]
        for kind, said in re.findall(r"^ \*   (code|constants|stack) +(.*)$", text, re.MULTILINE)
    }
    constants = of["constants"][0]
    return [Measured(of["code"][k], constants, of["stack"][k]) for k in (0, 1)]


def check():
    if version() != GCC:
        print(f"what files say of code and stack is of GCC {GCC}, this is {version()}")
        return 0
    failures, models = 0, [*some_models(24), *some_forecasters(16)]
    files = [file_of(kind, cell, **options) for kind, cell, options in models]
    for (kind, cell, options), (text, _), takes in zip(models, files, measure_all(files), strict=True):
        says = stated(text)
        pairs = zip(says, takes, strict=True)
        if any(is_off(*numbers) for pair in pairs for numbers in zip(*pair, strict=True)):
            failures += 1
            print(f"{kind} {cell} {options}: the file says {says}, it takes {takes}")
    print(f"what files say of code, constants and stack, of {len(models)} models: {failures} off by more than 10 %")
    return failures


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        sys.exit(check() + check_vowels() > 0)
