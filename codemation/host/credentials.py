"""Where credentials come from: variables of the environment, and what the configuration names."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from codemation.core.credentials import Credential, MissingCredential, Secret, read_credential
from codemation.core.ids import NodeId
from codemation.core.nesting import below
from codemation.core.ports import CredentialSource, Slot
from codemation.core.signature import NodeCode
from codemation.core.workflow import Workflow

VARIABLES = "CODEMATION_CREDENTIAL_"
"""What the variables begin with that hold the fields of credentials."""
Resolver = Callable[[Slot], Mapping[str, object] | Credential | None]


@dataclass(frozen=True, slots=True)
class EnvironmentCredentials:
    """`CODEMATION_CREDENTIAL_<SLOT or TYPE>_<FIELD>`; what is set for the slot wins over what is set for the type."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def find(self, slot: Slot) -> Mapping[str, object] | None:
        """The fields that are set; `None` when none is."""
        for name in (slot.name, slot.type.__name__):
            found = {
                key: _read(slot.type, key, text)
                for key in slot.type.model_fields
                if (text := self.environment.get(variable(name, key))) is not None
            }
            if found:
                return found
        return None


@dataclass(frozen=True, slots=True)
class ConfiguredCredential:
    """What stands in `credentials=[…]` of the configuration: a credential, or a function that is asked for one."""

    given: Credential | Resolver

    def find(self, slot: Slot) -> Mapping[str, object] | Credential | None:
        """The credential for the slots of its class, or what the function answers."""
        if isinstance(self.given, Credential):
            return self.given if isinstance(self.given, slot.type) else None
        return self.given(slot)


class Credentials:
    """All sources in their order: the first that has a credential is taken."""

    def __init__(self, sources: Sequence[CredentialSource]) -> None:
        self._sources = tuple(sources)

    def find(self, slot: Slot) -> Credential | None:
        """The credential of a slot; `None` for one that may be left out and is nowhere.

        Raises:
            MissingCredential: it is nowhere, or does not fit its class.
        """
        where = f'{slot.name} of "{slot.node}"'
        for source in self._sources:
            found = source.find(slot)
            if found is not None:
                return read_credential(slot.type, found, where)
        if not slot.required:
            return None
        if not any(one.is_required() for one in slot.type.model_fields.values()):
            return slot.type()
        raise MissingCredential(f"{where} is nowhere: {slot.type.__name__}", way_out=_way_out([slot]))

    def check(self, workflow: str, slots: Iterable[Slot]) -> None:
        """Look for all of them before anything is started.

        Raises:
            MissingCredential: some are missing or do not fit; all of those are listed.
        """
        wrong: dict[Slot, str] = {}
        for slot in slots:
            try:
                self.find(slot)
            except MissingCredential as error:
                wrong[slot] = error.message
        if wrong:
            lines = "\n  ".join(wrong.values())
            what = f'"{workflow}" cannot start, because it needs credentials:\n  {lines}'
            raise MissingCredential(what, way_out=_way_out(list(wrong)))


def slots(code: Mapping[NodeId, NodeCode]) -> list[Slot]:
    """The credentials that the nodes of a workflow ask for."""
    return [
        Slot(node=node, name=one.name, type=one.type, required=one.required)
        for node, called in code.items()
        for injection in called.signature.injections
        for one in injection.credentials()
    ]


@lru_cache(maxsize=64)
def slots_below(workflow: Workflow[Any, ...]) -> tuple[Slot, ...]:
    """The credentials that the nodes of a workflow ask for, and those of the workflows that it lets work."""
    return tuple(slot for one in below(workflow) for slot in slots(one.code))


def source_of(given: Any) -> CredentialSource:
    """The source that one entry of the configuration stands for.

    Raises:
        ValueError: it stands for none.
    """
    if isinstance(given, str):
        module, _, name = given.partition(":")
        try:
            given = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"{module}:{name} cannot be imported: {error}") from error
    if hasattr(given, "find") and not isinstance(given, type):
        found: CredentialSource = given
        return found
    if isinstance(given, Credential) or (callable(given) and not isinstance(given, type)):
        return ConfiguredCredential(given)
    raise ValueError(f"{given!r} is neither a credential nor a function from a slot to one")


def variable(name: str, field: str) -> str:
    """The variable of a field: `SmtpServer`, `host` → `CODEMATION_CREDENTIAL_SMTP_SERVER_HOST`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return VARIABLES + re.sub(r"\W+", "_", f"{words}_{field}").upper()


def _read(kind: type[Credential], name: str, text: str) -> object:
    """What a variable holds: text, or JSON where the field is neither a text nor a secret."""
    plain = kind.model_fields[name].annotation in (str, Secret)
    if plain or text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _way_out(slots: Sequence[Slot]) -> str:
    names = dict.fromkeys(
        variable(slot.type.__name__, name)
        for slot in slots
        for name, one in slot.type.model_fields.items()
        if one.is_required()
    )
    return f"set {', '.join(names)}, or name where they are in credentials=[…] of the configuration"
