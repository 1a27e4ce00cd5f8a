"""The tasks of Hochreiter & Schmidhuber (1997) that are run here: their sequences and targets, drawn at random.

Numbers of experiments are the paper's. Steps are counted from 1 in what is written, from 0 in what is run.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# ---- experiment 1: the embedded Reber grammar

REBER_SYMBOLS = "BEPSTVX"
#: From each state of the inner grammar, the symbols that may come and where they lead; state 6 is the end.
REBER_GRAPH: tuple[dict[str, int], ...] = (
    {"T": 1, "P": 2},
    {"S": 1, "X": 3},
    {"T": 2, "V": 4},
    {"X": 2, "S": 5},
    {"P": 3, "V": 5},
    {"E": 6},
)


def embedded_reber(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Draw a string, each of two possible symbols as likely as the other.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    string : str
    successors : list of str
        After each symbol of it but the last, the symbols that may follow.
    """
    outer = "TP"[rng.integers(2)]
    string, successors, state = "B" + outer + "B", ["TP", "B"], 0
    while state < len(REBER_GRAPH):
        allowed = "".join(REBER_GRAPH[state])
        symbol = allowed[rng.integers(len(allowed))]
        string, successors, state = string + symbol, [*successors, allowed], REBER_GRAPH[state][symbol]
    return string + outer + "E", [*successors, outer, "E"]


def reber_sets(rng: np.random.Generator, *sizes: int) -> list[list[tuple[str, list[str]]]]:
    """Draw sets of embedded Reber strings that have none in common.

    Within a set a string may be there twice: the grammar makes short ones often.

    Parameters
    ----------
    rng : Generator
    *sizes : int
        Strings of each set.

    Returns
    -------
    list of list of (str, list of str)
        As `embedded_reber` returns them.
    """
    sets: list[list[tuple[str, list[str]]]] = []
    seen: set[str] = set()
    for size in sizes:
        strings: list[tuple[str, list[str]]] = []
        while len(strings) < size:
            string, successors = embedded_reber(rng)
            if string not in seen:
                strings.append((string, successors))
        seen |= {string for string, _ in strings}
        sets.append(strings)
    return sets


def reber_steps(string: str, successors: list[str]) -> tuple[Float32, npt.NDArray[np.str_], npt.NDArray[np.bool_]]:
    """Return what a net is given of a string, what follows, and what may follow.

    Parameters
    ----------
    string : str
    successors : list of str

    Returns
    -------
    x : ndarray (n_steps, 7)
        All symbols but the last, one-hot in the order of `REBER_SYMBOLS`.
    y : ndarray of str (n_steps,)
        The next symbol.
    allowed : ndarray of bool (n_steps, 7)
        Whether each symbol may be next.
    """
    x = np.array([[symbol == other for other in REBER_SYMBOLS] for symbol in string[:-1]], np.float32)
    allowed = np.array([[symbol in options for symbol in REBER_SYMBOLS] for options in successors])
    return x, np.array(list(string[1:])), allowed


# ---- experiments 4 and 5: adding and multiplication


def adding(rng: np.random.Generator, n_sequences: int, T: int) -> tuple[list[Float32], Float32]:
    """Draw sequences of pairs (value in [-1, 1], marker) and the targets 0.5 + (X1 + X2) / 4 of two marked values.

    Parameters
    ----------
    rng : Generator
    n_sequences, T : int
        Sequences have T to T + T // 10 steps.

    Returns
    -------
    X : list of ndarray (n_steps_i, 2)
    y : ndarray (n_sequences,)
    """
    drawn = [_marked(rng, T, -1.0) for _ in range(n_sequences)]
    return [x for x, _ in drawn], np.array([0.5 + values.sum() / 4 for _, values in drawn], np.float32)


def multiplication(rng: np.random.Generator, n_sequences: int, T: int) -> tuple[list[Float32], Float32]:
    """Draw sequences as `adding` does, with values in [0, 1], and the targets X1 * X2.

    Parameters
    ----------
    rng : Generator
    n_sequences, T : int

    Returns
    -------
    X : list of ndarray (n_steps_i, 2)
    y : ndarray (n_sequences,)
    """
    drawn = [_marked(rng, T, 0.0) for _ in range(n_sequences)]
    return [x for x, _ in drawn], np.array([values.prod() for _, values in drawn], np.float32)


def _marked(rng: np.random.Generator, T: int, lowest: float) -> tuple[Float32, Float32]:
    """Return a sequence (n_steps, 2), and those of its values that have the marker +1.

    One of the first ten steps is marked, then one of the first T / 2 - 1 that is not. The first step has the marker -1
    even if it is one of them: then there is one value only, the other counts as nothing (0 in a sum, 1 in a product).
    """
    n_steps = rng.integers(T, T + T // 10, endpoint=True)
    x = np.zeros((n_steps, 2), np.float32)
    x[:, 0] = rng.uniform(lowest, 1, n_steps)
    one = rng.integers(10)
    other = rng.integers(T // 2 - 1)  # of the steps without `one`
    x[[one, other + (other >= one)], 1] = 1
    x[[0, -1], 1] = -1
    return x, x[x[:, 1] == 1, 0]


# ---- experiment 6: temporal order

ORDER_SYMBOLS = "abcdXYEB"
#: First and last step at which each of the symbols X or Y may stand.
TWO_SYMBOLS = ((10, 20), (50, 60))
THREE_SYMBOLS = ((10, 20), (33, 43), (66, 76))


def temporal_order(
    rng: np.random.Generator, n_sequences: int, spans: tuple[tuple[int, int], ...]
) -> tuple[list[Float32], npt.NDArray[np.str_]]:
    """Draw sequences of 100 to 110 symbols, and their classes: the X or Y that stand in each of the spans.

    Parameters
    ----------
    rng : Generator
    n_sequences : int
    spans : tuple of (int, int)
        `TWO_SYMBOLS` is experiment 6a, `THREE_SYMBOLS` 6b.

    Returns
    -------
    X : list of ndarray (n_steps_i, 8)
        One-hot, in the order of `ORDER_SYMBOLS`.
    y : ndarray of str (n_sequences,)
        "XX", "XY" and so on.
    """
    X, y = [], []
    for _ in range(n_sequences):
        symbols = rng.integers(4, size=rng.integers(100, 110, endpoint=True))
        label = rng.integers(2, size=len(spans))
        symbols[[rng.integers(first, last, endpoint=True) - 1 for first, last in spans]] = 4 + label
        symbols[0], symbols[-1] = 6, 7
        X.append(np.eye(8, dtype=np.float32)[symbols])
        y.append("".join("XY"[k] for k in label))
    return X, np.array(y)


def order_classes(spans: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """Return all classes of `temporal_order`."""
    return tuple("".join(label) for label in product("XY", repeat=len(spans)))
