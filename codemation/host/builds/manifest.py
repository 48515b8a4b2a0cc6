"""What is in a build, as a file that is the same byte for byte wherever and whenever it is made of the same app."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from codemation.core.definition import Definition
from codemation.core.drift import drift
from codemation.core.errors import HostError

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A workflow of a build."""

    digest: str
    """Of the definition."""
    file: str
    """Where it is written, seen from the app."""
    name: str
    """Of the module-level variable."""
    bundle: str
    """What it is made of."""
    below: tuple[str, ...]
    """Digests of the definitions whose runs may stand below its runs."""
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is in a build."""

    codemation: str
    python: str
    """As in 3.12: what code is taken for may differ from one to the next."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """What the workflows import that is not the app's, with its version."""
    workflows: Mapping[str, Entry] = field(default_factory=dict)
    bundles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By digest: its files, each with the digest of what is in it."""

    def text(self) -> str:
        """As it is written."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"

    @property
    def digest(self) -> str:
        """The name of the build."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    @classmethod
    def read(cls, text: str) -> Manifest:
        """The manifest that `text` is.

        Raises:
            HostError: it is none, or a newer release has written it.
        """
        try:
            body = json.loads(text)
            if body.pop("format") != FORMAT:
                raise ValueError("it is of another release")  # noqa: TRY301 - told as every other reason is
            entries = {name: Entry(**{**one, "below": tuple(one["below"])}) for name, one in body["workflows"].items()}
            return cls(**{**body, "workflows": entries})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            said = f"this is no manifest of a build: {type(error).__name__}: {error}"
            raise HostError(said, way_out="build it again: codemation build") from None

    def code(self) -> dict[str, tuple[str, str]]:
        """By digest of a definition: where its code is."""
        found = {one: (entry.bundle, entry.file) for entry in self.workflows.values() for one in entry.below}
        return found | {entry.digest: (entry.bundle, entry.file) for entry in self.workflows.values()}


def differences(old: Manifest, new: Manifest) -> Iterator[str]:
    """What has changed from one build to another, in lines."""
    for name in sorted({*old.workflows, *new.workflows}):
        before, after = old.workflows.get(name), new.workflows.get(name)
        if before is None:
            yield f"+ {name}"
        elif after is None:
            yield f"- {name}"
        elif before.digest != after.digest:
            yield f"~ {name}: {_changes(before, after)}"
        elif before.bundle != after.bundle:
            yield f"  {name}: files have changed, and not what it does"
    for what, was, now in (("codemation", old.codemation, new.codemation), ("Python", old.python, new.python)):
        if was != now:
            yield f"  {what} {was} → {now}"
    for name in sorted({*old.libraries, *new.libraries}):
        was, now = old.libraries.get(name, "none"), new.libraries.get(name, "none")
        if was != now:
            yield f"  {name} {was} → {now}"


def _changes(before: Entry, after: Entry) -> str:
    changes = drift(Definition.from_json(before.definition), Definition.from_json(after.definition))
    return "; ".join(changes.lines()) or "nothing that shows in the nodes"
