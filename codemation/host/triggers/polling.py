"""Sources are asked: outside of any transaction, within a time limit, and what they give is recorded with their state.

With a `key`, items are recorded 500 at a time, each time with the state as it is then: if the function changes its
state after it has given an item, that item is given again after a crash, and known by its key. Without one, all items
of one look are recorded at once.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import TypeAdapter

from codemation.core.errors import InputError, StoreUnavailable
from codemation.core.hints import parameters_of
from codemation.core.ports import Emitted, PollClaim
from codemation.core.triggers import Poll
from codemation.core.values import decode, encode
from codemation.host.identity import new_run_id
from codemation.host.triggers.arms import KnownTrigger
from codemation.host.triggers.watching import changed, version_of
from codemation.host.triggers.words import in_words

if TYPE_CHECKING:
    from codemation.host.app import App

_log = logging.getLogger("codemation.triggers")
CHUNK = 500
"""Items with a key that are recorded at once."""
MOST = 10_000
"""Items without a key that one look may give."""
AT_ONCE = 4
"""Sources that a process asks at the same time."""
LONGEST_WAIT = 900.0
"""Seconds after which a source that fails is asked again at the latest, unless it is asked less often anyway."""
SHORT_KEY = 200


@dataclass(slots=True)
class _Look:
    """A source that is being asked."""

    known: KnownTrigger
    claim: PollClaim
    thread: threading.Thread | None = None
    progress: float = field(default_factory=time.monotonic)
    over: bool = False
    """It has taken too long, and what it still says counts for nothing."""


class Poller:
    """Asks the sources that this process has the code of."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._guard = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def poll(self, known: Mapping[str, KnownTrigger]) -> int:
        """Begin to ask what is due, and give up what takes too long; says how many were begun."""
        self._give_up()
        begun, limit = 0, self._app.settings.config.poll_timeout
        while len(self._looks) < AT_ONCE:
            engine, free = self._app.engine, [id_ for id_ in known if id_ not in self._looks]
            claim = engine.persist(engine.stores.polls.claim, engine.worker, free, limit * 1.5) if free else None
            if claim is None:
                break
            look = _Look(known[claim.trigger], claim)
            look.thread = threading.Thread(target=self._ask, args=(look,), name="codemation-poll", daemon=True)
            with self._guard:
                self._looks[claim.trigger] = look
            look.thread.start()
            begun += 1
        return begun

    def idle(self) -> bool:
        """Whether no source is being asked."""
        return not self._looks

    def _give_up(self) -> None:
        limit = self._app.settings.config.poll_timeout
        with self._guard:
            late = [one for one in self._looks.values() if time.monotonic() - one.progress > limit and not one.over]
        for look in late:
            look.over = True
            self._fail(look, f"it has given nothing for {limit:g} seconds")

    def _ask(self, look: _Look) -> None:
        try:
            self._read(look)
        except StoreUnavailable as error:
            _log.info("trigger %s is asked again later: %s", look.claim.trigger, error.message)
        except Exception as error:  # noqa: BLE001  # code of the author: said at the trigger, and tried again
            said = in_words(error)
            self._fail(look, said)
        finally:
            with self._guard:
                self._looks.pop(look.claim.trigger, None)
            self._app.upkeep.wake()

    def _read(self, look: _Look) -> None:
        claim, keyed, items = look.claim, _is_keyed(look.known), list[Emitted]()
        state = state_of(look.known, claim.state)
        for number, item in enumerate(_items(self._app, look.known, state)):
            look.progress = time.monotonic()
            if look.over:
                return
            key = _key(look.known, item) if keyed else f"{claim.revision}.{number}"
            items.append(Emitted(id=new_run_id(), key=key, item=_written(item)))
            if keyed and len(items) == CHUNK:
                if not self._save(look, state, items, None):
                    return
                items = []
            elif len(items) > MOST:
                raise InputError(f"it has given more than {MOST} items at once", way_out="give @cm.poll a key=")
        self._save(look, state, items, float(claim.config["every"]))

    def _save(self, look: _Look, state: Any, items: list[Emitted], wait: float | None) -> bool:
        """Record items and state; whether the source is still this process's to ask."""
        engine, claim = self._app.engine, look.claim
        written = _written(state)
        new = engine.persist(engine.stores.polls.save, claim, None if written == claim.state else written, items, wait)
        if new is None:
            _log.info("trigger %s: somebody else asks it by now", claim.trigger)
            return False
        look.claim = replace(claim, revision=claim.revision + 1, state=written)
        if new:
            self._app.upkeep.wake()
        return True

    def _fail(self, look: _Look, said: str) -> None:
        engine, claim = self._app.engine, look.claim
        every = float(claim.config["every"])
        wait = min(every * 2.0 ** min(claim.tries, 20), max(every, LONGEST_WAIT))
        if engine.persist(engine.stores.polls.fail, claim, said, wait) and not claim.tries:
            _log.error("trigger %s failed, and is tried again: %s", claim.trigger, said)


def state_of(known: KnownTrigger, stored: str | None) -> Any:
    """The state that a source is given: as it was saved, or as it begins.

    Raises:
        InputError: it has no beginning, or does not fit any more.
    """
    kind = _state_type(known)
    if stored is not None:
        found = decode(json.loads(stored))
        return (
            found if not isinstance(kind, type) or isinstance(found, kind) else TypeAdapter(kind).validate_python(found)
        )
    try:
        return (getattr(kind, "__origin__", None) or kind)()
    except TypeError as error:
        what = f"the state of {known.trigger.spelling} cannot begin: {error}"
        raise InputError(what, way_out="give each of its fields a default, or take a dict") from error


def _state_type(known: KnownTrigger) -> Any:
    if not isinstance(known.trigger, Poll):
        return dict
    function = known.trigger.function
    (first, *_) = [one for one in parameters_of(function) if one.default is one.empty]
    kind = get_type_hints(function).get(first.name, dict)
    return dict if kind is Any else kind


def _items(app: App, known: KnownTrigger, state: Any) -> Iterator[Any]:
    if isinstance(known.trigger, Poll):
        return iter(known.trigger.function(state))
    return changed(app.settings.root, str(known.plan.config["glob"]), state)


def _is_keyed(known: KnownTrigger) -> bool:
    return not isinstance(known.trigger, Poll) or known.trigger.key is not None


def _key(known: KnownTrigger, item: Any) -> str:
    """What names an item: what its author says, or its digest where that is long."""
    if not isinstance(known.trigger, Poll) or known.trigger.key is None:
        return version_of(item)
    key = known.trigger.key(item)
    said = key if isinstance(key, str) else _written(key)
    return said if len(said) <= SHORT_KEY else sha256(said.encode("utf-8", "backslashreplace")).hexdigest()


def _written(value: Any) -> str:
    return json.dumps(encode(value), separators=(",", ":"))
