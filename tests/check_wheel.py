"""Check, in the checkout, what a wheel of it holds, and that it is no larger than promised."""

import sys
import zipfile
from pathlib import Path

LIMIT_BYTES = 2_200_000

wheel = Path(sys.argv[1])
names = zipfile.ZipFile(wheel).namelist()
expected = ["pylstm/__init__.py", "pylstm/py.typed", "pylstm/_net/core.pyi", "pylstm/_inside/page.html",
            "pylstm/datasets/japanese_vowels.npz",
            "pylstm/datasets/airline.csv", "pylstm/datasets/sunspots.csv", "pylstm/datasets/README.md",
            "pylstm/datasets/shakespeare.txt.bz2", "pylstm/datasets/names.tsv.bz2",
            "pylstm/preprocessing/__init__.py", "pylstm/src_c/kernels/step.h",
            "pylstm/src_c/model/gradient.c"]  # fmt: skip
# Every module of the checkout: a list of packages said by hand once left out a folder.
expected += [str(path) for path in Path("pylstm").rglob("*.py")]
missing = [name for name in expected if name not in names]
foreign = [name for name in names if name.endswith((".c", ".h", ".pyx", ".pxd")) or name.startswith("tests")]
foreign = [name for name in foreign if not (name.startswith("pylstm/src_c/") and name.endswith((".c", ".h")))]
size = wheel.stat().st_size
print(f"{wheel.name}: {size} bytes, {len(names)} files")
if missing or foreign or size > LIMIT_BYTES or not any(name.startswith("pylstm/_net/core.") for name in names):
    sys.exit(f"missing {missing}, not wanted {foreign}, limit {LIMIT_BYTES} bytes")
