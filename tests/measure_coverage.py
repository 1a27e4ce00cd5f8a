"""Lines and branches that the tests reach: of src_c/ by C and Python tests together, of the package, of its bindings.

    python tests/measure_coverage.py [--keep FOLDER] [tests that pytest is to run; else all]

Needs gcc, gcov, make, Cython and coverage. Everything is built in a scratch folder: src_c/ with counters, its C tests
against that library, and an extension linked to the same library, so that all of them count into the same files.
C is compiled with -O1 and nothing inlined: a line of a header is counted once per function it stands in. Without
-fexpensive-optimizations GCC contracts nothing to FMA: the bits would be others, and tests compare them.
The C tests themselves run every instruction set that the machine has; the tests in ISA_TESTS run once more under each.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COUNTERS = "-O1 -fexpensive-optimizations -g1 -fPIC -fno-inline -Dalways_inline=unused --coverage"
ISA_TESTS = ["test_bits", "test_stored_bits", "test_cell", "test_forward", "test_gradients"]


def run(*command, **options):
    """Run a command; a failure is told, not fatal: what the other tests reach is of interest all the same."""
    status = subprocess.run([str(part) for part in command], check=False, **options).returncode
    if status:
        print(f"exit code {status}: {' '.join(map(str, command))}", flush=True)
    return status


def make(folder, flags, *targets):
    # Nothing inlined, compilers warn of values that they no longer see being set.
    return run("make", "--silent", "-C", ROOT / "src_c", f"BUILD={folder}", f"CFLAGS={flags}", "WARNINGS=-w", *targets)


def build_extension(folder):
    """Link the bindings, traced line by line, to the library that counts; return where to import them from."""
    package = folder / "python" / "pylstm"
    shutil.rmtree(package.parent, ignore_errors=True)  # of an earlier run
    shutil.copytree(ROOT / "pylstm", package, ignore=shutil.ignore_patterns("*.so", "core.c", "__pycache__", "src_c"))
    shutil.copytree(ROOT / "src_c", folder / "python" / "src_c", ignore=shutil.ignore_patterns("build"))
    run(sys.executable, "-m", "cython", "-X", "linetrace=True", "pylstm/_net/core.pyx", cwd=package.parent)
    run(sys.executable, "setup.py", "-q", "egg_info", "--egg-base", package.parent, cwd=ROOT)  # it asks for its version
    includes = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}", "-Isrc_c"]
    run("gcc", "-O1", "-g1", "-w", "-fPIC", "-shared", "-DCYTHON_TRACE_NOGIL=1",
        *includes, "pylstm/_net/core.c", folder / "c" / "libpylstm.a", "--coverage", "-lm", "-lpthread",
        "-o", f"pylstm/_net/core{sysconfig.get_config_var('EXT_SUFFIX')}", cwd=package.parent)  # fmt: skip
    return package.parent


def counted(folder):
    """Return for each object of the library what gcov says of it: lists of files."""
    for notes in sorted((folder / "c").rglob("*.gcno")):
        if not notes.with_suffix(".o").exists():  # a test's own
            continue
        done = subprocess.run(["gcov", "--branch-probabilities", "--json-format", "--stdout", notes],
                              capture_output=True, check=True, cwd=ROOT / "src_c")  # fmt: skip
        yield notes.stem, json.loads(done.stdout)["files"]


class Counts:
    """Lines and branches of files, reached if any object compiled from them reached them."""

    def __init__(self):
        self.lines = defaultdict(lambda: defaultdict(int))
        self.branches = defaultdict(lambda: defaultdict(int))

    def add(self, files):
        for file in files:
            name = os.path.relpath(os.path.join(ROOT / "src_c", file["file"]), ROOT / "src_c")
            if (ROOT / "src_c" / name).exists() and not name.startswith(".."):  # not the compiler's headers
                for line in file["lines"]:
                    number = line["line_number"]
                    self.lines[name][number] += line["count"]
                    for k, branch in enumerate(line["branches"]):
                        self.branches[name][number, k] += branch["count"]

    def report(self, title):
        def part(counts):
            reached = sum(map(bool, counts))
            return f"{reached:5} of {len(counts):5} {100 * reached / max(len(counts), 1):6.2f}%"

        print(f"\n{title:22} {'lines':>21} {'branches':>21}")
        for name in sorted(self.lines):
            lines, branches = self.lines[name], self.branches[name]
            print(f"{name:22} {part(lines.values())} {part(branches.values())}")
            source = (ROOT / "src_c" / name).read_text().splitlines()
            for number in sorted(lines):
                missed = [k for (line, k), count in branches.items() if line == number and not count]
                if not lines[number]:
                    print(f"    {number}: {source[number - 1].strip()}")
                elif missed:
                    print(f"    {number}: branches {missed}: {source[number - 1].strip()}")
        everything = [list(of.values()) for of in (self.lines, self.branches)]
        print(f"{'all':22} " + " ".join(part([count for each in of for count in each.values()]) for of in everything))


def main():
    parser = argparse.ArgumentParser(description="Coverage of the C library, the bindings and the package.")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it, counts of earlier runs included")
    parser.add_argument("tests", nargs="*", default=[str(ROOT / "tests")])
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    failed = bool(make(folder / "c", COUNTERS, folder / "c" / "libpylstm.a"))
    failed |= bool(make(folder / "c", "-O1 --coverage", "test"))
    python = build_extension(folder)
    settings = folder / "coveragerc"
    settings.write_text(f"[run]\nplugins = Cython.Coverage\nsource = pylstm\ndata_file = {folder / 'python.data'}\n"
                        "[report]\nshow_missing = true\nskip_covered = true\nexclude_also =\n    if TYPE_CHECKING:\n"
                        "    \\.\\.\\.$\n")  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(python), "COVERAGE_FILE": str(folder / "python.data")}
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", *pytest, *arguments.tests]
    failed |= bool(run(*command, cwd=python, env=environment))
    from_isa = [ROOT / "tests" / "net" / f"{name}.py" for name in ISA_TESTS]
    for isa in ["scalar", "baseline", "avx2", "avx512"]:
        failed |= bool(run(sys.executable, *pytest, *from_isa, cwd=python, env={**environment, "PYLSTM_ISA": isa}))

    everything, of_isa = Counts(), defaultdict(Counts)
    for name, files in counted(folder):
        everything.add(files)
        if name.startswith(("kernels_", "solver_")):
            of_isa[name.split("_")[1]].add(files)
    for isa in sorted(of_isa):
        of_isa[isa].report(isa)
    everything.report("src_c")
    sources = {path.name for path in (ROOT / "src_c").glob("*.[ch]")}
    print("\nin exported models only, or without code:", *sorted(sources - set(everything.lines)))
    run(sys.executable, "-m", "coverage", "report", f"--rcfile={settings}", cwd=python, env=environment)
    if not arguments.keep:
        shutil.rmtree(folder)
    return failed


if __name__ == "__main__":
    sys.exit(main())
