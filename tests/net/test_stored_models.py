"""Files of models give the predictions that they once gave, and fits end at the weights that they once had.

`stored/` has a file of each estimator, `predictions.npz` with what they predict, and `digests.json` with the bits: of
the predictions, and of the weights that fits end at; both depend on the instruction set and, where there are classes,
on the C library's exp. Predictions are held to 1e-5 where no bits are stored.

Who changes bits on purpose writes them anew, once under each instruction set, and says why in the changelog. The files
stay, as users have such; one that is missing is made.

    for isa in avx512 avx2 baseline scalar; do PYLSTM_ISA=$isa python tests/net/test_stored_models.py; done
"""

import ctypes
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from digits import digest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm._net import core
from pylstm.preprocessing import PerStep

STORE = Path(__file__).with_name("stored")
DIGESTS, PREDICTIONS = STORE / "digests.json", STORE / "predictions.npz"

#: Every argument that all estimators have, so that no new default changes a fit.
ARGUMENTS = {
    "hidden_layer_sizes": (5,),
    "dropout": 0.0,
    "cell": "lstm",
    "nonlinearity": "tanh",
    "forget_bias": 1.0,
    "solver": "adam",
    "alpha": 0.0001,
    "batch_size": 4,
    "learning_rate": "constant",
    "learning_rate_init": 0.01,
    "power_t": 0.5,
    "max_iter": 3,
    "shuffle": True,
    "random_state": 0,
    "tol": 0.0001,
    "verbose": False,
    "warm_start": False,
    "momentum": 0.9,
    "nesterovs_momentum": True,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_iter_no_change": 30,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-8,
    "max_grad_norm": 1.0,
    "n_jobs": 1,
    "dtype": "float32",
}
READING = {
    "embedding_size": None,
    "embedding_init": None,
    "freeze_embedding": False,
    "vocabulary_size": None,
    "bidirectional": False,
    "standardize": False,
    "noise": 0.0,
    "missing": "error",
}
PER_SEQUENCE = {**READING, "pooling": "last"}
PER_STEP = {**READING, "window": None, "burn_in": 0}
LOSS = {"loss": "squared_error", "huber_delta": 1.0, "quantile": 0.5, "normalize_y": False}
OWN_ARGUMENTS = {
    LSTMClassifier: {**PER_SEQUENCE, "class_weight": None},
    LSTMTagger: {**PER_STEP, "class_weight": None},
    LSTMRegressor: {**PER_SEQUENCE, **LOSS},
    LSTMSequenceRegressor: {**PER_STEP, **LOSS},
    LSTMForecaster: {
        "horizon": None,
        "season_length": None,
        "differences": (1,),
        "transform": None,
        "cv": 2,
        "n_paths": 4,
        "calendar": (),
        "missing": "error",
        "window": 8,
        "burn_in": 0,
    },
}
CLASSIFIERS = (LSTMClassifier, LSTMTagger)

#: Estimator and arguments of each file; "pipeline" scales what the classifier reads.
FILES = {
    "classifier": (LSTMClassifier, {"hidden_layer_sizes": (5, 3), "bidirectional": True}),
    "tagger": (LSTMTagger, {"cell": "gru"}),
    "regressor": (LSTMRegressor, {"cell": "rnn", "nonlinearity": "relu", "pooling": "mean"}),
    "sequence_regressor": (LSTMSequenceRegressor, {"dtype": "float64", "window": 4}),
    "forecaster": (LSTMForecaster, {"dropout": 0.2}),
    "pipeline": (LSTMClassifier, {"pooling": "max"}),
}

#: Estimator, arguments, whether sequences are ragged, whether they have weights.
FITS = {
    "lstm": (LSTMClassifier, {}, False, False),
    "gru": (LSTMClassifier, {"cell": "gru"}, True, False),
    "rnn": (LSTMClassifier, {"cell": "rnn"}, True, False),
    "relu": (LSTMRegressor, {"cell": "rnn", "nonlinearity": "relu"}, False, False),
    "layers": (LSTMClassifier, {"hidden_layer_sizes": (9, 4), "bidirectional": True, "dropout": 0.3}, True, True),
    "mean": (LSTMRegressor, {"pooling": "mean", "solver": "sgd", "max_grad_norm": 0.01}, True, True),
    "max": (LSTMRegressor, {"pooling": "max", "solver": "rmsprop", "bidirectional": True}, True, False),
    "float64": (LSTMClassifier, {"dtype": "float64", "pooling": "mean", "dropout": 0.2}, True, True),
    "chrono": (LSTMRegressor, {"forget_bias": "chrono", "learning_rate": "cosine", "tol": 0.0}, False, False),
    "wide": (LSTMClassifier, {"hidden_layer_sizes": (70,), "max_grad_norm": None, "alpha": 0.1}, False, False),
    "tagger": (LSTMTagger, {"class_weight": {0: 1.0, 1: 2.0, 2: 1.0}, "dropout": 0.2}, True, True),
    "tagger, windows": (LSTMTagger, {"window": 4, "burn_in": 2, "cell": "gru", "dropout": 0.2}, True, True),
    "values": (LSTMSequenceRegressor, {"solver": "sgd", "nesterovs_momentum": False}, True, True),
    "values, windows": (LSTMSequenceRegressor, {"window": 5, "dtype": "float64", "alpha": 0.01}, True, False),
    "series": (LSTMForecaster, {"hidden_layer_sizes": (6, 4), "dropout": 0.2}, False, False),
}


def estimator(cls, arguments):
    return cls(**{**ARGUMENTS, **OWN_ARGUMENTS[cls], **arguments})


