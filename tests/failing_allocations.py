"""Every allocation of a number of actions fails once: the program that test_allocation.py runs.

failing_allocations.py c      those of the extension and of NumPy, with failing_allocations.c preloaded
failing_allocations.py python those of Python's objects that the extension makes, likewise, under PYTHONMALLOC=malloc
"""

import ctypes
import faulthandler
import gc
import pickle
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import pylstm

faulthandler.enable()
warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((16, 12, 24)).astype(np.float32)
LONG = np.resize(X, (1, 300, 24))
TOY, LABELS = list(X[:, :6]), np.arange(16) % 2


def fitted():
    # Nothing is scaled: NumPy 2.3.5 itself crashes where rows less a mean get no memory.
    return pylstm.LSTMClassifier((4,), standardize=False, max_iter=2, random_state=0, dropout=0.2).fit(TOY, LABELS)


def outputs_of_net(net):
    """Return what tells a net from another."""
    return net.forward(X)[0]


def outputs_of_estimator(estimator):
    return np.append(estimator.predict_proba(TOY).ravel(), estimator.loss_curve_)


def train(net):
    Y, _ = net.forward(X, training=True)
    net.backward(Y)


def trained_before(net):
    train(net)
    return net


def net(hidden_size=9, **options):
    return pylstm.Sequence(24, hidden_size, random_state=0, **options)


def saves(estimator):
    with tempfile.TemporaryDirectory() as directory:
        estimator.save(Path(directory) / "model")
        pylstm.load(Path(directory) / "model")


def swaps(stream):
    stream.set_model(net())
    stream.process(X[:1])


def outputs_of_stream(stream):
    """Return its outputs and those of the weights that it is pickled with, which must be the same."""
    Y = [each.process(X[:1], None) for each in (pickle.loads(pickle.dumps(stream)), stream)]
    np.testing.assert_array_equal(*Y)
    stream.reset()
    return Y[0]


def a_stream():
    return net().stream()


#: What is made, what is done to it, what tells that it is as it was.
ACTIONS = {
    "make": (lambda: None, lambda _: net(), None),
    "forward": (net, lambda it: it.forward(X), outputs_of_net),
    "ragged, both directions": (
        lambda: net(bidirectional=True), lambda it: it.forward(list(X), None), outputs_of_net),
    "packed": (net, lambda it: [it.forward(X) for _ in range(3)], outputs_of_net),
    "huge pages": (lambda: net(540), lambda it: it.forward(X), outputs_of_net),
    "two threads": (lambda: net(150, n_threads=2), lambda it: it.forward(X), outputs_of_net),
    "a team": (lambda: net(300, n_threads=2), lambda it: it.forward(LONG), outputs_of_net),
    "train": (net, train, outputs_of_net),
    "train again": (lambda: trained_before(net()), train, outputs_of_net),
    "trace": (net, lambda it: it.trace(X, hold={"f": 1.0}), outputs_of_net),
    "stream": (net, lambda it: it.stream().process(X[:1]), outputs_of_net),
    "swap": (a_stream, swaps, outputs_of_stream),
    "pickle": (net, lambda it: pickle.loads(pickle.dumps(it)), outputs_of_net),
    "predict": (fitted, lambda it: it.predict(TOY), outputs_of_estimator),
    "fit": (fitted, lambda it: it.fit(TOY, LABELS), outputs_of_estimator),
    "partial_fit": (fitted, lambda it: it.partial_fit(TOY, LABELS), outputs_of_estimator),
    "save and load": (fitted, saves, outputs_of_estimator),
}  # fmt: skip


#: Those of nets. Estimators leave most to scikit-learn, which says RuntimeError and SystemError in places.
IN_PYTHON = ["make", "forward", "ragged, both directions", "packed", "train", "train again", "trace", "stream", "swap",
             "pickle"]  # fmt: skip
#: Where a thread can't be started, its work is done all the same.
THREADED = ("two threads", "a team")

EXTENSION, NUMPY = b"pylstm/_net/core", b"_multiarray_umath"
#: What allocates, and whether Python's objects are meant too.
KINDS = {"c": [(EXTENSION, False), (NUMPY, False)], "python": [(EXTENSION, True)]}


def attempt(name, word, with_objects, at, expected):
    """Let an allocation of an action fail; return whether it said so, how many it made, and how many are not freed."""
    library = ctypes.CDLL(None)
    library.fail_in.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long]
    library.allocations.restype = library.outstanding.restype = ctypes.c_long
    make, act, tell = ACTIONS[name]
    kept = make()
    gc.collect()
    library.fail_in(word, with_objects, at)
    try:
        act(kept)
        refused = False
    except MemoryError:
        refused = True
    n_allocations = library.allocations()
    if refused and tell:
        np.testing.assert_array_equal(tell(kept), expected)
    del kept
    gc.collect()
    n_left = library.outstanding()
    library.fail_in(None, False, 0)
    return refused, n_allocations, n_left


def fail(name, kinds):
    """Return how many allocations of these kinds an action makes, each of which has failed."""
    make, act, tell = ACTIONS[name]
    act(make())  # imports, caches
    expected = tell(make()) if tell else None
    total = 0
    for word, with_objects in kinds:
        for at in range(1, sys.maxsize):
            refused, n_allocations, n_left = attempt(name, word, with_objects, at, expected)
            where = f"{name}: allocation {at} of {word.decode()} failed"
            in_c = word == EXTENSION and not with_objects
            if in_c and n_left > 0:  # Cython's list of the lines in tracebacks grows at new ones: not twice at the same
                _, _, n_left = attempt(name, word, with_objects, at, expected)
            if in_c and n_left > 0:  # NumPy and CPython keep small blocks for later
                raise AssertionError(f"{where}, {n_left} were not freed")
            if n_allocations < at:
                break
            if in_c and not refused and name not in THREADED:
                raise AssertionError(f"{where}, and there was no MemoryError")
            total += 1
    return total


def main():
    gc.freeze()  # what was imported is nothing to look through again and again
    kind = sys.argv[1]
    for name in IN_PYTHON if kind == "python" else ACTIONS:
        print(f"{name}: {fail(name, KINDS[kind])} allocations", flush=True)


if __name__ == "__main__":
    main()
