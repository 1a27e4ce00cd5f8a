"""`PerStep` on every form of X, `sliding_window`, and the converters."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from pylstm import LSTMClassifier
from pylstm.preprocessing import (
    PerStep,
    from_channels_first,
    from_long_frame,
    from_nan_padded,
    from_padded,
    sliding_window,
)


def ragged(lengths=(4, 1, 6), n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, n_features)) * 5 + 2 for length in lengths]


def object_array(sequences):
    array = np.empty(len(sequences), object)
    for index, sequence in enumerate(sequences):
        array[index] = sequence
    return array


def assert_sequences_equal(got, expected):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# PerStep


@pytest.mark.parametrize("transformer", [StandardScaler(), SimpleImputer(), MinMaxScaler()], ids=str)
def test_scikit_learns_own_checks(transformer):
    # Imputers have inverse_transform always, and raise where it is called without add_indicator.
    expected = {"check_array_api_input": "inverse_transform"} if isinstance(transformer, SimpleImputer) else {}
    check_estimator(PerStep(transformer), on_skip=None, expected_failed_checks=expected)


@pytest.mark.parametrize("transformer", [StandardScaler(), PCA(2), PolynomialFeatures(2), MinMaxScaler()], ids=str)
def test_ragged_steps_are_the_rows_of_the_transformer(transformer):
    X = ragged()
    rows = np.concatenate(X)
    expected = np.split(clone(transformer).fit(rows).transform(rows), [4, 5])
    fitted = PerStep(transformer).fit(X)
    assert_sequences_equal(fitted.transform(X), expected)
    assert_sequences_equal(PerStep(transformer).fit_transform(X), expected)
    assert fitted.n_features_in_ == 3
    assert not hasattr(transformer, "n_features_in_")
    longer = ragged(lengths=(50,), seed=1)
    assert_sequences_equal(fitted.transform(longer), [clone(transformer).fit(rows).transform(longer[0])])


def test_dense_is_ragged_of_equal_lengths():
    X = np.stack(ragged(lengths=(5, 5, 5, 5)))
    for transformer in (StandardScaler(), PCA(2)):
        got = PerStep(transformer).fit_transform(X)
        assert isinstance(got, np.ndarray)
        assert got.shape == (4, 5, X.shape[2] if isinstance(transformer, StandardScaler) else 2)
        assert_sequences_equal(PerStep(transformer).fit_transform(list(X)), got)
        np.testing.assert_array_equal(PerStep(transformer).fit_transform(X.tolist()), got)


def test_what_comes_out_has_the_form_that_came_in():
    X = ragged()
    for form, kind in [(list, list), (tuple, list), (object_array, np.ndarray)]:
        got = PerStep(StandardScaler()).fit_transform(form(X))
        assert type(got) is kind
        assert_sequences_equal(got, PerStep(StandardScaler()).fit_transform(X))
    packed = PerStep(StandardScaler()).fit_transform(object_array(ragged(lengths=(3, 3))))
    assert packed.shape == (2,)
    assert packed.dtype == object


def test_2d_has_one_feature_per_step():
    X = np.random.default_rng(0).normal(size=(6, 4)) * 3 + 1
    flat = PerStep(StandardScaler()).fit(X)
    got = flat.transform(X)
    assert flat.n_features_in_ == 4
    assert flat.transformer_.n_features_in_ == 1
    np.testing.assert_array_equal(got, PerStep(StandardScaler()).fit_transform(X[:, :, np.newaxis])[:, :, 0])
    np.testing.assert_allclose(flat.inverse_transform(got), X)
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.warns(UserWarning, match="X is a table with named columns"):
        framed = PerStep(StandardScaler()).fit(frame)
    np.testing.assert_array_equal(framed.transform(frame), got)
    assert framed.feature_names_in_.tolist() == framed.get_feature_names_out().tolist() == list("abcd")
    assert flat.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]
    with pytest.raises(ValueError, match="X has 3 features, but PerStep is expecting 4"):
        flat.transform(X[:, :3])
    with pytest.raises(ValueError, match=re.escape("one feature per step for 2-D X (n_sequences, n_steps), got 3")):
        PerStep(PolynomialFeatures(2)).fit_transform(X)


def test_crossing_between_2d_and_3d_is_refused():
    X = np.random.default_rng(0).normal(size=(6, 4))
    flat = PerStep(StandardScaler()).fit(X)
    deep = PerStep(StandardScaler()).fit(X[:, :, np.newaxis])
    for method in ("transform", "inverse_transform"):
        with pytest.raises(ValueError, match=re.escape("as in fit; from 3-D with one feature: X[:, :, 0]; got 3-D")):
            getattr(flat, method)(X[:, :, np.newaxis])
        with pytest.raises(ValueError, match="got a list of 2-D arrays"):
            getattr(flat, method)([X[:, :1]])
        with pytest.raises(ValueError, match=re.escape("X.reshape(n_sequences, n_steps, 1); got 2-D")):
            getattr(deep, method)(X)


@pytest.mark.parametrize("transformer", [StandardScaler(), PCA(3), make_pipeline(MinMaxScaler(), PCA(3))], ids=str)
def test_inverse(transformer):
    X = ragged()
    dense = np.stack(ragged(lengths=(5, 5)))
    for given_X in (X, dense, object_array(X)):
        fitted = PerStep(transformer).fit(given_X)
        back = fitted.inverse_transform(fitted.transform(given_X))
        assert type(back) is type(given_X)
        for one, other in zip(back, given_X, strict=True):
            np.testing.assert_allclose(one, other)


def test_frames_reach_the_transformer_by_column_name():
    frames = [
        pd.DataFrame({"speed": [1.0, 2.0], "gear": ["low", "high"]}),
        pd.DataFrame({"speed": [6], "gear": ["low"]}, index=[7]),
    ]
    columns = ColumnTransformer([("scale", StandardScaler(), ["speed"]), ("encode", OneHotEncoder(), ["gear"])])
    for form in (list, object_array):
        fitted = PerStep(columns).fit(form(frames))
        got = fitted.transform(form(frames))
        assert_sequences_equal([x[:, 1:] for x in got], [[[0, 1], [1, 0]], [[0, 1]]])
        np.testing.assert_allclose(np.concatenate([x[:, 0] for x in got]).mean(), 0, atol=1e-15)
        assert_sequences_equal(fitted.transform(form(frames[:1])), got[:1])
    assert fitted.feature_names_in_.tolist() == ["speed", "gear"]
    assert fitted.get_feature_names_out().tolist() == ["scale__speed", "encode__gear_high", "encode__gear_low"]
    with pytest.raises(ValueError, match=re.escape("X[1] must have the columns of X[0], ['speed', 'gear'], got")):
        fitted.transform([frames[0], frames[1][["gear", "speed"]]])
    with pytest.raises(ValueError, match=re.escape("X[0] must have at least one step, got shape (0, 2)")):
        fitted.transform([frames[0][:0], frames[1]])
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform([frame.rename(columns={"speed": "pace"}) for frame in frames])


def test_polars_frames():
    polars = pytest.importorskip("polars")
    if np.lib.NumpyVersion(sklearn.__version__) < "1.7.0":
        pytest.skip("scikit-learn 1.6 selects no columns of polars frames")
    frames = [polars.DataFrame({"a": [0.0, 1.0], "b": [0, 1]}), polars.DataFrame({"a": [4], "b": [2]})]
    columns = ColumnTransformer([("scale", MinMaxScaler(), ["a"]), ("keep", "passthrough", ["b"])])
    fitted = PerStep(columns).fit(frames)
    assert_sequences_equal(fitted.transform(frames), [[[0, 0], [0.25, 1]], [[1, 2]]])
    assert fitted.feature_names_in_.tolist() == ["a", "b"]
    flat = polars.DataFrame({"t0": [1.0, 2.0], "t1": [3.0, 5.0]})
    np.testing.assert_array_equal(PerStep(MinMaxScaler()).fit_transform(flat), [[0, 0.5], [0.25, 1]])


def test_text_and_numbers_of_any_dtype_pass():
    words = [np.array([["a"], ["b"]]), np.array([["a"]])]
    assert_sequences_equal(PerStep(OrdinalEncoder()).fit_transform(words), [[[0], [1]], [[0]]])
    for dtype in (">f8", np.float64):
        got = PerStep(StandardScaler()).fit_transform([x.astype(dtype) for x in ragged()])
        assert {x.dtype for x in got} == {np.dtype(np.float64)}
    assert PerStep(FunctionTransformer()).fit_transform(np.ones((2, 3, 1), np.int16)).dtype == np.int16


@pytest.mark.parametrize("form", ["dense", "ragged", "2-D"])
@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4"])
def test_floats_of_few_digits_are_computed_with_as_float64(dtype, form):
    """The mean of such a pressure has more digits than they."""
    X = 1000 + np.random.default_rng(0).integers(0, 7, (4, 5, 1)).astype(dtype)
    given = {"dense": X, "ragged": list(X), "2-D": X[:, :, 0]}[form]
    fitted = PerStep(StandardScaler()).fit(given)
    rows = X.astype(np.float64).reshape(-1, 1)
    expected = StandardScaler().fit(rows).transform(rows)
    got = np.reshape(fitted.transform(given), (-1, 1))
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, expected)
    back = np.reshape(fitted.inverse_transform(given), (-1, 1))
    np.testing.assert_array_equal(back, fitted.transformer_.inverse_transform(rows))
    assert "float32" not in get_tags(fitted).transformer_tags.preserves_dtype


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_few_digits(library):
    frame = pytest.importorskip(library).DataFrame
    X = 1000 + np.random.default_rng(0).integers(0, 7, (2, 9, 2)).astype(np.float32)
    frames = [frame({"a": x[:, 0], "b": x[:, 1].astype(np.float64), "c": np.arange(9)}) for x in X]
    columns = ColumnTransformer([("scale", StandardScaler(), ["a", "b"]), ("keep", "passthrough", ["c"])])
    fitted = PerStep(columns).fit(frames)
    scaler = fitted.transformer_.named_transformers_["scale"]
    expected = (X.astype(np.float64) - scaler.mean_) / scaler.scale_
    np.testing.assert_array_equal(np.array(fitted.transform(frames))[..., :2], expected)
    narrow = [frame({"a": x[:, 0]}) for x in X]  # of which scikit-learn makes an array of float32
    fitted = PerStep(StandardScaler()).fit(narrow)
    expected = (X[..., :1].astype(np.float64) - fitted.transformer_.mean_) / fitted.transformer_.scale_
    np.testing.assert_array_equal(fitted.transform(narrow), expected)


def test_missing_values_are_the_transformers_business():
    X = ragged()
    X[0][1, 2] = np.nan
    filled = PerStep(SimpleImputer()).fit_transform(X)
    assert filled[0][1, 2] == pytest.approx(np.nanmean(np.concatenate(X)[:, 2]))
    assert np.isnan(PerStep(StandardScaler()).fit_transform(X)[0][1, 2])
    with pytest.raises(ValueError, match="contains NaN"):
        PerStep(PCA(2)).fit(X)
    assert get_tags(PerStep(SimpleImputer())).input_tags.allow_nan
    assert not get_tags(PerStep(PCA())).input_tags.allow_nan


def test_partial_fit():
    X = ragged(lengths=(4, 1, 6, 3))
    whole = PerStep(StandardScaler()).fit(X)
    parts = PerStep(StandardScaler()).partial_fit(X[:2]).partial_fit(X[2:])
    np.testing.assert_allclose(parts.transformer_.mean_, whole.transformer_.mean_)
    assert parts.transformer_.n_samples_seen_ == 14
    with pytest.raises(ValueError, match=re.escape("X[0] must have 3 features per step, got 2")):
        parts.partial_fit([X[0][:, :2]])
    assert parts.fit(X[:1]).transformer_.n_samples_seen_ == 4


def test_methods_of_the_transformer_only():
    for method in ("partial_fit", "inverse_transform", "get_feature_names_out"):
        assert hasattr(PerStep(StandardScaler()), method)
        assert not hasattr(PerStep(DropsRows()), method)


def test_set_output_wraps_nothing():
    X = ragged()
    expected = PerStep(StandardScaler()).fit_transform(X)
    assert not hasattr(PerStep(StandardScaler()), "set_output")
    got = PerStep(StandardScaler().set_output(transform="pandas")).fit_transform(X)
    assert all(type(x) is np.ndarray for x in got)
    assert_sequences_equal(got, expected)


def test_sparse_rows_become_arrays():
    X = [np.array([[0], [1]]), np.array([[1]])]
    assert_sequences_equal(PerStep(OneHotEncoder()).fit_transform(X), [[[1, 0], [0, 1]], [[0, 1]]])


def test_nothing_is_written_to():
    X = ragged()
    dense = np.stack(ragged(lengths=(5, 5)))
    for array in (*X, dense):
        array.flags.writeable = False
    for given_X in (X, dense):
        fitted = PerStep(StandardScaler()).fit(given_X)
        fitted.inverse_transform(fitted.transform(given_X))


def test_parameters_clone_and_pickle():
    X = ragged()
    pipeline = make_pipeline(PerStep(StandardScaler()), LSTMClassifier())
    pipeline.set_params(perstep__transformer__with_mean=False)
    assert pipeline[0].transformer.with_mean is False
    assert pipeline.get_params()["perstep__transformer__with_std"] is True
    fitted = PerStep(PCA(2)).fit(X)
    assert_sequences_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))
    assert not hasattr(clone(fitted), "transformer_")
    assert clone(fitted).transformer.n_components == 2
    assert "StandardScaler" in repr(pipeline)
    assert "StandardScaler" in pipeline._repr_html_()


def test_in_a_search_before_a_classifier():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(1, 9), 2)) * [1, 100] for _ in range(40)]
    y = np.array([int(x[0, 0] > 0) for x in X])
    clf = LSTMClassifier((8,), max_iter=30, learning_rate_init=0.02, random_state=0)
    pipeline = make_pipeline(PerStep(StandardScaler()), clf)
    grid = {"perstep__transformer": [StandardScaler(), FunctionTransformer(lambda rows: 0 * rows)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert isinstance(search.best_params_["perstep__transformer"], StandardScaler)
    assert search.score(X, y) > 0.8


class DropsRows(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[1:]


@pytest.mark.parametrize(
    ("transformer", "X", "message"),
    [
        (StandardScaler(), [], "X must hold at least one sequence"),
        (StandardScaler(), [np.ones((2, 2)), np.ones((0, 2))], "X[1] must have at least one step"),
        (StandardScaler(), [np.ones((2, 2)), np.ones((3, 1))], "X[1] must have 2 features per step, got 1"),
        (StandardScaler(), [np.ones(2), np.ones(3)], "[np.reshape(x, (-1, 1)) for x in X]"),
        (StandardScaler(), np.ones((2, 2, 2, 2)), "dim 4"),
        (StandardScaler(), np.ones(2), "Expected 2D array, got 1D array"),
        (DropsRows(), [np.ones((2, 2))], "row for each of the 2 steps, got shape (1, 2)"),
        (Ridge(), [np.ones((2, 2))], "The 'transformer' parameter of PerStep must be"),
        (StandardScaler(with_mean=3), [np.ones((2, 2))], "The 'with_mean' parameter of StandardScaler"),
    ],
)
def test_bad_input(transformer, X, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PerStep(transformer).fit(X).transform(X)


def test_other_widths_and_unfitted():
    fitted = PerStep(StandardScaler()).fit(ragged())
    with pytest.raises(ValueError, match=re.escape("X[0] must have 3 features per step, got 2")):
        fitted.transform(ragged(n_features=2))
    with pytest.raises(ValueError, match="X must have 3 features per step, got 2"):
        fitted.transform(np.ones((1, 4, 2)))
    for method in ("transform", "inverse_transform"):
        with pytest.raises(NotFittedError):
            getattr(PerStep(StandardScaler()), method)(ragged())
    with pytest.raises(NotFittedError):
        PerStep(StandardScaler()).get_feature_names_out()


# sliding_window


@given(
    n_steps=st.integers(1, 30),
    n_features=st.integers(0, 3),
    window=st.integers(1, 8),
    horizon=st.integers(1, 5),
    stride=st.integers(1, 4),
    one_target=st.booleans(),
)
def test_windows_are_what_slices_are(n_steps, n_features, window, horizon, stride, one_target):
    shape = (n_steps, n_features) if n_features else (n_steps,)
    series = np.arange(np.prod(shape), dtype=float).reshape(shape)
    target = n_features - 1 if one_target and n_features else None
    options = {"horizon": horizon, "stride": stride, "target": target}
    if n_steps < window + horizon:
        with pytest.raises(ValueError, match=re.escape(f"window + horizon = {window + horizon} steps, got {n_steps}")):
            sliding_window(series, window, **options)
        return
    X, y = sliding_window(series, window, **options)
    n_windows = (n_steps - window - horizon) // stride + 1
    assert X.shape == (n_windows, window, n_features or 1)
    targets = series if target is None else series[:, target]
    assert y.shape == (n_windows, *((horizon,) if horizon > 1 else ()), *targets.shape[1:])
    for k in range(n_windows):
        start, end = k * stride, k * stride + window
        np.testing.assert_array_equal(X[k], series[start:end].reshape(window, -1))
        np.testing.assert_array_equal(y[k], targets[end : end + horizon] if horizon > 1 else targets[end])


@pytest.mark.parametrize("shape", [(20,), (20, 2)])
@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("target", [None, 1])
def test_windows_are_read_only_views(shape, horizon, target):
    if len(shape) == 1 and target is not None:
        return
    series = np.zeros(shape)
    for given_series in (series, series[::-1], np.asfortranarray(series)):
        for array in sliding_window(given_series, 5, horizon=horizon, stride=2, target=target):
            assert np.shares_memory(array, given_series)
            assert not array.flags.writeable


def test_windows_of_lists_and_frames():
    X, y = sliding_window([1, 2, 3], 2)
    assert X.tolist() == [[[1], [2]]]
    assert y.tolist() == [3]
    X, y = sliding_window(pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}), 1, target=1)
    assert X.tolist() == [[[1, 4]], [[2, 5]]]
    assert y.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones((2, 2, 2)), 1), {}, ValueError, "(n_steps,) or (n_steps, n_features), got 3-D"),
        ((np.ones(9), 0), {}, ValueError, "window must be an integer >= 1, got 0"),
        ((np.ones(9), 2.0), {}, TypeError, "window must be an integer >= 1, got 2.0"),
        ((np.ones(9), 2), {"horizon": 0}, ValueError, "horizon must be an integer >= 1, got 0"),
        ((np.ones(9), 2), {"stride": -1}, ValueError, "stride must be an integer >= 1, got -1"),
        ((np.ones(9), 2), {"target": 0}, ValueError, "target must be a column of series, which has shape (9,), got 0"),
        ((np.ones((9, 2)), 2), {"target": 2}, ValueError, "which has shape (9, 2), got 2"),
        ((np.ones((9, 2)), 2), {"target": "a"}, TypeError, "target must be an integer >= 0, got 'a'"),
    ],
)  # fmt: skip
def test_bad_windows(arguments, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        sliding_window(*arguments, **options)


# Converters


def test_channels_first():
    panel = np.arange(24).reshape(2, 3, 4)
    dense = from_channels_first(panel)
    assert dense.shape == (2, 4, 3)
    assert dense[1, 2, 0] == panel[1, 0, 2]
    assert np.shares_memory(dense, panel)
    sequences = [np.ones((3, 5)), np.ones((3, 2))]
    for form in (list, object_array):
        turned = from_channels_first(form(sequences))
        assert isinstance(turned, list)
        assert [x.shape for x in turned] == [(5, 3), (2, 3)]
        assert np.shares_memory(turned[0], sequences[0])
    with pytest.raises(
        ValueError, match=re.escape("X must have shape (n_sequences, n_features, n_steps), or be a list")
    ):
        from_channels_first(np.ones((2, 3)))
    with pytest.raises(ValueError, match=re.escape("X[1] must have shape (n_features, n_steps), got 1-D (3,)")):
        from_channels_first([np.ones((2, 2)), np.ones(3)])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 3), st.data())
def test_padding_comes_off(lengths, n_features, data):
    sequences = ragged(lengths, n_features)
    for sequence in sequences:  # NaNs before the last step are no padding
        for step in data.draw(st.sets(st.integers(0, len(sequence) - 1))) - {len(sequence) - 1}:
            sequence[step] = np.nan
    padded = np.full((len(lengths), max(lengths) + 2, n_features), np.nan)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    assert_sequences_equal(from_nan_padded(padded), sequences)
    assert_sequences_equal(from_padded(padded, lengths), sequences)
    assert all(np.shares_memory(x, padded) for x in (*from_nan_padded(padded), *from_padded(padded, lengths)))


def test_last_step_partly_nan_stays():
    assert_sequences_equal(from_nan_padded(np.array([[[1, np.nan], [np.nan, np.nan]]])), [[[1, np.nan]]])


def test_bad_padding():
    X = np.ones((2, 3, 1))
    with pytest.raises(
        ValueError, match=re.escape("lengths must be an integer for each of the 2 sequences of X, got shape (3,)")
    ):
        from_padded(X, [1, 2, 3])
    with pytest.raises(ValueError, match="and dtype float64"):
        from_padded(X, [1.0, 2.0])
    with pytest.raises(ValueError, match="lengths must be from 1 to the 3 steps of X, got 4 at 1"):
        from_padded(X, [3, 4])
    with pytest.raises(ValueError, match="lengths must be from 1 to the 3 steps of X, got 0 at 0"):
        from_padded(X, [0, 4])
    for convert in (from_nan_padded, lambda X: from_padded(X, [1, 1])):
        with pytest.raises(
            ValueError, match=re.escape("X must have shape (n_sequences, n_steps, n_features), got 2-D")
        ):
            convert(X[:, :, 0])
    X[1] = np.nan
    with pytest.raises(ValueError, match=re.escape("X[1] must have at least one step that is not all NaN")):
        from_nan_padded(X)
    with pytest.raises(TypeError, match="X must have a floating-point dtype, for NaN to be padding, got int64"):
        from_nan_padded(np.ones((2, 3, 1), np.int64))


@pytest.fixture(params=["pandas", "polars"])
def make_frame(request):
    return pytest.importorskip(request.param).DataFrame


def test_long_frame(make_frame):
    columns = {"trip": ["b", "a", "b", "a", "c"], "t": [1, 5, 0, 3, 9], "x": [1.0, 2, 3, 4, 5], "y": [6, 7, 8, 9, 10]}
    X, ids = from_long_frame(make_frame(columns), id="trip", time="t")
    assert ids.tolist() == ["a", "b", "c"]
    assert_sequences_equal(X, [[[4, 9], [2, 7]], [[3, 8], [1, 6]], [[5, 10]]])
    assert {x.dtype for x in X} == {np.dtype(np.float64)}
    X, _ = from_long_frame(make_frame(columns), id="trip", time="t", columns=["y"])
    assert_sequences_equal(X, [[[9], [7]], [[8], [6]], [[10]]])


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=20))
def test_long_frame_is_sorted_within_each_id(rows):
    frame = pd.DataFrame({"id": [row[0] for row in rows], "t": [row[1] for row in rows], "place": range(len(rows))})
    X, ids = from_long_frame(frame, id="id", time="t")
    expected = frame.sort_values("t", kind="stable").groupby("id")["place"]
    assert ids.tolist() == list(expected.groups)
    assert_sequences_equal([x[:, 0] for x in X], [group.to_numpy() for _, group in expected])


def test_targets_in_a_long_frame(make_frame):
    frame = make_frame(
        {"id": [2, 1, 2, 1], "t": [1, 1, 0, 0], "x": [1.0, 2, 3, 4], "of": ["b", "a", "b", "a"], "each": [5, 6, 7, 8]}
    )
    X, y, ids = from_long_frame(frame, id="id", time="t", target="of", columns=["x"])
    assert (y.tolist(), ids.tolist()) == (["a", "b"], [1, 2])
    assert_sequences_equal(X, [[[4], [2]], [[3], [1]]])
    assert LSTMClassifier((2,), max_iter=1).fit(X, y).classes_.tolist() == ["a", "b"]
    X, y, ids = from_long_frame(frame[["id", "t", "x", "each"]], id="id", time="t", target="each", per_step=True)
    assert [each.tolist() for each in y] == [[8, 6], [7, 5]]
    assert_sequences_equal(X, [[[4], [2]], [[3], [1]]])  # the target is no feature
    message = "target must have one value in each sequence, got several of 'each' where 'id' is "
    with pytest.raises(ValueError, match=rf"{message}.*1.*: with per_step=True there is one for each step"):
        from_long_frame(frame, id="id", time="t", target="each", columns=["x"])
    with pytest.raises(ValueError, match="target must name a column of frame"):
        from_long_frame(frame, id="id", time="t", target="y")


def test_long_frame_dates_and_missing_values(make_frame):
    days = np.array(["2024-02-01", "2024-01-01", "2024-03-01"], "datetime64[ms]")
    X, ids = from_long_frame(make_frame({"id": [7, 7, 7], "day": days, "x": [1, None, 3]}), id="id", time="day")
    assert ids.tolist() == [7]
    assert_sequences_equal(X, [[[np.nan], [1], [3]]])


def test_long_frame_of_pandas_nullable_dtypes():
    frame = pd.DataFrame({"id": [1, 1], "t": [1, 0], "x": pd.array([1, None], "Int64"), "up": [True, False]})
    assert_sequences_equal(from_long_frame(frame, id="id", time="t")[0], [[[np.nan, 0], [1, 1]]])


def test_bad_long_frames(make_frame):
    frame = make_frame({"id": ["a", None], "t": [0.0, 1.0], "x": [1, 2], "word": ["one", "two"]})
    for names, message in [
        ({"id": "ID", "time": "t"}, "id must name a column of frame, one of ['id', 't', 'x', 'word'], got 'ID'"),
        ({"id": "x", "time": "T"}, "time must name a column of frame"),
        ({"id": "x", "time": "t", "columns": ["y"]}, "columns must name a column of frame"),
        ({"id": "x", "time": "t", "columns": []}, "columns must name at least one column of frame, got none"),
        (
            {"id": "id", "time": "t", "columns": ["x"]},
            "id must be known in every row of frame, got missing values in 'id'",
        ),
        ({"id": "x", "time": "t", "columns": ["word"]}, "columns of frame must hold numbers, got an object array"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            from_long_frame(frame, **names)
    with pytest.raises(ValueError, match="frame must have at least one row"):
        from_long_frame(frame[:0], id="x", time="t")
    with pytest.raises(TypeError, match="frame must be a pandas or polars DataFrame, got dict"):
        from_long_frame({"id": [1]}, id="id", time="t")