def data(cls, ragged=False, weighted=False):
    """Return what `fit` takes: of numbers that no version of NumPy draws differently, or sums in another order."""
    rng = np.random.RandomState(1)
    lengths = [9, 3, 7, 7, 1, 12, 5, 9, 2, 8] if ragged else [6] * 10
    X = [rng.standard_normal((length, 3)) for length in lengths]
    steps, sums = [x.cumsum(axis=0) for x in X], np.array([x.sum() for x in X])
    if cls is LSTMForecaster:
        return (rng.randint(-8, 8, size=65).cumsum().astype(float),)
    y = {
        LSTMClassifier: np.digitize(sums, [-1, 1]),
        LSTMRegressor: np.round(sums * 8) / 8,
        LSTMTagger: [np.digitize(step[:, 0], [-1, 1]) for step in steps],
        LSTMSequenceRegressor: [np.round(step[:, :2] * 8) / 8 for step in steps],
    }[cls]
    if not ragged:
        X, y = np.stack(X), np.stack(y)
    return (X, y, np.tile([1.0, 0.5], 5)) if weighted else (X, y)


def fitted(model, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*arguments)


def write_file(name):
    cls, arguments = FILES[name]
    model = estimator(cls, arguments)
    if name == "pipeline":
        model = make_pipeline(PerStep(StandardScaler()), model)
    pylstm.save(fitted(model, data(cls)), STORE / f"{name}.safetensors")


def predictions(name, model):
    """Return what a model says of ragged sequences, or what it forecasts, as one row of numbers a step or sequence."""
    if name == "forecaster":
        return model.predict(7).reshape(-1, 1)
    X = data(LSTMRegressor, ragged=True)[0]
    outputs = model.predict(X) if "regressor" in name else model.predict_proba(X)
    return np.concatenate(outputs) if isinstance(outputs, list) else outputs.reshape(len(X), -1)


def digest_of_weights(model):
    return digest(model._model.parameters().values())


def digest_of_exp():
    """Return a hash of what the C library's exp returns, or None where it is not found."""
    results = []
    for name, real in (("expf", ctypes.c_float), ("exp", ctypes.c_double)):
        try:
            exp = getattr(ctypes.CDLL(None), name)
        except (TypeError, AttributeError):  # Windows has no library that has all
            return None
        exp.argtypes, exp.restype = [real], real
        results.append(np.array([exp(-x / 64) for x in range(1000)]))
    return digest(results)


def stored_digests(kind, *, has_classes):
    stored = json.loads(DIGESTS.read_text(encoding="ascii"))
    if has_classes and digest_of_exp() != stored["exp"]:
        pytest.skip("exp is not that of what is stored")
    if core.isa not in stored[kind]:
        pytest.skip(f"nothing is stored of {core.isa}")
    return stored[kind][core.isa]


@pytest.mark.parametrize("name", FILES)
def test_predictions_of_files(name):
    predicted = predictions(name, pylstm.load(STORE / f"{name}.safetensors"))
    with np.load(PREDICTIONS) as stored:
        assert predicted.dtype == stored[name].dtype
        np.testing.assert_allclose(predicted, stored[name], rtol=1e-5, atol=1e-6)
    assert digest([predicted]) == stored_digests("predictions", has_classes=FILES[name][0] in CLASSIFIERS)[name]


@pytest.mark.parametrize("name", [name for name in FILES if name != "forecaster"])  # which learnt it after these files
def test_training_goes_on_from_files(name):
    stored = stored_digests("fits", has_classes=FILES[name][0] in CLASSIFIERS)
    assert trained_on(name) == stored[f"{name}.safetensors"]


def trained_on(name):
    """Return the weights after another epoch: the file keeps what the solver remembers, and the random numbers."""
    model = pylstm.load(STORE / f"{name}.safetensors")
    model = model[-1] if name == "pipeline" else model
    return digest_of_weights(model.partial_fit(*data(FILES[name][0])))


def fit(name):
    cls, arguments, ragged, weighted = FITS[name]
    return fitted(estimator(cls, arguments), data(cls, ragged, weighted))


@pytest.mark.parametrize("name", FITS)
def test_fits_end_at_the_same_weights(name):
    stored = stored_digests("fits", has_classes=FITS[name][0] in CLASSIFIERS)
    assert digest_of_weights(fit(name)) == stored[name]


@pytest.mark.parametrize("cls", OWN_ARGUMENTS)
def test_every_argument_is_said(cls):
    assert estimator(cls, {}).get_params().keys() == {**ARGUMENTS, **OWN_ARGUMENTS[cls]}.keys()


def main():
    STORE.mkdir(exist_ok=True)
    for name in FILES:
        if not (STORE / f"{name}.safetensors").exists():
            write_file(name)
    predicted = {name: predictions(name, pylstm.load(STORE / f"{name}.safetensors")) for name in FILES}
    if core.isa == "avx2":
        np.savez_compressed(PREDICTIONS, **predicted)
    empty = {"exp": digest_of_exp(), "predictions": {}, "fits": {}}
    stored = json.loads(DIGESTS.read_text(encoding="ascii")) if DIGESTS.exists() else empty
    if stored["exp"] != digest_of_exp():
        stored = empty
    stored["predictions"][core.isa] = {name: digest([values]) for name, values in predicted.items()}
    files = [name for name, (cls, _) in FILES.items() if hasattr(cls, "partial_fit")]
    stored["fits"][core.isa] = {
        **{name: digest_of_weights(fit(name)) for name in FITS},
        **{f"{name}.safetensors": trained_on(name) for name in files},
    }
    DIGESTS.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
