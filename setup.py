"""Build of the extension: C files once, once per dtype, or once per dtype and instruction set."""

import platform
import sys
from pathlib import Path
from zlib import crc32

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.modified import newer_group

SOURCES = Path("src_c")
# src_c/Makefile names the same files and flags, and says why.
ONCE = [
    *("interface/api", "interface/api_head", "interface/api_training", "interface/blob", "interface/status"),
    *("layers/batch", "layers/net", "layers/parts"),
    *("kernels/cell", "kernels/isa", "support/blas_reference", "support/threads"),
]
PER_DTYPE = [
    *("model/gradient", "model/head_pass", "model/losses", "model/pooling", "model/predict", "model/stream"),
    "model/update",
    *("layers/backward", "layers/dropout", "layers/forward", "layers/layer_step", "layers/stack", "layers/steps"),
    *("kernels/kernel_table", "kernels/panels"),
]
PER_ISA = ["kernels/gather", "kernels/head", "kernels/kernels", "kernels/solver"]
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
    """Compiles src_c/ by itself: setuptools would give every file of an extension the same flags."""

    def build_extension(self, ext):
        msvc = self.compiler.compiler_type == "msvc"
        headers = [str(path) for path in SOURCES.rglob("*.h")]
        # They know nothing of Python, so a wheel and an editable install can share them: not so what is in build_temp.
        command = " ".join(getattr(self.compiler, "compiler_so", []))
        objects_of_compiler = Path("build") / f"src_c-{crc32(command.encode()):08x}"

        def compile_to(folder, names, macros, flags):
            """Compile what is out of date, which the compiler object does not look at; return all objects."""
            output = str(objects_of_compiler / folder)
            sources = [str(SOURCES / f"{name}.c") for name in names]
            objects = self.compiler.object_filenames(sources, output_dir=output)
            given = [*headers, "setup.py"]
            self.compiler.compile(
                [source for source, made in zip(sources, objects, strict=True) if newer_group([source, *given], made)],
                output_dir=output,
                macros=macros,
                include_dirs=[str(SOURCES)],
                # Python's own -fwrapv, or what it has in its place, makes GCC spill sums in the inner loops.
                extra_postargs=["/std:c11"] if msvc else ["-O3", "-fstrict-overflow", "-fvisibility=hidden", *flags],
            )
            return objects

        ext.extra_objects = compile_to("once", ONCE, [], ["-std=c11"])
        isas = ["scalar"] if msvc else KERNELS_OF_MACHINE.get(platform.machine(), ["scalar"])
        for bits in (32, 64):
            dtype = [("PYLSTM_REAL_BITS", str(bits))]
            ext.extra_objects += compile_to(f"f{bits}", PER_DTYPE, dtype, ["-std=c11"])
            for isa in isas:
                vector_bytes, flags = KERNELS[isa]
                macros = [*dtype, ("PYLSTM_VECTOR_BYTES", str(vector_bytes)), ("PYLSTM_ISA_NAME", isa)]
                flags = ["-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", *flags]
                ext.extra_objects += compile_to(f"f{bits}-{isa}", PER_ISA, macros, flags)
        super().build_extension(ext)


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
            depends=["setup.py", *map(str, SOURCES.rglob("*.[ch]")), *map(str, Path("pylstm/_net").glob("*.px[id]"))],
            extra_link_args=["-Wl,--strip-debug"] if linux else [],
            libraries=[] if sys.platform == "win32" else ["m", "pthread"],
        )
    ],
)
