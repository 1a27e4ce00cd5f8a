"""`GradientFlowDisplay`: how far back an error reaches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..._net.cells import STATES
from ..._net.core import Sequence
from ..._net.inputs import Array, as_steps
from .axes import LINES, axes_for, check_labels, height_of, label_steps
from .nets import layers_of, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class GradientFlowDisplay:
    """How much of a gradient at the end of a sequence is left at each step before: the vanishing gradient, seen.

    A plain RNN forgets errors by a factor per step; the cell state of an LSTM whose forget gates stand open carries
    them back.

    Parameters
    ----------
    norms : dict of str to dict of str to ndarray (n_steps,)
        Of each net, by its label, the norms by letter, "h" and of an LSTM "c".
    labels : sequence, default=None
        A word, character or time for each step.

    Attributes
    ----------
    norms, labels
        The parameters.
    n_steps : int
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of (str, str) to matplotlib Line2D
        By the net's label and the letter.

    See Also
    --------
    SaliencyDisplay : The gradient with respect to the inputs.

    Notes
    -----
    The norm at step t is that of the gradient of the last output with respect to h or c after step t (of all layers
    together), as the two inputs that they are of the steps that follow: of c at the last step it is 0, and not drawn.

    A gradient depends on what of the last output is differentiated. Here it is each unit of it by itself, and the norm
    is the root mean square over them; that is also the root mean square over all directions of the output. So the norm
    with respect to h is 1 at the last step.

    It is computed in float64 on a copy of the net without dropout, one step back at a time: exact, in time linear in
    the number of steps.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm import GradientFlowDisplay, Sequence
    >>> X = np.random.default_rng(0).standard_normal((1, 50, 2))
    >>> nets = {"RNN": Sequence(2, 16, cell="rnn", random_state=0)}
    >>> nets |= {f"LSTM, forget bias {b}": Sequence(2, 16, forget_bias=b, random_state=0) for b in (0, 1, 5)}
    >>> display = GradientFlowDisplay.from_sequences(nets, X)
    >>> bool(display.norms["LSTM, forget bias 5"]["c"][0] > 0.1)
    True
    >>> bool(display.norms["RNN"]["h"][0] < 1e-6)
    True
    """

    def __init__(self, norms: Mapping[str, Mapping[str, Array]], *, labels: Any = None) -> None:
        self.norms = {label: dict(of_net) for label, of_net in norms.items()}
        lengths = {len(values) for of_net in self.norms.values() for values in of_net.values()}
        if len(lengths) != 1:
            raise ValueError(f"norms must hold arrays of one length, got lengths {sorted(lengths)}")
        self.n_steps = lengths.pop()
        self.labels = check_labels(labels, self.n_steps)

    @classmethod
    def from_sequences(
        cls,
        nets: Mapping[str, Any],
        X: Any,
        *,
        sequence: int = 0,
        labels: Any = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute and plot the norms for several nets.

        Parameters
        ----------
        nets : dict of str to Sequence or fitted estimator
            By label. One direction only: in the reverse one errors do not go back in time.
        X : array-like (n_sequences, n_steps, n_features), or list of (n_steps_i, n_features)
            What the nets read.
        sequence : int, default=0
            Which sequence of X.
        labels : sequence, default=None
            A word, character or time for each step.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GradientFlowDisplay
        """
        if not isinstance(nets, Mapping) or not nets:
            raise TypeError(f"nets must be a dict of labels to nets, with at least one, got {nets!r}")
        norms = {}
        for label, model in nets.items():
            name = f"nets[{label!r}]"
            net = layers_of(model, name)
            if net.bidirectional:
                raise ValueError(
                    f"{name} must not be bidirectional: errors of its reverse direction go forward in time"
                )
            norms[label] = norms_of(net, rows_of(as_steps(X, net.input_size, np.float64), sequence))
        return cls(norms, labels=labels).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, sequence: int = 0, labels: Any = None, ax: "Axes | None" = None
    ) -> Self:
        """Compute and plot the norms for the layers of a fitted estimator; see `from_sequences`.

        Parameters
        ----------
        estimator : fitted estimator
            Named by its class.
        X : array-like or list
            See `from_sequences`.
        sequence : int, default=0
            Which sequence of X.
        labels : sequence, default=None
            A word, character or time for each step.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GradientFlowDisplay
        """
        nets = {type(estimator).__name__: estimator}
        return cls.from_sequences(nets, X, sequence=sequence, labels=labels, ax=ax)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Plot the norms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : GradientFlowDisplay
        """
        (self.ax_,) = axes_for("GradientFlowDisplay", ax, 1, (7.5, 4.2 + height_of(self.labels)))
        self.figure_ = self.ax_.figure
        self.lines_ = {}
        for k, (label, of_net) in enumerate(self.norms.items()):
            colour, marker = LINES[k % len(LINES)]
            every = max(1, self.n_steps // 10)
            for letter, values in of_net.items():
                (line,) = self.ax_.plot(
                    np.where(values > 0, values, np.nan),
                    color=colour,
                    linestyle="--" if letter == "c" else "-",
                    marker=marker,
                    markersize=4,
                    markevery=(k % every, every),  # apart where lines lie on each other
                    label=f"{label}: ${letter}$",
                )
                self.lines_[label, letter] = line
        self.ax_.set_yscale("log")
        self.ax_.set_ylabel("norm of the gradient of the last output\n(with respect to $h$ at the last step: 1)")
        self.ax_.set_title("How far back an error reaches")
        label_steps(self.ax_, self.labels)
        self.ax_.legend(title="net: with respect to", fontsize="small", title_fontsize="small")
        return self


def norms_of(net: Sequence, x: Array) -> dict[str, Array]:
    """Return, by letter, root mean squares over the units of the last output of the gradient's norms.

    Parameters
    ----------
    net : Sequence
        float64, of one direction, without dropout.
    x : ndarray (n_steps, input_size)
    """
    steps = x[:, np.newaxis, np.newaxis]
    states: list[Any] = [None]
    for step in steps[:-1]:
        states.append(net.forward(step, states[-1])[1])
    # One row for each unit of the last output, which all have the same states and inputs.
    n_units = net.hidden_sizes[-1]
    nothing = np.zeros((n_units, 1, n_units))
    gradient = [tuple(np.zeros((1, n_units, size)) for _ in STATES[net.cell]) for size in net.hidden_sizes]
    gradient[-1][0][0] = np.eye(n_units)
    norms = {letter: np.empty(len(x)) for letter in STATES[net.cell]}
    for t in range(len(x) - 1, -1, -1):
        for index, letter in enumerate(norms):
            norms[letter][t] = np.sqrt(sum(np.square(layer[index]).sum() for layer in gradient) / n_units)
        if t > 0:
            before = [tuple(np.repeat(values, n_units, axis=1) for values in layer) for layer in states[t]]
            net.forward(np.repeat(steps[t], n_units, axis=0), before, training=True)
            gradient = net.backward(nothing, gradient).state
    return norms
