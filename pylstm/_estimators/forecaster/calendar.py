"""What the calendar says of dates, for a network to read."""

from typing import Any

import numpy as np

from ..._net.inputs import Array

#: By name, where in its cycle a date is: from 0, and how many places the cycle has.
CYCLES = {
    "month": lambda dates: (dates.month - 1, 12),
    "quarter": lambda dates: (dates.quarter - 1, 4),
    "week": lambda dates: (dates.dayofyear - 1, 365.25),
    "day": lambda dates: (dates.day - 1, 31),
    "weekday": lambda dates: (dates.dayofweek, 7),
    "hour": lambda dates: (dates.hour + dates.minute / 60, 24),
}


def calendar_features(dates: Any, names: tuple[str, ...]) -> Array:
    """Return, for each date of an Index and each name, the sine and the cosine of its angle in the cycle.

    Neighbours over the end of a year, or of a week, are neighbours then.

    Returns
    -------
    ndarray (n_steps, 2 * len(names))
    """
    angles = []
    for name in names:
        place, n = CYCLES[name](dates)
        angles.append(2 * np.pi * np.asarray(place, np.float64) / n)
    return np.stack([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)
