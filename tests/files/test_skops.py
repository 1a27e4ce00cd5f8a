"""skops.io, which makes objects of what `__getstate__` says of them, and names the types it was not told to trust."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import ESTIMATORS, outputs, toy

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMLanguageModel, LSTMRegressor
from pylstm._net import pickles
from pylstm.preprocessing import PerStep


@pytest.fixture(scope="module")
def sio():
    return pytest.importorskip("skops.io")  # not at the top, as it takes two seconds


def small(cls, **options):
    return cls((3, 2), **{"max_iter": 2, "random_state": 0, "dropout": 0.3, **options})


def through(sio, instance, *parts):
    """Return what is loaded; nothing but the classes of the instance, or of these parts, may be asked for."""
    classes = {type(part) for part in parts or (instance,)}
    dumped = sio.dumps(instance)
    assert set(sio.get_untrusted_types(data=dumped)) == {f"{cls.__module__}.{cls.__name__}" for cls in classes}
    return sio.loads(dumped, trusted=list(classes))


def state(random_state):
    return random_state.get_state(legacy=False)["state"]["key"].tolist()


def test_estimators(sio):
    for cls in ESTIMATORS:  # in one test, so that one process imports skops
        check_estimator(cls, sio)


def check_estimator(cls, sio):
    X, y = toy(cls)
    estimator = small(cls).fit(X, y).partial_fit(X, y)
    loaded = through(sio, estimator)
    assert type(loaded) is cls
    assert vars(loaded).keys() == vars(estimator).keys()
    np.testing.assert_array_equal(outputs(loaded, X), outputs(estimator, X), strict=True)
    for each in (estimator, loaded):
        each.set_params(alpha=0.5)  # of the next fit: the solver stays the one it was
        each.partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(estimator, X), strict=True)
    assert loaded.loss_curve_ == estimator.loss_curve_
    assert len(loaded.loss_curve_) == loaded.n_iter_ == 5
    for each in (estimator, loaded):
        each.set_params(warm_start=True, early_stopping=True, validation_fraction=0.3).fit(X, y)
    np.testing.assert_array_equal(outputs(loaded, X), outputs(estimator, X), strict=True)
    assert loaded.validation_scores_ == estimator.validation_scores_


def test_others(sio):
    series = np.sin(np.arange(40.0))
    forecaster = LSTMForecaster((2,), max_iter=1, cv=2, random_state=0).fit(series)
    loaded = through(sio, forecaster)
    for one, other in zip(*(each.predict(3, return_std=True) for each in (forecaster, loaded)), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.update(series[:5]).predict(3), forecaster.update(series[:5]).predict(3))

    tokens = [[1, 2, 3], [2], [3, 1], [1, 1]]
    classifier = small(LSTMClassifier).set_params(embedding_size=3).fit(tokens, [0, 1, 0, 1])
    np.testing.assert_array_equal(through(sio, classifier).predict_proba(tokens), classifier.predict_proba(tokens))
    model = LSTMLanguageModel((3,), max_iter=1, random_state=0).fit(["the cat", "a mat"])
    loaded = sio.loads(sio.dumps(model), trusted=sio.get_untrusted_types(data=sio.dumps(model)))
    assert loaded.generate(random_state=0) == model.generate(random_state=0)
    assert loaded.partial_fit(["a cat"]).score(["a mat"]) == model.partial_fit(["a cat"]).score(["a mat"])

    X, y = toy(LSTMRegressor)
    pipeline = make_pipeline(PerStep(StandardScaler()), small(LSTMRegressor)).fit(X, y)
    np.testing.assert_array_equal(through(sio, pipeline, *pipeline[:]).predict(X), pipeline.predict(X))

    for cell, dtype in [("lstm", "float32"), ("gru", "float64")]:
        seq = pylstm.Sequence(2, (3, 2), dropout=0.5, random_state=0, cell=cell, dtype=dtype, n_threads=2)
        again = through(sio, seq)
        assert again.n_threads == 2
        for training in (False, True):  # with dropout of the same generator
            np.testing.assert_array_equal(again.forward(X[:5], training=training)[0][0],
                                          seq.forward(X[:5], training=training)[0][0])  # fmt: skip
        one = pylstm.Cell(2, 3, random_state=np.random.RandomState(1), cell=cell, dtype=dtype)
        np.testing.assert_array_equal(through(sio, one).step(X[0])[0], one.step(X[0])[0])
        stream = seq.stream()
        stream.process(X[0])
        np.testing.assert_array_equal(through(sio, stream).process(X[1]), stream.process(X[1]))
        trace = seq.trace(X[:3])
        read = through(sio, trace)
        assert read.spec == trace.spec
        np.testing.assert_array_equal(read["h_l1"][2], trace["h_l1"][2])


def test_what_stays(sio):
    X, y = toy(LSTMRegressor)
    generator = np.random.RandomState(3)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = small(LSTMRegressor, random_state=generator).set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight="score_weight").fit(X, y)
        others = [through(sio, estimator), pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)]
        for other in others:
            assert repr(other.get_metadata_routing()) == repr(estimator.get_metadata_routing())
            assert other._random_state is other.random_state is not generator
            assert state(other.random_state) == state(generator)
            assert other.partial_fit(X, y)._random_state is not other.random_state
    callbacks = pytest.importorskip("sklearn.callback")
    estimator = small(LSTMRegressor).set_callbacks(callbacks.ProgressBar())
    callback, = through(sio, estimator, estimator, *estimator._skl_callbacks)._skl_callbacks  # fmt: skip
    assert type(callback) is callbacks.ProgressBar


# ---- without skops: what it does


def kept(instance):
    """Return an object of the same state, as skops makes it."""
    other = type(instance).__new__(type(instance))
    other.__setstate__(instance.__getstate__())
    return other


def test_a_copy_has_a_history_of_its_own():
    X, y = toy(LSTMRegressor)
    estimator = small(LSTMRegressor).fit(X, y)
    other = copy.copy(estimator)
    other.partial_fit(X, y)
    assert len(estimator.loss_curve_) == len(estimator._history.loss_curve) == estimator.n_iter_ == 2
    estimator.partial_fit(X, y).partial_fit(X, y)
    assert len(other.loss_curve_) == other.n_iter_ == 3


def test_another_version_is_refused(monkeypatch):
    X, y = toy(LSTMRegressor)
    seq = pylstm.Sequence(2, 3, random_state=0)
    instances = [seq, pylstm.Cell(2, 3), seq.stream(), seq.trace(X[:1]), small(LSTMRegressor).fit(X, y)]
    states = [instance.__getstate__() for instance in instances]
    monkeypatch.setattr(pickles, "VERSION", pickles.VERSION + 1)
    for instance, of_it in zip(instances, states, strict=True):
        with pytest.raises(ValueError, match=r"skops file, was made by another version of pylstm.*pylstm\.save"):
            type(instance).__new__(type(instance)).__setstate__(of_it)


def test_weights_of_another_size_are_refused_before_memory_is_taken():
    (version, arguments), flat, generator, n_threads = pylstm.Sequence(2, 3).__getstate__()
    for spec, weights in [
        ({**arguments, "hidden_sizes": (2**20,)}, flat),
        (arguments, flat[:1]),
        (arguments, 0.5),
        (arguments, flat[np.newaxis]),
    ]:
        seq = pylstm.Sequence.__new__(pylstm.Sequence)
        with pytest.raises(ValueError, match=r"weights must have shape \(\d+,\), got"):
            seq.__setstate__(((version, spec), weights, generator, n_threads))


def test_moments_of_another_size_are_refused():
    X, y = toy(LSTMRegressor)
    of_it = small(LSTMRegressor).fit(X, y).__getstate__()
    estimator = LSTMRegressor.__new__(LSTMRegressor)
    for moments in (np.zeros(3, np.float32), np.float32(1)):
        with pytest.raises(ValueError, match="moments must have shape"):
            estimator.__setstate__({**of_it, "_solver": (of_it["_solver"][0], moments)})
    estimator.__setstate__({**of_it, "_solver": (of_it["_solver"][0], np.zeros((3, 40), np.float32))})
    with pytest.raises(ValueError, match="moments must be"):
        estimator.partial_fit(X, y)


def test_moments_may_lie_in_another_order():
    X, y = toy(LSTMRegressor)
    estimator = small(LSTMRegressor).fit(X, y)
    solver, moments = estimator.__getstate__()["_solver"]
    other = LSTMRegressor.__new__(LSTMRegressor)
    other.__setstate__({**kept(estimator).__getstate__(), "_solver": (solver, np.asfortranarray(moments))})
    np.testing.assert_array_equal(other.partial_fit(X, y).predict(X), estimator.partial_fit(X, y).predict(X))


def test_what_was_never_initialised_has_nothing_to_keep():
    for cls in (pylstm.Sequence, pylstm.Cell, pylstm.Stream):
        with pytest.raises(RuntimeError, match="has no weights: its __init__ was not called"):
            cls.__new__(cls).__getstate__()
