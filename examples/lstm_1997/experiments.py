"""The experiments: what is trained how, when training may stop, and what a test set then has to say.

`Reber` is experiment 1, which has a training set; `Online` are experiments 4 to 6, which draw new sequences for ever.
`EXPERIMENTS` has all by name, with their settings: found on seeds from 100 on, as those from 0 on are reported.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tasks

from pylstm import LSTMClassifier, LSTMRegressor, LSTMTagger

#: Sequences that stop rules look back on, and sequences of a test set.
N_LAST, N_TEST = 2000, 2560
#: A run is over after so many times the bar.
LIMIT = 4

Errors = npt.NDArray[np.floating]
Right = npt.NDArray[np.bool_]
Say = Callable[[int, str], None]


class Outcome(NamedTuple):
    """What became of one run."""

    n_sequences: int
    """Training sequences presented."""
    stopped: bool
    """Whether the stop rule came to hold."""
    confirmed: bool
    """Whether the test set says so too."""
    wrong: int
    """Sequences of the `N_TEST` tested."""
    error: float | None = None
    """Their mean error, summed over the outputs; None for strings."""
    squared_error: float | None = None
    """Their mean squared error, where the target is a number."""

    @property
    def succeeded(self) -> bool:
        """Whether it stopped and the test set confirmed it."""
        return self.stopped and self.confirmed

    @property
    def needed(self) -> float:
        """The sequences that a success needed; a failure counts as infinitely many."""
        return self.n_sequences if self.succeeded else np.inf


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A task, what the paper needed for it, and our settings.

    Parameters
    ----------
    title : str
    paper : int
        Sequences that the paper needed.
    bar : int
        The most that the median of ours may be.
    hidden, batch_size, learning_rate : int, int, float
        Hyperparameters of the estimator.
    decay : float
        Sequences n after which the learning rate is half of the first: it is divided by 1 + n / decay.
    """

    title: str
    paper: int
    bar: int
    hidden: int = 16
    batch_size: int = 16
    learning_rate: float = 0.02
    decay: float = np.inf

    def run(self, seed: int, say: Say) -> Outcome:
        """Train one net until the stop rule holds or the limit is reached, and test it.

        Parameters
        ----------
        seed : int
        say : callable
            Is told of progress: the sequences so far, and how it stands.

        Returns
        -------
        Outcome
        """
        raise NotImplementedError

    def _new(self, kind: Any, seed: int) -> Any:
        return kind(self.hidden, batch_size=self.batch_size, forget_bias="chrono", alpha=0, random_state=seed)

    def _train(self, estimator: Any, n_sequences: int, *batch: Any, **classes: Any) -> None:
        rate = self.learning_rate / (1 + n_sequences / self.decay)
        estimator.set_params(learning_rate_init=rate).partial_fit(*batch, **classes)

    def _is_over(self, n_sequences: int) -> bool:
        return n_sequences >= LIMIT * self.bar


# ---- experiment 1


class Strings:
    """Embedded Reber strings as a net reads them.

    Parameters
    ----------
    strings : list of (str, list of str)
        As `tasks.embedded_reber` returns them.
    """

    def __init__(self, strings: list[tuple[str, list[str]]]) -> None:
        self.X, self.y, allowed = zip(*(tasks.reber_steps(*string) for string in strings), strict=True)
        self.allowed = np.concatenate(allowed)
        lengths = [len(x) for x in self.X]
        self.starts = np.cumsum(lengths) - lengths

    def wrong(self, tagger: LSTMTagger) -> int:
        """Count the strings at some step of which the symbols that may follow are not the most active outputs."""
        outputs = np.concatenate(tagger.predict_proba(list(self.X)))
        least_allowed = np.where(self.allowed, outputs, np.inf).min(axis=1)
        most_active_other = np.where(self.allowed, -np.inf, outputs).max(axis=1)
        right = np.logical_and.reduceat(least_allowed > most_active_other, self.starts)
        return len(right) - int(right.sum())


@dataclass(frozen=True, kw_only=True)
class Reber(Experiment):
    """Predict which symbols may follow: experiment 1, on 256 training and 256 test strings."""

    def run(self, seed: int, say: Say) -> Outcome:
        """See `Experiment.run`."""
        drawn = tasks.reber_sets(np.random.default_rng(seed), 256, 256, N_TEST)
        training, test, fresh = (Strings(strings) for strings in drawn)
        tagger = self._new(LSTMTagger, seed)
        n_sequences, wrong = 0, (256, 256)
        while not self._is_over(n_sequences):
            self._train(tagger, n_sequences, list(training.X), list(training.y), classes=list(tasks.REBER_SYMBOLS))
            n_sequences += 256
            wrong = training.wrong(tagger), test.wrong(tagger)
            say(n_sequences, f"{wrong[0]} training and {wrong[1]} test strings wrong")
            if wrong == (0, 0):
                break
        both_right = wrong == (0, 0)
        return Outcome(n_sequences, both_right, both_right, fresh.wrong(tagger))


# ---- experiments 4 to 6


