"""Writing files."""

import os
import secrets
import shutil
from contextlib import suppress
from typing import Any


def replace(path: Any, data: bytes) -> None:
    """Give a file this content, or leave it as it was."""
    target = os.path.realpath(os.fsdecode(path))
    exists = os.path.exists(target)
    if exists and not os.path.isfile(target):  # a rename would put a file in place of a device
        raise ValueError(f"path must name a file, got {path!r}, which is something else")
    temporary = os.path.join(os.path.dirname(target), f".pylstm-{secrets.token_hex(8)}.tmp")
    try:
        with _new(temporary, path) as file:
            if exists:
                shutil.copymode(target, temporary)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a crash could leave the name with no content behind it
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _new(temporary: str, path: Any) -> Any:
    try:
        return open(temporary, "xb")
    except OSError as error:  # of a file that the user has never heard of
        raise OSError(error.errno, error.strerror, os.fsdecode(path)) from error
