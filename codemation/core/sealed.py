"""Dataclasses that many are made of in each step, and that nobody changes.

Each field of a frozen dataclass is set by a call, which made the making of these a sixth of what a step takes in
Python. Here the type checker alone sees to it that nobody changes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def sealed(cls: type[T]) -> type[T]:
    """A dataclass whose fields are given by name, and stay as they are."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