class LastSequences:
    """How the last 2,000 sequences were judged, each before the net learnt from it."""

    def __init__(self) -> None:
        self._errors: deque[float] = deque(maxlen=N_LAST)
        self._right: deque[bool] = deque(maxlen=N_LAST)

    def add(self, errors: Errors, right: Right) -> None:
        """Take further sequences."""
        self._errors.extend(errors.tolist())
        self._right.extend(right.tolist())

    @property
    def wrong(self) -> int:
        """How many were wrong; those that are yet to come count among them."""
        return N_LAST - sum(self._right)

    @property
    def error(self) -> float:
        """Their mean error."""
        return sum(self._errors) / len(self._errors) if self._errors else np.inf


@dataclass(frozen=True, kw_only=True)
class Online(Experiment):
    """One target at the end of each sequence, and new sequences all the time: experiments 4 to 6.

    Parameters
    ----------
    draw : callable
        ``draw(rng, n_sequences)`` returns X and y.
    classes : tuple of str
        Of y; none where y are numbers.
    tolerance : float
        A sequence is right where the error of each output is below it.
    most_wrong, most_wrong_in_test : int
        Of the last 2,000 training sequences, and of the 2,560 of the test set.
    mean_error : float
        What the mean error of either has to be below.
    """

    draw: Callable[[np.random.Generator, int], tuple[list[tasks.Float32], Any]]
    classes: tuple[str, ...] = ()
    tolerance: float
    most_wrong: int = 0
    most_wrong_in_test: int = 3
    mean_error: float = np.inf

    def judge(self, estimator: Any, X: list[tasks.Float32], y: Any) -> tuple[Errors, Right]:
        """Return the errors of all sequences, summed over the outputs, and which sequences are right."""
        if self.classes:
            errors = np.abs(estimator.predict_proba(X) - (estimator.classes_ == y[:, np.newaxis]))
        else:
            errors = np.abs(estimator.predict(X) - y)[:, np.newaxis]
        return errors.sum(axis=1), (errors < self.tolerance).all(axis=1)

    def run(self, seed: int, say: Say) -> Outcome:
        """See `Experiment.run`."""
        rng, test_rng = np.random.default_rng(seed).spawn(2)
        estimator = self._new(LSTMClassifier if self.classes else LSTMRegressor, seed)
        classes = {"classes": self.classes} if self.classes else {}
        n_sequences, last, stopped = 0, LastSequences(), False
        while not stopped and not self._is_over(n_sequences):
            X, y = self.draw(rng, self.batch_size)
            if n_sequences > 0:  # before the first mini-batch there is no net yet
                last.add(*self.judge(estimator, X, y))
            stopped = last.wrong <= self.most_wrong and last.error < self.mean_error
            if not stopped:
                self._train(estimator, n_sequences, X, y, **classes)
            n_sequences += self.batch_size
            say(n_sequences, f"{last.wrong} of the last {N_LAST} wrong, mean error {last.error:.4f}")
        errors, right = self.judge(estimator, *self.draw(test_rng, N_TEST))
        wrong, error = N_TEST - int(right.sum()), float(errors.mean())
        confirmed = wrong <= self.most_wrong_in_test and error < self.mean_error
        squared_error = None if self.classes else float((errors**2).mean())
        return Outcome(n_sequences, stopped, confirmed, wrong, error, squared_error)


def _adding(T: int, **settings: Any) -> Online:
    return Online(
        title=f"4, adding, T = {T}",
        draw=partial(tasks.adding, T=T),
        tolerance=0.04,
        mean_error=0.01,
        batch_size=32,
        decay=20_000,
        **settings,
    )


def _multiplication(n_seq: int, **settings: Any) -> Online:
    share = n_seq / N_LAST
    by_chance = 3 * np.sqrt(N_TEST * share * (1 - share))  # 3 standard deviations
    return Online(
        title=f"5, multiplication, n_seq = {n_seq}",
        draw=partial(tasks.multiplication, T=100),
        tolerance=0.04,
        most_wrong=n_seq - 1,
        most_wrong_in_test=int(N_TEST * share + by_chance),
        batch_size=32,
        decay=20_000,
        **settings,
    )


def _temporal_order(title: str, spans: tuple[tuple[int, int], ...], **settings: Any) -> Online:
    return Online(
        title=title,
        draw=partial(tasks.temporal_order, spans=spans),
        classes=tasks.order_classes(spans),
        tolerance=0.3,
        mean_error=0.1,
        **settings,
    )


EXPERIMENTS: dict[str, Experiment] = {
    "reber": Reber(title="1, embedded Reber grammar", paper=8_440, bar=8_000, batch_size=8),
    "adding-100": _adding(100, paper=74_000, bar=50_000),
    "adding-500": _adding(500, paper=209_000, bar=110_000),
    "adding-1000": _adding(1000, paper=853_000, bar=150_000),
    "multiplication": _multiplication(140, paper=482_000, bar=60_000, hidden=32),
    "order-6a": _temporal_order(
        "6a, temporal order", tasks.TWO_SYMBOLS, paper=31_390, bar=9_000, batch_size=8, learning_rate=0.01
    ),
    "order-6b": _temporal_order("6b, temporal order", tasks.THREE_SYMBOLS, paper=571_100, bar=12_000, hidden=32),
}
