"""Arrays of other sizes or dtypes than the net's, by whatever way they come: an error, and nothing read past an end.

Objects say what they expect in attributes, files and headers that anybody can change after the check that read them.
"""

import copy
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from saved_files import rewrite
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import ESTIMATORS, PER_STEP, flat, outputs, toy

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor, LSTMTagger
from pylstm._files import persistence
from pylstm._net.core import Solver
from pylstm._net.inputs import Steps
from pylstm.preprocessing import PerStep

X = np.random.default_rng(0).standard_normal((6, 5, 4))


def fitted(cls=LSTMTagger, **options):
    X, y = toy(cls)
    return cls((8,), max_iter=1, random_state=0, **options).fit(X, y), X, y


# ---- a net is given steps that are not its own


@pytest.mark.parametrize(
    "rows",
    [np.zeros((10, 3), np.float32), np.zeros((10, 5), np.float32), np.zeros((10, 4), np.float64),
     np.zeros((10, 4), np.float32, order="F"), np.zeros((10, 4), ">f4"), np.zeros((9, 4), np.float32),
     np.zeros(40, np.float32)],
    ids=["narrow", "wide", "float64", "Fortran", "big-endian", "too few", "1-D"],
)  # fmt: skip
def test_steps_of_another_net(rows):
    model = pylstm.Sequence(4, 3, random_state=0)
    steps = Steps(rows, np.array([5, 5], np.intp), True)
    with pytest.raises(ValueError, match="X must have 4 features per step, of float32"):
        model.run_traced(steps, None, None)
    estimator = fitted()[0]
    width = estimator._model.input_size
    with pytest.raises(ValueError, match=f"X must have {width} features per step, of float32"):
        estimator._model.predict(Steps(np.zeros((10, width + 1), np.float32), np.array([5, 5], np.intp), True))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_dtype_set_after_fit(cls):
    """It is for the next fit; what is fitted goes on as it is."""
    estimator, X, y = fitted(cls)
    expected, traced = outputs(estimator, X), flat(estimator.trace(X).output)
    estimator.set_params(dtype="float64")
    np.testing.assert_array_equal(outputs(estimator, X), expected)
    np.testing.assert_array_equal(flat(estimator.trace(X).output), traced)
    if cls in PER_STEP:
        assert estimator.stream().dtype == np.float32
    other = copy.deepcopy(estimator).set_params(dtype="float32")
    np.testing.assert_array_equal(
        estimator.partial_fit(X, y)._model.copy_weights(), other.partial_fit(X, y)._model.copy_weights()
    )
    assert estimator.set_params(warm_start=True).fit(X, y)._model.dtype == np.float64


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_n_features_changed_after_fit(cls):
    estimator, X, y = fitted(cls)
    width = estimator.n_features_in_
    estimator.n_features_in_ = width + 1
    wide = [np.ones((len(x), width + 1)) for x in X]
    for call in (estimator.predict, estimator.trace, lambda X: estimator.partial_fit(X, y)):
        with pytest.raises(ValueError, match=rf"{width} features|, {width}\)"):
            call(wide)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_output_shape_changed_after_fit(shape):
    X, y = toy(LSTMRegressor)
    estimator = LSTMRegressor((8,), max_iter=1, random_state=0).fit(X, np.column_stack([y, y]))
    estimator._output_shape = shape
    with pytest.raises(ValueError, match="reshape"):
        estimator.predict(X)
    with pytest.raises(ValueError, match="targets must be"):
        estimator.partial_fit(X, np.ones((len(X), *shape)))


@pytest.mark.parametrize("name", ["mean_", "scale_"])
@pytest.mark.parametrize("values", [np.zeros(1), np.ones(3), np.ones((4, 1)), 1.0])
def test_scaler_of_other_sizes(name, values, tmp_path):
    y = np.arange(6) % 2
    pipeline = make_pipeline(PerStep(StandardScaler()), LSTMClassifier((3,), max_iter=1, random_state=0)).fit(X, y)
    setattr(pipeline[0].transformer_, name, values)
    for call in (pylstm.stream, lambda model: pylstm.export_c(model, tmp_path / "net.c")):
        with pytest.raises(ValueError, match=f"{name} of the scaler must have a value for each of the 4 features"):
            call(pipeline)
    assert not list(tmp_path.iterdir())


