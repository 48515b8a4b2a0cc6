"""Records whose class has changed since they were stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, PydanticUserError, RootModel, TypeAdapter, ValidationError

from codemation.core.errors import ContractError
from codemation.core.values.classes import Kind, Shape

Given: TypeAlias = Collection[str] | None


def remake(shape: Shape, held: Mapping[str, object], given: Given) -> object:
    """Make an object of today's class from the fields that it had, through its own validation.

    Raises:
        ContractError: what was stored does not fit the class of today.
    """
    cls: Any = shape.cls
    try:
        if issubclass(cls, BaseModel):
            return _remake_model(cls, held, given)
        # A dataclass fills in fields with init=False by itself.
        refused = {field.name for field in fields(cls) if not field.init} if shape.kind is Kind.DATACLASS else set()
        taken = {name: value for name, value in held.items() if name not in refused}
        return _adapter(cls).validate_python([taken])[0]
    except ValidationError as error:
        raise _misfit(cls, error) from None
    except PydanticUserError as error:
        raise ContractError(
            f"{cls.__qualname__} has changed since it was stored, and cannot validate its old data: {error.message}",
            way_out="make it a pydantic model, or run the node that made it again",
        ) from error


def _remake_model(cls: type[BaseModel], held: Mapping[str, object], given: Given) -> BaseModel:
    if issubclass(cls, RootModel):
        return cls.model_validate(held.get("root"))
    model = cls.model_validate(held, by_name=True, by_alias=True)
    if given is not None:
        known = cls.model_fields.keys() | (model.model_extra or {}).keys()
        object.__setattr__(model, "__pydantic_fields_set__", known & set(given))
    return model


@lru_cache(maxsize=64)
def _adapter(cls: type) -> TypeAdapter[list[Any]]:
    # In a list, because pydantic takes no settings for a dataclass that stands by itself.
    return TypeAdapter(list[cls], config=ConfigDict(arbitrary_types_allowed=True))  # type: ignore[valid-type]


def _misfit(cls: type, error: ValidationError) -> ContractError:
    first = error.errors(include_input=False, include_url=False)[0]
    within = first["loc"] if issubclass(cls, BaseModel) else first["loc"][1:]
    place = ".".join([cls.__qualname__, *map(str, within)])
    return ContractError(
        f"{place}: what was stored no longer fits the class, which has changed since ({first['msg']})",
        way_out="give the class a default, an alias or a validator for old data, or run the node that made it again",
    )
