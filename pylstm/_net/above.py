"""What the floors above do for objects of the lower ones, which know of none of them; `pylstm/__init__` fills it in."""

from collections.abc import Callable
from typing import Any

#: By name, what loads it when it is asked for and returns it.
above: dict[str, Callable[[], Any]] = {}
