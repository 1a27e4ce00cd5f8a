"""Heat maps in a terminal: a line per step, a cell per unit."""

import os
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

import numpy as np

from .._net.inputs import Array

#: Numbers of the 256 colours, from 0 to 1. They only get lighter, so that they can be told apart without hue too.
BLUE = (234, 17, 18, 24, 31, 38, 75)
ORANGE = (234, 52, 94, 130, 172, 208, 215)
GREEN = (234, 22, 23, 29, 36, 43, 79)
GAP = "  "


class Block(NamedTuple):
    """A heat map."""

    name: str
    says: str
    values: Array
    """(n_steps, n_units)"""
    ramp: Sequence[int] = BLUE
    """For values above 0; below it is orange."""
    scale: float | None = None
    """The values lie in [-scale, scale]; None: in [0, 1]."""
    units: Sequence[int] | None = None
    """Their numbers; None: from 0 on."""

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"{self.name} {self.says}"

    @property
    def width(self) -> int:
        """Columns that it takes."""
        return max(2 * self.values.shape[1], len(self.title))


#: Of each cell its gates, what they are said to do, and their colours; but for the state that it keeps.
SHOWN = {
    "lstm": (("f", "keeps", BLUE), ("i", "writes", ORANGE), ("o", "shows", GREEN)),
    "gru": (("z", "keeps", BLUE), ("r", "reads", ORANGE)),
    "rnn": (),
}
#: And that state.
MEMORY = {"lstm": "c", "gru": "h", "rnn": "h"}


def blocks_of(cell: str, values: Mapping[str, Array], units: Sequence[int] | None = None) -> list[Block]:
    """Return what is shown of a layer, of its gates and states (n_steps, n_units) by letters: of some units, or all."""
    of_units = {letter: array if units is None else array[:, units] for letter, array in values.items()}
    memory = of_units[MEMORY[cell]]
    return [
        *(Block(letter, says, of_units[letter], ramp, units=units) for letter, says, ramp in SHOWN[cell]),
        Block(MEMORY[cell], "memory", memory, scale=float(np.abs(memory).max()) or 1.0, units=units),
    ]


def with_guesses(labels: Sequence[str], guesses: Sequence[str]) -> list[str]:
    """Return the labels of steps, each with what is guessed to come next."""
    longest = max(map(len, labels))
    return [f"{label:<{longest}} -> {guess}" for label, guess in zip(labels, guesses, strict=True)]


def shows_colours(file: IO[str]) -> bool:
    """Whether what is written to a file is seen in colours."""
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def heat_maps(labels: Sequence[str], blocks: Sequence[Block], width: int, colour: bool) -> list[str]:
    """Return the lines of heat maps that share their steps, as many side by side as there is room for.

    Parameters
    ----------
    labels : sequence of str, one for each step
    blocks : sequence of Block
    width : int
        Columns of the terminal.
    colour : bool
        Whether cells are coloured; else they are digits.
    """
    margin = max(len(label) for label in labels)
    lines: list[str] = []
    side_by_side: list[Block] = []
    room = width - margin
    for block in blocks:
        if side_by_side and room < len(GAP) + block.width:
            lines += [*_together(labels, side_by_side, margin, colour), ""]
            side_by_side, room = [], width - margin
        side_by_side.append(block)
        room -= len(GAP) + block.width
    return lines + _together(labels, side_by_side, margin, colour)


def _together(labels: Sequence[str], blocks: Sequence[Block], margin: int, colour: bool) -> list[str]:
    titles, numbers = " " * margin, " " * margin
    steps = [f"{label:<{margin}}" for label in labels]
    for block in blocks:
        n_units = block.values.shape[1]
        titles += f"{GAP}{block.title:<{block.width}}"
        units = range(n_units) if block.units is None else block.units
        numbers += f"{GAP}{''.join(f'{unit % 100:>2}' for unit in units):<{block.width}}"
        filling = ("\x1b[0m" if colour else "") + " " * (block.width - 2 * n_units)
        for step, row in enumerate(block.values.tolist()):
            steps[step] += GAP + "".join(_cell(value, block, colour) for value in row) + filling
    return [line.rstrip() for line in (titles, numbers, *steps)]


def _cell(value: float, block: Block, colour: bool) -> str:
    """Return two columns that show a value."""
    share = min(abs(value) / (block.scale or 1.0), 1.0)
    if colour:
        ramp = block.ramp if value >= 0 else ORANGE
        return f"\x1b[48;5;{ramp[min(int(share * len(ramp)), len(ramp) - 1)]}m  "
    digit = min(int(share * 10), 9)
    sign = " " if block.scale is None or digit == 0 else "-" if value < 0 else "+"
    return f"{sign}{digit}"


def legend(blocks: Sequence[Block], colour: bool) -> list[str]:
    """Return what the cells mean."""
    if colour:
        keys = []
        for block in blocks:
            low = "" if block.scale is None else f"{-block.scale:.1f} {_swatches(ORANGE[::-1])} "
            keys.append(
                f"{block.name} {low}0 {_swatches(block.ramp)} {1 if block.scale is None else f'{block.scale:.1f}'}"
            )
        return keys
    gates = ", ".join(block.name for block in blocks if block.scale is None)
    return [
        *([f"{gates}: in tenths, 9 is 0.9 or more"] if gates else []),
        *(
            f"{block.name}: in tenths of {block.scale:.1f}, with its sign"
            for block in blocks
            if block.scale is not None
        ),
    ]


def _swatches(ramp: Sequence[int]) -> str:
    return "".join(f"\x1b[48;5;{number}m " for number in ramp) + "\x1b[0m"
