"""What the net reads where values of X are missing."""

import numpy as np

from .._net.describe import Missing, Scaling
from .._net.inputs import Array, Steps
from .scaling import check_width


def complete(steps: Steps, missing: Missing) -> Steps:
    """Return steps of which no value is NaN; what says where some were, if anything does, comes after all features.

    That is, for each of ``missing.columns``, whether its value is missing (1, else 0), and then, for each, how many
    steps ago it had one (0 where it has; before the first counted from the step before the sequence).
    """
    check_width(steps.rows, len(missing.mean), "steps of X")
    rows, starts = steps.rows, np.repeat(steps.starts, steps.lengths)[:, np.newaxis]
    is_missing = np.isnan(rows)
    index = np.arange(len(rows))[:, np.newaxis]
    last = np.maximum(np.maximum.accumulate(np.where(is_missing, -1, index), axis=0), starts - 1)
    if missing.kind == "hold":
        held = np.take_along_axis(rows, last.clip(min=0), axis=0)
        return steps._replace(rows=np.where(last < starts, missing.mean, held))
    known = np.where(is_missing, missing.mean, rows)
    columns = missing.columns
    return steps._replace(rows=np.hstack([known, is_missing[:, columns], (index - last)[:, columns]]))


def scaling_of_all(features: Scaling, steps: Steps, missing: Missing) -> Scaling:
    """Return the scaling of complete steps: that of the features, and gaps by how long they are, as a root mean square.

    Whether a value is missing stays 0 or 1.
    """
    n_indicators = len(missing.columns)
    gaps = steps.rows[:, len(steps.rows[0]) - n_indicators :]
    n_missing = np.maximum(np.count_nonzero(gaps, axis=0), 1)
    length = np.sqrt(np.square(gaps).sum(axis=0) / n_missing)
    ones: Array = np.ones(n_indicators)
    return Scaling(
        np.concatenate([features.mean, np.zeros(2 * n_indicators)]),
        np.concatenate([features.scale, ones, np.where(length > 0, length, 1.0)]),
    )
