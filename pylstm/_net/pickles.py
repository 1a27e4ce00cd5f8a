"""Pickles: all of them name one function of `pylstm`, so that files may move, and carry a version.

What is in them are plain values, by `__getstate__`. So skops, which reads nothing but such values, keeps the same.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core import ModelSpec

#: Of what is in them. It is raised where those made before can't be read any more.
VERSION = 3
#: What is no public name of pylstm.
CLASSES: dict[str, Any] = {}


def restore(version: int, name: Any, arguments: dict[str, Any] | None = None) -> Any:
    """Return a new object of a class, of which `name` is the name, or which it is; pickles call this."""
    if version != VERSION:
        raise ValueError(
            f"the pickle, or skops file, was made by another version of pylstm: its format is {version}, and this one "
            f"reads {VERSION}. "
            "Files of pylstm.save are read by later versions too"
        )
    cls = name
    if isinstance(name, str):
        cls = CLASSES[name] if name in CLASSES else getattr(sys.modules["pylstm"], name)
    return cls.__new__(cls) if arguments is None else cls(**arguments)


restore.__module__, restore.__name__, restore.__qualname__ = "pylstm", "_restore", "_restore"


def reduced(instance: Any, state: Any) -> tuple[Any, ...]:
    """Return what `__reduce__` has to, for an object whose `__setstate__` takes `state`."""
    cls = type(instance)
    name = cls.__name__
    is_named = CLASSES.get(name, getattr(sys.modules["pylstm"], name, None)) is cls
    return restore, (VERSION, name if is_named else cls), state


def plain_spec(spec: "ModelSpec") -> tuple[int, dict[str, Any]]:
    """Return a spec as plain values, and the version of the state that they are a part of."""
    return VERSION, spec.arguments()


def spec_of(plain: tuple[int, dict[str, Any]]) -> "ModelSpec":
    """Return the spec that `plain_spec` took apart."""
    version, arguments = plain
    return restore(version, "ModelSpec", arguments)


def made_of(name: str, state: Any) -> Any:
    """Return the object of a class whose `__getstate__` this was."""
    instance = restore(VERSION, name)
    instance.__setstate__(state)
    return instance


class OldNames:
    """Finds no module; says of those that pickles name which were made before they had a version what they are."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Raise an error for a module that was once in pylstm."""
        parent, _, module = name.rpartition(".")
        if parent == "pylstm" and module in OLD_MODULES:
            raise ModuleNotFoundError(
                f"there is no {name} any more: a pickle that names it was made by an early version of pylstm, and "
                "can't be read. Fit the model again, and keep it with pylstm.save: later versions read its files",
                name=name,
            )


#: Of the classes and functions that such pickles name.
OLD_MODULES = frozenset(
    ["_core", "_classifier", "_regressor", "_forecaster", "_estimator", "_training", "_trace", "_explain", "_cells"]
)
