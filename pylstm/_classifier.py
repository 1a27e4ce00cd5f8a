"""`LSTMClassifier`, one label per sequence."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d, validate_data

from ._core import ClassifierNet, Trainer
from ._inputs import Steps, as_steps, is_ragged

AUTO_BATCH_SIZE = 16


class LSTMClassifier(ClassifierMixin, BaseEstimator):
    """Classify sequences by an LSTM that reads them step by step.

    The network is a stack of LSTM layers and a softmax layer; training minimises cross-entropy by Adam on mini-batches.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(64,)
        Units of each LSTM layer, the first next to the input.
    pooling : {"last", "mean", "max"}, default="last"
        What the softmax layer reads: the output after the last step of each sequence (of each direction its own last),
        or the mean or maximum over all steps.
    bidirectional : bool, default=False
        Whether each layer also reads the reversed sequence.
    dropout : float in [0, 1), default=0.0
        Probability that an output of an LSTM layer is zeroed during training, the last layer's too.
    forget_bias : float or "chrono", default=1.0
        Initial bias of the forget gates. "chrono" spreads the spans that units remember up to the longest training
        sequence (Tallec & Ollivier 2018).
    alpha : float, default=0.0001
        Strength of the L2 penalty on the weights, divided by the mini-batch size as in `MLPClassifier`.
    batch_size : int or "auto", default="auto"
        Sequences per mini-batch; "auto" is ``min(16, n_sequences)``.
    learning_rate_init : float, default=0.005
        Step size of Adam.
    max_iter : int, default=60
        Epochs: how often each sequence is used.
    shuffle : bool, default=True
        Whether the sequences are shuffled before each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the sequences and dropout. The same int gives the same fit.
    n_jobs : int or None, default=None
        Threads that share a mini-batch, or the sequences of a prediction; None is 1, -1 all cores. Pays with large nets
        or batches only. The fit depends on it in its last bits.
    verbose : bool, default=False
        Whether to print a line of progress per epoch.
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of Adam's estimates of the gradient and its square.
    epsilon : float, default=1e-8
        Numerical stability of Adam.
    max_grad_norm : float or None, default=1.0
        Global norm that gradients are scaled down to; None for never.
    dtype : {"float32", "float64"}, default="float32"
        Of weights and arithmetic.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
        The class labels.
    n_features_in_ : int
        Features per step; for a fit on 2-D X, the number of steps.
    feature_names_in_ : ndarray (n_features_in_,)
        Column names of a fit on a DataFrame.
    n_iter_ : int
        Epochs run.
    loss_ : float
        Mean training loss of the last epoch.
    loss_curve_ : list of float
        `loss_` after each epoch.

    See Also
    --------
    Sequence : The layers alone.

    Notes
    -----
    X may be a 3-D array (n_sequences, n_steps, n_features), a list or 1-D object array of 2-D arrays
    (n_steps_i, n_features), or a 2-D array (n_sequences, n_steps) with one feature per step. Predictions take the form
    that was fitted: after a fit on 2-D X sequences of the same number of steps, else of any.

    Examples
    --------
    >>> from pylstm import LSTMClassifier
    >>> from pylstm.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(split="train")
    >>> clf = LSTMClassifier(hidden_layer_sizes=(16,), max_iter=20, random_state=0).fit(X, y)
    >>> clf.predict(X[:3])
    array([1, 1, 1])
    """

    _fitted_on_2d: bool
    n_features_in_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions({"last", "mean", "max"})],
        "bidirectional": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "forget_bias": [Interval(Real, None, None, closed="neither"), StrOptions({"chrono"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        pooling: str = "last",
        bidirectional: bool = False,
        dropout: float = 0.0,
        forget_bias: float | str = 1.0,
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.005,
        max_iter: int = 60,
        shuffle: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        max_grad_norm: float | None = 1.0,
        dtype: str = "float32",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.pooling = pooling
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.forget_bias = forget_bias
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_grad_norm = max_grad_norm
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Fit to sequences and their labels.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, n_features) or (n_sequences, n_steps), or list of (n_steps_i, n_features)
            The training sequences; finite.
        y : array-like (n_sequences,)
            Their labels.

        Returns
        -------
        self : LSTMClassifier
            The fitted estimator.
        """
        steps = self._check_X(X, reset=True)
        n_sequences = len(steps.lengths)
        classes, labels = np.unique(self._check_y(y, n_sequences), return_inverse=True)
        sizes = tuple(np.atleast_1d(self.hidden_layer_sizes).tolist())
        random_state = check_random_state(self.random_state)
        chrono = self.forget_bias == "chrono"
        net = ClassifierNet(
            steps.rows.shape[1],
            sizes,
            len(classes),
            pooling=self.pooling,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            dtype=self.dtype,
            forget_bias=self.forget_bias,
            t_max=max(3, int(steps.lengths.max())) if chrono else None,
            random_state=random_state,
            n_threads=effective_n_jobs(self.n_jobs),
        )
        batch_size = min(AUTO_BATCH_SIZE if self.batch_size == "auto" else int(self.batch_size), n_sequences)
        trainer = Trainer(
            net,
            steps,
            labels,
            batch_size,
            learning_rate=self.learning_rate_init,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            alpha=self.alpha,
            max_grad_norm=self.max_grad_norm or 0.0,
        )
        order = np.arange(n_sequences, dtype=np.intp)
        loss_curve = []
        for epoch in range(1, self.max_iter + 1):
            if self.shuffle:
                random_state.shuffle(order)
            loss = 0.0
            for start in range(0, n_sequences, batch_size):
                indices = order[start : start + batch_size]
                loss += trainer.step(indices) * len(indices)
            loss_curve.append(loss / n_sequences)
            if self.verbose:
                print(f"Epoch {epoch}/{self.max_iter}, loss = {loss_curve[-1]:.6f}", flush=True)

        self._net = net
        self.classes_ = classes
        self.loss_curve_ = loss_curve
        self.loss_ = loss_curve[-1]
        self.n_iter_ = self.max_iter
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.floating]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.

        Returns
        -------
        ndarray (n_sequences, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return self._net.predict_proba(self._check_X(X, reset=False))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like or list
            Sequences, as in `fit`.

        Returns
        -------
        ndarray (n_sequences,)
            Labels out of `classes_`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _check_y(self, y: Any, n_sequences: int) -> npt.NDArray[Any]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        if len(y) != n_sequences:
            raise ValueError(f"y must have one label for each of the {n_sequences} sequences of X, got {len(y)}")
        check_classification_targets(y)
        return y

    def _check_X(self, X: Any, *, reset: bool) -> Steps:
        """Return X's steps; `reset` notes what fit was given, else X must be of the same kind."""
        ragged = is_ragged(X)
        is_2d = not ragged and _ndim(X) != 3
        if not reset and is_2d != self._fitted_on_2d:
            got = "a list of 2-D arrays" if ragged else f"{_ndim(X)}-D"
            if self._fitted_on_2d:
                expected = "2-D (n_sequences, n_steps), as in fit; from 3-D with one feature: X[:, :, 0]"
            else:
                expected = (
                    "3-D (n_sequences, n_steps, n_features) or a list of 2-D arrays, as in fit; "
                    "from 2-D with one feature per step: X.reshape(n_sequences, n_steps, 1)"
                )
            raise ValueError(f"X must be {expected}; got {got}")
        if is_2d:
            X = validate_data(self, X, reset=reset, dtype=self.dtype, order="C")
            steps = as_steps(X[:, :, np.newaxis], 1, self.dtype)
        else:
            steps = as_steps(X, None if reset else self.n_features_in_, self.dtype)
            assert_all_finite(steps.rows, input_name="X")
            if reset:
                self.n_features_in_ = steps.rows.shape[1]
        if reset:
            self._fitted_on_2d = is_2d
        return steps


def _ndim(X: Any) -> int:
    """Dimensions of X; of a list that is no array (unequal lengths), an error that says how to pass it."""
    try:
        return np.ndim(X)
    except ValueError:
        raise ValueError(
            "X must be a list of 2-D arrays (n_steps, n_features) where sequences differ in length; "
            "with one feature per step: [np.reshape(x, (-1, 1)) for x in X]"
        ) from None
