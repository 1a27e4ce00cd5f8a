"""Build of the extension: every C file once, the dtype's own files once per dtype."""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("src_c")
# Written in terms of `real` (src_c/real.h); the Makefile names the same files.
PER_DTYPE = ["adam", "cell", "classifier", "dropout", "head", "layer", "sequence"]
ONCE = ["api", "batch", "blas_reference", "net", "status"]


class BuildCore(build_ext):
    """Compiles src_c/ by itself: setuptools would give every file of an extension the same macros."""

    def build_extension(self, ext):
        compiler = self.compiler
        flags = [] if compiler.compiler_type == "msvc" else ["-std=c11", "-O3", "-fvisibility=hidden"]
        headers = [str(path) for path in SOURCES.glob("*.h")]

        def compile_to(folder, names, macros):
            return compiler.compile(
                [str(SOURCES / f"{name}.c") for name in names],
                output_dir=str(Path(self.build_temp) / folder),
                macros=macros,
                extra_postargs=flags,
                depends=headers,
            )

        ext.extra_objects = compile_to("once", ONCE, [])
        for bits in (32, 64):
            ext.extra_objects += compile_to(f"f{bits}", PER_DTYPE, [("PYLSTM_REAL_BITS", str(bits))])
        super().build_extension(ext)


linux = sys.platform.startswith("linux")
setup(
    cmdclass={"build_ext": BuildCore},
    ext_modules=[
        Extension(
            "pylstm._core",
            ["pylstm/_core.pyx"],
            include_dirs=[str(SOURCES)],
            depends=[str(path) for path in SOURCES.glob("*.[ch]")],
            extra_link_args=["-Wl,--strip-debug"] if linux else [],
            libraries=[] if sys.platform == "win32" else ["m"],
        )
    ],
)
