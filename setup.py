"""Build of the extension: C files once, once per dtype, or once per dtype and instruction set."""

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.modified import newer_group

SOURCES = Path("src_c")
# src_c/Makefile names the same files and flags, and says why.
ONCE = [
    *("interface/api", "interface/api_head", "interface/api_training", "interface/blob", "interface/status"),
    "model/parameters",
    *("layers/batch", "layers/net", "layers/parts"),
    *("kernels/cell", "support/blas_reference", "support/threads"),
]
PER_DTYPE = [
    *("model/gradient", "model/head_pass", "model/losses", "model/pooling", "model/predict", "model/stream"),
    "model/update",
    *(
        "layers/backward",
        "layers/dropout",
        "layers/forward",
        "layers/layer_step",
        "layers/stack",
        "layers/steps",
        "layers/table",
    ),
    "kernels/panels",
]
# After CFLAGS, which may say -Ofast or -ffast-math: floats are to be computed with as it is written (support/real.h).
AS_WRITTEN = [
    *("-fno-fast-math", "-fno-unsafe-math-optimizations", "-fno-associative-math", "-fno-reciprocal-math"),
    *("-fno-finite-math-only", "-fsigned-zeros"),
    *(["-msse2", "-mfpmath=sse"] if platform.machine() in ("i386", "i486", "i586", "i686") else []),
]
PER_ISA = ["kernels/kernels", "kernels/head", "kernels/gather", "kernels/solver"]
KERNELS = {
    "scalar": (0, ["-ffp-contract=off"]),  # a vectorised sum in order would multiply and add apart, in some copies
    "baseline": (16, []),
    "avx2": (32, ["-mavx2", "-mfma"]),
    "avx512": (64, ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512"]),
    "neon": (16, []),
}
KERNELS_OF_MACHINE = {
    "x86_64": ["scalar", "baseline", "avx2", "avx512"],
    "aarch64": ["scalar", "neon"],
    "arm64": ["scalar", "neon"],
}


class BuildCore(build_ext):
    """Compiles src_c/ by itself, as setuptools would give every file of an extension the same flags; all at once."""

    def run(self):
        # A checkout is used where it lies; a wheel may go to any machine.
        self.is_for_this_machine = bool(self.inplace or self.editable_mode)
        super().run()

    def build_extension(self, ext):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            started = [pool.submit(self.compile, *file) for file in self.files_in_c()]
            # In this thread meanwhile, as it takes longest: Cython, and the compiler over what it has written.
            [written] = cythonize([ext], quiet=True)
            flags = ["-O1", "-g0"]  # hardly any arithmetic is done there
            flags += [] if self.compiler.compiler_type == "msvc" else AS_WRITTEN
            core = self.compile(written.sources[0], self.build_temp, ext.define_macros, flags, ext.include_dirs)
        objects = [made.result() for made in started]
        ext.sources = []
        ext.extra_objects = [core, *objects]
        super().build_extension(ext)
        # The tests link them too.
        built = "checkout" if self.is_for_this_machine else "wheel"
        (Path("build") / f"{built}.objects").write_text("\n".join(objects) + "\n")

    def has_avx512(self):
        """Whether kernels for AVX-512 are of use: they take a third of the time."""
        if self.compiler.compiler_type != "unix" or not self.is_for_this_machine:
            return True
        asked = [self.compiler.compiler_so[0], "-march=native", "-dM", "-E", "-x", "c", os.devnull]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        needed = ("__AVX512F__", "__AVX512VL__", "__AVX512DQ__")
        return answer.returncode != 0 or all(f" {name} " in answer.stdout for name in needed)

    def files_in_c(self):
        """Yield the arguments of `compile` for each object, those that take long first."""
        msvc = self.compiler.compiler_type == "msvc"
        # They know nothing of Python, so a wheel and an editable install can share them: not so what is in build_temp.
        command = " ".join(getattr(self.compiler, "compiler_so", []))
        objects = Path("build") / f"src_c-{crc32(command.encode()):08x}"
        # Python's own -fwrapv, or what it has in its place, makes GCC spill sums in the inner loops.
        # -g0: what Python's own -g asks for, which takes a third of the time, is stripped in the end.
        common = [] if msvc else ["-O3", "-g0", "-fstrict-overflow", "-fvisibility=hidden", *AS_WRITTEN]
        c11 = [*common, "/std:c11" if msvc else "-std=c11"]
        gnu11 = c11 if msvc else [*common, "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno"]
        dtypes = {f"f{bits}": [("PYLSTM_REAL_BITS", str(bits))] for bits in (32, 64)}
        isas = ["scalar"] if msvc else KERNELS_OF_MACHINE.get(platform.machine(), ["scalar"])
        choice, of_choice = [], ""
        if "avx512" in isas and not self.has_avx512():
            isas = [isa for isa in isas if isa != "avx512"]
            choice, of_choice = [("PYLSTM_WITHOUT_AVX512", None)], "-without-avx512"
        for name in PER_ISA:
            for isa in reversed(isas):
                vector_bytes, flags = KERNELS[isa]
                macros = [("PYLSTM_VECTOR_BYTES", str(vector_bytes)), ("PYLSTM_ISA_NAME", isa)]
                for dtype, of_dtype in dtypes.items():
                    yield SOURCES / f"{name}.c", objects / f"{dtype}-{isa}", [*of_dtype, *macros], [*gnu11, *flags]
        for dtype, macros in dtypes.items():
            for name in PER_DTYPE:
                yield SOURCES / f"{name}.c", objects / dtype, macros, c11
            yield SOURCES / "kernels/kernel_table.c", objects / f"{dtype}{of_choice}", [*macros, *choice], c11
        for name in ONCE:
            yield SOURCES / f"{name}.c", objects / "once", [], c11
        yield SOURCES / "kernels/isa.c", objects / f"once{of_choice}", choice, c11

    def compile(self, source, folder, macros, flags, include_dirs=(str(SOURCES),)):
        """Compile one file where that is out of date, which the compiler object does not look at; return the object."""
        [made] = self.compiler.object_filenames([str(source)], output_dir=str(folder))
        given = [str(source), "setup.py", *map(str, SOURCES.rglob("*.h"))]
        if newer_group(given, made):
            self.compiler.compile(
                [str(source)], str(folder), macros, include_dirs=list(include_dirs), extra_postargs=flags
            )
        return made


class BuildPython(build_py):
    """Puts the sources of src_c/ into the package, for `export_c`; from a checkout it reads them where they are."""

    def run(self):
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "pylstm" / SOURCES
            for source in SOURCES.rglob("*.[ch]"):
                self.mkpath(str(target / source.parent.relative_to(SOURCES)))
                self.copy_file(str(source), str(target / source.relative_to(SOURCES)))


linux = sys.platform.startswith("linux")
setup(
    cmdclass={"build_ext": BuildCore, "build_py": BuildPython},
    ext_modules=[
        Extension(
            "pylstm._net.core",
            ["pylstm/_net/core.pyx"],
            include_dirs=[str(SOURCES), numpy.get_include()],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
            depends=["setup.py", *map(str, SOURCES.rglob("*.[ch]")), *map(str, Path("pylstm/_net").glob("*.p*"))],
            extra_link_args=["-Wl,--strip-debug"] if linux else [],
            libraries=[] if sys.platform == "win32" else ["m", "pthread"],
        )
    ],
)
