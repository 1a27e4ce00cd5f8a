"""`PerStep`, which makes a transformer of columns one of sequences."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, _estimator_has, check_is_fitted

from .._net.inputs import Steps, as_form, as_given, as_steps, is_2d
from ._validation import validate_sequences

#: What transformers don't get to see, but as float64.
NARROW = ("float16", "float32")


def _transformer_has(method: str) -> Any:
    return _estimator_has(method, delegates=("transformer_", "transformer"))


# scikit-learn's set_output makes frames of what comes out; sequences are none.
class PerStep(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Apply a transformer of columns to every step of sequences.

    The steps of all sequences, one below the other, are the rows that the transformer is fitted on and transforms:
    `StandardScaler` scales each feature over all steps, `PCA` finds components of steps, and so on. What comes out has
    the form that came in.

    Parameters
    ----------
    transformer : estimator
        Any transformer with `fit` and `transform`, such as `StandardScaler`, `PCA`, `SimpleImputer`, a
        `ColumnTransformer` or a `Pipeline` of them.

    Attributes
    ----------
    transformer_ : estimator
        The fitted clone of `transformer`.
    n_features_in_ : int
        Features per step; for a fit on 2-D X, the number of steps.
    feature_names_in_ : ndarray (n_features_in_,)
        Column names of a fit on DataFrames.

    See Also
    --------
    sklearn.compose.ColumnTransformer : Different transformers for different features.

    Notes
    -----
    X may be

    - a 3-D array (n_sequences, n_steps, n_features),
    - a list, 1-D object array or pandas Series of 2-D arrays (n_steps_i, n_features), which are never padded,
    - a list or 1-D object array of DataFrames with the same columns. The transformer gets them as one DataFrame, so
      that a `ColumnTransformer` can go by column names,
    - a 2-D array or DataFrame (n_sequences, n_steps) with one feature per step. Other numbers of steps are refused
      then, and the transformer must return one feature per step.

    The transformer gets float32 and float16 as float64: it would compute in them else, and a float32 has but seven
    digits, of which a large mean takes most.

    `transform` returns a 3-D array, a list, an object array or a 2-D array for them, of NumPy arrays in each case: a
    transformer's frames and sparse rows become arrays. So there is no `set_output`. Sequences in what came out may
    share memory with each other.

    `y` is not passed on: the transformer is fitted without a target. Whether missing values are welcome is up to the
    transformer.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from pylstm.preprocessing import PerStep
    >>> X = [np.array([[0.0, 10.0], [2.0, 30.0]]), np.array([[4.0, 20.0]])]
    >>> scaler = PerStep(StandardScaler()).fit(X)
    >>> scaler.transformer_.mean_
    array([ 2., 20.])
    >>> [x.shape for x in scaler.transform(X)]
    [(2, 2), (1, 2)]

    Before an estimator, in a search over parameters of both:

    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from pylstm import LSTMClassifier
    >>> pipeline = make_pipeline(PerStep(StandardScaler()), LSTMClassifier())
    >>> grid = {"perstep__transformer__with_mean": [True, False], "lstmclassifier__hidden_layer_sizes": [(8,), (16,)]}
    >>> search = GridSearchCV(pipeline, grid)
    """

    _fitted_on_2d: bool
    n_features_in_: int
    transformer_: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"transformer": [HasMethods(["fit", "transform"])]}

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a clone of the transformer to the steps of all sequences.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The sequences.
        y : None
            Ignored.

        Returns
        -------
        self : PerStep
            The fitted transformer.
        """
        rows = self._read(X, reset=True).rows
        self.transformer_ = clone(self.transformer).fit(rows)
        return self

    @available_if(_transformer_has("partial_fit"))
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Continue fitting with more sequences.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        self : PerStep
            The fitted transformer.
        """
        first = not hasattr(self, "transformer_")
        rows = self._read(X, reset=first).rows
        self.transformer_ = (clone(self.transformer) if first else self.transformer_).partial_fit(rows)
        return self

    def transform(self, X: Any) -> Any:
        """Transform every step.

        Parameters
        ----------
        X : array-like or list
            Sequences, of the form that was fitted.

        Returns
        -------
        3-D array, list of 2-D arrays, 1-D object array of them, or 2-D array
            As `X`; the number of features per step is up to the transformer.
        """
        check_is_fitted(self, "transformer_")
        steps = self._read(X, reset=False)
        return self._as_came(self.transformer_.transform(steps.rows), steps)

    @available_if(_transformer_has("inverse_transform"))
    def inverse_transform(self, X: Any) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like or list
            Transformed sequences.

        Returns
        -------
        3-D array, list of 2-D arrays, 1-D object array of them, or 2-D array
            As `X`, with the features that were fitted.
        """
        check_is_fitted(self, "transformer_")
        X = as_form(X, "X")
        on_2d = is_2d(X, self._fitted_on_2d)
        steps = _in_float64(as_steps(np.asarray(X)[:, :, np.newaxis] if on_2d else X, None, None))
        return self._as_came(self.transformer_.inverse_transform(steps.rows), steps)

    @available_if(_transformer_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the features per step that `transform` returns; after a fit on 2-D X, of the steps.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features that were fitted; None takes the column names, or "x0", "x1", ...

        Returns
        -------
        ndarray of str objects
            The names.
        """
        check_is_fitted(self, "transformer_")
        if self._fitted_on_2d:
            return _check_feature_names_in(self, input_features)
        return self.transformer_.get_feature_names_out(input_features)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.transformer)
        tags.input_tags.three_d_array = True
        for name in ("allow_nan", "categorical", "positive_only", "string"):
            setattr(tags.input_tags, name, getattr(inner.input_tags, name))
        tags.non_deterministic = inner.non_deterministic
        if inner.transformer_tags is not None:
            preserved = inner.transformer_tags.preserves_dtype
            tags.transformer_tags = inner.transformer_tags
            tags.transformer_tags.preserves_dtype = [dtype for dtype in preserved if dtype not in NARROW]
        return tags

    def _read(self, X: Any, *, reset: bool) -> Steps:
        return _in_float64(validate_sequences(self, X, reset=reset, dtype=None, finite=False))

    def _as_came(self, rows: Any, steps: Steps) -> Any:
        """Give the transformer's rows the form of what they are the steps of."""
        rows = np.asarray(rows.toarray() if issparse(rows) else rows)
        if rows.ndim != 2 or len(rows) != len(steps.rows):
            raise ValueError(
                f"transformer must return one row for each of the {len(steps.rows)} steps, got shape {rows.shape}"
            )
        if self._fitted_on_2d:
            if rows.shape[1] != 1:
                raise ValueError(
                    "transformer must return one feature per step for 2-D X (n_sequences, n_steps), "
                    f"got {rows.shape[1]}; with X.reshape(n_sequences, n_steps, 1) any number is welcome"
                )
            return rows.reshape(len(steps.lengths), -1)
        return as_given(rows, steps)


def _in_float64(steps: Steps) -> Steps:
    """Give the transformer floats of 64 bits, so that what a model reads does not hang on how X came.

    scikit-learn's scalers would compute with the dtype of X, while streams and what is exported scale in float64.
    """
    rows: Any = steps.rows
    if isinstance(rows, np.ndarray):
        return steps._replace(rows=rows.astype(np.float64)) if rows.dtype.name in NARROW else steps
    if not hasattr(rows, "iloc"):  # of polars' frames scikit-learn makes float64 itself
        return steps
    wide = {column: "float64" for column, dtype in rows.dtypes.items() if str(dtype).lower() in NARROW}
    return steps._replace(rows=rows.astype(wide)) if wide else steps
