"""Resources of a process: opened when first asked for, shared by all calls, closed in reverse order at the end."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from codemation.core.names import name_of
from codemation.core.outputs import message_of
from codemation.core.resources import ResourceError, Use
from codemation.host.runtime.calling import Loop, outcome

_log = logging.getLogger("codemation.resources")
_NOTHING: Mapping[Any, Any] = {}


@dataclass(slots=True)
class _Entry:
    """A resource that is opened, or about to be."""

    name: str
    guard: threading.Lock = field(default_factory=threading.Lock)
    opened: bool = False
    value: Any = None
    close: Callable[[], None] | None = None


class Resources:
    """What the nodes of this process share; `replaced` gives what stands in for an opener, in tests above all."""

    def __init__(self, loop: Loop, replaced: Mapping[Callable[..., Any], Any] = _NOTHING) -> None:
        self._loop = loop
        self._replaced = replaced
        self._guard = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}
        self._opened: list[_Entry] = []
        self._closed = False

    def get(self, use: Use, arguments: Mapping[str, Any]) -> Any:
        """The resource, opened with these arguments if nobody has done so before.

        Raises:
            ResourceError: it cannot be opened.
        """
        if use.opener in self._replaced:
            return self._replaced[use.opener]
        with self._guard:
            entry = self._entries.setdefault(_key(use, arguments), _Entry(name_of(use.opener)))
        with entry.guard:
            if not entry.opened:
                self._open(entry, use, arguments)
            return entry.value

    def close(self) -> None:
        """Close what is open, the latest first; whatever goes wrong is logged, for nobody waits for it any more."""
        with self._guard:
            self._closed = True
            opened, self._opened = self._opened[::-1], []
            self._entries.clear()
        for entry in opened:
            if entry.close is None:
                continue
            try:
                entry.close()
            except Exception:  # noqa: BLE001  # as the docstring says
                _log.exception("the resource of %s could not be closed", entry.name)

    def _open(self, entry: _Entry, use: Use, arguments: Mapping[str, Any]) -> None:
        try:
            entry.value, entry.close = self._begun(use.opener, arguments)
        except Exception as error:
            said = f"{type(error).__name__}: {message_of(error)}"
            raise ResourceError(f"{use!r} cannot be opened: {said}") from error
        with self._guard:
            late = self._closed
            if not late:
                self._opened.append(entry)
        entry.opened = True
        if late:
            if entry.close is not None:
                entry.close()
            raise ResourceError(f"{use!r} is not opened any more: this process ends")

    def _begun(self, opener: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[Any, Callable[[], None] | None]:
        given = opener(**arguments)
        if inspect.isawaitable(given):
            given = self._awaited(given)
        if isinstance(given, Generator):
            given = contextlib.contextmanager(lambda: given)()
        elif isinstance(given, AsyncGenerator):
            given = contextlib.asynccontextmanager(lambda: given)()
        elif not _is_manager(opener, given):
            return given, None
        if isinstance(given, AbstractContextManager):
            return given.__enter__(), lambda: _left(given)
        return self._awaited(given.__aenter__()), lambda: self._awaited(given.__aexit__(None, None, None))

    def _awaited(self, awaitable: Any) -> Any:
        async def wait() -> Any:
            return await awaitable

        return outcome(self._loop.run(wait()))


def _left(manager: AbstractContextManager[Any]) -> None:
    manager.__exit__(None, None, None)


def _is_manager(opener: Callable[..., Any], given: Any) -> bool:
    """Whether what an opener gives is to be entered.

    Connections, locks and the like can be entered as well, which means a transaction or a wait to them: only what is
    made for it (`contextlib`), or a class that is named as the opener, is meant.
    """
    made_for_it = AbstractContextManager in type(given).__mro__ or AbstractAsyncContextManager in type(given).__mro__
    entered = isinstance(given, AbstractContextManager | AbstractAsyncContextManager)
    return entered and (made_for_it or (isinstance(opener, type) and isinstance(given, opener)))


def _key(use: Use, arguments: Mapping[str, Any]) -> Hashable:
    return (use.opener, tuple((name, type(value), _hashable(value)) for name, value in sorted(arguments.items())))


def _hashable(value: Any) -> Hashable:
    """The value itself where it can be a key; the text of it shows no secrets, and would not tell credentials apart."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value  # type: ignore[no-any-return]
