"""From data as it comes to sequences as the estimators take them.

`PerStep` lets any scikit-learn transformer of columns work on sequences, `TimeSince` makes differences of times,
`TokenEncoder` makes numbers of words or characters, `sliding_window` cuts a long series into pairs to learn from, and
the converters take the forms in which other libraries keep sequences.
"""

from . import _pipeline  # noqa: F401  (registers what describes a pipeline)
from ._converters import from_channels_first, from_long_frame, from_nan_padded, from_padded
from ._per_step import PerStep
from ._time_since import TimeSince
from ._tokens import TokenEncoder
from ._windows import sliding_window

__all__ = [
    "PerStep",
    "TimeSince",
    "TokenEncoder",
    "from_channels_first",
    "from_long_frame",
    "from_nan_padded",
    "from_padded",
    "sliding_window",
]
