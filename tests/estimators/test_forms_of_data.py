"""Forms in which X, y and sample_weight may come, and what is said of those in which they can't."""

import re

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, outputs, sequences, targets

from pylstm import LSTMClassifier, LSTMForecaster, LSTMRegressor, LSTMTagger, Sequence
from pylstm.metrics import per_step
from pylstm.preprocessing import PerStep, from_channels_first, from_padded, sliding_window

every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)
N = 12


def small(cls):
    return cls((3,), max_iter=2, random_state=0)


@pytest.fixture(scope="module")
def fitted():
    """For each estimator X, y with numbers for labels, and what a net fitted on them predicts."""
    X = sequences(N)
    found = {}
    for cls in ESTIMATORS:
        y = [np.asarray(of_one == "up", int) if cls in CLASSIFIERS else of_one for of_one in targets(cls, X)]
        y = y if cls in PER_STEP else np.array(y)
        found[cls] = X, y, outputs(small(cls).fit(X, y, np.arange(N)), X)
    return found


def masked(values):
    """Return an array with its first value masked."""
    values = np.array(values, float)
    mask = np.zeros(values.shape, bool)
    mask.flat[0] = True
    return np.ma.array(values, mask=mask)


def replaced(values, entry, index=1):
    values = list(values)
    values[index] = entry
    return values


def objects(values):
    return np.fromiter(values, object, len(values))


def message(error, text):
    return pytest.raises(error, match=re.escape(text))


# ---- what works


@every_estimator
def test_series_of_arrays(cls, fitted):
    pd = pytest.importorskip("pandas")
    X, y, expected = fitted[cls]
    labels = pd.Series(list(y), index=np.arange(N) + 100)
    for given in (pd.Series(X), pd.Series([pd.DataFrame(x) for x in X], index=range(N, 0, -1))):
        estimator = small(cls).fit(given, labels, pd.Series(np.arange(N)))
        np.testing.assert_array_equal(outputs(estimator, given), expected)
        assert np.isfinite(estimator.score(given, labels))
    if cls in PER_STEP:
        assert estimator.predict(pd.Series(X)).dtype == object


def test_series_of_polars(fitted):
    pl = pytest.importorskip("polars")
    X, y, expected = fitted[LSTMTagger]
    estimator = small(LSTMTagger).fit(pl.Series([x.tolist() for x in X]), pl.Series([of_one.tolist() for of_one in y]),
                                      pl.Series(range(N)))  # fmt: skip
    np.testing.assert_array_equal(outputs(estimator, X), expected)


def test_series_elsewhere():
    pd = pytest.importorskip("pandas")
    X = sequences(N)
    Y, _ = Sequence(2, 3, random_state=0).forward(pd.Series(X))
    np.testing.assert_array_equal(Y[1], Sequence(2, 3, random_state=0).forward(X)[0][1])
    scaler = PerStep(StandardScaler()).fit(X)
    scaled = scaler.transform(pd.Series(X))
    np.testing.assert_array_equal(scaled[1], scaler.transform(X)[1])
    np.testing.assert_allclose(scaler.inverse_transform(pd.Series(list(scaled)))[1], X[1])
    assert from_channels_first(pd.Series(X))[1].shape == X[1].T.shape
    series = [np.sin(np.arange(40.0)), np.cos(np.arange(40.0))]
    forecasts = [
        LSTMForecaster((2,), max_iter=1, cv=2, random_state=0).fit(given).predict(2)
        for given in (series, pd.Series(series))
    ]
    np.testing.assert_array_equal(*forecasts)


@every_estimator
def test_memoryviews(cls, fitted):
    X, y, expected = fitted[cls]
    targets_ = [memoryview(of_one) for of_one in y] if cls in PER_STEP else memoryview(y)
    estimator = small(cls).fit([memoryview(x) for x in X], targets_, memoryview(np.arange(N)))
    np.testing.assert_array_equal(outputs(estimator, X), expected)
    for shape in ((4, 3, 2), (4, 3)):
        dense = np.random.default_rng(0).normal(size=shape)
        of_dense = np.arange(12).reshape(4, 3) % 2 if cls in PER_STEP else np.arange(4) % 2
        estimator = small(cls).fit(memoryview(dense), memoryview(of_dense))
        np.testing.assert_array_equal(outputs(estimator, memoryview(dense)), outputs(estimator, dense))