def test_stream_of_other_sizes():
    stream = pylstm.Sequence(4, 3, random_state=0).stream()
    function, named, (spec, (flat, mean, scale), batch_size, *rest) = stream.__reduce__()
    function(*named).__setstate__((spec, (flat, mean, scale), batch_size, *rest))  # as it is
    for weights, message in [
        ((flat[:1], None, None), r"weights must have shape \(96,\), got \(1,\)"),
        ((flat, np.zeros(1), np.ones(4)), r"mean must have shape \(4,\), got \(1,\)"),
        ((flat, np.zeros(4), np.ones(5)), r"scale must have shape \(4,\), got \(5,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            function(*named).__setstate__((spec, weights, batch_size, *rest))


def test_solver_of_another_model():
    estimator, X, y = fitted()
    other = LSTMTagger((2,), max_iter=1, random_state=0).fit(X, y)
    estimator._solver = other._solver
    with pytest.raises(ValueError, match="moments must be"):
        estimator.partial_fit(X, y)
    assert isinstance(estimator._solver, Solver)


def test_dtype_in_the_header_of_a_file(tmp_path):
    path = tmp_path / "model"
    fitted()[0].save(path)
    rewrite(path, lambda document, arrays: document["parameters"].update(dtype="float64"))
    estimator, X, y = fitted()
    loaded = pylstm.load(path)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(estimator, X))
    loaded.partial_fit(X, y)
    rewrite(path, lambda document, arrays: document["state"].update(dtype="float64"))
    with pytest.raises(ValueError, match="must be an array"):
        pylstm.load(path)


# ---- initialised again while it is in use


class Turns:
    """An array that initialises an object again when it is read."""

    def __init__(self, values, initialise):
        self.values, self.initialise = values, initialise

    def __array__(self, dtype=None, copy=None):
        self.initialise()
        return self.values


@pytest.mark.parametrize("method", ["forward", "training", "trace", "held", "backward"])
def test_a_sequence_in_use(method):
    seq = pylstm.Sequence(4, 3, random_state=0)
    before = seq.copy_weights()
    again = Turns(np.ones((2, 5, 4)), lambda: seq.__init__(40, 30))
    calls = {
        "forward": lambda: seq.forward(again),
        "training": lambda: seq.forward(again, training=True),
        "trace": lambda: seq.trace(again),
        "held": lambda: seq.forward(np.ones((2, 5, 4)), hold={"f": Turns(np.ones(3), again.initialise)}),
        "backward": lambda: seq.backward(Turns(np.ones((2, 5, 3)), again.initialise)),
    }
    seq.forward(np.ones((2, 5, 4)), training=True)
    with pytest.raises(RuntimeError, match="this Sequence is in use"):
        calls[method]()
    np.testing.assert_array_equal(seq.copy_weights(), before)
    state = [(Turns(np.ones((1, 2, 3)), again.initialise), np.ones((1, 2, 3)))]
    with pytest.raises(RuntimeError, match="this Sequence is in use"):
        seq.forward(np.ones((2, 5, 4)), state)
    seq.__init__(2, 3, random_state=0)  # free again
    assert seq.forward(np.ones((2, 5, 2)))[0].shape == (2, 5, 3)


def test_a_cell_in_use():
    cell = pylstm.Cell(4, 3, random_state=0)
    x = Turns(np.ones((2, 4)), lambda: cell.__init__(40, 30))
    for call in (cell.step, cell.gates):
        with pytest.raises(RuntimeError, match="this Cell is in use"):
            call(x)
    cell.__init__(2, 3)
    assert cell.step(np.ones((2, 2)))[0].shape == (2, 3)


def test_a_stream_in_use():
    stream, larger = pylstm.Sequence(4, 3, random_state=0).stream(), pylstm.Sequence(40, 30, dtype="float64")
    for call, shape in ((stream.step, (4,)), (stream.process, (5, 4))):
        with pytest.raises(RuntimeError, match="this Stream is in use"):
            call(Turns(np.ones(shape), lambda: stream.__init__(larger)))
    h = np.ones((1, 1, 3))
    with pytest.raises(RuntimeError, match="this Stream is in use"):
        stream.state = [(h, Turns(h, lambda: stream.__init__(larger)))]
    stream.__init__(larger)
    assert stream.step(np.ones(40)).shape == (30,)


def test_a_thread_in_the_middle():
    """While C runs, another thread initialises the object again, and again: some are refused, none is a crash."""
    program = """
import sys, threading
import numpy as np, pylstm
sys.setswitchinterval(1e-6)  # threads take turns within an __init__ too
for make, call in (
    (lambda: pylstm.Sequence(8, 64, random_state=0), lambda net: net.forward(np.ones((32, 200, 8), np.float32))),
    (lambda: pylstm.Sequence(8, 64, random_state=0).stream(8),
     lambda net: net.process(np.ones((8, 500, 8), np.float32))),
):
    net, refused, done = make(), 0, threading.Event()
    again = (8, 64) if isinstance(net, pylstm.Sequence) else (pylstm.Sequence(8, 64), 8)
    def run():
        for _ in range(20):
            try:
                call(net)
            except (RuntimeError, ValueError):  # in the middle of an __init__ there are no weights
                pass
        done.set()
    thread = threading.Thread(target=run)
    thread.start()
    while not done.is_set():
        try:
            net.__init__(*again)
        except RuntimeError as error:
            refused += "in use" in str(error)
    thread.join()
    print(refused)
"""
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert max(map(int, done.stdout.split())) > 0


def test_a_call_begins_in_the_middle_of_an_init():
    """It is what an init looks for last, when all its weights are drawn: it is refused, and nothing has changed."""
    seq, x = pylstm.Sequence(4, 3, random_state=0), np.ones((2, 5, 4))
    expected, begun, end, outputs = seq.forward(x)[0], threading.Event(), threading.Event(), []

    def read():
        begun.set()
        end.wait(60)

    call = threading.Thread(target=lambda: outputs.append(seq.forward(Turns(x, read))[0]))

    class InTheMiddle(np.random.Generator):
        def uniform(self, *args, **keywords):
            if not begun.is_set():
                call.start()
                begun.wait(60)
            return super().uniform(*args, **keywords)

    with pytest.raises(RuntimeError, match="this Sequence is in use"):
        seq.__init__(4, 3, random_state=InTheMiddle(np.random.PCG64(1)))
    end.set()
    call.join()
    np.testing.assert_array_equal(outputs[0], expected)
    np.testing.assert_array_equal(seq.forward(x)[0], expected)


def test_other_weights_while_a_stream_runs():
    """They are taken between two blocks, or refused."""
    models = [pylstm.Sequence(8, 64, random_state=seed) for seed in range(2)]
    stream, block, done, refused = models[0].stream(8), np.ones((8, 500, 8), np.float32), threading.Event(), []
    expected = [model.stream(8).process(block) for model in models]

    def take_others():
        turn = 0
        while not done.is_set():
            turn += 1
            try:
                stream.set_model(models[turn % 2])
            except RuntimeError as error:
                refused.append(str(error))

    thread, interval = threading.Thread(target=take_others), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for _ in range(20):
            stream.reset()
            output = stream.process(block)
            assert any(np.array_equal(output, each) for each in expected)
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert all("running this Stream" in each or "in use" in each for each in refused)


# ---- files


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="looks at Linux's /proc")
def test_a_file_is_not_mapped(tmp_path, monkeypatch):
    """One that is cut short while it is read would end the process."""
    path = tmp_path / "mapped-or-not"
    fitted()[0].save(path)
    maps = []
    build = persistence._build

    def look(state):
        with open("/proc/self/maps") as file:
            maps.append(file.read())
        return build(state)

    monkeypatch.setattr(persistence, "_build", look)
    pylstm.load(path)
    assert "mapped-or-not" not in maps[0]


