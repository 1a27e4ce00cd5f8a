"""Break src_c/ or the package in one place at a time, and see whether a test notices.

    python tests/mutate.py c [--sample N] [--seed S]          the C tests decide
    python tests/mutate.py python FILE TEST... [--sample N]   pytest with these tests decides

A mutant has one operator, constant or bound changed. Each that compiles and that every test lets pass is printed: it is
equivalent to the original, or a test is missing. The checkout is copied and left as it is; for Python the extension is
to be built in place. C is compiled with -O1, and only what the mutant changes.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 600  # of a test or a compilation: more is a loop without an end
SWAPS = {
    "<": ["<="], "<=": ["<"], ">": [">="], ">=": [">"], "==": ["!="], "!=": ["=="],
    "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["*"],
    "+=": ["-="], "-=": ["+="], "*=": ["="], "|=": ["="], "&&": ["||"], "||": ["&&"], "!": [""], "++": ["--"],
    "and": ["or"], "or": ["and"], "not": [""], "is": ["is not"], "min": ["max"], "max": ["min"],
    "True": ["False"], "False": ["True"], "true": ["false"], "false": ["true"],
    "break": ["continue"], "continue": ["break"],
}  # fmt: skip
C_ONLY = {"&&", "||", "!", "++", "true", "false"}
PYTHON_ONLY = {"and", "or", "not", "is", "True", "False", "min", "max"}
TOKEN = re.compile(
    # Comments of C, lines of its preprocessor, comments of Python, strings.
    r"(?P<skip>/\*.*?\*/|^[ \t]*\#[^\n]*(?:\\\n[^\n]*)*|\#[^\n]*"
    r"|\"\"\".*?\"\"\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<number>(?<![\w.])\d+(?![\w.]))|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<op>->|\*\*|//|<<=?|>>=?|[-+*/%&|^<>=!]=|\+\+|--|&&|\|\||[-+*/%<>!=&|^~])",
    re.DOTALL | re.MULTILINE,
)


def mutations(text, language):
    """Yield (start, end, replacement) for every place that can be broken."""
    for token in TOKEN.finditer(text):
        found = token.group()
        if token.lastgroup == "number":
            yield *token.span(), str(int(found) + 1)
        elif token.lastgroup in ("op", "word") and found not in (PYTHON_ONLY if language == "c" else C_ONLY):
            # A star or ampersand of a type or a pointer, a sign, and an arrow are no operators with two sides.
            after_operand = re.search(r"[\w)\]]\s*$", text[max(0, token.start() - 20) : token.start()])
            spaced = text[token.end() : token.end() + 1].isspace()
            if found in "+-*/%<>" and not (after_operand and spaced):
                continue
            for replacement in SWAPS.get(found, []):
                yield *token.span(), replacement


def passes(*command, cwd, env=None):
    """Return whether a command succeeds in time; what it started is ended with it."""
    process = subprocess.Popen([str(part) for part in command], cwd=cwd, env=env, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        return process.wait(SECONDS) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def make(source, *targets):
    flags = ["CFLAGS=-O1", "WARNINGS=-w", "BUILD=build"]
    return passes("make", "--silent", "-j2", "-C", source, *flags, *targets, cwd=source)


def c_verdict(copy):
    """Return how the C tests end, the fast ones first."""
    source = copy / "src_c"
    if not make(source, "build/libpylstm.a"):
        return "does not compile"
    for test in ["layout", "refusals", "blob", "bits", "stream", "kernels_f32", "kernels_f64", "activations_f32",
                 "activations_f64", "passes"]:  # fmt: skip
        if not (make(source, f"build/test_{test}") and passes(source / "build" / f"test_{test}", cwd=source)):
            return f"killed by test_{test}"
    return "survives"


def python_verdict(copy, tests):
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return "survives" if passes(*command, cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}) else "killed"


def main():
    parser = argparse.ArgumentParser(description="Mutation tests.")
    parser.add_argument("language", choices=["c", "python"])
    parser.add_argument("file", nargs="?", help="Python file to break: pylstm/_net/inputs.py")
    parser.add_argument("tests", nargs="*", help="tests that are to notice")
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.language == "c":
        # What exported models alone carry is tested from Python.
        files = [path for path in sorted((ROOT / "src_c").rglob("*.[ch]"))
                 if path.parent.name != "exported" and path.name != "pylstm.h"]  # fmt: skip
    else:
        files = [ROOT / arguments.file]
    candidates = [(path, *mutation) for path in files for mutation in mutations(path.read_text(), arguments.language)]
    chosen = random.Random(arguments.seed).sample(candidates, min(arguments.sample, len(candidates)))
    chosen.sort(key=lambda mutant: (mutant[0].name, mutant[1]))  # neighbours compile the same files
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "build", ".venv", "docs"))

        def verdict():
            return c_verdict(copy) if arguments.language == "c" else python_verdict(copy, arguments.tests)

        if verdict() != "survives":
            sys.exit("the tests fail without any change")
        tried = killed = 0
        for path, start, end, replacement in chosen:
            text = path.read_text()
            target = copy / path.relative_to(ROOT)
            target.write_text(text[:start] + replacement + text[end:])
            outcome = verdict()
            target.write_text(text)
            tried += outcome != "does not compile"
            killed += outcome.startswith("killed")
            row = text.count("\n", 0, start) + 1
            print(f"{path.name}:{row}: {text[start:end]} -> {replacement or 'nothing'}: {outcome}", flush=True)
            if outcome == "survives":
                print("    " + text.splitlines()[row - 1].strip(), flush=True)
        print(f"{killed} of {tried} killed ({len(candidates)} mutants in all, seed {arguments.seed})")


if __name__ == "__main__":
    main()
