"""The parameters of a workflow: one model gives the CLI's options, a notebook's parameters, the form and the schema."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from codemation.core.errors import InputError
from codemation.core.mistakes import listed, meant

AnyParams = TypeVar("AnyParams", bound="Params")


@dataclass(frozen=True, slots=True)
class ParamRef:
    """`Params.month` on the class: stands for the value that a run is started with."""

    model: type[Params]
    name: str

    @property
    def annotation(self) -> Any:
        """The type of the parameter."""
        return self.model.model_fields[self.name].annotation

    def __repr__(self) -> str:
        return f"{self.model.__name__}.{self.name}"


if TYPE_CHECKING:  # a checker that saw the metaclass would lose the typed constructor that pydantic gives

    class _Referable(BaseModel):
        """What checkers see: `Params.month` has the type of its field."""

else:
    _being_made: ContextVar[bool] = ContextVar("being_made", default=False)

    class _References(type(BaseModel)):
        """Gives a reference for each field that is asked for on the class itself."""

        def __new__(mcs, *args: Any, **kwargs: Any) -> type:
            # While pydantic makes a subclass it asks the bases for attributes that a field would hide.
            token = _being_made.set(True)
            try:
                return super().__new__(mcs, *args, **kwargs)
            finally:
                _being_made.reset(token)

        def __getattr__(cls, name: str) -> Any:
            if not _being_made.get() and name in cls.__dict__.get("__pydantic_fields__", {}):
                return ParamRef(cls, name)
            return super().__getattr__(name)

    class _Referable(BaseModel, metaclass=_References):
        """What runs: `Params.month` is a `ParamRef`."""


class Params(_Referable):
    """Base of a workflow's parameters; a docstring under a field becomes its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


def validated(model: type[AnyParams], values: Mapping[str, object]) -> AnyParams:
    """The parameters of a run from the values that it was given.

    Raises:
        InputError: some do not fit, are not known or are missing; all of them are listed.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = [_problem(model, details) for details in error.errors(include_url=False)]
        raise InputError(f"these params do not fit {model.__name__}:\n" + "\n".join(problems)) from None


def _problem(model: type[Params], details: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in details["loc"])
    fields = list(model.model_fields)
    if details["type"] == "extra_forbidden" and len(details["loc"]) == 1:
        return f"  {path}: there is no such param; {meant(path, fields, f'there are: {listed(fields)}')}"
    if details["type"] == "missing":
        return f"  {path}: is missing; give {path}=…"
    return f"  {path or model.__name__}: {details['msg']}"