@every_estimator
def test_masked_arrays_that_mask_nothing(cls, fitted):
    X, y, expected = fitted[cls]
    targets_ = [np.ma.array(of_one) for of_one in y] if cls in PER_STEP else np.ma.array(y)
    estimator = small(cls).fit([np.ma.array(x) for x in X], targets_, np.ma.array(np.arange(N)))
    np.testing.assert_array_equal(outputs(estimator, X), expected)


# ---- what is refused


@every_estimator
def test_what_can_be_read_once(cls, fitted):
    X, y, _ = fitted[cls]
    estimator = small(cls).fit(X, y)
    for once, kind in [(iter, "list_iterator"), (lambda v: (x for x in v), "generator"), (set, "set"),
                       (lambda v: dict(enumerate(v)).values(), "dict_values")]:  # fmt: skip
        name_of = f"an array or a list, got {kind!r}: list({{0}}) makes a list of it"
        numbers = list(range(N))
        with message(TypeError, "X must be " + name_of.format("X")):
            estimator.fit(once(X if kind != "set" else numbers), y)
        with message(TypeError, "y must be " + name_of.format("y")):
            estimator.fit(X, once(list(y) if kind != "set" else numbers))
        with message(TypeError, "sample_weight must be " + name_of.format("sample_weight")):
            estimator.fit(X, y, once(numbers))
    for given, kind in [("abc", "'str'"), (dict.fromkeys(range(N)), "'dict'"), (3, "'int'")]:
        for name, arguments in {"X": (given, y), "y": (X, given), "sample_weight": (X, y, given)}.items():
            with message(TypeError, f"{name} must be an array or a list, got {kind}"):
                estimator.fit(*arguments)
    with message(TypeError, "X must be an array or a list, got None"):
        estimator.predict(None)
    np.testing.assert_array_equal(outputs(estimator, X), outputs(small(cls).fit(X, y), X))  # as it was


@every_estimator
def test_none_and_others_among_sequences(cls, fitted):
    X, y, _ = fitted[cls]
    for index in (0, 1):
        for given, got in [(None, "None"), (3.0, "'float'"), (iter([]), "'list_iterator'")]:
            for form in (list, objects):
                with message(ValueError, f"X[{index}] must have shape (n_steps, n_features), got {got}"):
                    small(cls).fit(form(replaced(X, given, index)), y)


@every_estimator
def test_masked_values(cls, fitted):
    X, y, _ = fitted[cls]
    for name, arguments in {
        "X[1]": (replaced(X, masked(X[1])), y),
        "sample_weight": (X, y, masked(np.ones(N))),
        **({"y[1]": (X, replaced(y, masked(y[1])))} if cls in PER_STEP else {"y": (X, masked(y))}),
    }.items():
        with message(ValueError, f"{name} must have no masked values, got 1; fill them in first"):
            small(cls).fit(*arguments)
    dense = np.ones((4, 3, 2))
    if cls in PER_STEP:
        with message(ValueError, "y must have no masked values, got 1; fill them in first"):
            small(cls).fit(dense, masked(np.ones((4, 3))))


def test_masked_values_elsewhere(fitted):
    X, y, _ = fitted[LSTMTagger]
    seq = Sequence(2, 3, random_state=0)
    series = np.sin(np.arange(40.0))
    forecaster = LSTMForecaster((2,), max_iter=1, cv=2)
    tagger = small(LSTMTagger).fit(X, y)
    for name, call in {
        "y": lambda: forecaster.fit(masked(series)),
        "y[0]": lambda: forecaster.fit([masked(series), series]),
        "X": lambda: forecaster.fit(series, masked(series)),
        "series": lambda: sliding_window(masked(series), 3),
        "lengths": lambda: from_padded(np.ones((2, 3, 1)), np.ma.array([1, 2], mask=[True, False])),
        "x": lambda: seq.stream().reset("rest", x=masked(np.ones(2))),
        "hold['f']": lambda: seq.trace(np.ones((1, 2, 2)), hold={"f": masked(np.ones(3))}),
        "y ": lambda: per_step("accuracy")(tagger, X, replaced(y, masked(y[1]))),
        "sample_weight": lambda: per_step("accuracy")(tagger, X, y, sample_weight=masked(np.ones(N))),
    }.items():
        with message(ValueError, f"{name.strip()} must have no masked values, got 1; fill them in first"):
            call()


