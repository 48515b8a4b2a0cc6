"""What runs wait for, as their users see it, and how people and events answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from codemation.core.errors import (
    AlreadyDecided,
    DecisionExpired,
    InputError,
    InvalidDecision,
    RunError,
    UnknownWait,
)
from codemation.core.events import LONGEST_KEY, NamedEvent, problem_of
from codemation.core.facts import Answered, decode_delta
from codemation.core.ids import ActivationId, NodeId, RunId, TicketId, WorkflowId, node_of
from codemation.core.inputs import adapter
from codemation.core.mistakes import listed, meant
from codemation.core.ports import OpenWait, SentEvent
from codemation.core.waits import WaitKind, address
from codemation.host.identity import entropy, user
from codemation.host.letters import decision_letter

if TYPE_CHECKING:
    from codemation.core.opening import OpenRun
    from codemation.host.app import App


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunWait:
    """Something that a run waits for."""

    run: RunId
    workflow: WorkflowId
    activation: ActivationId
    key: str
    """Names it within the node: the position of the item, or nothing where one wait stands for all."""
    kind: WaitKind
    due_at: datetime | None
    """When its time is over; `None` if it has all the time in the world."""
    title: str = ""
    to: tuple[str, ...] = ()
    """Who should decide; everybody may."""
    event: str = ""
    """What it is woken by, as `<name>:<key>`."""
    form: dict[str, Any] | None = None
    """The JSON schema of the decision, to draw a form from."""

    @property
    def node(self) -> NodeId:
        """The node that waits."""
        return node_of(self.activation)

    @property
    def item(self) -> int | None:
        """The position of the item in what reached the node; `None` where it is about all of them."""
        return int(self.key) if self.key.isdigit() else None

    @property
    def id(self) -> str:
        """Names it among the waits of all runs."""
        return address(self.run, self.activation, self.key)

    @property
    def about(self) -> str:
        """What people are told of it."""
        return self.title or self.event or self.node

    def __repr__(self) -> str:
        item = "" if self.item is None else f" of item {self.item}"
        about = "" if self.about == self.node else f" {self.about!r}"
        to = f", for {', '.join(self.to)}" if self.to else ""
        until = f", until {self.due_at:%Y-%m-%d %H:%M:%S %Z}" if self.due_at else ""
        return f"<{self.node}: {self.kind}{about}{item}{to}{until}>"


def waits_of(app: App, run: OpenRun) -> list[RunWait]:
    """What a run waits for now, the most pressing first."""
    found = app.engine.persist(app.stores.waits.open, run=run.id, limit=1_000_000)
    return sorted((_wait(one, run) for one in found), key=_order)


def _order(wait: RunWait) -> tuple[bool, float, str, int]:
    """What has the nearest end first; items of one node in their order."""
    due = 0.0 if wait.due_at is None else round(wait.due_at.timestamp())
    return wait.due_at is None, due, wait.activation, wait.item or 0


def open_waits(app: App, kind: WaitKind | None, limit: int) -> list[RunWait]:
    """What all runs wait for."""
    found = app.engine.persist(app.stores.waits.open, kind=kind, limit=limit)
    runs = {run: app.engine.open(run) for run in dict.fromkeys(one.run for one in found)}
    return [_wait(one, runs[one.run]) for one in found]


def _wait(one: OpenWait, run: OpenRun) -> RunWait:
    plan = run.snapshot.plan.nodes.get(node_of(one.activation))
    detail = one.detail
    return RunWait(
        run=one.run,
        workflow=one.workflow,
        activation=one.activation,
        key=one.wait,
        kind=one.kind,
        due_at=one.due_at,
        title=str(detail.get("title", "")),
        to=tuple(map(str, detail.get("to", ()))),
        event=one.wait_key or "" if one.kind == "event" else "",
        form=plan.config.get("form") if plan is not None else None,
    )


def chosen(waits: list[RunWait], given: object) -> str:
    """The id of the approval that is meant: a wait, a node of which one is open, or nothing where one is open at all.

    Raises:
        UnknownWait: nothing of that kind is open.
        RunError: several are.
    """
    if isinstance(given, RunWait):
        return given.id  # whether it is open still is found out by deciding
    approvals = [wait for wait in waits if wait.kind == "approval"]
    if given is not None:
        name = str(given)
        approvals = [wait for wait in approvals if name in (wait.id, wait.node)]
    if not approvals:
        names = listed([wait.id for wait in waits if wait.kind == "approval"], "nothing")
        raise UnknownWait(f"nothing is asked that is called {given!r}", way_out=f"open is {names}")
    if len(approvals) > 1:
        names = listed([wait.id for wait in approvals])
        raise RunError(f"{len(approvals)} decisions are open", way_out=f"name one of them: {names}")
    return approvals[0].id


def decide(app: App, wait: str, *, approved: bool, who: str | None, fields: dict[str, Any]) -> None:
    """Decide about a wait, by its id.

    Raises:
        UnknownWait: there never was such a wait.
        AlreadyDecided: somebody has decided before; says who.
        DecisionExpired: its time is over.
        InvalidDecision: what was filled in does not fit the form.
    """
    run, activation, key = _parts(wait)
    opened = app.engine.open(run)
    who = user() if who is None else who
    body = decision_letter(
        activation,
        key,
        approved=approved,
        decision=_decision(app, opened, activation, fields, approved=approved),
        who=who,
    )
    if app.engine.persist(app.stores.waits.answer, wait, body, TicketId(entropy())):
        app.caretaker.fold()
        return
    app.caretaker.fold(run)  # so that whoever was faster can be named
    raise _refusal(app, app.engine.open(run), activation, key)


def _parts(wait: str) -> tuple[RunId, ActivationId, str]:
    run, _, rest = wait.partition("/")
    activation, _, key = rest.rpartition("/")
    if not activation:
        raise UnknownWait(f"{wait!r} names nothing that a run waits for", way_out="codemation approvals list")
    return RunId(run), ActivationId(activation), key


def _decision(app: App, run: OpenRun, activation: ActivationId, fields: dict[str, Any], *, approved: bool) -> Any:
    """What was filled in as JSON that fits the form; `None` where nothing was."""
    plan = run.snapshot.plan.nodes.get(node_of(activation))
    form = plan.config.get("form") if plan is not None else None
    if plan is None:
        return None
    if not fields:
        if approved and form is not None and (missing := form.get("required")):
            raise InvalidDecision(f'who approves at "{plan.id}" has to fill in {listed(missing)}')
        return None
    if form is None:
        raise InvalidDecision(f'"{plan.id}" asks for no more than yes or no, and {listed(list(fields))} was given')
    known = form.get("properties", fields)
    for name in fields:
        if name not in known and not form.get("additionalProperties"):
            way_out = meant(name, known, f"it has {listed(list(known))}")
            raise InvalidDecision(f'the form of "{plan.id}" has no field {name!r}', way_out=way_out)
    workflow = app.attach(run.id).workflow
    code = None if workflow is None else workflow.code.get(plan.id)
    if code is None:
        said = f'the form of "{plan.id}" is not at hand here, so what was filled in cannot be checked'
        raise RunError(said, way_out="decide from the folder of the app")
    validator = adapter(code.model)
    try:
        decision = validator.validate_python(fields)
        return json.loads(validator.dump_json(decision))
    except ValueError as error:
        raise InvalidDecision(f'what was decided at "{plan.id}" does not fit: {problem_of(error)}') from None


def answers_of(app: App, run: RunId) -> list[Answered]:
    """What the world has answered to a run, the latest first, whatever became of it."""
    _, entries = app.engine.persist(app.stores.journal.load, run)
    facts = [fact for entry in entries for fact in decode_delta(entry.delta)]
    return [fact for fact in reversed(facts) if isinstance(fact, Answered)]


def refusal(app: App, wait: str) -> RunError:
    """Why nobody can decide about a wait, by its id, any more.

    Raises:
        UnknownRun: there is no such run.
    """
    run, activation, key = _parts(wait)
    return _refusal(app, app.engine.open(run), activation, key)


def _refusal(app: App, run: OpenRun, activation: ActivationId, key: str) -> RunError:
    name = f'the decision "{key or "all"}" of "{node_of(activation)}" in run {run.id}'
    answers = [one for one in answers_of(app, run.id) if (one.activation, one.wait) == (activation, key)]
    answer = answers[0].answer if answers else None
    if answer is not None and answer.reply == "fired":
        return DecisionExpired(f"{name} has expired")
    if answer is not None:
        return AlreadyDecided(f"{name} was {answer.reply} by {answer.who or 'somebody'} before")
    return UnknownWait(f"{name} is not open", way_out="codemation approvals list")


def send(app: App, event: NamedEvent[Any], key: str, payload: object, dedup: str | None) -> bool:
    """Send an event, and fold what it woke; `False` when it was sent before."""
    body = event.written(payload)
    for what, text in (("key", str(key)), ("dedup", dedup or "")):
        if len(text.encode(errors="replace")) > LONGEST_KEY:
            said = f'the {what} of the event "{event.name}" has {len(text):,} characters'
            raise InputError(said, way_out=f"at most {LONGEST_KEY:,} bytes: take its digest, or an id")
    sent = SentEvent(id=str(uuid4()), name=event.name, key=str(key), body=body, dedup=dedup, keep=event.keep)
    new = app.engine.persist(app.stores.events.send, sent)
    app.caretaker.fold()
    return new
