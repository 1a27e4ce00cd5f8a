"""No steps and no sequences: refused with a ValueError that names them, by all that read sequences."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import ESTIMATORS, toy

import pylstm
from pylstm.preprocessing import PerStep

STEPS = np.zeros((3, 2))
#: What comes in, and what is said of it.
NO_STEPS = [
    (np.zeros((3, 0, 2)), r"must have at least one step per sequence, got shape \(3, 0, 2\)"),
    ([STEPS, STEPS[:0]], r"\[1\] must have at least one step, got shape \(0, 2\)"),
]
NO_SEQUENCES = [
    (np.zeros((0, 3, 2)), r"must hold at least one sequence, got shape \(0, 3, 2\)"),
    ([], "must hold at least one sequence, got none"),
]


@pytest.mark.parametrize(("X", "message"), [*NO_STEPS, *NO_SEQUENCES])
def test_nets(X, message):
    seq = pylstm.Sequence(2, 3, random_state=0)
    for call in (seq.forward, seq.trace, lambda X: seq.forward(X, training=True)):
        with pytest.raises(ValueError, match=f"X{message}" if message.startswith(r"\[") else f"X {message}"):
            call(X)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_estimators(cls):
    X, y = toy(cls)
    model = cls((3,), max_iter=1, random_state=0)
    for fitted in (model.fit(X, y), make_pipeline(PerStep(StandardScaler()), cls((3,), max_iter=1)).fit(X, y)):
        for empty, message in (*NO_STEPS, *NO_SEQUENCES):
            with pytest.raises(ValueError, match=message):
                fitted.predict(empty)
            with pytest.raises(ValueError, match=message):
                fitted.fit(empty, y[: len(empty)])


@pytest.mark.parametrize(("X", "message"), [*NO_STEPS, *NO_SEQUENCES])
def test_preprocessing(X, message):
    per_step = PerStep(StandardScaler())
    for call in (per_step.fit, per_step.fit([STEPS]).transform):
        with pytest.raises(ValueError, match=message):
            call(X)


def test_streams():
    for model in (pylstm.Sequence(2, 3, random_state=0), pylstm.Sequence(2, (3, 4), random_state=0, cell="gru")):
        stream = pylstm.stream(model)
        stream.step(STEPS[0])
        state = [[values.copy() for values in layer] for layer in stream.state]
        for block in (np.zeros((0, 2)), np.zeros((1, 0, 2))):
            with pytest.raises(ValueError, match="block must have at least one step, got shape"):
                stream.process(block)
        for before, after in zip(state, stream.state, strict=True):
            np.testing.assert_array_equal(before, after)