def test_a_file_that_is_cut_short(tmp_path):
    path = tmp_path / "model"
    fitted()[0].save(path)
    data = path.read_bytes()
    for n in (0, 7, 8, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:n])
        with pytest.raises(ValueError, match=r"must be a file that pylstm\.save wrote"):
            pylstm.load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"must be a regular file that pylstm\.save wrote"):
        pylstm.load(tmp_path / "pipe")  # nobody will ever write there
    with pytest.raises(ValueError, match="must be a regular file"):
        pylstm.load(os.devnull)
    with pytest.raises(IsADirectoryError):
        pylstm.load(tmp_path)


# ---- small things that passed a check they should not have


def test_numbers_beyond_c():
    with pytest.raises(ValueError, match="t_max must be an integer >= 3 and <= "):
        pylstm.Sequence(1, 2, forget_bias="chrono", t_max=10**400)


@pytest.mark.parametrize("name", ["alpha", "tol", "max_iter"])
def test_true_is_no_number_in_a_file(name, tmp_path):
    path = tmp_path / "model"
    fitted()[0].save(path)
    rewrite(path, lambda document, arrays: document["parameters"].update({name: True}))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of .* must be .* Got True"):
        pylstm.load(path)
    rewrite(path, lambda document, arrays: document["parameters"].update({name: 1, "shuffle": True}))
    pylstm.load(path)


def test_escape_sequences_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "model"
    fitted()[0].save(path)
    rewrite(path, lambda document, arrays: document.update(format_version=9, pylstm_version="\x1b[2J9"))
    with pytest.raises(ValueError, match=r"written by pylstm '\\x1b\[2J9'") as raised:
        pylstm.load(path)
    assert "\x1b" not in str(raised.value)


def test_a_page_without_a_title(tmp_path):
    trace = pylstm.Sequence(1, 2, random_state=0).trace(np.ones((1, 3, 1)))
    with pytest.raises(TypeError, match="title must be a string, got None"):
        trace.to_html(tmp_path / "page.html", title=None)
    assert not list(tmp_path.iterdir())
