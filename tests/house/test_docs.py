"""The reference names all that is public. Examples of pages run in test_doctests.py, those of examples/ in a build."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from toys import ESTIMATORS

import pylstm
from pylstm import datasets, metrics, preprocessing

DOCS = Path(__file__).parents[2] / "docs"


def test_reference_has_every_public_name():
    modules = {"preprocessing": preprocessing, "metrics": metrics, "datasets": datasets}
    expected = {name for name in pylstm.__all__ if name not in modules}
    expected |= {f"{prefix}.{name}" for prefix, module in modules.items() for name in module.__all__}
    listed = [line.strip() for line in (DOCS / "api.rst").read_text().splitlines() if line.startswith("   ")]
    assert sorted(name for name in listed if not name.startswith(":")) == sorted(expected)


def test_each_page_has_a_title_of_its_own():
    # The sidebar has nothing else to tell pages apart by.
    texts = [path.read_text() for path in DOCS.rglob("*.md") if "_build" not in path.parts]
    titles = [text.splitlines()[0] for text in texts if text.startswith("# ")]
    assert len(titles) > 15
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("cls", [*ESTIMATORS, pylstm.LSTMForecaster, pylstm.LSTMLanguageModel])
def test_defaults_are_those_documented(cls):
    documented = {}
    for names, values in re.findall(r"^(\w+(?:, \w+)*) : .*?default=(.*)$", inspect.getdoc(cls), re.MULTILINE):
        several = names.split(", ")
        values = ast.literal_eval(values.replace(" and ", ", "))
        documented.update(zip(several, values if len(several) > 1 else [values], strict=True))
    assert documented == {name: p.default for name, p in inspect.signature(cls).parameters.items()}


def test_what_is_promised_names_tests_that_there_are():
    root = DOCS.parent
    text = (root / "SECURITY.md").read_text()
    promises = text.partition("## What is promised")[2].partition("## What is not")[0].split("\n- ")[1:]
    assert len(promises) >= 8
    for promise in promises:
        files = [root / name for name in re.findall(r"`(tests/[\w/]+\.\w+)`", promise)]
        assert files, promise
        code = "".join(path.read_text() for path in files)
        assert [name for name in re.findall(r"`(test_\w+)`", promise) if f"def {name}(" not in code] == []
