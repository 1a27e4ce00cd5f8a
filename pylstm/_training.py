"""Fitting a `Model`: the loop over epochs and mini-batches, learning-rate schedules, when to stop."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from ._core import Model, Solver, Trainer
from ._inputs import Array, Steps
from ._targets import Targets

#: Mini-batches whose sequences are sorted by length among themselves, so that those of a mini-batch are much alike.
BUCKET = 8
#: Below this an adaptive learning rate has nothing more to try.
LEAST_LEARNING_RATE = 1e-6


class Data(NamedTuple):
    """Sequences and their targets."""

    steps: Steps
    targets: Targets

    def batches(self, batch_size: int, random_state: np.random.RandomState | None) -> Iterator[npt.NDArray[np.intp]]:
        """Yield the indices of mini-batches; shuffled where there is a `random_state`."""
        n_sequences = len(self.steps.lengths)
        order = np.arange(n_sequences, dtype=np.intp)
        if random_state is None:
            yield from _cut(order, batch_size)
            return
        random_state.shuffle(order)
        if self.steps.is_dense:
            yield from _cut(order, batch_size)
            return
        batches = [
            batch
            for bucket in _cut(order, BUCKET * batch_size)
            for batch in _cut(bucket[np.argsort(-self.steps.lengths[bucket], kind="stable")], batch_size)
        ]
        for k in random_state.permutation(len(batches)):
            yield batches[k]


def _cut(order: npt.NDArray[np.intp], size: int) -> Iterator[npt.NDArray[np.intp]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


class Windows:
    """Stretches of sequences for truncated BPTT: the state is carried from one to the next, gradients are not.

    Parameters
    ----------
    steps : Steps
    window : int
        Steps of each but the last of a sequence.
    """

    def __init__(self, steps: Steps, window: int) -> None:
        counts = -(-steps.lengths // window)
        self.base = np.cumsum(counts) - counts
        """Of each sequence, its first window."""
        self.counts = counts
        number = np.arange(counts.sum()) - np.repeat(self.base, counts)
        starts = np.cumsum(steps.lengths) - steps.lengths
        self.first: npt.NDArray[np.intp] = np.repeat(starts, counts) + number * window
        self.length: npt.NDArray[np.intp] = np.minimum(window, np.repeat(steps.lengths, counts) - number * window)

    def train(self, trainer: Trainer, batch: npt.NDArray[np.intp]) -> tuple[float, float]:
        """Train on the windows of a mini-batch, one after the other; return summed loss and weight."""
        batch = batch[np.argsort(-self.counts[batch], kind="stable")]
        total = total_weight = 0.0
        state: Any = None
        for number in range(int(self.counts[batch[0]])):
            n_alive = int(np.count_nonzero(self.counts[batch] > number))
            if state is not None:
                state = [(h[:, :n_alive], c[:, :n_alive]) for h, c in state]
            loss, weight, state = trainer.step(self.base[batch[:n_alive]] + number, state)
            total += loss * weight
            total_weight += weight
        return total, total_weight


@dataclass
class History:
    """What a fit leaves behind beside the weights; carried on by `warm_start` and `partial_fit`."""

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)


class Schedule:
    """The learning rate of each epoch.

    Parameters
    ----------
    kind : {"constant", "invscaling", "adaptive", "cosine"}
    initial : float
    power_t : float
    max_iter : int
    """

    def __init__(self, kind: str, initial: float, power_t: float, max_iter: int) -> None:
        self.kind, self.initial, self.power_t, self.max_iter = kind, initial, power_t, max_iter
        self.current = initial

    def of_epoch(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        if self.kind == "invscaling":
            self.current = self.initial / (epoch + 1) ** self.power_t
        elif self.kind == "cosine":
            self.current = self.initial * (1 + np.cos(np.pi * epoch / self.max_iter)) / 2
        return self.current

    def stops_when_stuck(self) -> bool:
        """Whether nothing is left to try where there is no improvement; an adaptive rate is lowered first."""
        if self.kind != "adaptive" or self.current <= LEAST_LEARNING_RATE:
            return True
        self.current /= 5
        return False


class Patience:
    """Counts epochs without an improvement by `tol`, and keeps the best weights.

    Parameters
    ----------
    model : Model
    tol : float
    n_iter_no_change : int
    """

    def __init__(self, model: Model, tol: float, n_iter_no_change: int) -> None:
        self.model, self.tol, self.n_iter_no_change = model, tol, n_iter_no_change
        self.best = -np.inf
        self.n_without = 0
        self.best_weights: Array | None = None

    def see(self, score: float) -> bool:
        """Take the score of an epoch (higher is better); return whether patience is at its end."""
        self.n_without = self.n_without + 1 if score < self.best + self.tol else 0
        if score > self.best:
            self.best = score
            self.best_weights = self.model.copy_weights()
        if self.n_without <= self.n_iter_no_change:
            return False
        self.n_without = 0
        return True

    def restore(self) -> None:
        """Give the model its best weights."""
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def train_epoch(
    trainer: Trainer, data: Data, batch_size: int, windows: Windows | None, random_state: np.random.RandomState | None
) -> float:
    """Use every sequence once; return the mean loss, not finite where it diverged."""
    total = total_weight = 0.0
    for batch in data.batches(batch_size, random_state):
        if windows is None:
            loss, weight, _ = trainer.step(batch)
            loss *= weight
        else:
            loss, weight = windows.train(trainer, batch)
        total += loss
        total_weight += weight
        if not np.isfinite(loss):
            break
    return total / total_weight


def train(
    model: Model,
    solver: Solver,
    data: Data,
    history: History,
    estimator: Any,
    *,
    n_epochs: int,
    random_state: np.random.RandomState,
    score: Callable[[], float] | None,
    on_epoch: Callable[[int], Any],
) -> None:
    """Run epochs until patience or their number is at its end.

    Parameters
    ----------
    model, solver : Model, Solver
        Trained in place.
    data : Data
    history : History
        Continued in place.
    estimator : estimator
        Whose hyperparameters are meant.
    n_epochs : int
    random_state : RandomState
        Shuffles.
    score : callable or None
        Returns the model's validation score, for early stopping.
    on_epoch : callable
        Takes an epoch's number, returns a context manager of a list, into which it may put True to stop.
    """
    e = estimator
    n_sequences = len(data.steps.lengths)
    batch_size = min(n_sequences, 16 if e.batch_size == "auto" else int(e.batch_size))
    window = getattr(e, "window", None)
    windows = None if window is None else Windows(data.steps, window)
    trainer = Trainer(
        model,
        solver,
        data.steps,
        data.targets.values,
        data.targets.weights,
        batch_size=batch_size,
        windows=None if windows is None else (windows.first, windows.length),
    )
    schedule = Schedule(e.learning_rate, e.learning_rate_init, e.power_t, n_epochs)
    patience = Patience(model, e.tol, e.n_iter_no_change)
    is_done = False
    try:
        for epoch in range(n_epochs):
            with on_epoch(epoch) as stop:
                solver.learning_rate = schedule.of_epoch(epoch)
                loss = train_epoch(trainer, data, batch_size, windows, random_state if e.shuffle else None)
                if not np.isfinite(loss):
                    raise ValueError(
                        f"training diverged: the loss is {loss} in epoch {epoch + 1}. Lower learning_rate_init "
                        f"({e.learning_rate_init}) or max_grad_norm ({e.max_grad_norm}), or scale X and y"
                    )
                history.loss_curve.append(loss)
                line = f"Epoch {epoch + 1}/{n_epochs}, loss = {loss:.6f}"
                if score is not None:
                    history.validation_scores.append(score())
                    line += f", validation score = {history.validation_scores[-1]:.6f}"
                if e.verbose:
                    print(line, flush=True)
                is_done = patience.see(-loss if score is None else history.validation_scores[-1])
            if is_done:
                is_done = schedule.stops_when_stuck()
            if is_done or any(stop):
                is_done = True
                break
    except KeyboardInterrupt:
        if patience.best_weights is None:
            raise
        patience.restore()
        warnings.warn("Training interrupted by user: the best model so far is kept.", stacklevel=4)
        return
    if score is not None:
        patience.restore()
    if not is_done and n_epochs > 1 and e.learning_rate != "cosine":  # whose course ends here, as planned
        warnings.warn(
            f"Maximum iterations ({n_epochs}) reached and the optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=4,
        )
