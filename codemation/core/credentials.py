"""What a node needs to be let in somewhere: typed, found by name when it is called, and never shown or stored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from codemation.core.errors import HostError

_hidden: dict[str, None] = {}
"""Every secret that this process was given."""
_SHORTEST = 4
"""Characters of a secret that is looked for in texts; a shorter one stands in every other word."""
_BLACKED_OUT = "••••••"


class Secret(SecretStr):
    """A text that never shows; `get_secret_value()` gives it to whoever really needs it."""


class Credential(BaseModel):
    """Subclass with one annotated field for each thing that belongs to it; a parameter of the class is filled in."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True, validate_default=True
    )

    def model_post_init(self, _context: Any, /) -> None:
        """Know what must not be seen from now on."""
        _hidden.update(dict.fromkeys(text for text in self.secrets() if len(text) >= _SHORTEST))

    def secrets(self) -> list[str]:
        """The values that must not be seen."""
        return [found for name in type(self).model_fields for found in _secrets(getattr(self, name))]


class MissingCredential(HostError):
    """A credential that a node needs is nowhere to be found."""


def read_credential(kind: type[Credential], given: object, where: str) -> Credential:
    """A credential from its fields.

    Raises:
        MissingCredential: they do not fit; says which, and never what they hold.
    """
    if isinstance(given, kind):
        return given
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, one['loc'])) or kind.__name__}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise MissingCredential(f"{where} does not fit {kind.__name__}: {'; '.join(wrong)}") from None


def without_secrets(text: str) -> str:
    """A text in which no secret of any credential shows, as far as they stand in it word for word."""
    for secret in _hidden:
        if secret in text:
            text = text.replace(secret, _BLACKED_OUT)
    return text


def _secrets(value: Any) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, BaseModel):
        return [found for name in type(value).model_fields for found in _secrets(getattr(value, name))]
    if isinstance(value, dict):
        return [found for one in value.values() for found in _secrets(one)]
    if isinstance(value, list | tuple | set | frozenset):
        return [found for one in value for found in _secrets(one)]
    return []
