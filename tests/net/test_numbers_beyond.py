"""Numbers beyond those of the machine, and True for a number: an error that names the argument, never OverflowError."""

from fractions import Fraction

import numpy as np
import pytest
from toys import ESTIMATORS, toy

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMSequenceRegressor
from pylstm._estimators.hyperparameters import Number

#: Integers, and a fraction, that no float can hold.
BEYOND = [10**400, -(10**400), Fraction(10**400, 3)]
X = np.ones((2, 3, 1))


def numbers_of(cls):
    """Return the names of the hyperparameters that take numbers."""
    constraints = cls._parameter_constraints
    return [name for name in cls().get_params() if any(isinstance(each, Number) for each in constraints[name])]


@pytest.mark.parametrize("cls", [*ESTIMATORS, LSTMForecaster])
def test_hyperparameters(cls):
    names = numbers_of(cls)
    assert {"alpha", "n_jobs", "tol", "batch_size", "hidden_layer_sizes"} < set(names)
    for name in names:
        for value in [*BEYOND, True, np.nan]:
            estimator = cls(**{name: value})
            with pytest.raises(ValueError, match=f"The '{name}' parameter of {cls.__name__} must be"):
                estimator._validate_params()
            assert estimator.get_params()[name] is value


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_what_is_saved_can_be_loaded(cls, tmp_path):
    # True passed scikit-learn's check as 1, was saved, and refused by `load`.
    data = toy(cls)
    with pytest.raises(ValueError, match="The 'alpha' parameter"):
        cls((2,), alpha=True).fit(*data)
    estimator = cls((2,), max_iter=1).fit(*data)
    for bad in ({"alpha": True}, {"tol": 10**400}, {"learning_rate_init": "high"}):
        before = estimator.get_params()
        estimator.set_params(**bad)
        for call in (lambda: estimator.partial_fit(*data), lambda: estimator.save(tmp_path / "model")):
            with pytest.raises(ValueError, match=rf"^(The ')?{next(iter(bad))}\b.* must be "):
                call()
        estimator.set_params(**before)
    assert not list(tmp_path.iterdir())
    estimator.partial_fit(*data).save(tmp_path / "model")
    pylstm.load(tmp_path / "model")


@pytest.mark.parametrize("value", BEYOND, ids=["huge", "-huge", "fraction"])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        (r"X\[0\]", lambda value: pylstm.Sequence(1, 2).forward([[[value]]])),
        ("X", lambda value: LSTMRegressor((2,)).fit([[value], [1.0]], [0, 1])),
        (r"X\[0\]", lambda value: LSTMRegressor((2,)).fit([[[value]], [[1.0]]], [0, 1])),
        ("x", lambda value: pylstm.Sequence(1, 2).stream().step([value])),
        ("block", lambda value: pylstm.Sequence(1, 2).stream().process([[value]])),
        ("x", lambda value: pylstm.Sequence(1, 2).stream().reset("rest", [value])),
        ("x", lambda value: pylstm.Cell(1, 2).explain([value])),
        ("h of state", lambda value: pylstm.Cell(1, 1).step([[1.0]], ([[value]], [[0.0]]))),
        (r"hold\['f'\]", lambda value: pylstm.Sequence(1, 2).trace(X, hold={"f": value})),
        ("f", pylstm.half_life),
        ("y", lambda value: LSTMRegressor((2,)).fit(X, [value, 1])),
        ("y", lambda value: LSTMSequenceRegressor((2,)).fit(X, [[value] * 3, [1.0] * 3])),
        ("sample_weight", lambda value: LSTMRegressor((2,)).fit(X, [0, 1], sample_weight=[value, 1])),
        ("class_weight", lambda value: LSTMClassifier((2,), class_weight={0: abs(value)}).fit(X, [0, 1])),
        ("y", lambda value: LSTMForecaster((2,)).fit([value] * 30)),
        ("X", lambda value: LSTMForecaster((2,)).fit(np.arange(30.0), np.full((30, 1), value, object))),
    ],
)
def test_in_arrays(name, call, value):
    with pytest.raises(ValueError, match=f"^{name} must hold numbers that a float can hold: "):
        call(value)


def test_flags_and_sizes():
    for value in (1, "yes", np.nan, None):
        with pytest.raises(TypeError, match="bidirectional must be True or False, got "):
            pylstm.Sequence(1, 2, bidirectional=value)
    assert pylstm.Sequence(1, 2, np.True_).bidirectional
    with pytest.raises(ValueError, match=r"input_size 1, hidden_size \(1073741824,\) and n_outputs 0 can't be made"):
        pylstm.Sequence(1, 2**30)
    with pytest.raises(ValueError, match="batch_size 2147483648 can't be made"):
        pylstm.Sequence(1, 2).stream(2**31)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes\[1\] must be an integer that the machine can count to"):
        LSTMRegressor((2, 2**63)).fit(X, [0, 1])


@pytest.mark.parametrize("x", [[], [1.0, 2.0], [[1.0], [2.0]]])
def test_what_a_stream_rests_on(x):
    with pytest.raises(ValueError, match=r"x must have shape \(1, 1\) or \(1,\), got "):
        pylstm.Sequence(1, 2, random_state=0).stream().reset("rest", x)


def test_no_classes():
    with pytest.raises(ValueError, match="classes must hold all labels there will be, got none"):
        LSTMClassifier((2,)).partial_fit(X, [0, 1], classes=[])
