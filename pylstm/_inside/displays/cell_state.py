"""`CellStateDisplay`: the conveyor belt."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..._net.inputs import Array
from .axes import BLACK, RED, SKY, axes_for, check_labels, height_of, label_steps
from .nets import check_numbers
from .traced import KEEPS, check_layer, describe, of_layer

if TYPE_CHECKING:
    from ..._net.trace import Trace


class CellStateDisplay:
    """What units hold at each step: what was kept of the step before, and what came in.

    Of an LSTM the cell state, ``c = f * c_before + i * g``: the forget gate keeps, the input gate adds. Of a GRU the
    output, ``h = z * h_before + (1 - z) * n``: the update gate does both.

    Parameters
    ----------
    values : dict of int to (state, kept, added), each ndarray (n_steps,)
        By the number of the unit; ``state = kept + added``.
    cell : {"lstm", "gru"}, default="lstm"
    direction : {"forward", "reverse"}, default="forward"
        In the reverse one the step before is the one on the right.
    labels : sequence, default=None
        A word, character or time for each step.
    place : str, default=""
        Which layer and direction it is, for the titles.

    Attributes
    ----------
    values, cell, direction, labels, place
        The parameters.
    axes_ : ndarray of matplotlib Axes
        One for each unit.
    figure_ : matplotlib Figure

    See Also
    --------
    GateDisplay : All units of a layer.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm import CellStateDisplay, Sequence
    >>> seq = Sequence(2, 8, random_state=0)
    >>> X = np.random.default_rng(0).standard_normal((1, 5, 2))
    >>> display = CellStateDisplay.from_estimator(seq, X, units=[3])
    >>> c, kept, added = display.values[3]
    >>> np.allclose(c, kept + added)
    True
    """

    def __init__(
        self,
        values: Mapping[int, tuple[Array, Array, Array]],
        *,
        cell: str = "lstm",
        direction: str = "forward",
        labels: Any = None,
        place: str = "",
    ) -> None:
        self.values = dict(values)
        if not self.values:
            raise ValueError("values must have at least one unit, got none")
        self.cell = cell
        self.direction = direction
        self.labels = check_labels(labels, len(next(iter(self.values.values()))[0]))
        self.place = place

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        units: Iterable[int] | None = None,
        sequence: int = 0,
        layer: int = 0,
        direction: str = "forward",
        labels: Any = None,
        ax: Any = None,
    ) -> Self:
        """Trace sequences through a fitted estimator and plot units for one of them.

        Parameters
        ----------
        estimator : fitted estimator, or Sequence
        X : array-like or list
            Sequences, as its `trace` takes them.
        units, sequence, layer, direction, labels, ax
            See `from_trace`.

        Returns
        -------
        CellStateDisplay
        """
        return cls.from_trace(
            estimator.trace(X), units=units, sequence=sequence, layer=layer, direction=direction, labels=labels, ax=ax
        )

    @classmethod
    def from_trace(
        cls,
        trace: "Trace",
        *,
        units: Iterable[int] | None = None,
        sequence: int = 0,
        layer: int = 0,
        direction: str = "forward",
        labels: Any = None,
        ax: Any = None,
    ) -> Self:
        """Plot units for one sequence.

        Parameters
        ----------
        trace : Trace
            Of an LSTM or a GRU: a plain RNN keeps nothing.
        units : sequence of int, default=None
            Which units, a panel each; None is the three whose state changes most, from its lowest to its highest.
        sequence : int, default=0
            Which sequence of the trace.
        layer : int, default=0
            0 is next to the input.
        direction : {"forward", "reverse"}, default="forward"
        labels : sequence, default=None
            A word, character or time for each step.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw, one for each unit; None makes a figure.

        Returns
        -------
        CellStateDisplay
        """
        if trace.cell == "rnn":
            raise ValueError("trace must be of an LSTM or a GRU, got that of an RNN: it has no gate that keeps or adds")
        values = of_layer(trace, sequence, layer, direction)
        layer, _ = check_layer(trace, layer, direction)
        state = values["c" if trace.cell == "lstm" else "h"]
        is_reverse = direction == "reverse"
        first = trace.initial_state[layer][-1][int(is_reverse), sequence]
        order = slice(None, None, -1 if is_reverse else 1)
        before = np.concatenate([first[np.newaxis], state[order][:-1]])[order]
        if trace.cell == "lstm":
            kept, added = values["f"] * before, values["i"] * values["g"]
        else:
            kept, added = values["z"] * before, (1 - values["z"]) * values["n"]
        if units is None:
            chosen = np.argsort(-np.ptp(state, axis=0), kind="stable")[:3].tolist()
        else:
            chosen = check_numbers(units, "units", state.shape[1])
        return cls(
            {unit: (state[:, unit], kept[:, unit], added[:, unit]) for unit in chosen},
            cell=trace.cell,
            direction=direction,
            labels=labels,
            place=describe(trace, layer, direction),
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Plot the units.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw, one for each unit; None makes a figure.

        Returns
        -------
        self : CellStateDisplay
        """
        n_steps = len(next(iter(self.values.values()))[0])
        size = (min(5.5 + 0.2 * n_steps, 11), 2 * len(self.values) + height_of(self.labels) + 0.5)
        axes = axes_for("CellStateDisplay", ax, len(self.values), size)
        self.axes_ = np.array(axes, dtype=object)
        self.figure_ = axes[0].figure
        side = 1 if self.direction == "forward" else -1  # where the next step is
        before = "t-1" if side == 1 else "t+1"
        letter, what, gate, adding = {
            "lstm": ("c", "cell state", "forget gate", "added by the input gate, $i \\cdot g$"),
            "gru": ("h", "output", "update gate", "added by it, $(1 - z) \\cdot n$"),
        }[self.cell]
        keeping = f"kept by the {gate}, ${KEEPS[self.cell]} \\cdot {letter}_{{{before}}}$"
        steps = np.arange(n_steps)
        for each, (unit, (state, kept, added)) in zip(axes, self.values.items(), strict=True):
            each.axhline(0, color=BLACK, linewidth=0.6)
            each.bar(steps - 0.2 * side, kept, 0.4, color=SKY, label=keeping)
            each.bar(steps + 0.2 * side, added, 0.4, bottom=kept, color=RED, label=adding)
            marker = "." if n_steps <= 60 else None
            each.plot(steps + 0.4 * side, state, color=BLACK, marker=marker, linewidth=1, label=f"${letter}_t$")
            each.set_title(f"unit {unit} ({self.place})" if self.place else f"unit {unit}", loc="left")
            each.set_ylabel(f"{what} ${letter}$")
            each.set_xlim(-0.6, n_steps - 0.4)
            label_steps(each, self.labels)
        if ax is None:
            axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.12), ncols=3, frameon=False)
        else:  # where there may be no room above
            axes[0].legend(fontsize="small")
        return self
