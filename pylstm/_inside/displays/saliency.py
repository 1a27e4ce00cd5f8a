"""`SaliencyDisplay`: which steps of a sequence an output depends on."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..._net.inputs import Array, check_int
from .axes import BLUE, axes_for, check_labels, height_of, label_steps, number_units, signed_colours
from .nets import check_numbers, estimator_of, layers_of, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("LSTMClassifier", "LSTMTagger", "LSTMRegressor", "LSTMSequenceRegressor")


class SaliencyDisplay:
    """How much an output of an estimator changes with what is read at each step of a sequence.

    Parameters
    ----------
    gradients : ndarray (n_steps, n_features)
        Of the output, with respect to the inputs.
    output : str
        What was differentiated.
    labels : sequence, default=None
        A word, character or time for each step.
    feature_names : sequence of str, default=None
        None numbers them.

    Attributes
    ----------
    gradients, output, labels, feature_names
        The parameters.
    saliency : ndarray (n_steps,)
        The norm of each step's gradient.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    GradientFlowDisplay : The gradient with respect to the states.

    Notes
    -----
    Of a classifier the log-odds of one class against all others are differentiated. Its probability would have the same
    gradient times p (1 - p), which is next to nothing where the net is sure; and the net's output before the softmax is
    determined up to a constant only.

    A gradient says what a small change would do to this very sequence: a step that decides beyond doubt can have a
    small one. It is per unit of X as the estimator is given it; where features have units of their own, scale them:
    ``from_estimator(pipeline[-1], pipeline[:-1].transform(X))``. It is exact, computed in float64.

    Examples
    --------
    A net that has learnt to repeat the third of eight steps:

    >>> import numpy as np
    >>> from pylstm import LSTMRegressor, SaliencyDisplay
    >>> X = np.random.default_rng(0).standard_normal((500, 8, 1))
    >>> reg = LSTMRegressor((16,), random_state=0).fit(X, X[:, 2, 0])
    >>> display = SaliencyDisplay.from_estimator(reg, X)
    >>> int(display.saliency.argmax())
    2
    """

    def __init__(self, gradients: Array, *, output: str, labels: Any = None, feature_names: Any = None) -> None:
        self.gradients = gradients
        self.output = output
        self.labels = check_labels(labels, len(gradients))
        if feature_names is not None and len(feature_names) != gradients.shape[1]:
            raise ValueError(
                f"feature_names must have one name for each of {gradients.shape[1]} features, got {len(feature_names)}"
            )
        self.feature_names = feature_names
        self.saliency = np.linalg.norm(gradients, axis=1)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        sequence: int = 0,
        target: Any = None,
        step: int | None = None,
        features: Iterable[int] | None = None,
        labels: Any = None,
        per_feature: bool = False,
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute and plot the gradient of one output for one sequence.

        Parameters
        ----------
        estimator : LSTMClassifier, LSTMTagger, LSTMRegressor or LSTMSequenceRegressor
            Fitted.
        X : array-like or list
            Sequences, as in its `predict`.
        sequence : int, default=0
            Which sequence of X.
        target : label or int, default=None
            The class, by default the predicted one; or which of several targets, counted from 0.
        step : int, default=None
            Of an estimator with an output per step, which; None is the last.
        features : sequence of int, default=None
            Which features of a step are meant, counted from 0; None is all. Some, such as marks, move an output where
            they are not set too: they would if they were.
        labels : sequence, default=None
            A word, character or time for each step.
        per_feature : bool, default=False
            See `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        SaliencyDisplay
        """
        gradients, output = gradients_of(estimator, X, sequence, target, step)
        n_features = gradients.shape[1]
        chosen = list(range(n_features)) if features is None else check_numbers(features, "features", n_features)
        names = np.arange(n_features)
        if not estimator._fitted_on_2d:
            names = getattr(estimator, "feature_names_in_", names)
        if features is not None:
            output += f", by feature{'s' * (len(chosen) > 1)} {', '.join(map(str, names[chosen]))}"
        display = cls(gradients[:, chosen], output=output, labels=labels, feature_names=names[chosen])
        return display.plot(ax=ax, per_feature=per_feature)

    def plot(self, ax: "Axes | None" = None, *, per_feature: bool = False) -> Self:
        """Plot the gradients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        per_feature : bool, default=False
            Whether to draw a heat map, features x steps, in place of the norm of each step's gradient.

        Returns
        -------
        self : SaliencyDisplay
        """
        n_steps, n_features = self.gradients.shape
        height = (2 + 0.2 * min(n_features, 30) if per_feature else 3) + height_of(self.labels)
        (self.ax_,) = axes_for("SaliencyDisplay", ax, 1, (7.5, height))
        self.figure_ = self.ax_.figure
        if per_feature:
            limit = np.abs(self.gradients).max() or 1.0
            image = self.ax_.imshow(
                self.gradients.T, cmap=signed_colours(), vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
            )
            bar = self.figure_.colorbar(image, ax=self.ax_)
            bar.set_label("gradient per unit of input:\nblue lowers, orange raises")
            number_units(self.ax_, np.arange(n_features) if self.feature_names is None else self.feature_names)
            self.ax_.set_ylabel("feature")
        else:
            # The edges keep a step visible among a thousand others.
            self.ax_.bar(np.arange(n_steps), self.saliency, 0.8, color=BLUE, edgecolor=BLUE)
            self.ax_.set_ylim(bottom=0)
            self.ax_.set_ylabel("norm of the gradient\n(output per unit of input)")
        self.ax_.set_xlim(-0.5, n_steps - 0.5)
        self.ax_.set_title(f"What moves the {self.output}")
        label_steps(self.ax_, self.labels)
        return self


