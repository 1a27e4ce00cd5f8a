"""What importing costs, the demo."""

import subprocess
import sys

import pytest
from processes import run_python

import pylstm


def test_import_loads_neither_scikit_learn_nor_matplotlib():
    loaded = run_python("import pylstm, sys; print(*sys.modules)").split()
    assert "pylstm" in loaded
    heavy = {"sklearn", "matplotlib", "pandas", "safetensors", "joblib", "torch"}
    assert not heavy & {name.partition(".")[0] for name in loaded}


@pytest.mark.parametrize("name", ["LSTMClassifier", "metrics", "preprocessing"])
def test_what_needs_scikit_learn_loads_on_first_touch(name):
    # The first import of it ends the process: all of scikit-learn takes seconds.
    said = run_python(
        "import pylstm, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'sklearn':\n"
        "            print('asked for')\n"
        "            sys.exit()\n"
        "sys.meta_path.insert(0, Finder)\n"
        f"print('touched:')\npylstm.{name}"
    )
    assert said.split() == ["touched:", "asked", "for"]


def test_data_sets_do_without_scikit_learn():
    loaded = run_python("import pylstm, sys; pylstm.datasets.load_airline(); print(*sys.modules)").split()
    assert "pylstm.datasets" in loaded
    assert "sklearn" not in loaded


@pytest.mark.parametrize(
    ("name", "missing"),
    [("LSTMClassifier", "sklearn"), ("metrics", "sklearn"), ("preprocessing", "sklearn"), ("load", "sklearn"),
     ("load", "safetensors"), ("save", "safetensors")],
)  # fmt: skip
def test_a_missing_extra_is_named(name, missing):
    message = run_python(
        f"import sys\nsys.modules['{missing}'] = None\nimport pylstm\n"
        f"try:\n    pylstm.{name}\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert f"pylstm.{name} needs {missing}" in message
    assert "pip install 'pylstm[sklearn]'" in message


def test_estimators_save_needs_an_extra():
    message = run_python(
        "import sys\nsys.modules['safetensors'] = None\nimport pylstm\n"
        "try:\n    pylstm.LSTMRegressor().save('model')\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert "pylstm.save needs safetensors, which is not installed: pip install 'pylstm[sklearn]'" in message


def test_names():
    assert set(pylstm.__all__) <= set(dir(pylstm))
    assert pylstm.__version__
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        pylstm.nonsense  # noqa: B018


@pytest.mark.long
def test_demo():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pylstm", "demo"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("loss" in line for line in lines) >= 20
    accuracy = float(lines[-1].partition("accuracy ")[2].partition(" ")[0])
    assert accuracy >= 0.93


def test_command_line_without_a_command():
    done = subprocess.run([sys.executable, "-P", "-m", "pylstm"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "demo" in done.stderr
