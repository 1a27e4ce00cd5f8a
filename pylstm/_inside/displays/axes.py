"""Axes to draw on, steps along them, and colours that colour-blind readers can tell apart."""

from collections.abc import Sequence as AbstractSequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._net.inputs import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: From the palette of Okabe and Ito.
BLACK, BLUE, SKY, GREEN = "#000000", "#0072B2", "#56B4E9", "#009E73"
ORANGE, RED, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
#: For lines of one plot, in this order; what is printed without colours still has its marker.
LINES = [(BLUE, "o"), (RED, "s"), (GREEN, "^"), (PURPLE, "D"), (ORANGE, "v"), (SKY, "P"), (BLACK, "X")]
#: For what goes from 0 to 1, also in grey; and for what has a sign: blue below 0, white at 0, orange above.
SEQUENTIAL = "cividis"
SIGNED = ["#06304f", BLUE, "#8fc8ea", "#ffffff", "#fdc486", RED, "#5e2300"]

#: What a label needs at least, in inches, along the axis or across it.
LINE_HEIGHT, CHARACTER_WIDTH = 0.13, 0.085


def axes_for(caller: str, ax: Any, n_panels: int, size: tuple[float, float], n_columns: int = 1) -> "list[Axes]":
    """Return the axes of the caller's panels: those given, or a new figure's, row by row, which share their steps.

    Parameters
    ----------
    caller : str
        Whose plot it is, for errors.
    ax : Axes, sequence of Axes, or None
    n_panels : int
    size : (width, height)
        Of a new figure, in inches.
    n_columns : int
        Of a new figure; a divisor of n_panels.
    """
    if ax is None:
        n_rows = n_panels // n_columns
        _, grid = pyplot(caller).subplots(
            n_rows, n_columns, sharex=True, squeeze=False, figsize=size, layout="constrained"
        )
        return list(grid.flat)
    axes = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) != n_panels:
        raise ValueError(f"ax must hold one Axes for each of {n_panels} panels, got {len(axes)}")
    for each in axes:
        if not hasattr(each, "get_figure"):
            raise TypeError(f"ax must be a matplotlib Axes, or a sequence of them for several panels, got {each!r}")
    return axes


def pyplot(caller: str) -> Any:
    """Return `matplotlib.pyplot`, or say which extra has it."""
    try:
        import matplotlib.pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{caller}.plot needs matplotlib, which is not installed: pip install 'pylstm[plot]'", name="matplotlib"
        ) from error
    return matplotlib.pyplot


def signed_colours() -> Any:
    """Return the colormap for what has a sign."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("blue_orange", SIGNED)


def check_labels(labels: Any, n_steps: int) -> list[str] | None:
    """Return the labels of steps as texts."""
    if labels is None:
        return None
    if len(labels) != n_steps:
        raise ValueError(f"labels must have one entry for each of the {n_steps} steps, got {len(labels)}")
    return [str(label) for label in labels]


def height_of(labels: AbstractSequence[str] | None) -> float:
    """Return the room, in inches, that labels of steps need if they stand upright."""
    return 0.3 if labels is None else max(0.3, CHARACTER_WIDTH * max(map(len, labels)))


def label_steps(ax: "Axes", labels: AbstractSequence[str] | None) -> None:
    """Write the steps under an axis: upright where labels would overlap, and not all where even so they are too many.

    Parameters
    ----------
    ax : Axes
        With step t at x = t.
    labels : sequence of str or None
        None numbers the steps.
    """
    if labels is None:
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        name_steps(ax, "step")
        return
    width = ax.get_window_extent().width / ax.figure.dpi
    longest = max(len(label) for label in labels)
    is_upright = longest > 1 and (longest + 1) * CHARACTER_WIDTH * len(labels) > width
    every = int(np.ceil(len(labels) * LINE_HEIGHT / width))
    shown = range(0, len(labels), every)
    ax.set_xticks(shown, [labels[k] for k in shown], rotation="vertical" if is_upright else "horizontal")
    if every > 1:
        name_steps(ax, f"step (one of {every} is labelled)")


def name_steps(ax: "Axes", name: str) -> None:
    """Name the axis of steps, unless a panel below has the labels of both."""
    if ax.xaxis.get_major_ticks(1)[0].label1.get_visible():
        ax.set_xlabel(name)


def number_units(ax: "Axes", values: Array | AbstractSequence[str]) -> None:
    """Write a value for each row of a heat map beside it, or for every second, third, ... where they are too many."""
    height = ax.get_window_extent().height / ax.figure.dpi
    every = int(np.ceil(len(values) * LINE_HEIGHT / height))
    shown = range(0, len(values), every)
    ax.set_yticks(shown, [str(values[k]) for k in shown])
