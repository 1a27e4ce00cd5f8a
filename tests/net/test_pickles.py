"""Pickles: names that stay, a version, and what is said of those that can't be read."""

import pickle
import pickletools

import numpy as np
import pytest
from toys import ESTIMATORS, toy

import pylstm
from pylstm._net import pickles
from pylstm._net.core import Model, ModelSpec, Solver

SOLVER = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-7, "momentum": 0.0, "nesterov": False,
          "alpha": 0.3, "max_grad_norm": 0.0}  # fmt: skip


def made(name):
    model = Model(ModelSpec(1, (2,), loss="squared_error", n_outputs=1), random_state=0)
    seq = pylstm.Sequence(1, 2, random_state=0)
    return {
        "Cell": lambda: pylstm.Cell(1, 2, random_state=0),
        "Sequence": lambda: seq,
        "Stream": lambda: seq.stream(),
        "Trace": lambda: seq.trace(np.ones((1, 3, 1))),
        "Model": lambda: model,
        "ModelSpec": lambda: model.spec,
        "Solver": lambda: Solver(model, "adam", **SOLVER),
        **{cls.__name__: lambda cls=cls: cls((3,), max_iter=1, random_state=0).fit(*toy(cls)) for cls in ESTIMATORS},
        "LSTMForecaster": lambda: pylstm.LSTMForecaster((2,), max_iter=1, cv=2).fit(np.sin(np.arange(40.0))),
    }[name]()


NAMES = ["Cell", "Sequence", "Stream", "Trace", "Model", "ModelSpec", "Solver", "LSTMForecaster",
         *(cls.__name__ for cls in ESTIMATORS)]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_pickles_name_nothing_that_could_move(name):
    strings, named = [], set()
    for opcode, argument, _ in pickletools.genops(pickle.dumps(made(name), protocol=4)):
        if isinstance(argument, str):
            strings.append(argument)
        elif opcode.name == "STACK_GLOBAL":
            named.add(".".join(strings[-2:]))
    assert {of for of in named if of.startswith("pylstm")} == {"pylstm._restore"}


@pytest.mark.parametrize("name", NAMES)
def test_other_versions_are_refused(name, monkeypatch):
    instance = made(name)
    pickled = pickle.dumps(instance)
    assert type(pickle.loads(pickled)) is type(instance)
    monkeypatch.setattr(pickles, "VERSION", pickles.VERSION + 1)
    with pytest.raises(ValueError, match=f"its format is {pickles.VERSION - 1}, and this one reads {pickles.VERSION}"):
        pickle.loads(pickled)


@pytest.mark.parametrize("named", [b"pylstm._core\n_restore\n", b"pylstm._classifier\nLSTMClassifier\n"])
def test_pickles_without_a_version_are_refused(named):
    with pytest.raises(ModuleNotFoundError, match=r"made by an early version of pylstm.* pylstm\.save"):
        pickle.loads(b"c" + named + b".")


def test_subclasses_of_users():
    class Mine(pylstm.LSTMRegressor):
        pass

    pickles.CLASSES["Mine"] = Mine  # as if it were importable
    try:
        assert type(pickle.loads(pickle.dumps(Mine(alpha=0.5)))) is Mine
    finally:
        del pickles.CLASSES["Mine"]
