"""What cannot be stored, and the path inside the value at which it was found."""

from __future__ import annotations

from codemation.core.errors import NodeError

MAX_DEPTH = 64
"""Levels of nesting that are stored; deeper values are refused, cycles among them.

So few, because what was stored must be read again wherever Python's stack stands by then: a level takes up to nine
frames of the thousand.
"""

_SHOWN_STEPS = 8
"""Steps of a path that a message shows when there are very many."""


class Unstorable(NodeError):
    """The node returned something that cannot be stored."""

    def __init__(
        self,
        path: str = "value",
        type_name: str = "object",
        *,
        reason: str = "",
        way_out: str = "return its data instead",
        index: int | None = None,
    ) -> None:
        self.path = path
        """Where it stands, from the value downwards: `value.customer.session`."""
        self.type_name = type_name
        self.index = index
        """Which value of a batch it was; None when one value was stored by itself."""
        place = path if index is None else f"item {index}: {path}"
        said = reason or f"{article(type_name)} {type_name} object cannot be stored"
        super().__init__(f"{place}: {said}", way_out=way_out)


class Refusal(Exception):
    """Travels up from what cannot be stored and collects the path; `encode` and `pack` turn it into `Unstorable`."""

    def __init__(self, kind: type, *, reason: str = "", way_out: str = "return its data instead") -> None:
        super().__init__(reason)
        self.type_name = kind.__qualname__
        self.reason = reason
        self.way_out = way_out
        self.steps: list[tuple[str, int]] = []

    def within(self, step: str, container: object) -> None:
        """Note that what was refused stands at `step` of `container`; innermost first."""
        self.steps.append((step, id(container)))

    def unstorable(self, index: int | None = None) -> Unstorable:
        """The error that a person sees."""
        steps = self.steps[::-1]
        back = _leads_back(steps)
        if back is None:
            return Unstorable(_path(steps), self.type_name, reason=self.reason, way_out=self.way_out, index=index)
        first, again = back
        reason = f"it leads back to {_path(steps[:first])}, and a cycle cannot be stored"
        way_out = "return the data without the reference back"
        return Unstorable(_path(steps[:again]), self.type_name, reason=reason, way_out=way_out, index=index)


def too_deep(value: object) -> Refusal:
    """The refusal of a value that stands deeper than `MAX_DEPTH` levels."""
    return Refusal(
        type(value),
        reason=f"it is nested deeper than {MAX_DEPTH} levels",
        way_out="return it flatter: a list of records that name one another, say",
    )


def refusal_of(value: object) -> Refusal:
    """The refusal of a value of a class that the codec does not know, with the way out that fits the class."""
    kind = type(value)
    if is_secret(kind):
        return Refusal(kind, reason="a secret is never stored", way_out="pass it as a credential, and return the rest")
    if hasattr(kind, "__arrow_c_stream__"):
        return Refusal(
            kind,
            reason=f"a {kind.__name__} cannot be stored inside an item",
            way_out="return the table itself, or its rows as a list of dicts",
        )
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        return Refusal(kind, way_out="return a list of what it yields")
    for base in (str, bytes, int, float, list, tuple, dict, set, frozenset):
        if isinstance(value, base):
            return Refusal(
                kind, way_out=f"return {base.__name__}(…) of it, or register the class (codemation.core.values)"
            )
    return Refusal(kind)


def is_secret(kind: type) -> bool:
    """Whether a class is made to hide its value, as pydantic's `SecretStr` is."""
    return hasattr(kind, "get_secret_value")


def article(noun: str) -> str:
    """The indefinite article that goes before a noun."""
    return "an" if noun[:1].lower() in set("aeiou") else "a"


def shorten(text: str, limit: int = 40) -> str:
    """The text, cut where it is too long for a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _leads_back(steps: list[tuple[str, int]]) -> tuple[int, int] | None:
    """The numbers of steps after which the path stands at an object, and at the same object again."""
    seen: dict[int, int] = {}
    for taken, (_, container) in enumerate(steps):
        if container in seen:
            return seen[container], taken
        seen[container] = taken
    return None


def _path(steps: list[tuple[str, int]]) -> str:
    names = [step for step, _ in steps]
    if len(names) > _SHOWN_STEPS:
        half = _SHOWN_STEPS // 2
        names = [*names[:half], " … ", *names[-half:]]
    return "value" + "".join(names)
