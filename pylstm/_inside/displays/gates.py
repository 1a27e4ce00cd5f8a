"""`GateDisplay`: what the gates of a layer did at each step of a sequence."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from ..._net.inputs import Array
from ..._net.trace import half_life
from .axes import SEQUENTIAL, axes_for, check_labels, height_of, label_steps, number_units, signed_colours
from .nets import check_numbers
from .traced import KEEPS, describe, of_layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..._net.trace import Trace

#: By letter: the gate's name, and what its lowest and its highest value mean.
SIGMOIDS = {
    "i": ("input gate", "lets nothing in", "lets all in"),
    "f": ("forget gate", "forgets", "keeps"),
    "o": ("output gate", "hides the cell", "shows it"),
    "r": ("reset gate", "ignores the past", "reads it"),
    "z": ("update gate", "takes the new", "keeps the old"),
}
#: The name, and the limit of the colours: what has none goes as far as its values do.
SIGNED = {
    "g": ("candidate", "what could be added", 1.0),
    "n": ("candidate", "what $h$ could become", 1.0),
    "c": ("cell state", "what is remembered", None),
    "h": ("output", "what is passed on", None),
}


class GateDisplay:
    """Heat maps, units x steps, of the gates and states of one layer for one sequence; one panel for each of them.

    Parameters
    ----------
    values : dict of str to ndarray (n_steps, n_units)
        By the letter: of an LSTM "i", "f", "g", "o", "c", "h", of a GRU "r", "z", "n", "h", of an RNN "h".
    units : sequence of int, default=None
        Which units are shown, from top to bottom, in all panels. None shows all, those next to each other that do
        similar things: in the order of the leaves of a hierarchical clustering (average linkage of Euclidean distances
        between all that is shown of two units, with optimal leaf ordering).
    labels : sequence, default=None
        A word, character or time for each step.
    keeps : str, default=None
        The letter of the gate that keeps what a unit holds, "f" or a GRU's "z": its panel has the units' half-lives.
    place : str, default=""
        Which layer and direction it is, for the titles.

    Attributes
    ----------
    values, labels, keeps, place
        The parameters.
    units : list of int
        The order of the rows.
    half_lives : ndarray (n_units,) or None
        For how many steps each unit remembers, ``ln 2 / -ln f``, from the median over the steps; of all units, by their
        numbers. None where the gate that keeps is not among the values.
    axes_ : ndarray of matplotlib Axes
        One for each panel.
    figure_ : matplotlib Figure
    images_ : dict of str to matplotlib AxesImage

    See Also
    --------
    CellStateDisplay : A few units, step by step.

    Examples
    --------
    >>> import numpy as np
    >>> from pylstm import GateDisplay, Sequence
    >>> seq = Sequence(2, 8, random_state=0)
    >>> X = np.random.default_rng(0).standard_normal((1, 5, 2))
    >>> display = GateDisplay.from_estimator(seq, X, gates="fc", labels="a b c d e".split())
    >>> display.half_lives.shape
    (8,)
    """

    def __init__(
        self,
        values: Mapping[str, Array],
        *,
        units: Iterable[int] | None = None,
        labels: Any = None,
        keeps: str | None = None,
        place: str = "",
    ) -> None:
        self.values = dict(values)
        unknown = set(self.values) - SIGMOIDS.keys() - SIGNED.keys()
        if unknown or not self.values:
            known = ", ".join([*SIGMOIDS, *SIGNED])
            raise ValueError(f"values must have at least one entry, by the letters {known}, got {sorted(self.values)}")
        n_steps, n_units = next(iter(self.values.values())).shape
        self.labels = check_labels(labels, n_steps)
        self.units = self._by_similarity() if units is None else check_numbers(units, "units", n_units)
        self.keeps = keeps
        self.place = place
        self.half_lives = half_life(np.median(self.values[keeps], axis=0)) if keeps in self.values else None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        gates: Iterable[str] | None = None,
        sequence: int = 0,
        layer: int = 0,
        direction: str = "forward",
        units: Iterable[int] | None = None,
        labels: Any = None,
        ax: Any = None,
    ) -> Self:
        """Trace sequences through a fitted estimator and plot the gates of one.

        Parameters
        ----------
        estimator : fitted estimator, or Sequence
        X : array-like or list
            Sequences, as its `trace` takes them.
        gates, sequence, layer, direction, units, labels, ax
            See `from_trace`.

        Returns
        -------
        GateDisplay
        """
        return cls.from_trace(
            estimator.trace(X),
            gates=gates,
            sequence=sequence,
            layer=layer,
            direction=direction,
            units=units,
            labels=labels,
            ax=ax,
        )

    @classmethod
    def from_trace(
        cls,
        trace: "Trace",
        *,
        gates: Iterable[str] | None = None,
        sequence: int = 0,
        layer: int = 0,
        direction: str = "forward",
        units: Iterable[int] | None = None,
        labels: Any = None,
        ax: Any = None,
    ) -> Self:
        """Plot the gates of one sequence.

        Parameters
        ----------
        trace : Trace
        gates : iterable of str, default=None
            Letters, one panel each, from top to bottom; None is all that the cell has.
        sequence : int, default=0
            Which sequence of the trace.
        layer : int, default=0
            0 is next to the input.
        direction : {"forward", "reverse"}, default="forward"
        units : sequence of int, default=None
            Which units are shown, from top to bottom; None shows all, those next to each other that do similar things.
        labels : sequence, default=None
            A word, character or time for each step.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw, one for each panel; None makes a figure.

        Returns
        -------
        GateDisplay
        """
        values = of_layer(trace, sequence, layer, direction)
        chosen = list(values) if gates is None else list(gates)
        if not set(chosen) <= values.keys() or not chosen:
            raise ValueError(f"gates must be letters out of {list(values)}, at least one, got {gates!r}")
        return cls(
            {letter: values[letter] for letter in chosen},
            units=units,
            labels=labels,
            keeps=KEEPS.get(trace.cell),
            place=describe(trace, layer, direction),
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Plot the heat maps.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw, one for each panel; None makes a figure.

        Returns
        -------
        self : GateDisplay
        """
        n_steps = len(next(iter(self.values.values())))
        n_panels = len(self.values)
        # Side by side where steps are few, so that an LSTM's six panels fit on a page.
        n_columns = 2 if n_panels > 2 and n_panels % 2 == 0 and n_steps <= 30 else 1
        width = n_columns * min(3.5 + 0.2 * n_steps, 11 if n_columns == 1 else 6)
        panel = min(max(0.6 + 0.17 * len(self.units), 1.7), 3.2)  # at least as high as what stands beside it is long
        height = panel * (n_panels // n_columns) + height_of(self.labels) + 0.2
        axes = axes_for("GateDisplay", ax, n_panels, (width, height), n_columns)
        self.axes_ = np.array(axes, dtype=object)
        self.figure_ = axes[0].figure
        self.images_ = {}
        for each, (letter, values) in zip(axes, self.values.items(), strict=True):
            self.images_[letter] = self._draw(each, letter, values[:, self.units].T)
            label_steps(each, self.labels)
        return self

    def _draw(self, ax: "Axes", letter: str, values: Array) -> Any:
        """Draw one heat map, values (n_units, n_steps)."""
        is_sigmoid = letter in SIGMOIDS
        name = SIGMOIDS[letter][0] if is_sigmoid else SIGNED[letter][0]
        high = 1.0 if is_sigmoid else SIGNED[letter][2] or limit_of(values)
        image = ax.imshow(
            values,
            cmap=SEQUENTIAL if is_sigmoid else signed_colours(),
            vmin=0 if is_sigmoid else -high,
            vmax=high,
            aspect="auto",
            interpolation="nearest",
        )
        bar = ax.figure.colorbar(image, ax=ax)
        if is_sigmoid:
            _, at_0, at_1 = SIGMOIDS[letter]
            bar.set_ticks([0, 0.5, 1], labels=[f"0 {at_0}", "0.5", f"1 {at_1}"])
        else:
            bar.set_label(SIGNED[letter][1])
        title = f"{name} ${letter}$"
        ax.set_title(f"{title} ({self.place})" if self.place else title, loc="left")
        if letter == self.keeps:
            assert self.half_lives is not None
            number_units(ax, [f"{unit}: {steps_text(self.half_lives[unit])}" for unit in self.units])
            ax.set_ylabel("unit: remembers ...\nsteps (half-life)")
        else:
            number_units(ax, [str(unit) for unit in self.units])
            ax.set_ylabel("unit")
        return image

    def _by_similarity(self) -> list[int]:
        profiles = np.concatenate(
            [values / (1.0 if letter in SIGMOIDS else limit_of(values)) for letter, values in self.values.items()]
        ).T
        if len(profiles) == 1:
            return [0]
        return leaves_list(linkage(profiles, "average", optimal_ordering=True)).tolist()


def limit_of(values: Array) -> float:
    """Return the largest absolute value; 1 where all are 0."""
    return float(np.abs(values).max()) or 1.0


def steps_text(half_life: float) -> str:
    """Return a number of steps, as exact as it needs to be."""
    if half_life >= 10000:
        return ">9999"
    return f"{half_life:.1f}" if half_life < 10 else f"{half_life:.0f}"
