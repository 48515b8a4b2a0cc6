"""Values that many are made of in each step, and that nobody changes.

A step makes some twenty of them with eight fields each. Made by the `__init__` of a dataclass, these took an eighth of
what a step takes in Python; msgspec makes them in C, in a quarter of the time, and refuses at runtime to change them.
For everybody else they are dataclasses still: `replace`, `fields` and `asdict` work on them.

They are made of what was there before, so nothing in them leads back to them, and Python's collector of cycles does not
look at them: it would walk all that a run knows again and again. What holds a function that may know its holder is no
sealed class, but a `msgspec.Struct` of its own.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field
from typing import Any, TypeVar, cast, dataclass_transform

import msgspec

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def sealed(cls: type[T]) -> type[T]:
    """A class whose fields are given by name, and stay as they are; all of them are compared and shown.

    Raises:
        TypeError: it stands on another class, of which the one that is made would know nothing.
    """
    if cls.__bases__ != (object,):
        raise TypeError(f"{cls.__name__} stands on {cls.__bases__[0].__name__}, and a sealed class on none")
    own = dict(vars(cls))  # before it is made a dataclass, which adds to it
    known: dict[str, Field[Any]] = dataclass(kw_only=True)(cls).__dataclass_fields__  # type: ignore[attr-defined]
    given = [(one.name, one.type, _default(one)) for one in known.values()]
    made = msgspec.defstruct(
        cls.__name__,
        given,
        module=cls.__module__,
        namespace={name: value for name, value in own.items() if name not in known.keys() | _ITS_OWN}
        | {"__dataclass_fields__": known},
        frozen=True,
        kw_only=True,
        gc=False,
    )
    return cast(type[T], made)


def _default(one: Field[Any]) -> Any:
    if one.default_factory is not MISSING:
        return msgspec.field(default_factory=one.default_factory)
    return msgspec.NODEFAULT if one.default is MISSING else one.default


_ITS_OWN = frozenset({"__dict__", "__weakref__", "__annotations__", "__module__"})
"""What a class has of which the one that is made instead has its own."""