def gradients_of(estimator: Any, X: Any, sequence: int, target: Any, step: int | None) -> tuple[Array, str]:
    """Return the gradient (n_steps, n_features) of an output, and what that is; parameters as in `from_estimator`."""
    described = estimator_of(estimator)
    if described is None or described.forecasts is not None:
        raise TypeError(f"estimator must be one of {', '.join(KINDS)}, got {estimator!r}")
    x = rows_of(estimator._fitted_steps(X), sequence)
    n_steps = len(x)
    pooling = described.spec.pooling
    at = n_steps - 1
    if step is not None:
        if pooling is not None:
            raise ValueError(f"step must be None for {type(estimator).__name__}, which has one output, got {step}")
        at = check_int(step, "step", 0)
        if at >= n_steps:
            raise ValueError(f"step must be one of the {n_steps} of the sequence, counted from 0, got {step}")

    net = layers_of(estimator, "estimator")
    Y, _ = net.forward(x[np.newaxis], training=True)
    parts = pooled_parts(Y[0], pooling, at, net.hidden_sizes[-1])
    weights = described.net.parameters()
    matrix = weights["weight_out"].astype(np.float64)
    values = matrix @ (parts * Y[0]).sum(axis=0) + weights["bias_out"]
    if described.targets is not None:
        matrix = matrix * described.targets.scale[:, np.newaxis]
    of_pooled, output = output_of(estimator, matrix, values, target, is_softmax=described.spec.loss == "cross_entropy")
    gradient = net.backward((parts * of_pooled)[np.newaxis]).input[0]
    if described.inputs is not None:
        gradient = gradient / described.inputs.scale
    if described.missing is not None:
        gradient = gradient[:, : len(described.missing.mean)]
    return gradient, output if pooling is not None else f"{output} at step {at}"


def pooled_parts(Y: Array, pooling: str | None, at: int, hidden_size: int) -> Array:
    """Return how much of each step's outputs Y (n_steps, width) is in what the dense layer reads."""
    parts = np.zeros_like(Y)
    if pooling == "mean":
        parts[:] = 1 / len(Y)
    elif pooling == "max":
        parts[Y.argmax(axis=0), np.arange(Y.shape[1])] = 1
    elif pooling == "last":
        parts[-1, :hidden_size] = 1
        parts[0, hidden_size:] = 1
    else:
        parts[at] = 1
    return parts


def output_of(estimator: Any, matrix: Array, values: Array, target: Any, *, is_softmax: bool) -> tuple[Array, str]:
    """Return the gradient of the chosen output with respect to what the dense layer reads, and the output's name.

    Parameters
    ----------
    estimator : estimator
    matrix : ndarray (n_outputs, width)
        The weights of its dense layer.
    values : ndarray (n_outputs,)
        What comes out of it, before any softmax.
    target : label, int or None
    is_softmax : bool
        Whether the outputs are classes, of which one is right; else each is by itself.
    """
    if hasattr(estimator, "classes_"):
        classes = estimator.classes_
        if len(classes) == 1:
            raise ValueError(f"estimator must know more than one class, got {classes.tolist()} alone: nothing moves it")
        found = np.flatnonzero(classes == target) if target is not None else [values.argmax()]
        if len(found) == 0:
            raise ValueError(f"target must be one of classes_ {classes.tolist()}, got {target!r}")
        k = int(found[0])
        if not is_softmax:
            return matrix[k], f"log-odds of label {k}"
        others = np.arange(len(classes)) != k
        shares = np.exp(values[others] - values[others].max())
        return matrix[k] - shares @ matrix[others] / shares.sum(), f"log-odds of class {classes.tolist()[k]!r}"
    if target is None and len(values) > 1:
        raise ValueError(f"target must say which of {len(values)} targets is meant, counted from 0, got None")
    k = check_int(0 if target is None else target, "target", 0)
    if k >= len(values):
        raise ValueError(f"target must be one of {len(values)} targets, counted from 0, got {target}")
    return matrix[k], "prediction" if len(values) == 1 else f"prediction of target {k}"
