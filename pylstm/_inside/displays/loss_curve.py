"""`LossCurveDisplay`: how a fit went."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from .axes import BLUE, RED, axes_for, label_steps
from .nets import estimator_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LossCurveDisplay:
    """The training loss over the epochs, and the validation score where there is one.

    Parameters
    ----------
    loss_curve : array-like (n_epochs,)
    validation_scores : array-like (n_epochs,), default=None
        Higher is better.
    loss_name : str, default="loss"
    score_name : str, default="score"

    Attributes
    ----------
    loss_curve, validation_scores : ndarray
    loss_name, score_name
        The parameters.
    ax_ : matplotlib Axes
    score_ax_ : matplotlib Axes or None
        With the scores' scale, on the right.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from pylstm import LossCurveDisplay, LSTMClassifier
    >>> from pylstm.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(split="train")
    >>> clf = LSTMClassifier((16,), max_iter=10, early_stopping=True, random_state=0).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(clf)
    >>> display.ax_.get_xlabel(), display.score_ax_.get_ylabel()
    ('epoch', 'validation accuracy (dashed)')
    """

    def __init__(
        self,
        loss_curve: npt.ArrayLike,
        *,
        validation_scores: npt.ArrayLike | None = None,
        loss_name: str = "loss",
        score_name: str = "score",
    ) -> None:
        self.loss_curve = np.asarray(loss_curve, np.float64)
        if self.loss_curve.ndim != 1 or self.loss_curve.size == 0:
            raise ValueError(f"loss_curve must be (n_epochs,), at least one, got shape {self.loss_curve.shape}")
        self.validation_scores = None if validation_scores is None else np.asarray(validation_scores, np.float64)
        if self.validation_scores is not None and len(self.validation_scores) != len(self.loss_curve):
            raise ValueError(
                f"validation_scores must have one entry for each of {len(self.loss_curve)} epochs, "
                f"got {len(self.validation_scores)}"
            )
        self.loss_name = loss_name
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: "Axes | None" = None) -> Self:
        """Plot what a fit has left in `loss_curve_` and, where something was held out, in `validation_scores_`.

        Parameters
        ----------
        estimator : fitted estimator
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LossCurveDisplay
        """
        described = estimator_of(estimator)
        if described is None:
            raise TypeError(f"estimator must be one of pylstm's, got {estimator!r}")
        loss = str(described.spec.loss)
        names = {"cross_entropy": "cross-entropy", "sigmoid": "cross-entropy", "caller": "a callable"}
        scores = estimator.validation_scores_
        if scores is not None:  # with `warm_start`, the epochs of fits before may have none
            scores = [np.nan] * (len(estimator.loss_curve_) - len(scores)) + scores
        return cls(
            estimator.loss_curve_,
            validation_scores=scores,
            loss_name=names.get(loss, loss.replace("_", " ")),
            score_name=estimator._score_name,
        ).plot(ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Plot the curves; the loss on a logarithmic scale where it falls to less than a hundredth.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : LossCurveDisplay
        """
        (self.ax_,) = axes_for("LossCurveDisplay", ax, 1, (6.5, 4))
        self.figure_ = self.ax_.figure
        epochs = np.arange(1, len(self.loss_curve) + 1)
        marker = "o" if len(epochs) <= 40 else None
        self.ax_.plot(epochs, self.loss_curve, color=BLUE, marker=marker, markersize=3)
        label_steps(self.ax_, None)
        self.ax_.set_xlabel("epoch")
        self.ax_.set_ylabel(f"training loss ({self.loss_name})", color=BLUE)
        if 0 < 100 * self.loss_curve.min() < self.loss_curve.max():
            self.ax_.set_yscale("log")
        self.ax_.set_title("Course of the training")
        self.score_ax_ = None
        if self.validation_scores is not None:
            self.score_ax_ = self.ax_.twinx()
            self.score_ax_.plot(
                epochs, self.validation_scores, color=RED, linestyle="--", marker=marker and "s", markersize=3
            )
            self.score_ax_.set_ylabel(f"validation {self.score_name} (dashed)", color=RED)
        return self
