"""The floors of pylstm/ and src_c/: imports run down only, in no circle, and none is inside a function."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pylstm"
#: From the ground up. What stands in a row imports the rows before it, and its own.
FLOORS = [
    ["_net"],
    ["preprocessing", "metrics", "datasets"],
    ["_estimators"],
    ["_files", "sktime"],
    ["_devices"],
    ["_inside"],
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or path.stem in FLOOR_OF  # but the doors: __init__ and __main__
}


def imports(path):
    """Yield the modules of pylstm that a file imports, and whether it does so inside a function."""
    tree, here = ast.parse(path.read_text()), path.relative_to(PACKAGE).parts[:-1]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.level or (node.module or "").startswith("pylstm")):
            continue
        above = here[: len(here) - node.level + 1] if node.level else ()
        base = [*above, *(node.module or "").removeprefix("pylstm").strip(".").split(".")]
        for alias in node.names:
            names = [".".join(filter(None, [*base, more])) for more in (alias.name, "__init__", "")]
            if alias.name != "__version__":
                yield next((name for name in names if name in MODULES), names[-1]), id(node) in inside


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_down(name):
    floor = FLOOR_OF[name.partition(".")[0]]
    for imported, is_inside in imports(MODULES[name]):
        assert not is_inside, f"{name} imports {imported} inside a function"
        assert FLOOR_OF.get(imported.partition(".")[0], len(FLOORS) - 1) <= floor, (
            f"{name} imports {imported or 'pylstm'}"
        )


def test_no_circle():
    graph = {
        name: {imported for imported, _ in imports(path)} & MODULES.keys() - {name} for name, path in MODULES.items()
    }
    while leaves := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - leaves for name, targets in graph.items() if name not in leaves}
    assert not graph


def test_compiled_sources_import_the_ground_alone():
    for path in PACKAGE.rglob("*.p[yx]*[xi]"):
        for floor in re.findall(r"^\s*from pylstm\.?(\w*)[\w.]* c?import", path.read_text(), re.MULTILINE):
            assert floor == "_net", path


def test_includes_run_down():
    floors = ["support", "kernels", "exported", "layers", "model", "interface"]
    sources = PACKAGE.parent / "src_c"
    paths = [*sources.glob("*/*.c"), *sources.glob("*/*.h")]
    assert {path.parent.name for path in paths} - {"build"} == set(floors)
    for path in paths:
        for included in re.findall(r'^#include "(.*)"', path.read_text(), re.MULTILINE):
            to = included.rpartition("/")[0] or "support"
            assert floors.index(to) <= floors.index(path.parent.name), f"{path.name} includes {included}"
            assert to != "exported" or path.parent.name == "exported", f"{path.name} includes {included}"
