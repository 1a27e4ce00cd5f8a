"""Ragged sequences with targets for each of the estimators."""

import numpy as np

from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger

ESTIMATORS = [LSTMClassifier, LSTMRegressor, LSTMTagger, LSTMSequenceRegressor]
PER_STEP = [LSTMTagger, LSTMSequenceRegressor]
CLASSIFIERS = [LSTMClassifier, LSTMTagger]


def as_it_comes(cls):
    """Return the options of a class that leave X and y as they are."""
    return {"standardize": False} | ({} if cls in CLASSIFIERS else {"normalize_y": False})


def sequences(n_sequences=60, seed=0, longest=8):
    """Return sequences (1 to `longest` steps, 2 features)."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rng.integers(1, longest + 1), 2)) for _ in range(n_sequences)]


def targets(estimator, X):
    """Return what `estimator`, a class or an instance of one, can learn of sequences X."""
    cls = estimator if isinstance(estimator, type) else type(estimator)
    names = np.array(["down", "up"])
    return {
        LSTMClassifier: lambda: np.array([names[int(x[0, 0] > 0)] for x in X]),
        LSTMRegressor: lambda: np.array([x[:, 0].sum() for x in X]),
        LSTMTagger: lambda: [names[(x[:, 0].cumsum() > 0).astype(int)] for x in X],
        LSTMSequenceRegressor: lambda: [x[:, 0].cumsum() for x in X],
    }[cls]()


def toy(estimator, n_sequences=60, seed=0):
    """Return X and y."""
    X = sequences(n_sequences, seed)
    return X, targets(estimator, X)


def flat(values):
    """Return predictions or targets, per sequence or per step, in one array."""
    return np.concatenate([np.atleast_1d(part) for part in values])


def outputs(estimator, X):
    """Return all the numbers that a fitted estimator predicts, in one array."""
    return flat(estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else estimator.predict(X))


def weights(estimator):
    """Return copies of a fitted estimator's weights by name."""
    return {name: values.copy() for name, values in estimator._model.parameters().items()}
