"""One step of one unit, with all its numbers: what `Cell.explain` returns."""

from collections.abc import Callable
from fractions import Fraction
from itertools import groupby
from math import fsum
from typing import Any, NamedTuple

import numpy as np

from .._net.cells import SIZES
from .._net.inputs import Array, check_int

DECIMALS = 4
SHOWN = 6  # terms of x, and of h, that are printed one by one


class Term(NamedTuple):
    """A term of a sum, in float64."""

    name: str
    """As it is printed: "bias", "x[2]", "f * c"."""
    factors: tuple[float, ...]
    """Two, whose product it is; of a bias none."""
    value: float


class Sum(NamedTuple):
    """A sum of a step, with every term of it."""

    terms: tuple[Term, ...]
    total: float


#: What a gate does, as its heading says.
ROLES = {
    "lstm": {"i": "how much is written", "f": "how much is kept", "g": "what is written", "o": "how much is shown"},
    "gru": {"r": "how much of q is heard", "z": "how much is kept", "n": "what is new"},
}
TITLES = {"c": "c, the cell state", "h": "h, the output", "q": "q, what h says to n"}


class Explanation:
    """One step of one unit of a `Cell`; printing it shows the arithmetic.

    Attributes
    ----------
    cell : {"lstm", "gru", "rnn"}
    unit : int
    sums : dict of str to Sum
        With every term. Of an LSTM "i", "f", "g" and "o", which the gates are functions of, and "c", the new cell
        state. Of a GRU "r", "z", "q", which is what h says to n, "n", and "h", the new output. Of an RNN "h", before
        the nonlinearity.
    gates : Gates, GRUGates or RNNGates
        The unit's numbers out of `Cell.gates`.

    Notes
    -----
    Terms are worked out in float64 from the weights; gates, cell state and output are what the cell itself computed.
    Where they are printed, the terms of a sum are rounded so that their digits add up to those of the total, which is
    itself rounded as usual.
    """

    def __init__(self, cell: str, unit: int, sums: dict[str, Sum], gates: Any, lines: list[str]) -> None:
        self.cell = cell
        self.unit = unit
        self.sums = sums
        self.gates = gates
        self._text = "\n".join(lines)

    def __repr__(self) -> str:
        return self._text  # so that a prompt shows it


def explain(cell: Any, x: Any, state: Any, unit: int) -> Explanation:
    """Do what `Cell.explain` says."""
    unit = check_int(unit, "unit", 0)
    if unit >= cell.hidden_size:
        raise ValueError(f"unit must be one of 0 to {cell.hidden_size - 1}, got {unit}")
    x = _as_row(x)
    if isinstance(state, list | tuple) and cell.cell == "lstm":
        state = tuple(_as_row(values) for values in state)
    elif state is not None:
        state = _as_row(state)
    gates = cell.gates(x, state)
    if len(gates.h) != 1:
        raise ValueError(f"x must be one step, (input_size,) or (1, input_size), got shape {np.shape(x)}")
    kept = np.zeros((2, cell.hidden_size))  # h and c, or h alone, in float64 as everything from here on
    if state is not None:
        for number, values in enumerate(state if cell.cell == "lstm" else [state]):
            kept[number] = np.asarray(values, cell.dtype)[0]
    step = _Step(cell, unit, np.asarray(x, cell.dtype)[0].astype(np.float64), kept[0], kept[1], gates)
    if not np.isfinite([total for _, total in step.sums.values()]).all() or not np.isfinite(step.gates).all():
        raise ValueError("x, state and weights must be finite, or there are no digits to add up")
    return Explanation(cell.cell, unit, step.sums, step.gates, step.lines())


