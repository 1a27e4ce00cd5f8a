"""Fitting a `Model`: the loop over epochs and mini-batches, learning-rate schedules, when to stop."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .._net.core import Gradient, Model, Solver
from .._net.inputs import Array, Steps
from . import automatic
from .steps import Step, in_units, step_of
from .targets import Targets

#: What a training was ended by.
End = Literal["max_iter", "patience", "callback", "interrupt"]
#: Mini-batches whose sequences are sorted by length among themselves, so that those of a mini-batch are much alike.
BUCKET = 8
#: Below this an adaptive learning rate has nothing more to try.
LEAST_LEARNING_RATE = 1e-6
#: The part of the epochs over which a rate that settles goes down.
SETTLING = 0.2
#: A rate waits with settling while the mean loss of the last tenth of the epochs is above such a part of the first's.
HIGH = 0.2


class Data(NamedTuple):
    """Sequences and their targets."""

    steps: Steps
    targets: Targets
    groups: Array | None = None
    """Of each sequence, a number; those of a group are held out together."""
    sequence_weights: npt.NDArray[np.float64] | None = None
    """By which means and deviations are taken; None is all 1."""

    def take(self, indices: npt.NDArray[np.intp]) -> "Data":
        """Return some of the sequences."""
        steps, (values, weights), groups, sequence_weights = self
        starts = steps.starts
        rows = np.concatenate([np.arange(starts[k], starts[k] + steps.lengths[k]) for k in indices])
        of_targets = rows if len(values) == len(steps.rows) else indices
        return Data(
            Steps(steps.rows[rows], steps.lengths[indices], steps.is_dense),
            Targets(values[of_targets], None if weights is None else weights[of_targets]),
            None if groups is None else groups[indices],
            None if sequence_weights is None else sequence_weights[indices],
        )

    def without_weightless(self) -> "Data":
        """Return the sequences that have any weight: the others are as if absent."""
        steps, (values, weights) = self.steps, self.targets
        if weights is None:
            return self
        if len(values) == len(steps.rows):
            weights = np.add.reduceat(weights, steps.starts)
        weighted = np.flatnonzero(weights)
        if len(weighted) == 0:
            raise ValueError(
                "sample_weight, class_weight, burn_in and targets that are missing must leave something to learn from, "
                "got only zeros"
            )
        return self if len(weighted) == len(steps.lengths) else self.take(weighted)

    def batch_size(self, estimator: Any) -> int:
        """Return how many sequences a mini-batch has."""
        return automatic.batch_size(estimator, len(self.steps.lengths))

    def window(self, estimator: Any) -> int | None:
        """Return how many steps are trained on at once, the state carried on; None for whole sequences."""
        window: int | None = automatic.of(estimator, "window")
        return window

    def batches(self, batch_size: int, random_state: np.random.RandomState | None) -> Iterator[npt.NDArray[np.intp]]:
        """Yield the indices of mini-batches; shuffled where there is a `random_state`."""
        n_sequences = len(self.steps.lengths)
        order = np.arange(n_sequences, dtype=np.intp)
        if random_state is None:
            yield from _cut(order, batch_size)
            return
        random_state.shuffle(order)
        if self.steps.lengths.min() == self.steps.lengths.max():
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
        self.first: npt.NDArray[np.intp] = np.repeat(steps.starts, counts) + number * window
        self.length: npt.NDArray[np.intp] = np.minimum(window, np.repeat(steps.lengths, counts) - number * window)

    def train(self, step: Step, batch: npt.NDArray[np.intp]) -> tuple[float, float]:
        """Train on the windows of a mini-batch, one after the other; return summed loss and weight."""
        batch = batch[np.argsort(-self.counts[batch], kind="stable")]
        total = total_weight = 0.0
        state: Any = None
        for number in range(int(self.counts[batch[0]])):
            n_alive = int(np.count_nonzero(self.counts[batch] > number))
            if state is not None:
                state = [tuple(values[:, :n_alive] for values in layer) for layer in state]
            loss, weight, state = step(self.base[batch[:n_alive]] + number, state)
            total += loss * weight
            total_weight += weight
        return total, total_weight


@dataclass
class History:
    """What a fit leaves behind beside the weights; carried on by `warm_start` and `partial_fit`."""

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_validation_score: float = -np.inf

    def __post_init__(self) -> None:
        self.best_loss = min(self.loss_curve, default=np.inf)
        self.best_validation_score = max(self.validation_scores, default=-np.inf)

    def add(self, loss: float, validation_score: float | None) -> None:
        """Note an epoch."""
        self.loss_curve.append(loss)
        self.best_loss = min(self.best_loss, loss)
        if validation_score is not None:
            self.validation_scores.append(validation_score)
            self.best_validation_score = max(self.best_validation_score, validation_score)

    def cut(self, n_epochs: int) -> None:
        """Forget the epochs after the first ones, which had no scores."""
        del self.loss_curve[n_epochs:]
        self.best_loss = min(self.loss_curve, default=np.inf)


class Schedule:
    """The learning rate of each epoch.

    Parameters
    ----------
    kind : {"constant", "invscaling", "adaptive", "cosine", "settling"}
    initial : float
    power_t : float
    max_iter : int
        Epochs, unless there are to be more.
    longest : int
        The most epochs of a rate that settles.
    """

    def __init__(self, kind: str, initial: float, power_t: float, max_iter: int, longest: int) -> None:
        self.kind, self.initial, self.power_t, self.max_iter = kind, initial, power_t, max_iter
        self.longest = longest
        self.n_settling = int(SETTLING * max_iter)
        self.tenth = max(1, max_iter // 10)
        self.current = initial

    def of_epoch(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        if self.kind == "invscaling":
            self.current = self.initial / (epoch + 1) ** self.power_t
        elif self.kind == "cosine":
            self.current = self.initial * (1 + np.cos(np.pi * epoch / self.max_iter)) / 2
        elif self.kind == "settling" and epoch >= self.max_iter - self.n_settling:
            self.current = self.initial * (self.max_iter - epoch) / self.n_settling
        return self.current

    def wait(self, epoch: int, losses: list[float]) -> None:
        """Make it an epoch more if the rate is to settle from this one on, and the loss is still high."""
        settles = epoch == self.max_iter - self.n_settling and self.max_iter < self.longest
        if settles and np.mean(losses[-self.tenth :]) > HIGH * losses[0]:
            self.max_iter += 1

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


def with_noise(rows: Array, deviation: float, random_state: np.random.RandomState, out: Array) -> None:
    """Write rows and Gaussian noise to `out`."""
    generator = np.random.default_rng(random_state.randint(2**31))
    generator.standard_normal(dtype=out.dtype, out=out)
    out *= deviation
    out += rows


def train_epoch(
    step: Step, data: Data, batch_size: int, windows: Windows | None, random_state: np.random.RandomState | None
) -> float:
    """Use every sequence once; return the mean loss, not finite where it diverged."""
    total = total_weight = 0.0
    for batch in data.batches(batch_size, random_state):
        if windows is None:
            loss, weight, _ = step(batch, None)
            loss *= weight
        else:
            loss, weight = windows.train(step, batch)
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
    longest: int,
    random_state: np.random.RandomState,
    score: Callable[[], float] | None,
    on_epoch: Callable[[], AbstractContextManager[list[bool]]],
) -> End:
    """Run epochs until patience or their number is at its end; return what ended them.

    Parameters
    ----------
    model, solver : Model, Solver
        Trained in place.
    data : Data
    history : History
        Continued in place.
    estimator : estimator
        Whose hyperparameters are meant.
    n_epochs, longest : int
        How many there are, and at most where the loss is still high.
    random_state : RandomState
        Shuffles.
    score : callable or None
        Returns the model's validation score, for early stopping.
    on_epoch : callable
        Returns a context manager of a list, into which it may put True to stop.
    """
    e = estimator
    batch_size, window = data.batch_size(e), data.window(e)
    learning_rate_init = automatic.of(e, "learning_rate_init")
    if window is not None and model.spec.bidirectional:
        raise ValueError(f"window must be None with bidirectional=True, got {window}: no state comes from behind")
    windows = None if window is None else Windows(data.steps, window)
    rows_as_read = data.steps.rows
    noise = 0.0 if e._inputs is None else e.noise
    if noise:
        data = data._replace(steps=data.steps._replace(rows=np.empty_like(rows_as_read)))
    gradient = Gradient(
        model,
        data.steps,
        data.targets.values,
        data.targets.weights,
        batch_size=batch_size,
        windows=None if windows is None else (windows.first, windows.length),
    )
    loss = getattr(e, "loss", None)
    rows = None
    if len(data.targets.values) == len(data.steps.rows):  # a target for each step, or sequences of one step
        rows = (data.steps.starts, data.steps.lengths) if windows is None else (windows.first, windows.length)
    own = in_units(loss, estimator._targets) if callable(loss) else None
    step = step_of(model, solver, gradient, own, data.targets, rows)
    schedule = Schedule(automatic.learning_rate(e), learning_rate_init, e.power_t, n_epochs, longest)
    patience = Patience(model, e.tol, automatic.n_iter_no_change(e, data.steps, holds_out=score is not None))
    if score is not None and history.loss_curve:
        patience.see(score())  # what came before may have been better
    start = time.monotonic()
    try:
        for epoch in range(longest):
            schedule.wait(epoch, history.loss_curve)
            if epoch == schedule.max_iter:
                break
            with on_epoch() as stop:
                solver.learning_rate = schedule.of_epoch(epoch)
                if noise:
                    with_noise(rows_as_read, noise, random_state, out=data.steps.rows)
                loss = train_epoch(step, data, batch_size, windows, random_state if e.shuffle else None)
                if not (np.isfinite(loss) and model.is_finite()):
                    raise ValueError(
                        f"training diverged in epoch {epoch + 1}: its loss is {loss}, or gradients or weights are too "
                        f"large for {model.dtype}. Lower learning_rate_init ({learning_rate_init}) or max_grad_norm "
                        f"({e.max_grad_norm}){'' if e._inputs is not None else ', or scale X and y'}"
                    )
                line = f"Epoch {epoch + 1}/{schedule.max_iter}, loss = {loss:.6f}"
                improvable = -loss
                if score is not None:
                    improvable = score()
                    line += f", validation score = {improvable:.6f}"
                history.add(loss, None if score is None else improvable)
                is_stuck = patience.see(improvable)
                if e.verbose:
                    n_left = schedule.max_iter - epoch - 1
                    seconds = (time.monotonic() - start) / (epoch + 1) * n_left
                    print(line + (f", about {seconds:.0f} s left" if n_left else ""), flush=True)
            if any(stop):
                return "callback"
            if is_stuck and schedule.stops_when_stuck():
                return "patience"
    except KeyboardInterrupt:
        if patience.best_weights is None:
            raise
        patience.restore()
        warnings.warn("Training interrupted by user: the best model so far is kept.", stacklevel=2)
        return "interrupt"
    finally:
        if score is not None:
            patience.restore()
    return "max_iter"
