"""The examples of every docstring, of compiled classes too, and those of the README."""

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import pylstm

NAMES = ["pylstm", *(module.name for module in pkgutil.walk_packages(pylstm.__path__, "pylstm."))]


def documented():
    """Return (name, docstring) of all modules, classes, functions and methods defined in pylstm."""
    found = {}
    for module_name in NAMES:
        if module_name == "pylstm.__main__":
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


def test_examples_are_found():
    assert {"pylstm._core.Cell", "pylstm._core.Cell.gates", "pylstm._core.Sequence"} <= set(EXAMPLES)
    assert "pylstm._classifier.LSTMClassifier" in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring(name, capsys):
    run(EXAMPLES[name], name, capsys)


def test_readme(capsys):
    run((Path(__file__).parents[1] / "README.md").read_text(), "README", capsys)


def run(text, name, capsys):
    example = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert example.examples
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(example)
    assert results.failed == 0, capsys.readouterr().out
