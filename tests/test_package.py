"""What importing costs, the data sets, the demo."""

import subprocess
import sys

import numpy as np
import pytest

import pylstm
from pylstm import datasets


def run_python(code):
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_neither_scikit_learn_nor_matplotlib():
    loaded = run_python("import pylstm, sys; print(*sys.modules)").split()
    assert "pylstm" in loaded
    heavy = {"sklearn", "matplotlib", "pandas", "safetensors", "joblib", "torch"}
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_estimators_load_on_first_touch():
    assert run_python("import pylstm, sys; pylstm.LSTMClassifier; print('sklearn' in sys.modules)").strip() == "True"


def test_a_missing_extra_is_named():
    message = run_python(
        "import sys\nsys.modules['sklearn'] = None\nimport pylstm\n"
        "try:\n    pylstm.LSTMClassifier\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert "pylstm.LSTMClassifier needs sklearn" in message
    assert "pip install 'pylstm[sklearn]'" in message


def test_names():
    assert set(pylstm.__all__) <= set(dir(pylstm))
    assert pylstm.__version__
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        pylstm.nonsense  # noqa: B018


def test_japanese_vowels():
    for split, n_sequences in [("train", 270), ("test", 370)]:
        X, y = datasets.load_japanese_vowels(split=split)
        assert len(X) == len(y) == n_sequences
        assert set(y) == set(range(1, 10))
        lengths = [len(x) for x in X]
        assert min(lengths) == 7
        assert max(lengths) in (26, 29)
        assert all(x.shape[1] == 12 and x.dtype == np.float32 and np.isfinite(x).all() for x in X)
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'all'"):
        datasets.load_japanese_vowels(split="all")


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
