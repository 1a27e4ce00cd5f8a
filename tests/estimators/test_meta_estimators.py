"""The table in docs/guide/pipelines.md: what of scikit-learn's model selection and meta-estimators works."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from toys import CLASSIFIERS, sequences, targets

from pylstm import LSTMClassifier, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger, Sequence
from pylstm.preprocessing import PerStep

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "pipelines.md"
COLUMNS = [
    ((LSTMClassifier, LSTMRegressor), "dense"),
    ((LSTMClassifier, LSTMRegressor), "ragged"),
    ((LSTMTagger, LSTMSequenceRegressor), "dense"),
    ((LSTMTagger, LSTMSequenceRegressor), "ragged"),
]
N = 24


def small(cls):
    return cls((3,), max_iter=2, random_state=0)


def objects(values):
    return np.fromiter(values, object, len(values))


def data(cls, form):
    """Return X and y: dense, ragged as a list, or as an object array; labels are 0 and 1."""
    X = np.random.default_rng(0).normal(size=(N, 4, 2)) if form == "dense" else sequences(N)
    y = [np.asarray(of_one == "up", int) if cls in CLASSIFIERS else of_one for of_one in targets(cls, X)]
    if form == "dense" or cls in (LSTMClassifier, LSTMRegressor):
        y = np.array(y)
    if form == "object array":
        X, y = objects(X), objects(y) if isinstance(y, list) else y
    return X, y


def search(kind, **options):
    return lambda model, X, y: kind(model, {"alpha": [0, 0.1]}, cv=2, **options).fit(X, y).best_estimator_.predict(X)


def meta(kind, **options):
    return lambda model, X, y: kind(model, **options).fit(X, y).predict(X)


def several(kind, **options):
    return lambda model, X, y: kind([("one", model), ("two", model)], **options).fit(X, y).predict(X)


def columns(kind):
    return lambda model, X, y: kind(model).fit(X, np.stack([y, y], axis=1)).predict(X)


def split(model, X, y):
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=6, random_state=0)
    assert len(model.fit(X_train, y_train).predict(X_test)) == 6
    return model.predict(X)


def half_labelled(model, X, y):
    return SelfTrainingClassifier(model, threshold=0.5).fit(X, np.where(np.arange(N) % 3, y, -1)).predict(X)


#: From a model, X and y to what comes out; what stands for all of X has N entries.
RUNS = {
    "cross_val_score": lambda model, X, y: cross_val_score(model, X, y, cv=2),
    "cross_validate": lambda model, X, y: cross_validate(model, X, y, cv=2)["test_score"],
    "learning_curve": lambda model, X, y: learning_curve(model, X, y, cv=2, train_sizes=[0.5, 1.0])[2],
    "validation_curve": lambda *given: validation_curve(*given, cv=2, param_name="alpha", param_range=[0, 1])[1],
    "train_test_split": split,
    "GridSearchCV": search(GridSearchCV),
    "RandomizedSearchCV": search(RandomizedSearchCV, n_iter=2, random_state=0),
    "HalvingGridSearchCV": search(HalvingGridSearchCV, resource="max_iter", min_resources=1, max_resources=2, factor=2),
    "HalvingRandomSearchCV": search(HalvingRandomSearchCV, min_resources=12, random_state=0),
    "FrozenEstimator": lambda model, X, y: FrozenEstimator(model.fit(X, y)).fit(X, y).predict(X),
    "cross_val_predict": lambda model, X, y: cross_val_predict(model, X, y, cv=2),
    'cross_val_predict(method="predict_proba")': lambda *given: cross_val_predict(*given, cv=2, method="predict_proba"),
    "permutation_test_score": lambda model, X, y: permutation_test_score(model, X, y, cv=2, n_permutations=2)[1],
    "TransformedTargetRegressor": meta(TransformedTargetRegressor, transformer=StandardScaler()),
    "CalibratedClassifierCV": meta(CalibratedClassifierCV, cv=2),
    "TunedThresholdClassifierCV": meta(TunedThresholdClassifierCV, cv=2, thresholds=3),
    "FixedThresholdClassifier": meta(FixedThresholdClassifier, threshold=0.4),
    "OneVsRestClassifier": meta(OneVsRestClassifier),
    "VotingClassifier": several(VotingClassifier, voting="soft"),
    "VotingRegressor": several(VotingRegressor),
    "StackingClassifier": several(StackingClassifier, cv=2),
    "StackingRegressor": several(StackingRegressor, cv=2),
    "MultiOutputClassifier": columns(MultiOutputClassifier),
    "MultiOutputRegressor": columns(MultiOutputRegressor),
    "AdaBoostClassifier": meta(AdaBoostClassifier, n_estimators=2, random_state=0),
    "AdaBoostRegressor": meta(AdaBoostRegressor, n_estimators=2, random_state=0),
    "SelfTrainingClassifier": half_labelled,
    "ClassifierChain": columns(ClassifierChain),
    "RegressorChain": columns(RegressorChain),
    "OneVsOneClassifier": meta(OneVsOneClassifier),
    "BaggingClassifier": meta(BaggingClassifier, n_estimators=2, random_state=0),
    "BaggingRegressor": meta(BaggingRegressor, n_estimators=2, random_state=0),
}


def rows():
    """Return (name, what each column says) for each name in the table."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if len(cells) == len(COLUMNS) and first.startswith("`"):
            found += [(name, cells) for name in re.findall("`([^`]+)`", first)]
    return found


def fits(name, cls):
    """Whether a name is for classifiers, or regressors, as this estimator is."""
    if "Classifier" in name or "predict_proba" in name:
        return cls in CLASSIFIERS
    return cls not in CLASSIFIERS if "Regressor" in name else True


def works(name, cls, model, X, y):
    result = RUNS[name](model, X, y)
    assert len(result) == N or np.isfinite(result).all()
    if name == "cross_val_predict":
        check_folds(cls, model, X, y, result)


def check_folds(cls, model, X, y, predicted):
    if cls is LSTMClassifier:  # whose folds are stratified
        return
    for train, test in KFold(2).split(X):
        model.fit([X[k] for k in train], [y[k] for k in train])
        for k, expected in zip(test, model.predict([X[k] for k in test]), strict=True):
            np.testing.assert_array_equal(predicted[k], expected)


def by_number(cls, X):
    """Return a model that is given the numbers of sequences in a table, and more columns as features of each step."""

    def look_up(table):
        return [np.column_stack([X[int(row[0])], np.tile(row[1:], (len(X[int(row[0])]), 1))]) for row in table]

    return make_pipeline(FunctionTransformer(look_up), small(cls))


def test_the_table_has_all_that_runs():
    assert sorted(name for name, _ in rows()) == sorted(RUNS)


@pytest.mark.filterwarnings("ignore:The least populated class", "ignore:Number of classes in training fold")
@pytest.mark.parametrize(("name", "cells"), rows())
def test_rows(name, cells):
    for (classes, form), says in zip(COLUMNS, cells, strict=True):
        for cls in filter(lambda cls: fits(name, cls), classes):
            X, y = data(cls, form)
            if says == "yes":
                works(name, cls, small(cls), X, y)
                if form == "ragged":
                    works(name, cls, small(cls), *data(cls, "object array"))
                continue
            with pytest.raises((ValueError, TypeError, NotImplementedError)):
                RUNS[name](small(cls), X, y)
            if says == "object array":
                works(name, cls, small(cls), *data(cls, "object array"))
            elif says == "numbers":
                works(name, cls, by_number(cls, X), np.arange(N).reshape(-1, 1), y)
            else:
                assert says == "no"


# ---- an object array in, an object array out


@pytest.mark.parametrize(
    ("cls", "method"),
    [(LSTMTagger, "predict"), (LSTMTagger, "predict_proba"), (LSTMTagger, "predict_log_proba"),
     (LSTMSequenceRegressor, "predict")],
)  # fmt: skip
def test_predictions_for_an_object_array(cls, method):
    X, y = data(cls, "object array")
    estimator = small(cls).fit(X, y)
    for given in (X, objects(list(np.ones((3, 4, 2))))):  # of one length, too
        found, expected = getattr(estimator, method)(given), getattr(estimator, method)(list(given))
        assert type(expected) is list
        assert found.shape == given.shape
        assert found.dtype == object
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


def test_layers_for_an_object_array():
    X = objects(sequences(3))
    seq = Sequence(2, 3, random_state=0)
    Y, _ = seq.forward(X, training=True)
    gradients = seq.backward(Y)
    trace = seq.trace(X)
    held = seq.trace(X, hold={"f": trace["f_l0"]})
    for found in (Y, gradients.input, trace.output, trace["f_l0"], held["f_l0"], seq.forward(X, hold={"f": 1.0})[0]):
        assert found.shape == (3,)
        assert found.dtype == object
        assert [len(part) for part in found] == [len(x) for x in X]
    np.testing.assert_array_equal(held["f_l0"][1], trace["f_l0"][1])
    assert type(seq.forward(list(X))[0]) is list


def test_frames_in_an_object_array():
    pd = pytest.importorskip("pandas")
    frames = objects([pd.DataFrame(x, columns=["a", "b"]) for x in sequences(N)])
    pipeline = make_pipeline(PerStep(StandardScaler()), small(LSTMSequenceRegressor))
    predicted = cross_val_predict(pipeline, frames, objects(targets(LSTMSequenceRegressor, sequences(N))), cv=2)
    assert [len(part) for part in predicted] == [len(frame) for frame in frames]
