"""What is measured: the grid of cells, and the arrays that every library is given for a cell."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Cell(NamedTuple):
    """One measurement: mode "infer" (zero state), "step" (one forward from a given state) or "train"."""

    mode: str
    input_size: int
    hidden_size: int
    batch: int
    steps: int
    ragged: bool = False
    kind: str = "lstm"  # or "gru", "rnn"

    @property
    def name(self) -> str:
        kind = "" if self.kind == "lstm" else f"{self.kind}-"
        sizes = f"{kind}{self.mode}-{self.input_size}-{self.hidden_size}-{self.batch}-{self.steps}"
        return f"{sizes}-ragged" if self.ragged else sizes

    @property
    def n_gates(self) -> int:
        """Rows of W and R per unit."""
        return {"lstm": 4, "gru": 3, "rnn": 1}[self.kind]

    @property
    def recurrent_bytes(self) -> int:
        """Those of R."""
        return 4 * self.n_gates * self.hidden_size**2

    @property
    def lengths(self) -> Array:
        """Steps of each sequence; ragged ones are uniform in T/10..T, the same in every run."""
        if not self.ragged:
            return np.full(self.batch, self.steps)
        return np.random.default_rng(0).integers(self.steps // 10, self.steps, size=self.batch, endpoint=True)

    @property
    def flops(self) -> int:
        """Those of the products with W and R over real steps; work on padding earns nothing."""
        forward = 2 * self.n_gates * self.hidden_size * (self.input_size + self.hidden_size) * int(self.lengths.sum())
        return 3 * forward if self.mode == "train" else forward


_ONE_STEP = [(1, 16, 1, 1), (16, 32, 1, 1), (64, 128, 1, 1), (256, 256, 1, 1), (512, 512, 1, 1)]
_SEQUENCES = [
    (1, 32, 1, 100),
    (32, 64, 1, 100),
    (64, 128, 1, 100),
    (256, 256, 1, 100),
    (512, 512, 1, 100),
    (1024, 1024, 1, 50),
    (1, 32, 32, 100),
    (32, 64, 32, 100),
    (64, 128, 32, 100),
    (256, 256, 32, 100),
    (512, 512, 32, 100),
    (1024, 1024, 32, 50),
    (8, 32, 256, 30),
    (32, 64, 128, 100),
    (128, 128, 128, 100),
    (256, 256, 128, 50),
    (512, 512, 128, 50),
]
_ODD = [(1, 1, 1, 100), (3, 37, 5, 50), (16, 100, 7, 50)]  # fit no tile of any kernel
_RAGGED = [(12, 64, 32, 100), (32, 128, 32, 200), (32, 64, 64, 500)]

_ALL = {
    "Inference": [Cell("infer", *sizes) for sizes in _SEQUENCES],
    "One step": [Cell("step", *sizes) for sizes in _ONE_STEP],
    "Training": [Cell("train", *sizes) for sizes in _SEQUENCES],
    "Training, one step": [Cell("train", *sizes) for sizes in _ONE_STEP],
    "Odd sizes": [Cell(mode, *sizes) for mode in ("infer", "train") for sizes in _ODD],
    "Ragged": [Cell(mode, *sizes, ragged=True) for mode in ("infer", "train") for sizes in _RAGGED],
}
#: By title; of the other kinds, those that they are compared in.
SECTIONS: dict[str, list[Cell]] = _ALL | {
    f"{kind.upper()}: {title.lower()}": [cell._replace(kind=kind) for cell in _ALL[title]]
    for kind in ("gru", "rnn")
    for title in ("Inference", "One step", "Training")
}


class Problem(NamedTuple):
    """The arrays of a cell, float32; padded to the longest sequence, with zeros past the end of each."""

    cell: Cell
    lengths: Array  # (B,)
    X: Array  # (B, T, I)
    dY: Array  # noqa: N815  (B, T, H): the loss's gradient, zero past the ends, so padding changes no gradient
    weight_ih: Array  # (4H, I), gates i, f, g, o; of a GRU (3H, I), r, z, n; of an RNN (H, I)
    weight_hh: Array  # (4H, H); (3H, H); (H, H)
    bias: Array  # (4H,); (4H,), r, z, n, and n's recurrent part; (H,)
    state: tuple[Array, ...] | None  # h, and c of an LSTM, each (B, H); None starts at zero

    def sequences(self, padded: Array) -> list[Array]:
        return [np.ascontiguousarray(row[:length]) for row, length in zip(padded, self.lengths, strict=True)]

    def padded(self, sequences: list[Array]) -> Array:
        width = sequences[0].shape[1]
        rows = np.zeros((len(sequences), int(self.lengths.max()), width), sequences[0].dtype)
        for row, sequence in zip(rows, sequences, strict=True):
            row[: len(sequence)] = sequence
        return rows


@lru_cache(maxsize=1)
def problem(cell: Cell) -> Problem:
    rng = np.random.default_rng(1)
    lengths, hidden = cell.lengths, cell.hidden_size
    longest = int(lengths.max())
    real = (np.arange(longest) < lengths[:, None])[:, :, None]  # (B, T, 1)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, dtype=np.float32)

    def weights(*shape: int) -> Array:
        return (rng.uniform(-1, 1, shape) / np.sqrt(hidden)).astype(np.float32)

    state = (0.5 * normal(cell.batch, hidden), normal(cell.batch, hidden))
    return Problem(
        cell=cell,
        lengths=lengths,
        X=normal(cell.batch, longest, cell.input_size) * real,
        dY=normal(cell.batch, longest, hidden) * real,
        weight_ih=weights(cell.n_gates * hidden, cell.input_size),
        weight_hh=weights(cell.n_gates * hidden, hidden),
        bias=weights(hidden if cell.kind == "rnn" else 4 * hidden),
        state=state[: 2 if cell.kind == "lstm" else 1] if cell.mode == "step" else None,
    )