def _as_row(values: Any) -> Any:
    """Return (n,) as (1, n), and all else as it is: `Cell.gates` says what is wrong with it."""
    try:
        return np.reshape(values, (1, -1)) if np.ndim(values) == 1 else values
    except ValueError:  # nested lists of unequal lengths
        return values


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(-z))."""
    return float(0.5 + 0.5 * np.tanh(0.5 * z))


def tanh(z: float) -> float:
    """Return tanh(z)."""
    return float(np.tanh(z))


FUNCTIONS: dict[str, Callable[[float], float]] = {"sigmoid": sigmoid, "tanh": tanh, "relu": lambda z: max(z, 0.0)}


class _Step:
    """Works out the sums of a step, in float64."""

    def __init__(self, cell: Any, unit: int, x: Array, h: Array, c: Array, gates: Any) -> None:
        self.cell, self.unit, self.x, self.h, self.c = cell, unit, x, h, c
        self.gates = type(gates)(*(values[0, unit] for values in gates))
        self.sums: dict[str, Sum] = {}
        n_gates, n_biases = SIZES[cell.cell]
        # One row for each gate: the unit's.
        self.w_x = cell.weight_ih.reshape(n_gates, cell.hidden_size, -1)[:, unit].astype(np.float64)
        self.w_h = cell.weight_hh.reshape(n_gates, cell.hidden_size, -1)[:, unit].astype(np.float64)
        self.bias = cell.bias.reshape(n_biases, -1)[:, unit].astype(np.float64)
        self.functions: dict[str, str] = {}  # what becomes of a sum, where that is not the result itself
        self.float64: dict[str, float] = {}  # gates and states without the cell's own rounding
        {"lstm": self.lstm, "gru": self.gru, "rnn": self.rnn}[cell.cell]()

    def terms_of(self, letter: str, row: int) -> list[Term]:
        """Return what each element of x, or of h, adds."""
        values, weights = (self.x, self.w_x[row]) if letter == "x" else (self.h, self.w_h[row])
        pairs = zip(values.tolist(), weights.tolist(), strict=True)
        return [Term(f"{letter}[{index}]", (v, w), v * w) for index, (v, w) in enumerate(pairs)]

    def add(self, name: str, terms: list[Term], total: float | None = None) -> float:
        """Note a sum, and return it."""
        exact = fsum(term.value for term in terms)
        self.sums[name] = Sum(tuple(terms), exact if total is None else total)
        return exact

    def gate(self, name: str, row: int, function: str) -> None:
        terms = [Term("bias", (), float(self.bias[row])), *self.terms_of("x", row), *self.terms_of("h", row)]
        self.functions[name] = f"{function}(sum)" if function != "relu" else "max(0, sum)"
        self.float64[name] = FUNCTIONS[function](self.add(name, terms))

    def lstm(self) -> None:
        for row, name in enumerate("ifgo"):
            self.gate(name, row, "tanh" if name == "g" else "sigmoid")
        i, f, g, _, c, _ = (float(value) for value in self.gates)
        before = float(self.c[self.unit])
        self.add("c", [Term("f * c before", (f, before), f * before), Term("i * g", (i, g), i * g)], c)
        exact = self.float64
        exact["c"] = exact["f"] * before + exact["i"] * exact["g"]
        exact["h"] = exact["o"] * tanh(exact["c"])

    def gru(self) -> None:
        self.gate("r", 0, "sigmoid")
        self.gate("z", 1, "sigmoid")
        r, z, n, h = (float(value) for value in self.gates)
        q = self.add("q", [Term("bias", (), float(self.bias[3])), *self.terms_of("h", 2)])
        new = [Term("bias", (), float(self.bias[2])), *self.terms_of("x", 2)]
        self.functions["n"] = "tanh(sum)"
        self.add("n", [*new, Term("r * q", (r, q), r * q)])
        before = float(self.h[self.unit])
        self.add("h", [Term("(1 - z) * n", (1 - z, n), (1 - z) * n), Term("z * h before", (z, before), z * before)], h)
        exact = self.float64
        exact["n"] = tanh(fsum(term.value for term in new) + exact["r"] * q)
        exact["h"] = (1 - exact["z"]) * exact["n"] + exact["z"] * before

    def rnn(self) -> None:
        self.gate("h", 0, self.cell.nonlinearity)

    def lines(self) -> list[str]:
        """Return the text."""
        kind = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}[self.cell.cell]
        blocks = [(self.title(name), self.rows_of(name)) for name in self.sums]
        if self.cell.cell == "lstm":
            o, c, h = (float(value) for value in (self.gates.o, self.gates.c, self.gates.h))
            blocks.append((TITLES["h"], [("h = o * tanh(c)", decimal(o), decimal(tanh(c)), decimal(h), "")]))
        rows = [row for _, block in blocks for row in block]
        names, left, right, values = (max(len(row[column]) for row in rows) for column in range(4))
        text = [f"{kind}, one step of unit {self.unit} (of {self.cell.hidden_size}, from 0 on)"]
        for title, block in blocks:
            text += ["", title]
            for label, one, other, value, mark in block:
                product = f"{one:>{left}} {'*' if one else ' '} {other:>{right}}"
                text.append(f"  {label:<{names}}  {product}  {value:>{values}} {mark}".rstrip())
        return [*text, "", *self.notes(any(row[-1] for row in rows))]

    def title(self, name: str) -> str:
        """Return a heading."""
        role = ROLES.get(self.cell.cell, {}).get(name)
        return TITLES[name] if role is None else f"{name}, {role}"

    def rows_of(self, name: str) -> list[tuple[str, str, str, str, str]]:
        """Return the rows of a sum, and of the function of it: label, two factors, value, mark."""
        terms, total = self.sums[name]
        shown = folded(list(terms))
        rows = []
        for term, value in zip(shown, add_up([term.value for term in shown], total), strict=True):
            left, right = [decimal(factor) for factor in term.factors] or ["", ""]
            rows.append((term.name, left, right, decimal_of(value), "" if value == units(term.value) else "~"))
        is_result = name not in self.functions
        rows.append((name if is_result else "sum", "", "", decimal(total), ""))
        if not is_result:
            result = decimal(float(getattr(self.gates, name)))
            rows.append((f"{name} = {self.functions[name]}", "", "", result, ""))
        return rows

    def notes(self, marked: bool) -> list[str]:
        """Return what to know about the last digits."""
        notes = ["Rounded for print only, after the arithmetic."]
        if marked:
            notes.append("~ rounded the other way, so that the digits add up.")
        own = self.gates._asdict()
        differing = [name for name, value in self.float64.items() if units(value) != units(float(own[name]))]
        if differing:
            found = ", ".join(f"{name} {decimal(self.float64[name])}" for name in differing)
            notes.append(f"The cell computes in {self.cell.dtype.name}; worked out in float64: {found}.")
        return notes


def folded(terms: list[Term]) -> list[Term]:
    """Return the terms to print: of many of x, or of h, the largest and the rest in one."""
    shown: list[Term] = []
    for letter, group in groupby(terms, key=lambda term: term.name.partition("[")[0]):
        members = list(group)
        if len(members) > 1 and not any(term.value for term in members):
            shown.append(Term(f"{letter}, all {len(members)}", (), 0.0))
            continue
        if len(members) <= SHOWN:
            shown += members
            continue
        members.sort(key=lambda term: -abs(term.value))
        largest = [term for term in members[: SHOWN - 1] if term.value]
        rest = members[len(largest) :]
        shown += [*largest, Term(f"{letter}, {len(rest)} others", (), fsum(term.value for term in rest))]
    return shown


def units(value: float) -> int:
    """Return a value in units of its last printed digit, rounded."""
    return round(Fraction(value) * 10**DECIMALS)


def decimal_of(number: int) -> str:
    """Print what `units` returned."""
    whole, part = divmod(abs(number), 10**DECIMALS)
    return f"{'-' if number < 0 else ''}{whole}.{part:0{DECIMALS}}"


def decimal(value: float) -> str:
    """Print a value, rounded."""
    return decimal_of(units(value))


def add_up(values: list[float], total: float) -> list[int]:
    """Round values, in units of the last digit, so that they add up to the rounded total: by largest remainder."""
    exact = [Fraction(value) * 10**DECIMALS for value in values]
    rounded = [value.__floor__() for value in exact]
    # A total that the cell computed may differ from the sum of the values: then all of them take a share.
    share, left = divmod(units(total) - sum(rounded), len(rounded))
    by_remainder = sorted(range(len(exact)), key=lambda index: rounded[index] - exact[index])
    for index in by_remainder[:left]:
        rounded[index] += 1
    return [value + share for value in rounded]
