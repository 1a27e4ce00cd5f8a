"""NaN and infinity as inputs of exported models: outputs are NaN, the state stays, and nothing is learnt."""

import ctypes

import numpy as np
import pytest
from compilers import C99, compile_all, gcc, run
from nets import exported_net

from pylstm._devices import c_file, c_learn

pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")
N_X, N_Y, WINDOW = 3, 4, 5
BAD = [np.nan, np.inf, -np.inf]


def texts():
    for cell, scaled, int8 in (("lstm", True, False), ("gru", False, True)):
        net = exported_net(cell, (N_X, 6, 5), N_Y, scaled=scaled, int8=int8)
        yield f"plain_{cell}", c_file.text(f"plain_{cell}", net._replace(pooling="max" if scaled else "mean"), None)
        if not int8:
            for head_only in (True, False):
                name = f"{'head' if head_only else 'all'}_{cell}"
                yield name, c_learn.text(name, net, None, c_learn.Learning(head_only, WINDOW, True, 1.0, True))


def learners_of_values():
    for loss in ("huber", "sigmoid"):
        for head_only in (True, False):
            name = f"{loss}_{'head' if head_only else 'all'}"
            net = exported_net("lstm", (N_X, 6), N_Y, loss=loss, scaled_back=loss == "huber")
            yield name, c_learn.text(name, net, None, c_learn.Learning(head_only, WINDOW, True, 1.0, True))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """All of them, by a compiler that is told that there is no NaN: which is not to hinder them."""
    folder, names = tmp_path_factory.mktemp("models"), []
    for name, text in [*texts(), *learners_of_values()]:
        (folder / f"{name}.c").write_text(text)
        names.append(name)
    flags = [*C99, "-O1", "-ffast-math", "-fPIC"]
    compile_all([gcc, *flags, "-c", folder / f"{name}.c", "-o", folder / f"{name}.o"] for name in names)
    run(gcc, "-shared", *(folder / f"{name}.o" for name in names), "-o", folder / "models.so")
    return ctypes.CDLL(str(folder / "models.so")), [name for name, _ in texts()]


class Running:
    def __init__(self, library, name):
        self.library, self.name, self.memory = library, name, np.zeros(1 << 16, np.uint8)
        self.call("reset" if name.startswith("plain") else "init")

    def call(self, function, *arguments):
        return getattr(self.library, f"{self.name}_{function}")(ctypes.c_void_p(self.memory.ctypes.data), *arguments)

    def step(self, x):
        x, y = np.asarray(x, np.float32), np.zeros(N_Y + 1, np.float32)
        self.call("step", ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data))
        assert y[N_Y] == 0
        return y[:N_Y]

    def learn(self, x):
        x, labels = np.asarray(x, np.float32), np.arange(WINDOW, dtype=np.int32) % N_Y
        function = getattr(self.library, f"{self.name}_learn")
        function.restype = ctypes.c_float
        arguments = [ctypes.c_void_p(array.ctypes.data) for array in (self.memory, x, labels)]
        return function(*arguments, ctypes.c_float(0.1))


def test_a_step(library):
    rng = np.random.default_rng(0)
    for name in library[1]:
        disturbed, other = Running(library[0], name), Running(library[0], name)
        for k, bad in enumerate([*BAD, *BAD]):
            x = rng.normal(size=N_X)
            np.testing.assert_array_equal(disturbed.step(x), other.step(x))
            x[k % N_X] = bad
            assert np.isnan(disturbed.step(x)).all()


def test_a_window(library):
    rng = np.random.default_rng(0)
    for name in library[1]:
        if name.startswith("plain"):
            continue
        disturbed, other = Running(library[0], name), Running(library[0], name)
        for k, bad in enumerate(BAD):
            x = rng.normal(size=(WINDOW, N_X))
            assert disturbed.learn(x) == other.learn(x)
            x[k % 2 * (WINDOW - 1), k] = bad
            assert np.isnan(disturbed.learn(x))
            disturbed.call("reset")
            other.call("reset")
        x = rng.normal(size=N_X)
        np.testing.assert_array_equal(disturbed.step(x), other.step(x))


def test_targets_that_are_nan_have_no_part(library):
    x, targets = np.random.default_rng(0).normal(size=(WINDOW, N_X)).astype(np.float32), np.ones((WINDOW, N_Y), "f4")
    targets[:, 1] = np.nan
    for name, _ in learners_of_values():
        learning, other = Running(library[0], name), Running(library[0], name)
        function = getattr(library[0], f"{name}_learn")
        function.restype = ctypes.c_float
        arguments = [ctypes.c_void_p(array.ctypes.data) for array in (learning.memory, x, targets)]
        losses = [function(*arguments, ctypes.c_float(0.5)) for _ in range(5)]
        assert losses[-1] < losses[0]
        now, before = learning.step(x[0]), other.step(x[0])
        if name.endswith("head"):
            assert now[1] == before[1]
        assert (now[[0, 2, 3]] != before[[0, 2, 3]]).all()
