"""How probable a model finds what came: in pieces, so that there is never an output for each step of a long text."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from ..._net.core import Model
from ..._net.inputs import Array, Steps
from .corpus import Text

#: Outputs at once.
MOST_OUTPUTS = 1 << 22


def log_probabilities(model: Model, texts: list[Text], n_threads: int | None = None) -> list[npt.NDArray[np.float64]]:
    """Return the logarithm of the probability of each target, text by text."""
    of_texts = iter(_of_some(model, [text for text in texts if len(text.targets)], n_threads))
    return [next(of_texts) if len(text.targets) else np.empty(0) for text in texts]


def _of_some(model: Model, texts: list[Text], n_threads: int | None) -> list[npt.NDArray[np.float64]]:
    """Of texts that have targets."""
    most = max(1, MOST_OUTPUTS // model.spec.n_outputs)
    found: list[npt.NDArray[np.float64]] = []
    for group in _groups(texts, most):
        if len(group) == 1:
            found.append(_of_one(model, group[0], most, n_threads))
            continue
        lengths = np.array([len(text.targets) for text in group], np.intp)
        rows = np.concatenate([text.tokens for text in group]).reshape(-1, 1)
        outputs, _ = model.predict(Steps(rows, lengths, False), n_threads=n_threads, raw=True)
        of_all = _of_outputs(outputs, np.concatenate([text.targets for text in group]))
        found += np.split(of_all, np.cumsum(lengths)[:-1])
    return found


def _groups(texts: list[Text], most: int) -> Iterator[list[Text]]:
    """Yield texts, in order, as many as have `most` steps together, or one that has more."""
    group: list[Text] = []
    n_steps = 0
    for text in texts:
        if group and n_steps + len(text.targets) > most:
            yield group
            group, n_steps = [], 0
        group.append(text)
        n_steps += len(text.targets)
    if group:
        yield group


def _of_one(model: Model, text: Text, most: int, n_threads: int | None) -> npt.NDArray[np.float64]:
    """Of a text that may be long: piece after piece, the state carried on."""
    parts, state = [], None
    for start in range(0, len(text.targets), most):
        rows = np.ascontiguousarray(text.tokens[start : start + most]).reshape(-1, 1)
        steps = Steps(rows, np.array([len(rows)], np.intp), True)
        outputs, state = model.predict(steps, state, n_threads=n_threads, raw=True)
        parts.append(_of_outputs(outputs, text.targets[start : start + most]))
    return np.concatenate(parts)


def _of_outputs(outputs: Array, targets: Array) -> npt.NDArray[np.float64]:
    of_all: Array = log_softmax(outputs, axis=1)  # in a fourth of the time of logsumexp
    return of_all[np.arange(len(targets)), targets].astype(np.float64)
