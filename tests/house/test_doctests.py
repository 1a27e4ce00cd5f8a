"""The examples of every docstring, of compiled classes too, of the README and of the pages in docs/."""

import doctest
import importlib
import inspect
import pkgutil
from importlib.util import find_spec
from pathlib import Path

import pytest

import pylstm

ROOT = Path(__file__).parents[2]
NAMES = ["pylstm", *(module.name for module in pkgutil.walk_packages(pylstm.__path__, "pylstm."))]


def documented():
    """Return (name, docstring) of all modules, classes, functions and methods defined in pylstm."""
    found = {}
    for module_name in NAMES:
        if module_name == "pylstm.__main__" or (module_name == "pylstm.sktime" and find_spec("sktime") is None):
            continue
        module = importlib.import_module(module_name)
        found[module_name] = module.__doc__
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module_name or not callable(value):
                continue
            found[f"{module_name}.{name}"] = value.__doc__
            if inspect.isclass(value):
                for method, attribute in vars(value).items():
                    if not method.startswith("_"):
                        found[f"{module_name}.{name}.{method}"] = getattr(attribute, "__doc__", None)
    return {name: text for name, text in found.items() if isinstance(text, str) and ">>>" in text}


EXAMPLES = documented()
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if "_build" not in path.parts and ">>>" in path.read_text()),
]


def test_examples_are_found():
    assert {"pylstm._net.core.Cell", "pylstm._net.core.Cell.gates", "pylstm._net.core.Sequence"} <= set(EXAMPLES)
    assert "pylstm._estimators.classifier.LSTMClassifier" in EXAMPLES
    assert {"README.md", "tutorial.md", "classify.md"} <= {path.name for path in PAGES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring(name, capsys):
    run(EXAMPLES[name], name, capsys)


@pytest.mark.parametrize(
    "path",
    [PAGES[0], *(pytest.param(path, marks=pytest.mark.long) for path in PAGES[1:])],
    ids=lambda path: path.stem,
)
def test_page(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    run(path.read_text(), path.name, capsys)


def run(text, name, capsys):
    example = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert example.examples
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(example)
    assert results.failed == 0, capsys.readouterr().out
