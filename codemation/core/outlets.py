"""Typed output ports: a class with one annotated field per port, and an instance says what goes to which."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from typing_extensions import dataclass_transform

from codemation.core.mistakes import listed, meant


@dataclass(frozen=True, slots=True)
class _Port:
    description: str


def port(description: str = "") -> Any:
    """Declares an output port as a field of a `Ports` subclass."""
    return _Port(description)


@dataclass_transform(kw_only_default=True)
class Ports:
    """Subclass with one annotated field per output port; a port that an instance leaves out is given nothing."""

    __described__: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The ports and what was said about them, inherited ones first."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        described = dict(cls.__described__)
        for name, annotation in inspect.get_annotations(cls).items():
            if name.startswith("_") or _is_class_variable(annotation):
                continue
            said = cls.__dict__.get(name)
            described[name] = said.description if isinstance(said, _Port) else ""
            if name in cls.__dict__:
                delattr(cls, name)
        cls.__described__ = MappingProxyType(described)

    def __init__(self, **held: Any) -> None:
        known = type(self).__described__
        for name in held:
            if name not in known:
                way_out = meant(name, known, f"it has {listed(known, 'none')}")
                raise TypeError(f"{type(self).__name__} has no port {name!r}; {way_out}")
        self.__dict__.update(held)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        kind = type(self).__name__
        raise AttributeError(f"{kind} cannot be changed; make a new one: {kind}({name}=…)")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # what a port holds need not be hashable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


def declared_ports(ports: type[Ports]) -> tuple[str, ...]:
    """The names of the ports that a class declares, inherited ones first."""
    return tuple(ports.__described__)


def held(ports: Ports) -> Mapping[str, Any]:
    """What an instance gives, by port; ports that were left out are not in it."""
    return MappingProxyType(ports.__dict__)


def _is_class_variable(annotation: object) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar", "t.ClassVar"))
    return typing.get_origin(annotation) is ClassVar or annotation is ClassVar
