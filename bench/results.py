"""What was measured of a cell, and what follows from it."""

from typing import NamedTuple

from cells import Cell
from roofline import Roofline

OURS = "pylstm"


class Result(NamedTuple):
    """Seconds by library, and what the libraries that failed said."""

    cell: Cell
    seconds: dict[str, float]
    failed: dict[str, str]

    @property
    def best_peer(self) -> str | None:
        peers = {library: seconds for library, seconds in self.seconds.items() if library != OURS}
        return min(peers, key=lambda library: peers[library], default=None)

    @property
    def ratio(self) -> float | None:
        """The best peer's time over ours."""
        if self.best_peer is None or OURS not in self.seconds:
            return None
        return self.seconds[self.best_peer] / self.seconds[OURS]

    def ceiling(self, roofline: Roofline) -> float | None:
        """The ratio to the best peer of code that reaches the machine's limit."""
        rate = self.gflops(self.best_peer) if self.best_peer else None
        return None if rate is None else self.limit(roofline) / rate

    @property
    def summary(self) -> str:
        ours = f"pylstm {1e6 * self.seconds[OURS]:.4g} µs" if OURS in self.seconds else "pylstm failed"
        peer = f", {self.best_peer} {1e6 * self.seconds[self.best_peer]:.4g} µs" if self.best_peer else ", no peer"
        ratio = f", ratio {self.ratio:.2f}" if self.ratio else ""
        return ours + peer + ratio + "".join(f"; FAILED: {library}" for library in self.failed if library != OURS)

    def gflops(self, library: str) -> float | None:
        return self.cell.flops / self.seconds[library] / 1e9 if library in self.seconds else None

    def limit(self, roofline: Roofline) -> float:
        """GFLOP/s that the machine allows: arithmetic at the peak, recurrent weights read at every step in one order.

        Nothing else is charged (input weights can be applied to all steps at once, activations cost no FLOPs here), so
        it is a ceiling, not a forecast. Steps that turn round find part of the weights in cache still, and can be above
        it where the weights are a little larger. Training reads them twice a step: forward, and for dh = dZ·R.
        """
        weights = self.cell.recurrent_bytes
        reads = int(self.cell.lengths.max()) * (2 if self.cell.mode == "train" else 1)
        return min(roofline.peak, roofline.bandwidth_at(weights) * self.cell.flops / (weights * reads))

    def weights_read(self) -> float | None:
        """GB/s at which we read recurrent weights, if each step read them once and did nothing else: inference."""
        if OURS not in self.seconds:
            return None
        return self.cell.recurrent_bytes * self.cell.steps / self.seconds[OURS] / 1e9