@pytest.mark.parametrize("given", [None, float("nan"), "NA"])
@pytest.mark.parametrize("form", [list, objects, "series"])
def test_labels_that_are_missing(form, given, fitted):
    pd = pytest.importorskip("pandas")
    form = (lambda values: pd.Series(values, dtype=object)) if form == "series" else form
    given = pd.NA if given == "NA" else given
    X, y, _ = fitted[LSTMTagger]
    names = [["no", "yes"][of_one[0]] for of_one in y]
    with message(ValueError, f"y must have a label for each sequence, got {given!r} for sequence 1"):
        small(LSTMClassifier).fit(X, form(replaced(names, given)))
    named = [[["no", "yes"][label] for label in of_one] for of_one in y]
    assert len(named[0]) > 2
    missing = replaced(named, form(replaced(named[0], given, 2)), 0)
    tagger = small(LSTMTagger).fit(X, missing)
    assert tagger.classes_.tolist() == ["no", "yes"]
    counted = [np.ones(len(x)) for x in X]
    counted[0][2] = 0
    expected = small(LSTMTagger).fit(X, named, counted)
    np.testing.assert_array_equal(outputs(tagger, X), outputs(expected, X))
    assert tagger.score(X, missing) == expected.score(X, named, counted)


def test_labels_that_are_missing_are_refused_before_they_are_strings():
    """Of which NumPy makes "nan" in a list of strings: a class that nobody meant."""
    assert "nan" in np.asarray(["a", np.nan])
    with message(ValueError, "got nan for sequence 1"):
        small(LSTMClassifier).fit(np.ones((4, 3, 2)), ["a", np.nan, "b", "a"])


@pytest.mark.parametrize("cls", PER_STEP)
def test_targets_per_sequence_where_there_is_one_per_step(cls, fitted):
    X, _, _ = fitted[cls]
    for given, got in [(np.arange(N), "'int64'"), ([None] * N, "None"), ([iter(x) for x in X], "'")]:
        with pytest.raises(ValueError, match=rf"y\[0\] must have shape .*, an entry for each step, got {got}"):
            small(cls).fit(X, given)


@every_estimator
def test_weights_of_steps(cls, fitted):
    pd = pytest.importorskip("pandas")
    X, y, _ = fitted[cls]
    of_steps = [np.ones(len(x)) for x in X]
    dense, of_dense = np.ones((4, 3, 2)), np.arange(12).reshape(4, 3) % 2
    of_dense = of_dense if cls in PER_STEP else of_dense[:, 0]
    start = "sample_weight must have shape ({},), one weight for each sequence"
    for given in (of_steps, objects(of_steps), pd.Series(of_steps), [of_one.tolist() for of_one in of_steps]):
        if cls in PER_STEP:
            np.testing.assert_array_equal(outputs(small(cls).fit(X, y, given), X), outputs(small(cls).fit(X, y), X))
            continue
        with message(ValueError, start.format(N) + "; got an array for each"):
            small(cls).fit(X, y, sample_weight=given)
    for shape, name in ((4, 3), "steps"), ((4, 1), "step"):
        if cls not in PER_STEP:
            with message(ValueError, start.format(4) + f", got 2-D {shape}"):
                small(cls).fit(dense, of_dense, sample_weight=np.ones(shape))
        elif name == "step":
            with message(ValueError, "sample_weight[0] must have as many steps as X[0], 3, got 1"):
                small(cls).fit(dense, of_dense, sample_weight=np.ones(shape))
    start += ", which all its steps take, or as y one for each step" if cls in PER_STEP else ""
    with message(ValueError, start.format(4) + "; got (12,)"):
        small(cls).fit(dense, of_dense, sample_weight=np.ones(12))


@every_estimator
@pytest.mark.parametrize("given", [None, np.nan, np.inf, -1.0])
def test_weights_that_are_none(cls, given, fitted):
    X, y, _ = fitted[cls]
    text = f"sample_weight must be finite and not negative, got {np.nan if given is None else given}"
    for form in (list, objects):
        with message(ValueError, text):
            small(cls).fit(X, y, sample_weight=form(replaced(np.ones(N), given)))


def test_scorer_of_what_can_be_read_once(fitted):
    X, y, _ = fitted[LSTMTagger]
    tagger = small(LSTMTagger).fit(X, y)
    with message(TypeError, "y must be an array or a list, got 'list_iterator': list(y) makes a list of it"):
        per_step("accuracy")(tagger, X, iter(y))


def test_values_that_are_missing(fitted):
    X, y, _ = fitted[LSTMRegressor]
    with message(ValueError, "Input y contains NaN"):
        small(LSTMRegressor).fit(X, replaced(y, None))
