"""Threads, forks, signals and errors in the middle of things: right answers, nothing stuck, no memory lost."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed
from processes import run_python
from toys import ESTIMATORS, outputs, toy, weights

import pylstm
from pylstm import LSTMClassifier, LSTMRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:This process .* is multi-threaded:DeprecationWarning"
)
#: Seconds after which what has not ended is stuck.
STUCK = 120


def fitted(cls=LSTMClassifier, **options):
    return cls(**{"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0, **options}).fit(*toy(cls))


def at_once(work, n=8):
    """Return the results of `work(0)`, `work(1)`, ... on as many threads, which begin together."""
    barrier = threading.Barrier(n)

    def begin(k):
        barrier.wait()
        return work(k)

    with ThreadPoolExecutor(n) as pool:
        return [future.result(timeout=STUCK) for future in [pool.submit(begin, k) for k in range(n)]]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_estimator_predicts_on_eight_threads(cls):
    """With weights that get packed, come into reach of a user and are packed again meanwhile."""
    estimator, (X, _) = fitted(cls), toy(cls)
    parts = [X[k:] for k in range(8)]
    expected = [outputs(fitted(cls), part) for part in parts]

    def work(k):
        for turn in range(40):
            if k == 0 and turn % 5 == 0:
                weights(estimator)
            np.testing.assert_array_equal(outputs(estimator, parts[k]), expected[k])

    at_once(work)


@pytest.mark.parametrize("hidden_size", [8, 300])  # with the GIL, and without
def test_streams_on_eight_threads_while_models_change(hidden_size):
    nets = [pylstm.Sequence(3, hidden_size, random_state=seed) for seed in (0, 1)]
    X = np.random.default_rng(0).standard_normal((8, 30, 3)).astype(np.float32)

    def work(k):
        stream = nets[0].stream()
        first = stream.process(X[k, :10])
        stream.set_model(nets[1])
        return np.concatenate([first, *[stream.process(X[k, s : s + 5]) for s in range(10, 30, 5)]])

    for got, alone in zip(at_once(work), [work(k) for k in range(8)], strict=True):
        np.testing.assert_array_equal(got, alone)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_several_fits_at_once(n_jobs):
    expected = [weights(fitted(ESTIMATORS[k % 4], dropout=0.2)) for k in range(8)]
    for got, values in zip(
        at_once(lambda k: weights(fitted(ESTIMATORS[k % 4], dropout=0.2, n_jobs=n_jobs))), expected, strict=True
    ):
        for name in values:
            np.testing.assert_array_equal(got[name], values[name])


def predict_and_fit(estimator):
    """Return predictions before and after going on; at the top of the module, for other processes to find."""
    X, y = toy(type(estimator))
    return outputs(estimator, X), outputs(estimator.partial_fit(X, y), X)


@pytest.mark.parametrize("way", ["fork", *(pytest.param(way, marks=pytest.mark.long) for way in ("spawn", "loky"))])
def test_other_processes_in_the_middle_of_threads(way):
    if way == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    estimator = fitted(LSTMRegressor)
    expected = predict_and_fit(pickle.loads(pickle.dumps(estimator)))
    X, _ = toy(LSTMRegressor)
    stop = threading.Event()

    def predict_on():
        while not stop.is_set():
            outputs(estimator, X)

    threads = [threading.Thread(target=predict_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        if way == "loky":
            results = Parallel(n_jobs=2, backend="loky", timeout=STUCK)(
                delayed(predict_and_fit)(estimator) for _ in range(4)
            )
        else:
            with multiprocessing.get_context(way).Pool(2) as pool:
                results = pool.map_async(predict_and_fit, [estimator] * 4).get(timeout=STUCK)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for result in results:
        for got, values in zip(result, expected, strict=True):
            np.testing.assert_array_equal(got, values)


ENDLESS = """
import sys, warnings
import numpy as np, pylstm
X = np.random.default_rng(0).standard_normal((64, 50, 4))
y = X[:, :, 0].sum(axis=1)
options = {"hidden_layer_sizes": (32,), "learning_rate": "constant", "random_state": 0, "n_jobs": 2}
options |= {"tol": 0.0, "n_iter_no_change": 10**9}
class Tell:
    def write(self, text):
        sys.__stdout__.write("epoch\\n" if text.strip() else "")
        sys.__stdout__.flush()
    def flush(self): pass
sys.stdout = Tell()
model = pylstm.LSTMRegressor(max_iter=10**9, verbose=True, **options)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, y)
sys.stdout = sys.__stdout__
best = int(np.argmin(model.loss_curve_)) + 1
warnings.simplefilter("ignore")
again = pylstm.LSTMRegressor(max_iter=best, **options).fit(X, y)
print("interrupted" in str(caught[0].message), np.array_equal(model.predict(X), again.predict(X)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_during_fit():
    child = subprocess.Popen([sys.executable, "-P", "-c", ENDLESS], stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        assert child.stdout.readline() == "epoch\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=STUCK)
    assert child.returncode == 0
    assert out.splitlines()[-1] == "True True"


def test_an_error_in_a_callback_leaves_the_estimator_as_it_was():
    pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9")

    class Fails:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context, **_): ...
        def on_fit_task_end(self, estimator, context, **_):
            raise ZeroDivisionError("a callback's own")

    estimator, (X, y) = fitted(), toy(LSTMClassifier)
    before = outputs(estimator, X)
    estimator.set_callbacks(Fails())
    with pytest.raises(ZeroDivisionError, match="a callback's own"):
        estimator.fit(X, y)
    np.testing.assert_array_equal(outputs(estimator, X), before)
    assert estimator.n_iter_ == 3


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells resident memory there")
@pytest.mark.long
def test_no_memory_is_lost_over_many_calls():
    """10^5 calls of all kinds; a block of 64 bytes lost in each would be 6 MB."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    seq = pylstm.Sequence(2, 5, random_state=0)
    cell, stream = pylstm.Cell(2, 5, random_state=0), seq.stream()
    x, X, dY = np.ones((1, 2), np.float32), np.ones((2, 3, 2), np.float32), np.ones((2, 3, 5), np.float32)

    def calls(n):
        for _ in range(n // 10):
            seq.forward(X)
            seq.forward([X[0], X[1, :1]])
            _, state = seq.forward(X, training=True)
            seq.forward(X, state)
            seq.backward(dY)
            cell.step(x)
            stream.step(x)
            stream.process(X[:1])
            stream.state = stream.state
            with pytest.raises(ValueError):
                seq.forward(X[:, :, :1])

    calls(2000)
    before = resident()
    calls(100_000)
    assert resident() - before < 3 << 20


def test_without_the_GIL_it_is_not_loaded():
    # As where PYTHON_GIL=0 keeps it off, of a Python that can do without.
    run_python("""
import sys
sys._is_gil_enabled = lambda: False
try:
    import pylstm
except ImportError as error:
    assert "needs the GIL, which PYTHON_GIL=0 or -X gil=0 keeps off" in str(error), error
else:
    raise AssertionError("loaded")
sys._is_gil_enabled = lambda: True
import pylstm
pylstm.Sequence(1, 2).forward([[[1.0]]])
""")
