"""Writing files."""

import os
import secrets
import shutil
from contextlib import suppress
from typing import Any


def as_path(path: Any, name: str = "path") -> str:
    """Return a path as a string; `name` is what the caller calls it."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"{name} must be a string or path-like, got {path!r}") from None
    if "\0" in text:
        raise ValueError(f"{name} must have no null character, got {path!r}")
    return text


def replace(path: Any, data: bytes) -> None:
    """Give a file this content, or leave it as it was."""
    given = as_path(path)
    target = os.path.realpath(given)
    exists = os.path.exists(target)
    if exists and not os.path.isfile(target):  # a rename would put a file in place of a device
        raise ValueError(f"path must name a file, got {path!r}, which is something else")
    temporary = os.path.join(os.path.dirname(target), f".pylstm-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if exists:
                shutil.copymode(target, temporary)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a crash could leave the name with no content behind it
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):  # it names a file that the user has never heard of
            raise OSError(error.errno, error.strerror, given) from error
        raise
